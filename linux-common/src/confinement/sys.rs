//! What the tests try and no safe function does.

use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

const PAGE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Asks for a page with these rights, and gives it back.
pub(super) fn map(rights: ProtFlags) -> nix::Result<()> {
    // SAFETY: the kernel chooses the place, so nothing that is mapped is touched.
    let page = unsafe { mmap_anonymous(None, PAGE, rights, MapFlags::MAP_PRIVATE) }?;
    // SAFETY: it was mapped just now, with this length, and nothing points there.
    unsafe { munmap(page, PAGE.get()) }
}

/// Asks for a page of data and then for the right to execute it.
pub(super) fn make_executable() -> nix::Result<()> {
    let (data, code) =
        (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, ProtFlags::PROT_READ | ProtFlags::PROT_EXEC);
    // SAFETY: as above.
    let page = unsafe { mmap_anonymous(None, PAGE, data, MapFlags::MAP_PRIVATE) }?;
    // SAFETY: it was mapped just now, with this length; nobody executes it.
    let outcome = unsafe { mprotect(page, PAGE.get(), code) };
    // SAFETY: as above.
    unsafe { munmap(page, PAGE.get()) }?;
    outcome
}

/// Types a letter into a terminal on its user's behalf.
pub(super) fn type_into(terminal: BorrowedFd<'_>) -> nix::Result<()> {
    let letter = b'x';
    // SAFETY: TIOCSTI reads one byte behind the pointer, which lives until the call returns.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSTI, &raw const letter) };
    Errno::result(done).map(drop)
}
