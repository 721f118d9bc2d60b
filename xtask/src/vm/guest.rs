//! One QEMU process, from its start to its end: its monitor, its control channel, and what it leaves behind.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use super::control::{self, Request};
use super::monitor::Monitor;
use super::picture::Picture;
use crate::clock::{Stopwatch, spoken};
use crate::failure::{Failure, Result};
use crate::process;
use crate::sys;

/// How long QEMU may take until it is there, and until it has ended when asked.
const START_WITHIN: Duration = Duration::from_secs(60);
const QUIT_WITHIN: Duration = Duration::from_secs(3);

/// How long one look at the control channel lasts.
const LOOK: Duration = Duration::from_millis(100);

/// A longer line is no request.
const LONGEST_LINE: usize = 4096;

/// Ended when dropped.
#[derive(Debug)]
pub(super) struct Guest {
    child: Child,
    monitor: Monitor,
    control: UnixStream,
    /// What has come of the next line.
    half: Vec<u8>,
    folder: PathBuf,
}

impl Guest {
    /// Starts QEMU, which finds the sockets `monitor` and `control` in `folder`.
    pub(super) fn start(command: Command, folder: &Path) -> Result<Self> {
        Self::start_within(command, folder, START_WITHIN)
    }

    /// What the guest asks next, if it asks soon: a request, or words about what makes no sense. A failure when QEMU is
    /// there no more.
    pub(super) fn ask(&mut self) -> Result<Option<std::result::Result<Request, String>>> {
        if let Some(line) = self.line() {
            return Ok(Request::parse(&line));
        }
        let mut part = [0; 1024];
        match self.control.read(&mut part) {
            Ok(0) => Err(ended(&mut self.child, &self.folder)),
            Ok(count) => {
                self.half.extend(part.iter().take(count));
                Ok(self.line().and_then(|line| Request::parse(&line)))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                match self.child.try_wait() {
                    Ok(None) => Ok(None),
                    _ => Err(ended(&mut self.child, &self.folder)),
                }
            }
            Err(_) => Err(ended(&mut self.child, &self.folder)),
        }
    }

    /// Answers what it asked last.
    pub(super) fn answer(&mut self, outcome: &std::result::Result<String, String>) {
        // A guest that is gone is noticed when it is asked for its next request.
        let _ = self.control.write_all(control::answer(outcome).as_bytes());
    }

    /// What its screen shows.
    pub(super) fn screendump(&mut self) -> Result<Picture> {
        self.monitor.screendump(&self.folder.join("screen.ppm"))
    }

    /// What it said on its console so far.
    pub(super) fn console(&self) -> String {
        let bytes = fs::read(self.folder.join("console.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }

    fn start_within(mut command: Command, folder: &Path, patience: Duration) -> Result<Self> {
        let listen = |name: &str| {
            let path = folder.join(name);
            let listener =
                UnixListener::bind(&path).and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
            listener.map_err(|error| Failure::new(format!("{}: {error}.", path.display())))
        };
        let listeners = [listen("monitor")?, listen("control")?];
        let log = File::create(folder.join("qemu.log")).map_err(|error| Failure::new(format!("{error}.")))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut child = child.map_err(|error| {
            Failure::new(format!("`{}` could not be started: {error}.", process::shown(&command)))
        })?;
        let connected = connect(&listeners, &mut child, folder, patience);
        let ready = connected.and_then(|[monitor, control]| {
            // Writing has a bound too, or a guest that asks without end and reads nothing would keep us.
            let timeout =
                control.set_read_timeout(Some(LOOK)).and_then(|()| control.set_write_timeout(Some(LOOK)));
            timeout.map_err(|error| Failure::new(format!("The guest's control channel: {error}.")))?;
            Ok((Monitor::new(monitor)?, control))
        });
        match ready {
            Ok((monitor, control)) => {
                Ok(Self { child, monitor, control, half: Vec::new(), folder: folder.into() })
            }
            Err(failure) => {
                process::end(&mut child);
                Err(failure)
            }
        }
    }

    /// A whole line, if one has come.
    fn line(&mut self) -> Option<String> {
        if self.half.len() > LONGEST_LINE {
            self.half.clear();
        }
        let end = self.half.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.half.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).into_owned())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.monitor.quit();
        let watch = Stopwatch::start();
        while watch.elapsed() < QUIT_WITHIN && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(10));
        }
        process::end(&mut self.child);
    }
}

/// Waits until QEMU has come to each of these.
fn connect<const N: usize>(
    listeners: &[UnixListener; N],
    child: &mut Child,
    folder: &Path,
    patience: Duration,
) -> Result<[UnixStream; N]> {
    let watch = Stopwatch::start();
    let mut streams = Vec::new();
    for listener in listeners {
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    let blocking = stream.set_nonblocking(false);
                    blocking.map_err(|error| Failure::new(format!("QEMU's sockets: {error}.")))?;
                    streams.push(stream);
                    break;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Failure::new(format!("QEMU's sockets: {error}."))),
            }
            if !matches!(child.try_wait(), Ok(None)) {
                return Err(ended(child, folder));
            }
            if sys::interrupted() {
                return Err(Failure::new("Interrupted."));
            }
            if watch.elapsed() > patience {
                return Err(Failure::new(format!("QEMU was not ready within {}.", spoken(patience))));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    streams.try_into().map_err(|_| Failure::new("QEMU's sockets: one is missing."))
}

/// QEMU has gone before it was to go: how, and what it said.
fn ended(child: &mut Child, folder: &Path) -> Failure {
    process::end(child);
    let how = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    let said = fs::read(folder.join("qemu.log")).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let said = if said.trim().is_empty() { "It said nothing." } else { said.trim() };
    Failure::new(format!(
        "QEMU ended before the case did ({how}): the guest's kernel gave up, QEMU did not like its arguments, or something \
         ended it. {said}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::TemporaryFolder;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Plays QEMU's part on both sockets: its monitor's prompt, and what a guest says.
    fn connect_as_qemu(folder: &Path, said: &'static str) -> [UnixStream; 2] {
        let open = |name: &str| loop {
            if let Ok(stream) = UnixStream::connect(folder.join(name)) {
                return stream;
            }
            thread::yield_now();
        };
        let (mut monitor, mut control) = (open("monitor"), open("control"));
        monitor.write_all(b"QEMU\r\n(qemu) ").unwrap();
        control.write_all(said.as_bytes()).unwrap();
        [monitor, control]
    }

    fn started(script: &str, said: &'static str, folder: &Path) -> (Guest, [UnixStream; 2]) {
        thread::scope(|scope| {
            let qemu = scope.spawn(|| connect_as_qemu(folder, said));
            let guest = Guest::start_within(shell(script), folder, Duration::from_secs(20)).unwrap();
            (guest, qemu.join().unwrap())
        })
    }

    #[test]
    fn a_qemu_that_dies_at_its_start_tells_why() {
        let folder = TemporaryFolder::make("guest").unwrap();
        let started = Guest::start(shell("echo 'no such machine' >&2; exit 1"), folder.path());
        let failure = started.unwrap_err().to_string();
        assert!(failure.contains("exit status: 1") && failure.ends_with("no such machine"), "{failure}");
    }

    #[test]
    fn a_qemu_that_is_missing_is_named() {
        let folder = TemporaryFolder::make("guest").unwrap();
        let failure = Guest::start(Command::new("no-such-qemu"), folder.path()).unwrap_err().to_string();
        assert!(failure.contains("`no-such-qemu` could not be started"), "{failure}");
    }

    #[test]
    fn a_qemu_that_hangs_at_its_start_is_ended() {
        let folder = TemporaryFolder::make("guest").unwrap();
        let script = format!("echo $$ >{}; exec sleep 600", folder.path().join("pid").display());
        let started = Guest::start_within(shell(&script), folder.path(), Duration::from_millis(500));
        assert!(started.unwrap_err().to_string().contains("was not ready within 0.5 s"));
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists());
    }

    #[test]
    fn what_a_guest_asks_is_read_line_by_line_and_noise_is_passed_over() {
        let folder = TemporaryFolder::make("guest").unwrap();
        let (mut guest, [_monitor, mut control]) =
            started("exec sleep 600", "\u{7f}noise\n@vm say one\n@vm exit 3\n@vm ha", folder.path());
        let mut asked = Vec::new();
        while asked.len() < 2 {
            asked.extend(guest.ask().unwrap().map(std::result::Result::unwrap));
        }
        assert_eq!(asked, [Request::Say("one".into()), Request::Exit(3)]);
        assert_eq!(guest.ask().unwrap(), None);
        guest.answer(&Ok("yes".into()));
        let mut answer = [0; 7];
        control.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"ok yes\n");
    }

    #[test]
    fn a_qemu_that_dies_midway_is_noticed() {
        let folder = TemporaryFolder::make("guest").unwrap();
        let gone = folder.path().join("go");
        let script =
            format!("until [ -e {} ]; do sleep 0.02; done; echo 'out of memory' >&2; exit 9", gone.display());
        let (mut guest, _sockets) = started(&script, "@vm say up\n", folder.path());
        while guest.ask().unwrap().is_none() {}
        fs::write(gone, "").unwrap();
        let failure = loop {
            match guest.ask() {
                Ok(asked) => assert!(asked.is_none()),
                Err(failure) => break failure.to_string(),
            }
        };
        assert!(failure.contains("exit status: 9") && failure.ends_with("out of memory"), "{failure}");
    }

    #[test]
    fn a_guest_that_reads_no_answers_keeps_nobody() {
        let folder = TemporaryFolder::make("guest").unwrap();
        let (mut guest, _sockets) = started("exec sleep 600", "", folder.path());
        // Until there is no room for another answer.
        guest.control.set_nonblocking(true).unwrap();
        while guest.control.write_all(b"ok\n").is_ok() {}
        guest.control.set_nonblocking(false).unwrap();
        guest.answer(&Ok(String::new()));
    }

    #[test]
    fn a_dropped_guest_leaves_no_process() {
        let folder = TemporaryFolder::make("guest").unwrap();
        let (guest, _sockets) = started("exec sleep 600", "", folder.path());
        let process = format!("/proc/{}", guest.child.id());
        assert!(Path::new(&process).exists());
        drop(guest);
        assert!(!Path::new(&process).exists());
    }
}
