//! One of the two programs while it runs: its log, its output, its end. It never outlives this value.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sealcam_linux::clock::Clock;

use super::{PATIENCE, Scene};

/// A program that was started. Killed, by its number and no other way, when dropped.
pub(crate) struct Program {
    scene: Arc<Scene>,
    child: Child,
    log: Arc<Log>,
}

/// What it said so far.
pub(crate) struct Log {
    name: String,
    lines: Growing<Vec<String>>,
    /// Standard error, byte for byte, and standard output.
    error: Growing<Vec<u8>>,
    output: Growing<Vec<u8>>,
}

/// A value that a thread adds to, and the end of that.
struct Growing<T> {
    state: Mutex<(T, bool)>,
    grown: Condvar,
}

impl Program {
    pub(super) fn start(scene: &Arc<Scene>, name: &str, mut command: Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let log = Arc::new(Log::new(format!("{name} {}", child.id())));
        scene.logs.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&log));
        let (said, their_log) = (child.stderr.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || {
            for line in BufReader::new(said).split(b'\n') {
                let Ok(line) = line else { break };
                their_log.error.add(|bytes| bytes.extend([&line[..], b"\n"].concat()));
                their_log.lines.add(|lines| lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            their_log.lines.end();
        });
        let (mut written, their_log) = (child.stdout.take().unwrap(), Arc::clone(&log));
        thread::spawn(move || {
            let mut buf = vec![0; 1 << 16];
            while let Ok(len @ 1..) = written.read(&mut buf) {
                their_log.output.add(|bytes| bytes.extend(&buf[..len]));
                if their_log.output.lock().1 {
                    break;
                }
            }
            drop(written);
            their_log.output.end();
        });
        Self { scene: Arc::clone(scene), child, log }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input.
    pub(crate) fn input(&mut self) -> std::process::ChildStdin {
        self.child.stdin.take().expect("standard input is taken once")
    }

    /// Where a display listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let line = self.line("Listening on ");
        let words = line.split("Listening on ").nth(1).unwrap();
        words.split([',', ' ']).next().unwrap().parse().unwrap()
    }

    /// How many lines it has said.
    pub(crate) fn mark(&self) -> usize {
        self.log.lines.lock().0.len()
    }

    /// Waits for a line with `text` in it.
    pub(crate) fn line(&self, text: &str) -> String {
        self.line_after(0, text)
    }

    /// Waits for a line with `text` in it, after the first `mark` lines.
    pub(crate) fn line_after(&self, mark: usize, text: &str) -> String {
        let found = |lines: &Vec<String>| lines.iter().skip(mark).find(|line| line.contains(text)).cloned();
        let name = &self.log.name;
        let line = self.log.lines.wait(found);
        line.unwrap_or_else(|| self.scene.fail(&format!("{name} did not say {text:?} in {PATIENCE:?}")))
    }

    /// All that it has said.
    pub(crate) fn log(&self) -> String {
        self.log.lines.lock().0.join("\n")
    }

    /// Waits until `look` finds something in what it has written to standard output.
    pub(crate) fn output<T>(&self, what: &str, look: impl FnMut(&Vec<u8>) -> Option<T>) -> T {
        let name = &self.log.name;
        let found = self.log.output.wait(look);
        found.unwrap_or_else(|| self.scene.fail(&format!("{name} did not write {what} in {PATIENCE:?}")))
    }

    /// Closes the other end of its standard output, at the next byte that it writes there.
    pub(crate) fn stop_reading(&self) {
        self.log.output.end();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.id()).unwrap()), signal).unwrap();
    }

    /// Ends it without any farewell.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; its exit code.
    pub(crate) fn exit(&mut self) -> i32 {
        let scene = Arc::clone(&self.scene);
        let status = scene.until(&format!("{} ends", self.log.name), || self.child.try_wait().unwrap());
        // What it said last is read by another thread.
        self.log.lines.wait_for_end();
        self.log.output.wait_for_end();
        let failed = || scene.fail(&format!("{} was killed: {status}", self.log.name));
        status.code().unwrap_or_else(failed)
    }

    /// Asks it to end; it must do so well.
    pub(crate) fn stop(mut self) -> (String, Vec<u8>) {
        self.signal(Signal::SIGTERM);
        let code = self.exit();
        if code != 0 {
            self.scene.fail(&format!("{} ended with {code}", self.log.name));
        }
        (self.log(), self.log.output.lock().0.clone())
    }

    /// Its resident memory, bytes.
    pub(crate) fn resident(&self) -> usize {
        self.status("VmRSS:") * 1024
    }

    /// The most that its resident memory ever was, bytes.
    pub(crate) fn peak(&self) -> usize {
        self.status("VmHWM:") * 1024
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        self.status("Threads:")
    }

    /// A number that the kernel tells of it.
    fn status(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only where it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn new(name: String) -> Self {
        Self { name, lines: Growing::new(), error: Growing::new(), output: Growing::new() }
    }

    /// All that it has written, and whose it is.
    pub(super) fn written(&self) -> [(String, Vec<u8>); 2] {
        let copy = |what, written: &Growing<Vec<u8>>| {
            (format!("standard {what} of {}", self.name), written.lock().0.clone())
        };
        [copy("error", &self.error), copy("output", &self.output)]
    }

    /// The log with a heading, for a person.
    pub(super) fn tell(&self) -> String {
        let lines: String = self.lines.lock().0.iter().map(|line| format!("    {line}\n")).collect();
        format!("-- {} said:\n{lines}", self.name)
    }
}

impl<T: Default> Growing<T> {
    fn new() -> Self {
        Self { state: Mutex::new((T::default(), false)), grown: Condvar::new() }
    }
}

impl<T> Growing<T> {
    fn lock(&self) -> MutexGuard<'_, (T, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, add: impl FnOnce(&mut T)) {
        add(&mut self.lock().0);
        self.grown.notify_all();
    }

    fn end(&self) {
        self.lock().1 = true;
        self.grown.notify_all();
    }

    /// Waits until `look` finds something; `None` if it does not until the end, or for too long.
    fn wait<U>(&self, mut look: impl FnMut(&T) -> Option<U>) -> Option<U> {
        let end = Clock.now() + PATIENCE;
        let mut state = self.lock();
        loop {
            let (value, ended) = &*state;
            let found = look(value);
            let left = end.since(Clock.now());
            if found.is_some() || *ended || left.is_zero() {
                return found;
            }
            state = self.grown.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn wait_for_end(&self) {
        let state = self.lock();
        let _ = self.grown.wait_timeout_while(state, PATIENCE, |(_, ended)| !*ended);
    }
}
