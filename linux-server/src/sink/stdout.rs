//! `-`: the frames one after the other on standard output, for ffplay and friends: the very bytes of each JPEG.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};

use super::{FrameSink, Kind, Sink, SinkEnd};

struct Stdout {
    pipe: File,
}

/// Takes standard output, unless that is a terminal.
pub(crate) fn open() -> Result<Sink> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Failure::new(
            Exit::Sink,
            "Standard output is a terminal, which cannot show JPEG bytes. Pipe them into a program \
             (sealcam-server --sink - | ffplay -f mjpeg -i -), or use --sink terminal.",
        ));
    }
    // A descriptor of its own: the standard library's handle would buffer each frame once more.
    let pipe = stdout.as_fd().try_clone_to_owned().map_err(|error| failed(&error))?;
    Ok(Sink {
        name: "standard output".to_owned(),
        kind: Kind::Frames(Box::new(Stdout { pipe: pipe.into() })),
        warnings: Vec::new(),
        needs: Confinement::new(),
    })
}

impl FrameSink for Stdout {
    fn write(&mut self, _: &str, _: u32, jpeg: &[u8]) -> std::result::Result<(), SinkEnd> {
        let mut rest = jpeg;
        while !rest.is_empty() {
            match self.pipe.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Whoever shares the pipe may have made it non-blocking.
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_for_room(),
                Err(error) => return Err(end(&error)),
            }
        }
        Ok(())
    }

    fn tend(&mut self) -> std::result::Result<(), SinkEnd> {
        // Nothing is asked for, so only what is always told comes back: that the other end is gone.
        let mut asked = [PollFd::new(self.pipe.as_fd(), PollFlags::empty())];
        match poll(&mut asked, PollTimeout::ZERO) {
            Ok(1) => Err(end(&ErrorKind::BrokenPipe.into())),
            _ => Ok(()),
        }
    }
}

impl Stdout {
    fn wait_for_room(&self) {
        let mut asked = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLOUT)];
        // Whatever comes of it, the next write tells.
        let _ = poll(&mut asked, PollTimeout::from(1000_u16));
    }
}

fn end(error: &io::Error) -> SinkEnd {
    if error.kind() == ErrorKind::BrokenPipe {
        SinkEnd::Closed("the program that read standard output has ended".to_owned())
    } else {
        SinkEnd::Failed(failed(error))
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(
        Exit::Sink,
        format!("Cannot write to standard output: {error}. Check what it is redirected to."),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn piped() -> (io::PipeReader, Stdout) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, Stdout { pipe: File::from(std::os::fd::OwnedFd::from(writer)) })
    }

    #[test]
    fn frames_are_written_one_after_the_other_without_a_byte_between() {
        let (mut reader, mut sink) = piped();
        let large = vec![7; 300_000];
        let writer = std::thread::spawn(move || {
            sink.write("porch", 1, b"first").unwrap();
            sink.write("porch", 2, &large).unwrap();
            sink.tend().unwrap();
        });
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        writer.join().unwrap();
        assert_eq!(all.len(), 300_005);
        assert!(all.starts_with(b"first\x07"));
    }

    #[test]
    fn a_reader_that_goes_away_is_a_clean_end() {
        let (reader, mut sink) = piped();
        assert_eq!(sink.tend(), Ok(()));
        drop(reader);
        assert!(matches!(sink.tend(), Err(SinkEnd::Closed(_))));
        assert!(matches!(sink.write("porch", 1, b"x"), Err(SinkEnd::Closed(_))));
    }

    #[test]
    fn a_full_disk_is_a_failure() {
        let Ok(full) = File::options().write(true).open("/dev/full") else { return };
        let mut sink = Stdout { pipe: full };
        let Err(SinkEnd::Failed(failure)) = sink.write("porch", 1, b"x") else {
            panic!("nothing fits there")
        };
        assert!(failure.message.contains("No space left"), "{failure}");
    }
}
