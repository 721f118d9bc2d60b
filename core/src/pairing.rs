//! What both ends of a pairing run share: the secret in the owner's code, what is derived from it, the six digits that
//! people compare, and how a run ends (docs/protocol.md §5).
//!
//! The display's end is in [`crate::server`], the camera's in [`crate::client`]; the code as text is the programs'.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hash;
use crate::key::{Fingerprint, Secret};
use crate::output::SessionEnd;

/// Bytes of the secret: nobody guesses 128 bits in 120 s, so no password-authenticated exchange is needed.
pub const SECRET_LEN: usize = 16;

/// What a camera's signature in ENROL covers before the exporter and its `camera_id`.
pub(crate) const ENROL_AUTH: &[u8] = b"scl1 enrol v1\0";

/// What the MAC in KEY covers before `th1`.
const PAIR_AUTH: &[u8] = b"scl1 pair auth v1\0";

/// The secret in a pairing code: wiped on drop, neither copied nor printed by accident.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct PairSecret([u8; SECRET_LEN]);

impl PairSecret {
    /// Takes charge of `bytes`; the caller wipes its own copy.
    #[must_use]
    pub const fn new(bytes: [u8; SECRET_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be shown to the owner of both devices and to nobody else.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SECRET_LEN] {
        &self.0
    }
}

/// Six digits that both ends show: if they are alike, nobody stands between the two who has not the display's private
/// key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SixDigits(u32);

impl SixDigits {
    pub(crate) fn of(exporter: &Secret) -> Self {
        Self(u32::from_be_bytes(hash::expand_label(exporter, b"pair code", b"")) % 1_000_000)
    }
}

impl fmt::Display for SixDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// Why no pairing window was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingNotOpened {
    /// A run is under way already; there is one at a time.
    Busy,
    /// The display is closing.
    Closing,
    /// The source of randomness failed.
    RandomFailed,
}

/// Why a camera was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAccepted {
    /// No camera asks, or not any more.
    NobodyAsks,
    /// As many cameras are enrolled as there may be. The camera still waits for an answer.
    ListFull,
}

/// Why somebody who wanted to be paired was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnedAway {
    /// No window is open: it was closed, its time is over, or its code was used.
    NoWindow,
    /// It does not know the window's secret.
    WrongSecret,
}

/// How a pairing run ended at the display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingEnd {
    /// The camera was accepted and knows it.
    Paired,
    /// The camera was accepted, but went before it had said that it knows.
    Unconfirmed,
    /// Nobody came with the code in its time, or whoever came did not say who it is.
    Expired,
    /// It was closed at the display, or the camera was refused there.
    Refused,
    /// A camera asked, and nobody answered it in time.
    NotAnswered,
    /// The camera's session ended before it was answered.
    CameraGone(SessionEnd),
}

/// What a camera that knows the secret authenticates itself with.
pub(crate) struct PairKey(Secret);

impl PairKey {
    pub(crate) fn new(display: &Fingerprint, secret: &PairSecret) -> Self {
        let extracted = hash::extract(&display.0, &secret.0);
        Self(Secret::new(hash::expand(extracted.as_bytes(), &[b"scl1 pair key"])))
    }

    /// The MAC that stands in KEY where else the signature is.
    pub(crate) fn auth(&self, th1: &[u8; 32]) -> [u8; 32] {
        hash::hmac(self.0.as_bytes(), &[PAIR_AUTH, th1])
    }

    /// Whether `auth`, from a KEY, is right; in constant time.
    pub(crate) fn has_auth(&self, th1: &[u8; 32], auth: &[u8]) -> bool {
        hash::equal(&self.auth(th1), auth).into()
    }

    #[cfg(test)]
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}
