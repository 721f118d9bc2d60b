//! The system call getrandom(2), which nix does not wrap.

use nix::errno::Errno;
use nix::libc;

/// Fills the front of `bytes`; says how many of them.
pub(super) fn getrandom(bytes: &mut [u8]) -> nix::Result<usize> {
    // SAFETY: getrandom(2) writes at most the given number of bytes to the pointer, and `bytes` is that long.
    let filled = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    Errno::result(filled).map(isize::unsigned_abs)
}
