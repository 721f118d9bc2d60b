//! What `poll` hands out: datagrams to send, events to tell, a private-key operation to do, or a time to wait for.

use core::net::SocketAddr;
use core::time::Duration;

use crate::key::{DisplayKey, Fingerprint, MODULUS_LEN, Secret};
use crate::pairing::{PairingEnd, SixDigits, TurnedAway};
use crate::time::Instant;
use crate::wire::close::CloseReason;
use crate::wire::status::CaptureState;
use subtle::Choice;

/// What the driver must do next. Call `poll` again until it says [`Output::Wait`].
#[must_use = "a dropped output is a datagram never sent or an event never told"]
pub enum Output {
    /// Send the first `len` bytes of the buffer that was given to `poll`.
    Transmit(Transmit),
    /// Tell the user.
    Event(Event),
    /// Display only: do the RSA private operation with [`Ticket::open`], on any thread, and give the result to
    /// `Server::complete`.
    Decrypt(Ticket),
    /// Nothing to do until this time (`None`: until the next call of another function).
    Wait(Option<Instant>),
}

/// One or more datagrams of equal length in the caller's buffer: one system call with UDP GSO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Bytes in all.
    pub len: usize,
    /// Bytes of each datagram; the last one may be shorter.
    pub segment_len: usize,
}

/// A frame as it leaves the display's side of the core: whole, authentic and newer than all before it.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Which camera it came from.
    pub camera: Fingerprint,
    /// Its number in the session; grows, may skip.
    pub frame_id: u32,
    /// When the camera took it, on the clock of the caller: an estimate that takes the way here for half of the
    /// round trip (docs/protocol.md §9.5). A delay of this direction alone makes it too young by half of the delay.
    pub captured_at: Instant,
    /// The smoothed round trip as the camera measures it, or for how long it has told none, if that is more than a
    /// second. A picture may be called live only while this too is within the limit for its age, since a delay that
    /// every packet has shows nowhere else.
    pub rtt: Duration,
    /// The picture, exactly as the camera gave it.
    pub jpeg: &'a [u8],
}

/// Something that a user or a log may want to know.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Camera: an attempt to reach the display begins; look its name up again and tell
    /// `Client::set_display_address` if it has changed.
    Connecting,
    /// Camera: the display at this address answered with its key: it is on, reachable, and is the one pinned.
    DisplayAnswered,
    /// Camera: a COOKIE with another key than the pinned one came: forged, since only a display that knows the
    /// pin can be silent or answer rightly. Reported once an attempt.
    PinMismatch {
        /// The key that was shown.
        shown: Fingerprint,
    },
    /// Camera: the display answered once more but took no KEY for 8 s: this camera is not authorized there, or
    /// all places are taken.
    NotAccepted,
    /// Camera: no COOKIE for a while: display off, wrong address or port, a firewall, or its key changed.
    NoAnswer,
    /// A session stands: handshake done, epoch 1 reached. Video may flow.
    Connected {
        /// The camera.
        camera: Fingerprint,
        /// The other end.
        peer: SocketAddr,
    },
    /// A session ended.
    Disconnected {
        /// The camera.
        camera: Fingerprint,
        /// Why.
        why: SessionEnd,
    },
    /// New traffic keys are in use.
    Rekeyed {
        /// The camera.
        camera: Fingerprint,
        /// The epoch that they belong to.
        epoch: u64,
    },
    /// Camera: no feedback for 500 ms, media stopped (the circuit breaker); `false` when it goes on.
    MediaPaused(bool),
    /// Display: a camera's address changed and was proven.
    Moved {
        /// The camera.
        camera: Fingerprint,
        /// Its new address.
        to: SocketAddr,
    },
    /// Display: a camera's state as it reports it.
    CameraState {
        /// The camera.
        camera: Fingerprint,
        /// Its state.
        state: CaptureState,
    },
    /// Display: someone with a proven address and this camera id wants in and is not authorized.
    UnknownCamera {
        /// Its fingerprint as it claims it.
        camera: Fingerprint,
        /// Where it knocks from.
        from: SocketAddr,
    },
    /// Display: an authorized camera was turned away, since all places are taken.
    NoPlace {
        /// The camera.
        camera: Fingerprint,
    },
    /// The source of randomness or the RSA backend failed; nothing was sent.
    RandomFailed,
    /// Camera, pairing: the display answers, and says that no pairing window is open. The code's time is over, or it
    /// was used; or somebody on the way says so, for this is no more than information.
    PairingShut,
    /// Camera, pairing: the display waits for its owner, who must see these digits there.
    PairingDigits(SixDigits),
    /// Camera, pairing: the display's owner has accepted this camera. Keep which display that is; the session closes.
    Paired,
    /// Camera, pairing: the session ended before the display's owner had accepted this camera. The code is used up.
    PairingFailed(SessionEnd),
    /// Display, pairing: a camera has come with the code and proved its key (`Server::pairing_camera`). Show both to
    /// the owner, who compares the digits with those at the camera.
    PairingAsked {
        /// The camera.
        camera: Fingerprint,
        /// Where it is.
        from: SocketAddr,
        /// What the camera must show too.
        digits: SixDigits,
    },
    /// Display, pairing: somebody at this proven address was turned away.
    PairingTurnedAway {
        /// Where.
        from: SocketAddr,
        /// Why.
        why: TurnedAway,
    },
    /// Display, pairing: the run is over, and another may begin.
    PairingEnded(PairingEnd),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The other end closed it.
    ClosedByPeer(CloseReason),
    /// This end closed it.
    Closed(CloseReason),
    /// Nothing authentic came for 5 s.
    Silent,
    /// Its keys were too old to go on (docs/protocol.md §8).
    KeysExpired,
    /// A new session of the same camera took its place.
    Replaced,
    /// This end's machine was asleep (docs/protocol.md §14).
    Slept,
}

/// The RSA private operation that a display owes a camera that proved who it is (docs/protocol.md §13).
pub struct Ticket {
    pub(crate) serial: u32,
    pub(crate) ciphertext: [u8; MODULUS_LEN],
}

impl Ticket {
    /// Does the operation. May take 0.3 s on a small processor: do it where no video waits for it.
    pub fn open(self, key: &mut impl DisplayKey) -> Opened {
        let mut secret = Secret::new([0; 32]);
        let valid = key.oaep_decrypt(&self.ciphertext, secret.as_mut_bytes());
        Opened { serial: self.serial, ciphertext: self.ciphertext, secret, valid }
    }
}

/// The result of a [`Ticket`]: give it to `Server::complete`, which alone judges it, in constant time.
pub struct Opened {
    pub(crate) serial: u32,
    pub(crate) ciphertext: [u8; MODULUS_LEN],
    pub(crate) secret: Secret,
    pub(crate) valid: Choice,
}

/// The store that was lent has less room than the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreTooSmall;

/// Why a display did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// The store that was lent is smaller than `Server::store_len`.
    StoreTooSmall,
    /// The source of randomness failed.
    RandomFailed,
}
