//! How a source's thread sleeps: until its device is readable, a time has come, or it is told to stop or to play.
//!
//! The thread blocks nowhere else, so it ends promptly whatever its device does, short of a driver that hangs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;
use sealcam_linux::exit::{Exit, Failure, Result};

/// The two things that a source may be told. Each is said once and stays said; all clones hear it.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    stopped: Latch,
    playing: Latch,
}

/// Why a sleep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    /// The file descriptor has something to read or to tell; these are its flags.
    Ready(PollFlags),
    /// The time has come.
    Deadline,
    /// The source is to stop.
    Stopped,
}

impl Stop {
    /// Neither stopped nor playing.
    ///
    /// # Errors
    /// [`Exit::Other`] if the kernel gives no file descriptor.
    pub(super) fn new() -> Result<Self> {
        Ok(Self { stopped: Latch::new()?, playing: Latch::new()? })
    }

    /// Tells the source to stop.
    pub(super) fn stop(&self) {
        self.stopped.set();
    }

    /// Tells a recording to begin.
    pub(super) fn play(&self) {
        self.playing.set();
    }

    /// Sleeps until the recording may begin; `false` if it is to stop instead.
    ///
    /// # Errors
    /// Those of [`Stop::wait_readable`].
    pub(super) fn wait_for_play(&self) -> io::Result<bool> {
        Ok(self.wait_readable(self.playing.event.as_fd(), None)? != Woken::Stopped)
    }

    /// Sleeps until `at`; `false` if the source is to stop before.
    ///
    /// # Errors
    /// Those of [`Stop::wait_readable`].
    pub(super) fn sleep_until(&self, at: Instant) -> io::Result<bool> {
        Ok(self.wait(None, Some(at))? != Woken::Stopped)
    }

    /// Sleeps until `fd` is readable, in error or hung up, or until `deadline`.
    ///
    /// # Errors
    /// The kernel's, none of which is expected (ENOMEM).
    pub(super) fn wait_readable(&self, fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<Woken> {
        self.wait(Some(fd), deadline)
    }

    fn wait(&self, fd: Option<BorrowedFd<'_>>, deadline: Option<Instant>) -> io::Result<Woken> {
        let stopped = self.stopped.event.as_fd();
        loop {
            // Without a file descriptor the second place asks for nothing.
            let mut polled = [
                PollFd::new(stopped, PollFlags::POLLIN),
                fd.map_or(PollFd::new(stopped, PollFlags::empty()), |fd| PollFd::new(fd, PollFlags::POLLIN)),
            ];
            let timeout = deadline.map(|at| TimeSpec::from_duration(at.since(Clock.now())));
            match ppoll(&mut polled, timeout, None) {
                Ok(0) => return Ok(Woken::Deadline),
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            let [stop, device] = polled.map(|place| place.revents().unwrap_or(PollFlags::POLLERR));
            return Ok(if stop.is_empty() { Woken::Ready(device) } else { Woken::Stopped });
        }
    }
}

/// An eventfd that is never read: once written it is readable for ever.
#[derive(Debug, Clone)]
struct Latch {
    event: Arc<EventFd>,
}

impl Latch {
    fn new() -> Result<Self> {
        EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map(|event| Self { event: Arc::new(event) })
            .map_err(|errno| Failure::new(Exit::Other, format!("Cannot make an eventfd: {}.", errno.desc())))
    }

    fn set(&self) {
        // It fails only after 2^64 - 2 calls, and then it is readable already.
        let _ = self.event.write(1);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn stop_ends_a_sleep_on_a_silent_pipe() {
        let stop = Stop::new().unwrap();
        let (reader, _writer) = std::io::pipe().unwrap();
        let sleeper = thread::spawn({
            let stop = stop.clone();
            move || stop.wait_readable(reader.as_fd(), None).unwrap()
        });
        stop.stop();
        assert_eq!(sleeper.join().unwrap(), Woken::Stopped);
        assert!(!stop.sleep_until(Clock.now() + Duration::from_secs(3600)).unwrap());
        assert!(!stop.wait_for_play().unwrap());
    }

    #[test]
    fn play_is_heard_even_when_said_before() {
        let stop = Stop::new().unwrap();
        stop.play();
        assert!(stop.wait_for_play().unwrap());
    }

    #[test]
    fn deadline_is_told_from_a_ready_descriptor() {
        let stop = Stop::new().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(stop.wait_readable(reader.as_fd(), Some(Instant::ZERO)).unwrap(), Woken::Deadline);
        drop(writer);
        assert_eq!(stop.wait_readable(reader.as_fd(), None).unwrap(), Woken::Ready(PollFlags::POLLHUP));
    }
}
