//! The two calls of the C library that the standard library has no safe form of: noting a signal, and sending SIGTERM.
//!
//! Noting SIGINT, SIGTERM and SIGHUP lets the demo stop the programs it started and remove their keys, instead of
//! dying first. Handlers, unlike a signal mask or an ignored signal, are not inherited by the programs started.

use std::ffi::c_int;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};

const SIGHUP: c_int = 1;
const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

unsafe extern "C" {
    /// `signal(2)`; the former handler, returned as an address, is of no use here.
    fn signal(number: c_int, handler: extern "C" fn(c_int)) -> usize;
    /// `kill(2)`.
    fn kill(process: c_int, number: c_int) -> c_int;
}

/// From now on these signals are noted instead of ending the process.
pub(crate) fn note_interrupts() {
    for number in [SIGHUP, SIGINT, SIGTERM] {
        // SAFETY: `note` has the signature that signal(2) asks for, lives as long as the program, and does nothing but
        // store to an atomic, which signal-safety(7) allows.
        unsafe { signal(number, note) };
    }
}

/// Whether one of them has come since.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Asks a program to end. One that has already ended is left alone.
pub(crate) fn terminate(child: &mut Child) {
    let running = matches!(child.try_wait(), Ok(None));
    if let (true, Ok(process)) = (running, c_int::try_from(child.id())) {
        // SAFETY: kill(2) touches no memory of ours; `try_wait` has just found the child not yet reaped, and nobody
        // else reaps it, so the number is its own, be it alive or a zombie.
        unsafe { kill(process, SIGTERM) };
    }
}

extern "C" fn note(_number: c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}
