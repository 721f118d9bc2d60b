//! Tests only: counts what the primitives are asked for, so that two paths can be shown to do the same work without a
//! clock (docs/protocol.md §7, §12).

extern crate std;
use std::cell::Cell;

/// Operations of this thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) hashes: u64,
    /// HMACs and HKDF's steps.
    pub(crate) macs: u64,
    /// HMACs over packets.
    pub(crate) tags: u64,
    /// Packets encrypted or decrypted with AES.
    pub(crate) keystreams: u64,
}

std::thread_local! {
    static DONE: Cell<Work> = const { Cell::new(Work { hashes: 0, macs: 0, tags: 0, keystreams: 0 }) };
}

pub(crate) fn count(add: impl FnOnce(&mut Work)) {
    let mut done = DONE.get();
    add(&mut done);
    DONE.set(done);
}

/// What `act` gives, and the work that it took.
pub(crate) fn of<T>(act: impl FnOnce() -> T) -> (T, Work) {
    let before = DONE.replace(Work::default());
    let result = act();
    (result, DONE.replace(before))
}
