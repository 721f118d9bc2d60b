//! The loop: waits for the kernel's messages or for the next picture, and moves bytes. Nothing is decided here.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::camera::Camera;
use crate::clock::Clock;
use crate::failure::{Exit, Failure, Result};
use crate::switches::Switches;
use crate::usbip::Inbox;

/// Several messages at a time; the longest are answers, not what is read here.
const READ_LEN: usize = 16 * 1024;

/// Serves until the link breaks.
///
/// # Errors
/// Always, in the end, with [`Exit::Link`]: a camera is pulled out by ending its process, so whoever closes the link
/// from the other side does not expect it to go on.
pub fn serve(mut link: UnixStream, camera: &mut Camera, switches: &mut Switches) -> Result {
    let clock = Clock::start();
    let mut inbox = Inbox::default();
    let mut read = vec![0; READ_LEN];
    let mut out = Vec::new();
    loop {
        let now = clock.now();
        let wake = camera.poll(now, switches.mode(now), &mut out);
        link.write_all(&out).map_err(broken)?;
        out.clear();
        let timeout = wake.map(|at| at.saturating_sub(clock.now()));
        if !readable(&link, timeout).map_err(|errno| broken(errno.into()))? {
            continue;
        }
        let len = match link.read(&mut read) {
            Ok(0) => return Err(broken(ErrorKind::UnexpectedEof.into())),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error)),
        };
        inbox.extend(read.get(..len).unwrap_or_default());
        while let Some(message) = inbox.take().map_err(|refusal| {
            Failure::new(Exit::Link, format!("The kernel sent what is no USB/IP message: {refusal}."))
        })? {
            camera.handle(message, &mut out);
        }
    }
}

/// Waits for bytes; `None` is for ever.
fn readable(link: &UnixStream, timeout: Option<Duration>) -> nix::Result<bool> {
    let mut polled = [PollFd::new(link.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut polled, timeout.map(TimeSpec::from_duration), None) {
        Ok(count) => Ok(count > 0),
        Err(Errno::EINTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn broken(error: std::io::Error) -> Failure {
    let what = match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
            String::from("was closed by it")
        }
        _ => format!("broke: {error}"),
    };
    let message = format!(
        "The link to the kernel {what}. The port was detached, or the kernel refused a message; `dmesg` tells."
    );
    Failure::new(Exit::Link, message)
}
