//! The log: lines on standard error, never on standard output, which may carry pictures.
//!
//! State changes are always told; whatever can repeat goes through a [`Limiter`]. Nothing here keeps a file. Nobody
//! waits for the log: what standard error does not take at once is lost.

use std::fmt;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Duration;

use sealcam_core::time::Instant;

use crate::pairing_code::without_codes;
use crate::wait::takes_output;

/// Writes one line to standard error, unless that is stopped (a terminal after Ctrl-S) or full (a pipe that nobody
/// reads). A closed standard error is not an error. Pairing codes are left out, whoever has put them there.
pub fn say(line: fmt::Arguments<'_>) {
    let mut text = String::new();
    if fmt::write(&mut text, line).is_ok() {
        text.push('\n');
        write(&mut std::io::stderr().lock(), &without_codes(&text));
    }
}

fn write(out: &mut (impl Write + AsFd), text: &str) {
    if takes_output(out.as_fd(), Duration::ZERO) {
        let _ = out.write_all(text.as_bytes());
    }
}

/// Lets one line through per interval, and counts what it held back.
#[derive(Debug)]
pub struct Limiter {
    every: Duration,
    last: Option<Instant>,
    held_back: u64,
}

impl Limiter {
    /// At most one line every `every`.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self { every, last: None, held_back: 0 }
    }

    /// Whether a line may be written now: `Some(n)` says yes, and that `n` were held back since the last.
    pub fn pass(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.since(last) < self.every) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;

    #[test]
    fn line_that_nobody_takes_holds_nobody_up() {
        let (_reader, mut writer) = std::io::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        while writer.write(&[0; 4096]).is_ok() {}
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        let (done, is_done) = channel();
        thread::spawn(move || {
            write(&mut writer, "a line\n");
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(20)).expect("it waits for the reader");
    }

    #[test]
    fn repeated_lines_are_held_back_and_counted() {
        let mut limiter = Limiter::new(Duration::from_secs(1));
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        assert_eq!(limiter.pass(at(0)), Some(0));
        assert_eq!(limiter.pass(at(10)), None);
        assert_eq!(limiter.pass(at(999)), None);
        assert_eq!(limiter.pass(at(1000)), Some(2));
    }
}
