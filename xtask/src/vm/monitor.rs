//! QEMU's monitor: the commands that a person would type, over a socket.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::picture::Picture;
use crate::clock::{Stopwatch, spoken};
use crate::failure::{Failure, Result};

const PROMPT: &[u8] = b"(qemu) ";

/// How long an answer may take; the machine has other work too.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A connection to the monitor.
#[derive(Debug)]
pub(super) struct Monitor {
    stream: UnixStream,
    patience: Duration,
}

impl Monitor {
    /// Waits until the monitor is ready for a command.
    pub(super) fn new(stream: UnixStream) -> Result<Self> {
        Self::with_patience(stream, ANSWER_WITHIN)
    }

    /// What the screen shows, by way of a file.
    pub(super) fn screendump(&mut self, file: &Path) -> Result<Picture> {
        // A name in quotes, in which only these two have a meaning of their own.
        let name = file.display().to_string().replace('\\', r"\\").replace('"', "\\\"");
        let answer = self.command(&format!("screendump \"{name}\""))?;
        let bytes = std::fs::read(file).unwrap_or_default();
        let picture = Picture::from_ppm(&bytes);
        // It is only a means; the folder is removed in the end anyway.
        let _ = std::fs::remove_file(file);
        picture
            .ok_or_else(|| Failure::new(format!("QEMU gave no picture of the screen. It says: {answer:?}")))
    }

    /// Ends QEMU.
    pub(super) fn quit(&mut self) {
        // There is no answer; if it does not heed this, its process is ended.
        let _ = self.stream.write_all(b"quit\n");
    }

    fn with_patience(stream: UnixStream, patience: Duration) -> Result<Self> {
        let fail = |error: std::io::Error| Failure::new(format!("QEMU's monitor: {error}."));
        stream.set_read_timeout(Some(Duration::from_millis(100))).map_err(fail)?;
        let mut monitor = Self { stream, patience };
        monitor.until_prompt()?;
        Ok(monitor)
    }

    fn command(&mut self, command: &str) -> Result<String> {
        let sent = self.stream.write_all(format!("{command}\n").as_bytes());
        sent.map_err(|error| Failure::new(format!("QEMU's monitor takes no commands any more: {error}.")))?;
        Ok(reply(&self.until_prompt()?))
    }

    fn until_prompt(&mut self) -> Result<Vec<u8>> {
        let mut said = Vec::new();
        let mut part = [0; 4096];
        let watch = Stopwatch::start();
        while !said.ends_with(PROMPT) {
            if watch.elapsed() > self.patience {
                let patience = spoken(self.patience);
                return Err(Failure::new(format!("QEMU's monitor gave no answer within {patience}.")));
            }
            match self.stream.read(&mut part) {
                Ok(0) => return Err(Failure::new("QEMU's monitor was closed.")),
                Ok(count) => said.extend(part.iter().take(count)),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => return Err(Failure::new(format!("QEMU's monitor: {error}."))),
            }
        }
        Ok(said)
    }
}

/// What was answered: without the command, which is echoed letter by letter up to the end of its line, and without the
/// prompt for the next.
fn reply(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said.strip_suffix(PROMPT).unwrap_or(said)).into_owned();
    let answer = text.split_once('\n').map_or("", |(_, answer)| answer);
    answer.replace('\r', "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::TemporaryFolder;
    use std::thread;

    /// A monitor that answers every command with `answer`.
    fn fake(answer: &'static str) -> Monitor {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        thread::spawn(move || {
            theirs.write_all(b"QEMU 7.2.22 monitor - type 'help'\r\n(qemu) ").unwrap();
            let mut part = [0; 256];
            while theirs.read(&mut part).is_ok_and(|count| count > 0) {
                if theirs.write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        });
        Monitor::with_patience(ours, Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn an_answer_is_what_stands_between_the_echo_and_the_prompt() {
        assert_eq!(reply(b"i\x1b[K\x1b[Dinfo\r\nVM status: running\r\n(qemu) "), "VM status: running");
        assert_eq!(reply(b"screendump a\r\n(qemu) "), "");
        assert_eq!(reply(b""), "");
        assert_eq!(fake("x\r\nfine\r\n(qemu) ").command("x").unwrap(), "fine");
    }

    #[test]
    fn a_screendump_that_failed_tells_what_qemu_says() {
        let folder = TemporaryFolder::make("monitor").unwrap();
        let failure =
            fake("s\r\nError: no screen\r\n(qemu) ").screendump(&folder.path().join("a")).unwrap_err();
        assert!(failure.to_string().contains("Error: no screen"), "{failure}");
    }

    #[test]
    fn a_screendump_is_read_and_its_file_removed() {
        let folder = TemporaryFolder::make("monitor").unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, b"P6\n1 1\n255\nabc").unwrap();
        assert_eq!(fake("s\r\n(qemu) ").screendump(&file).unwrap().at(0, 0), *b"abc");
        assert!(!file.exists());
    }

    #[test]
    fn a_monitor_that_is_closed_or_silent_is_a_failure() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert!(Monitor::new(ours).unwrap_err().to_string().contains("closed"));
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let failure = Monitor::with_patience(ours, Duration::from_millis(200)).unwrap_err().to_string();
        assert!(failure.contains("no answer within 0.2 s"), "{failure}");
    }
}
