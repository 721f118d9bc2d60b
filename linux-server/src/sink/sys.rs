//! The ioctls that no crate wraps safely: console modes, the size of a terminal, waking a blanked framebuffer.
//!
//! Each function does one system call on a descriptor that its caller holds open, and hands out plain values. All
//! say `ENOTTY` for a descriptor of another kind, which is how callers find out.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::Result;
use nix::libc::{TIOCGWINSZ, c_char, c_int, c_short, winsize};

/// What a virtual console shows (linux/kd.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConsoleMode {
    /// Text: the kernel draws characters and a cursor.
    Text,
    /// Graphics: the kernel draws nothing, a program does.
    Graphics,
}

const KDSETMODE: u32 = 0x4B3A;
const KDGETMODE: u32 = 0x4B3B;
const KD_TEXT: c_int = 0;
const KD_GRAPHICS: c_int = 1;
const VT_GETMODE: u32 = 0x5601;
const VT_PROCESS: c_char = 1;
const FBIOBLANK: u32 = 0x4611;
const FB_BLANK_UNBLANK: c_int = 0;

/// `struct vt_mode` of linux/vt.h.
#[repr(C)]
#[derive(Default)]
struct VtMode {
    mode: c_char,
    waitv: c_char,
    relsig: c_short,
    acqsig: c_short,
    frsig: c_short,
}

mod raw {
    use super::{FBIOBLANK, KDGETMODE, KDSETMODE, TIOCGWINSZ, VT_GETMODE, VtMode, c_int, winsize};

    nix::ioctl_write_int_bad!(kd_set_mode, KDSETMODE);
    nix::ioctl_read_bad!(kd_get_mode, KDGETMODE, c_int);
    nix::ioctl_read_bad!(vt_get_mode, VT_GETMODE, VtMode);
    nix::ioctl_write_int_bad!(fb_blank, FBIOBLANK);
    nix::ioctl_read_bad!(get_winsize, TIOCGWINSZ, winsize);
}

/// The mode of the virtual console behind `tty`.
pub(super) fn console_mode(tty: BorrowedFd<'_>) -> Result<ConsoleMode> {
    let mut mode = KD_TEXT;
    // SAFETY: KDGETMODE writes one int (drivers/tty/vt/vt_ioctl.c), and `mode` is one.
    unsafe { raw::kd_get_mode(tty.as_raw_fd(), &raw mut mode) }?;
    Ok(if mode == KD_GRAPHICS { ConsoleMode::Graphics } else { ConsoleMode::Text })
}

/// Switches it. `EPERM` unless it is the controlling terminal or the process has CAP_SYS_TTY_CONFIG.
pub(super) fn set_console_mode(tty: BorrowedFd<'_>, mode: ConsoleMode) -> Result<()> {
    let mode = match mode {
        ConsoleMode::Text => KD_TEXT,
        ConsoleMode::Graphics => KD_GRAPHICS,
    };
    // SAFETY: KDSETMODE takes its argument by value and touches no memory of ours.
    unsafe { raw::kd_set_mode(tty.as_raw_fd(), mode) }?;
    Ok(())
}

/// Whether a program takes part in switching away from this console, as X, Wayland compositors and logind do.
/// When such a program dies, the kernel notices only at the next switch to another console, and then makes both the
/// console's own again.
pub(super) fn is_held_by_a_program(tty: BorrowedFd<'_>) -> Result<bool> {
    let mut mode = VtMode::default();
    // SAFETY: VT_GETMODE writes one struct vt_mode (linux/vt.h), which `VtMode` mirrors field by field.
    unsafe { raw::vt_get_mode(tty.as_raw_fd(), &raw mut mode) }?;
    Ok(mode.mode == VT_PROCESS)
}

/// Wakes a framebuffer that the console has blanked.
pub(super) fn unblank(framebuffer: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: FBIOBLANK takes its argument by value and touches no memory of ours.
    unsafe { raw::fb_blank(framebuffer.as_raw_fd(), FB_BLANK_UNBLANK) }?;
    Ok(())
}

/// The size of a terminal: in characters, and in pixels where it knows them (else 0).
pub(super) fn terminal_size(tty: BorrowedFd<'_>) -> Result<winsize> {
    let mut size = winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one struct winsize, and `size` is one.
    unsafe { raw::get_winsize(tty.as_raw_fd(), &raw mut size) }?;
    Ok(size)
}
