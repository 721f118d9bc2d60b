//! What the tests try and no safe function does.

use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

/// Sets who is signalled (asm-generic/sockios.h).
const FIOSETOWN: libc::Ioctl = 0x8901;
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

/// The ways to have the kernel signal a process when something comes to what is open here. Each is tried, and none with
/// a process for its target.
pub(super) fn ways_to_signal(open: BorrowedFd<'_>) -> [nix::Result<()>; 6] {
    const F_SETSIG: libc::c_int = 10;
    const F_SETOWN_EX: libc::c_int = 15;
    // Of f_owner_ex: F_OWNER_PID, and none.
    let (none, nobody, on): (_, [libc::c_int; 2], _) = (0, [1, 0], 1);
    let fcntl = |what, with: libc::c_long| {
        // SAFETY: `with` is a number, or points to ints that live until the call returns and are only read.
        Errno::result(unsafe { libc::fcntl(open.as_raw_fd(), what, with) }).map(drop)
    };
    let ioctl = |what, with: &libc::c_int| {
        // SAFETY: it reads one int behind the pointer.
        Errno::result(unsafe { libc::ioctl(open.as_raw_fd(), what, &raw const *with) }).map(drop)
    };
    [
        fcntl(libc::F_SETOWN, none),
        fcntl(F_SETSIG, libc::c_long::from(libc::SIGURG)),
        fcntl(libc::F_SETFL, libc::c_long::from(libc::O_ASYNC)),
        fcntl(F_SETOWN_EX, (&raw const nobody).expose_provenance() as libc::c_long),
        ioctl(libc::FIOASYNC, &on),
        ioctl(FIOSETOWN, &0),
    ]
}

/// Attaches a new piece of shared memory, with these flags, and gives it back.
pub(super) fn share_memory(flags: libc::c_int) -> nix::Result<()> {
    // SAFETY: it takes numbers only.
    let piece = Errno::result(unsafe { libc::shmget(libc::IPC_PRIVATE, PAGE.get(), 0o700) })?;
    // SAFETY: the kernel chooses the place, so nothing that is mapped is touched.
    let place = unsafe { libc::shmat(piece, std::ptr::null(), flags) };
    let outcome = if place.addr() == usize::MAX { Err(Errno::last()) } else { Ok(()) };
    if outcome.is_ok() {
        // SAFETY: it was attached just now, and nothing points there.
        unsafe { libc::shmdt(place) };
    }
    // SAFETY: IPC_RMID reads nothing behind the pointer.
    unsafe { libc::shmctl(piece, libc::IPC_RMID, std::ptr::null_mut()) };
    outcome
}
