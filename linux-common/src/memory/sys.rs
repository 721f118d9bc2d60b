//! The system call mlock2(2), which nix does not wrap.

use std::ops::Range;
use std::ptr;

use nix::errno::Errno;
use nix::libc;

/// Locks the pages of a range that are in use, and the others when they come to be.
pub(super) fn lock_on_fault(range: Range<usize>) -> nix::Result<()> {
    let start = ptr::without_provenance(range.start);
    // SAFETY: mlock2(2) neither reads nor writes what is at the address, and answers ENOMEM where nothing is mapped.
    let locked = unsafe { libc::mlock2(start, range.len(), libc::MLOCK_ONFAULT) };
    Errno::result(locked).map(drop)
}
