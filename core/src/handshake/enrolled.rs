//! An enrolled camera at the display: its key, and what limits the KEYs that name it (docs/protocol.md §4).

use core::net::SocketAddr;
use core::time::Duration;

use super::bucket::Bucket;
use super::neighbourhood;
use super::slot::Slot;
use crate::key::{Fingerprint, Modulus};
use crate::time::Instant;

/// An enrolled camera and all that strangers can make the display keep for it.
pub(super) struct Enrolled {
    pub(super) id: Fingerprint,
    pub(super) modulus: Modulus,
    /// For KEYs from where its last verified KEY came from, and for those from anywhere else.
    verify_known: Bucket,
    verify_other: Bucket,
    known: Option<u128>,
    pub(super) slot: Slot,
}

impl Enrolled {
    pub(super) fn new(id: Fingerprint, modulus: Modulus) -> Self {
        let verify = Bucket::new(4, Duration::from_millis(500));
        Self { id, modulus, verify_known: verify, verify_other: verify, known: None, slot: Slot::new() }
    }

    /// Whether one more signature may be checked.
    pub(super) fn may_verify(&mut self, now: Instant, from: SocketAddr) -> bool {
        match self.known == Some(neighbourhood(from)) {
            true => self.verify_known.take(now),
            false => self.verify_other.take(now),
        }
    }

    /// Its signature was right: this is where it is.
    pub(super) fn is_known_at(&mut self, from: SocketAddr) {
        self.known = Some(neighbourhood(from));
    }
}
