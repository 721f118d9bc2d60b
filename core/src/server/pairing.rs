//! The pairing run at the display: a window for one code, the session that the code let in, the owner's answer
//! (docs/protocol.md §5).
//!
//! ```text
//!        open_pairing      first packet      ENROL, proven         accept_pairing    CLOSE 0
//! Closed ───────────▶ Open ──────────▶ Joined ──────────▶ Asked ──────────────▶ Accepted ──▶ Paired
//! ```
//! Every state but `Closed` lasts 120 s at most. The session has a place of its own beside the cameras' places.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use super::Server;
use super::link::{Around, Heard, Link, LinkOutput};
use crate::discard::Discard;
use crate::handshake::Whose;
use crate::handshake::slot::Ready;
use crate::key::{Fingerprint, MODULUS_LEN, Modulus, RsaPublic};
use crate::output::{Event, SessionEnd};
use crate::pairing::{NotAccepted, PairSecret, PairingEnd, PairingNotOpened, SECRET_LEN, TurnedAway};
use crate::random;
use crate::session::Opened;
use crate::time::Instant;
use crate::wire::close::CloseReason;
use crate::wire::data::Header;

/// How long the camera may take to say who it is, the owner to answer, and the camera to hear of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// The run that is under way, if one is.
pub(super) struct Pairing {
    pub(super) link: Option<Link>,
    stage: Stage,
}

enum Stage {
    Closed,
    /// The responder has a window.
    Open,
    /// The code was used: a session is active.
    Joined(Instant),
    /// Its camera has proved its key, and the owner is asked.
    Asked(Modulus, Instant),
    /// The owner said yes: each ENROL is answered.
    Accepted(Modulus, Instant),
}

impl Pairing {
    pub(super) const fn none() -> Self {
        Self { link: None, stage: Stage::Closed }
    }

    /// When the present stage has lasted long enough.
    const fn ends_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Closed | Stage::Open => None,
            Stage::Joined(since) | Stage::Asked(_, since) | Stage::Accepted(_, since) => Some(since),
        }
    }
}

impl<R: TryCryptoRng, P: RsaPublic, const CAMERAS: usize> Server<'_, R, P, CAMERAS> {
    /// Opens a pairing window: for 120 s, whoever knows the secret may ask to be enrolled, once. The secret and the
    /// display's fingerprint make the code that the owner carries to the camera. Call `poll` next, which tells
    /// [`Event::PairingAsked`] and at last [`Event::PairingEnded`].
    ///
    /// # Errors
    /// [`PairingNotOpened`]; nothing was changed.
    pub fn open_pairing(&mut self, now: Instant) -> Result<PairSecret, PairingNotOpened> {
        if self.closed {
            return Err(PairingNotOpened::Closing);
        }
        if !matches!(self.pairing.stage, Stage::Closed) {
            return Err(PairingNotOpened::Busy);
        }
        let drawn = random::bytes::<SECRET_LEN>(&mut self.rng).map_err(|_| PairingNotOpened::RandomFailed)?;
        let drawn = Zeroizing::new(drawn);
        let secret = PairSecret::new(*drawn);
        self.responder.open_window(now, &secret);
        // A session of before that is still saying its farewell has said it once.
        self.pairing = Pairing { link: None, stage: Stage::Open };
        Ok(secret)
    }

    /// The camera that asks, or was accepted and does not know it yet.
    #[must_use]
    pub const fn pairing_camera(&self) -> Option<&Modulus> {
        match &self.pairing.stage {
            Stage::Asked(camera, _) | Stage::Accepted(camera, _) => Some(camera),
            _ => None,
        }
    }

    /// The owner accepts the camera that asks: it is enrolled. Keep its key first. Call `poll` next.
    ///
    /// # Errors
    /// [`NotAccepted`]; nothing was changed.
    pub fn accept_pairing(&mut self, now: Instant) -> Result<Fingerprint, NotAccepted> {
        let Stage::Asked(camera, _) = self.pairing.stage else { return Err(NotAccepted::NobodyAsks) };
        if self.pairing.link.as_ref().is_none_or(Link::is_closing) {
            return Err(NotAccepted::NobodyAsks);
        }
        if !self.responder.enrol(&camera) {
            return Err(NotAccepted::ListFull);
        }
        self.pairing.stage = Stage::Accepted(camera, now + PATIENCE);
        Ok(camera.fingerprint())
    }

    /// Shuts the window, or refuses the camera that has come. One that was accepted already stays so. Call `poll` next.
    pub fn close_pairing(&mut self, now: Instant) {
        if !matches!(self.pairing.stage, Stage::Closed | Stage::Accepted(..)) {
            self.end_pairing(now, CloseReason::Revoked, PairingEnd::Refused);
        }
    }

    /// The program stops. A camera that was accepted stays so, and may not know it.
    pub(super) fn stop_pairing(&mut self, now: Instant) {
        let end = match self.pairing.stage {
            Stage::Accepted(..) => PairingEnd::Unconfirmed,
            _ => PairingEnd::Refused,
        };
        self.end_pairing(now, CloseReason::GoingAway, end);
    }

    /// Ends the run, whatever it has come to.
    pub(super) fn end_pairing(&mut self, now: Instant, reason: CloseReason, end: PairingEnd) {
        self.responder.close_window();
        if let Some(link) = &mut self.pairing.link {
            link.close(reason, now);
        }
        if !matches!(core::mem::replace(&mut self.pairing.stage, Stage::Closed), Stage::Closed) {
            self.events.push(Event::PairingEnded(end));
        }
    }

    /// Tells of a KEY that was turned away, at most once a second: whoever has the display's fingerprint can send it.
    pub(super) fn turned_away(&mut self, now: Instant, from: SocketAddr, why: TurnedAway) {
        if self.told.take(now) {
            self.events.push(Event::PairingTurnedAway { from, why });
        }
    }

    /// A packet for the pairing session.
    pub(super) fn handle_pairing(
        &mut self,
        now: Instant,
        from: SocketAddr,
        header: (&Header, usize),
        datagram: &mut [u8],
    ) -> Result<(), Discard> {
        let Self { rng, limits, budget, events, pairing, .. } = self;
        let link = pairing.link.as_mut().ok_or(Discard::UnknownCid)?;
        let mut around = Around { rng, joiner: None, limits, budget: *budget, events };
        let heard = link.handle(now, from, header, datagram, &mut around)?;
        self.heard_pairing(now, heard)
    }

    /// The first packet of a session that the code let in: the code is used up.
    pub(super) fn begin_pairing(
        &mut self,
        now: Instant,
        from: SocketAddr,
        received: usize,
        (ready, opened): (Ready, &Opened<'_>),
    ) -> Result<(), Discard> {
        let Self { rng, limits, budget, events, pairing, .. } = self;
        pairing.stage = Stage::Joined(now + PATIENCE);
        let link = pairing.link.insert(Link::new(Whose::Pairing, ready, now));
        let mut around = Around { rng, joiner: None, limits, budget: *budget, events };
        let heard = link.handle_opened(now, from, received, opened, &mut around)?;
        self.heard_pairing(now, heard)
    }

    fn heard_pairing(&mut self, now: Instant, heard: Heard) -> Result<(), Discard> {
        match heard {
            Heard::Nothing | Heard::Frame(..) => Ok(()),
            Heard::Ended(why) => {
                self.pairing_ended(why);
                Ok(())
            }
            Heard::Enrol { modulus, signature } => self.enrol_asked(now, &modulus, &signature),
        }
    }

    /// ENROL: the first one must be proven; later ones must be for the same key, and are answered once the owner has.
    fn enrol_asked(
        &mut self,
        now: Instant,
        modulus: &[u8; MODULUS_LEN],
        signature: &[u8; MODULUS_LEN],
    ) -> Result<(), Discard> {
        let Self { rsa, pairing, stats, events, .. } = self;
        let Some(link) = &mut pairing.link else { return Err(Discard::UnknownCid) };
        match &pairing.stage {
            Stage::Joined(_) => {
                stats.rsa_verified += 1;
                let camera = Modulus::new(modulus);
                let proven = camera.and_then(|camera| Some((camera, link.prove(&camera, signature, rsa)?)));
                if let Some((camera, digits)) = proven {
                    let from = link.address();
                    pairing.stage = Stage::Asked(camera, now + PATIENCE);
                    events.push(Event::PairingAsked { camera: camera.fingerprint(), from, digits });
                    return Ok(());
                }
            }
            Stage::Asked(camera, _) if camera.as_bytes() == modulus => return Ok(()),
            Stage::Accepted(camera, _) if camera.as_bytes() == modulus => {
                link.owe_enrol_ok();
                return Ok(());
            }
            _ => {}
        }
        link.close(CloseReason::Protocol, now);
        Err(Discard::Violation)
    }

    /// What the run wants next.
    pub(super) fn poll_pairing(&mut self, now: Instant, buf: &mut [u8]) -> LinkOutput {
        if matches!(self.pairing.stage, Stage::Open) && !self.responder.has_window() {
            self.end_pairing(now, CloseReason::Revoked, PairingEnd::Expired);
        }
        if self.pairing.ends_at().is_some_and(|at| at <= now) {
            let (reason, end) = match self.pairing.stage {
                Stage::Asked(..) => (CloseReason::Revoked, PairingEnd::NotAnswered),
                Stage::Accepted(..) => (CloseReason::GoingAway, PairingEnd::Unconfirmed),
                _ => (CloseReason::Revoked, PairingEnd::Expired),
            };
            self.end_pairing(now, reason, end);
        }
        let Self { rng, limits, budget, events, pairing, .. } = self;
        let Some(link) = &mut pairing.link else { return LinkOutput::Wait(None) };
        let mut around = Around { rng, joiner: None, limits, budget: *budget, events };
        match link.poll(now, &mut around, buf) {
            LinkOutput::Ended(why) => {
                self.pairing_ended(why);
                LinkOutput::Wait(None)
            }
            LinkOutput::Wait(at) => {
                LinkOutput::Wait([at, self.pairing.ends_at()].into_iter().flatten().min())
            }
            transmit @ LinkOutput::Transmit { .. } => transmit,
        }
    }

    /// The clock stood still: nobody knows whether the window's time is over, so it is.
    pub(super) fn pairing_slept(&mut self) {
        self.responder.close_window();
        if matches!(self.pairing.stage, Stage::Open) {
            self.pairing.stage = Stage::Closed;
            self.events.push(Event::PairingEnded(PairingEnd::Expired));
        }
        self.pairing_ended(SessionEnd::Slept);
    }

    /// The session is gone.
    fn pairing_ended(&mut self, why: SessionEnd) {
        self.pairing.link = None;
        let end = match (core::mem::replace(&mut self.pairing.stage, Stage::Closed), why) {
            // Its run has ended already.
            (Stage::Closed | Stage::Open, _) => return,
            (Stage::Accepted(..), SessionEnd::ClosedByPeer(CloseReason::Normal)) => PairingEnd::Paired,
            (Stage::Accepted(..), _) => PairingEnd::Unconfirmed,
            (Stage::Joined(_) | Stage::Asked(..), why) => PairingEnd::CameraGone(why),
        };
        self.events.push(Event::PairingEnded(end));
    }
}
