//! The pairing window at the display: one secret, for 120 s or until the first session that it let in is active
//! (docs/protocol.md §5).

use core::net::SocketAddr;
use core::time::Duration;

use super::responder::{Responder, check_version, opening};
use super::slot::Slot;
use crate::discard::Discard;
use crate::pairing::{PairKey, PairSecret};
use crate::time::Instant;
use crate::wire::key::{self, Key};

/// How long a window stays open.
const WINDOW_LIFE: Duration = Duration::from_secs(120);

/// An open window, with all that those who know its secret can make the display keep.
pub(super) struct Window {
    key: PairKey,
    pub(super) closes: Instant,
    pub(super) slot: Slot,
}

impl Window {
    fn new(key: PairKey, now: Instant) -> Self {
        Self { key, closes: now + WINDOW_LIFE, slot: Slot::new() }
    }
}

impl Responder {
    /// Opens the pairing window, in the place of one that may be there.
    pub(crate) fn open_window(&mut self, now: Instant, secret: &PairSecret) {
        self.window = Some(Window::new(PairKey::new(&self.identity.fingerprint, secret), now));
    }

    /// Shuts the pairing window: its secret is worth nothing any more.
    pub(crate) fn close_window(&mut self) {
        self.window = None;
    }

    /// Whether the pairing window is open.
    pub(crate) const fn has_window(&self) -> bool {
        self.window.is_some()
    }

    /// Judges a KEY with a pairing MAC from step 3 of docs/protocol.md §4 on. Neither an open window nor the session that it leads to
    /// takes anything from the cameras: slot and place are its own.
    pub(super) fn pairing_key(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8; key::LEN],
        key: &Key<'_>,
    ) -> Result<(), Discard> {
        let (hash, th1) = self.digests(datagram, key);
        self.expire(now);
        let window = self.window.as_mut().ok_or(Discard::NoWindow)?;
        if let Some(repeated) = window.slot.repeat(now, &hash) {
            return repeated;
        }
        check_version(key)?;
        let mac = key.auth_bytes.get(..32).ok_or(Discard::Malformed)?;
        // A wrong one closes nothing: a stranger could end every pairing.
        if !window.key.has_auth(&th1, mac) {
            return Err(Discard::PairingMac);
        }
        if !window.slot.may_begin(now) {
            return Err(Discard::HandshakeLimit);
        }
        self.serial = self.serial.wrapping_add(1);
        window.slot.begin(now, opening(key, self.serial, hash, th1, from));
        Ok(())
    }
}
