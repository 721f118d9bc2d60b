//! Waiting: one `ppoll` over a few file descriptors, the signals that end the program, and a deadline.
//!
//! The order at start: do what may take long and may be interrupted (making a key), then [`Waiter::new`], then start
//! threads (they inherit the blocked signals), then loop on [`Waiter::wait`]. Nothing here reads a file descriptor
//! other than its own signal and wake-up ones.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;
use std::{array, fs, io};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::TimeSpec;
use sealcam_core::time::Instant;

use crate::clock::Clock;
use crate::exit::{Exit, Failure, Result};

/// The signals that ask a program to end. The display has a console to restore on all of them.
const STOP: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// File descriptors of one `ppoll`: the signals' and the caller's.
const MAX_POLLED: usize = 16;

/// What the program's loop sleeps on.
#[derive(Debug)]
pub struct Waiter {
    signals: SignalFd,
}

/// What [`Waiter::wait`] found. All may be false: the deadline has come, or the wait was cut short for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready<const N: usize> {
    /// Which of the file descriptors can be read (or have an error or hang-up to be found by reading), in the order
    /// in which they were given.
    pub fds: [bool; N],
    /// The program is asked to end, by this signal.
    pub stop: Option<Signal>,
}

impl Waiter {
    /// Blocks SIGINT, SIGTERM, SIGHUP and SIGQUIT for this thread and those that it starts from now on, and takes
    /// them in by [`Waiter::wait`] instead. One that was ignored when the program started (`nohup`, `&` in a script)
    /// stays ignored.
    ///
    /// # Errors
    /// [`Exit::Other`] if the kernel gives no file descriptor.
    pub fn new() -> Result<Self> {
        let ignored = ignored_signals();
        let mask: SigSet =
            STOP.into_iter().filter(|&signal| ignored & (1 << (signal as i32 - 1)) == 0).collect();
        mask.thread_block()
            .and_then(|()| SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK))
            .map(|signals| Self { signals })
            .map_err(|errno| Failure::new(Exit::Other, format!("Cannot wait for signals: {}.", errno.desc())))
    }

    /// Sleeps until one of `fds` is readable, a signal asks to end, or `deadline` has come (`None`: no deadline; one
    /// that has passed: looks without sleeping). A place of `fds` may be `None`: never ready. At most 15 places.
    ///
    /// # Errors
    /// The kernel's, none of which is expected (ENOMEM). An interrupted wait is no error.
    pub fn wait<const N: usize>(
        &self,
        fds: [Option<BorrowedFd<'_>>; N],
        deadline: Option<Instant>,
    ) -> io::Result<Ready<N>> {
        const { assert!(N < MAX_POLLED) };
        let signals = self.signals.as_fd();
        // Place 0 is for the signals; an empty place asks their descriptor for nothing.
        let mut polled: [PollFd<'_>; MAX_POLLED] = array::from_fn(|place| match place.checked_sub(1) {
            None => PollFd::new(signals, PollFlags::POLLIN),
            Some(i) => match fds.get(i).copied().flatten() {
                Some(fd) => PollFd::new(fd, PollFlags::POLLIN),
                None => PollFd::new(signals, PollFlags::empty()),
            },
        });
        let timeout = deadline.map(|at| TimeSpec::from_duration(at.since(Clock.now())));
        match ppoll(&mut polled[..=N], timeout, None) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Ready { fds: [false; N], stop: None }),
            Err(errno) => return Err(errno.into()),
        }
        // A flag that nix does not know is still a reason to look.
        let ready = |place: usize| polled[place].any().unwrap_or(true);
        Ok(Ready {
            fds: array::from_fn(|i| ready(i + 1)),
            stop: if ready(0) { self.take_signal()? } else { None },
        })
    }

    fn take_signal(&self) -> io::Result<Option<Signal>> {
        let taken = self.signals.read_signal()?;
        Ok(taken.and_then(|info| Signal::try_from(info.ssi_signo as i32).ok()))
    }
}

/// Wakes a [`Waiter`] from any thread: clone it, give one to the thread, and wait for the other to be readable.
#[derive(Debug, Clone)]
pub struct Waker {
    event: Arc<EventFd>,
}

impl Waker {
    /// A waker that has not been called.
    ///
    /// # Errors
    /// [`Exit::Other`] if the kernel gives no file descriptor.
    pub fn new() -> Result<Self> {
        EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map(|event| Self { event: Arc::new(event) })
            .map_err(|errno| Failure::new(Exit::Other, format!("Cannot make an eventfd: {}.", errno.desc())))
    }

    /// Makes this waker and all its clones readable, until [`Waker::clear`]. Put the result where the woken thread
    /// finds it first.
    pub fn wake(&self) {
        // It fails only where 2^64 - 2 calls were never cleared, and then it is readable already.
        let _ = self.event.write(1);
    }

    /// Takes all calls of [`Waker::wake`] so far; says whether there were any. Call it before looking for what the
    /// other thread left: one that comes meanwhile then wakes once more.
    pub fn clear(&self) -> bool {
        self.event.read().is_ok()
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Whether a few bytes can be written to `fd` without waiting, now or within `patience`. A terminal that was stopped
/// with Ctrl-S and a pipe that nobody reads take nothing, perhaps for ever.
#[must_use]
pub fn takes_output(fd: BorrowedFd<'_>, patience: Duration) -> bool {
    let mut polled = [PollFd::new(fd, PollFlags::POLLOUT)];
    // Whatever is wrong with the descriptor, writing finds out without waiting.
    !matches!(ppoll(&mut polled, Some(TimeSpec::from_duration(patience)), None), Ok(0))
}

/// Keeps Ctrl-Z from stopping this thread and those that it starts from now on: for programs with something on a
/// screen that must not stand still there.
///
/// # Errors
/// [`Exit::Other`], for no reason that is known.
pub fn refuse_to_stand_still() -> Result<()> {
    SigSet::from(Signal::SIGTSTP).thread_block().map_err(|errno| {
        Failure::new(Exit::Other, format!("Cannot block the signal of Ctrl-Z: {}.", errno.desc()))
    })
}

/// The signals that this process ignores, as a mask with bit `n - 1` for signal `n`.
///
/// A blocked signal would be queued even where it is ignored, so the mask decides what is blocked at all.
fn ignored_signals() -> u64 {
    fs::read_to_string("/proc/self/status").map_or(0, |status| parse_ignored(&status))
}

fn parse_ignored(status: &str) -> u64 {
    let field = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    field.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::thread;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::sys::signal::raise;
    use nix::unistd::{read, write};

    use super::*;

    #[test]
    fn passed_deadline_looks_without_sleeping() {
        let waiter = Waiter::new().unwrap();
        let ready = waiter.wait([], Some(Instant::ZERO)).unwrap();
        assert_eq!(ready, Ready { fds: [], stop: None });
    }

    #[test]
    fn deadline_ends_the_wait_and_not_before() {
        let waiter = Waiter::new().unwrap();
        let waker = Waker::new().unwrap();
        let deadline = Clock.now() + Duration::from_millis(20);
        while Clock.now() < deadline {
            assert_eq!(waiter.wait([Some(waker.as_fd())], Some(deadline)).unwrap().fds, [false]);
        }
    }

    #[test]
    fn waker_wakes_from_another_thread_and_only_its_own_place() {
        let waiter = Waiter::new().unwrap();
        let [quiet, woken] = [Waker::new().unwrap(), Waker::new().unwrap()];
        let theirs = woken.clone();
        let thread = thread::spawn(move || theirs.wake());
        let ready = loop {
            let ready = waiter.wait([Some(quiet.as_fd()), None, Some(woken.as_fd())], None).unwrap();
            if ready.fds.contains(&true) {
                break ready;
            }
        };
        assert_eq!(ready.fds, [false, false, true]);
        thread.join().unwrap();
        assert!(woken.clear());
        assert!(!woken.clear());
        assert_eq!(waiter.wait([Some(woken.as_fd())], Some(Instant::ZERO)).unwrap().fds, [false]);
    }

    #[test]
    fn stop_signal_is_taken_once_and_does_not_kill() {
        let waiter = Waiter::new().unwrap();
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(waiter.wait([], None).unwrap().stop, Some(Signal::SIGTERM));
        assert_eq!(waiter.wait([], Some(Instant::ZERO)).unwrap().stop, None);
    }

    #[test]
    fn full_pipe_takes_no_output_until_somebody_reads() {
        let (reader, writer) = io::pipe().unwrap();
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        let takes = || takes_output(writer.as_fd(), Duration::ZERO);
        assert!(takes());
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        while write(&writer, &[0; 4096]).is_ok() {}
        assert!(!takes());
        read(&reader, &mut [0; 8192]).unwrap();
        assert!(takes());
        drop(reader);
        assert!(takes(), "there is an error to be found");
    }

    #[test]
    fn ctrl_z_does_not_stop_who_refuses() {
        let thread = thread::spawn(|| {
            refuse_to_stand_still().unwrap();
            thread::spawn(|| SigSet::thread_get_mask().unwrap().contains(Signal::SIGTSTP)).join().unwrap()
        });
        assert!(thread.join().unwrap());
    }

    #[test]
    fn ignored_signals_are_read_from_the_status_file() {
        assert_eq!(parse_ignored("SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n"), 0x1001);
        assert_eq!(parse_ignored(""), 0);
    }
}
