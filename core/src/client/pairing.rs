//! A camera that wants to be paired: the same dialling and the same session, for no picture (docs/protocol.md §5).
//!
//! ```text
//! dialling (MAC of the code) ──epoch 1──▶ asking: ENROL, digits ──ENROL_OK──▶ CLOSE 0, Paired
//!                                                               ╰─any other end──▶ PairingFailed
//! ```

use rand_core::TryCryptoRng;

use super::Client;
use super::dial::Dialer;
use super::link::DOUBT;
use crate::config::PairingConfig;
use crate::events::Events;
use crate::frame::split::Splitter;
use crate::handshake::DisplayIdentity;
use crate::key::{CameraKey, Modulus, RsaPublic};
use crate::output::{Event, SessionEnd};
use crate::pairing::{PairKey, PairSecret};
use crate::stats::Stats;
use crate::time::Instant;
use crate::wire::close::CloseReason;

/// What sets such a camera apart.
pub(super) struct Pairing {
    pub(super) key: PairKey,
    modulus: Modulus,
    paired: bool,
}

impl<R: TryCryptoRng, K: CameraKey, P: RsaPublic> Client<'static, R, K, P> {
    /// A camera that starts to dial at once, with the secret of a pairing code in place of its signature. It takes no
    /// frames. `poll` tells [`Event::PairingDigits`] when the display's owner is asked, and then [`Event::Paired`] or
    /// [`Event::PairingFailed`], after which [`Client::is_closed`] comes true.
    pub fn pair(config: PairingConfig, secret: &PairSecret, rng: R, key: K, rsa: P, now: Instant) -> Self {
        let mut dialer = Dialer::new();
        dialer.start(now);
        Self {
            camera: key.id(),
            display: DisplayIdentity::new(config.display),
            address: config.address,
            rng,
            key,
            rsa,
            dialer,
            link: None,
            frames: Splitter::without_store(),
            capture: Self::STARTING,
            state_since: now,
            events: Events::new(),
            stats: Stats::default(),
            closed: false,
            pairing: Some(Pairing {
                key: PairKey::new(&config.display, secret),
                modulus: config.modulus,
                paired: false,
            }),
        }
    }
}

impl<R: TryCryptoRng, K: CameraKey, P: RsaPublic> Client<'_, R, K, P> {
    /// Takes the next step that a packet has made possible.
    pub(super) fn go_on_pairing(&mut self, now: Instant) {
        let (Some(pairing), Some(link)) = (&mut self.pairing, &mut self.link) else { return };
        if link.may_enrol() {
            match link.enrol(now, &pairing.modulus, &mut self.key) {
                Ok(Some(digits)) => {
                    self.stats.rsa_private += 1;
                    self.events.push(Event::PairingDigits(digits));
                }
                Ok(None) => {}
                Err(_failed) => {
                    self.events.push(Event::RandomFailed);
                    link.close(CloseReason::GoingAway, now);
                }
            }
        }
        if link.is_enrolled() && !core::mem::replace(&mut pairing.paired, true) {
            self.events.push(Event::Paired);
            link.close(CloseReason::Normal, now);
            self.closed = true;
            self.dialer.stop();
        }
    }

    /// When a session that is not heard of is doubted, and a handshake begins beside it. A pairing session is not: its
    /// code is used up.
    pub(super) fn doubtful_at(&self) -> Option<Instant> {
        let link = self.link.as_ref().filter(|link| !link.is_closing() && self.pairing.is_none())?;
        Some(link.heard_at() + DOUBT)
    }

    /// What CLOSE says when this end closes: that the work is done only if it is.
    pub(super) fn farewell(&self) -> CloseReason {
        match &self.pairing {
            Some(pairing) if !pairing.paired => CloseReason::GoingAway,
            _ => CloseReason::Normal,
        }
    }

    /// The session has ended; false if that is no affair of a pairing. A session that the display may never have
    /// known of has not used the code up, and is begun again.
    pub(super) fn end_pairing(&mut self, now: Instant, why: SessionEnd, was_known: bool) -> bool {
        let Some(pairing) = &self.pairing else { return false };
        let unheard =
            !was_known && matches!(why, SessionEnd::Silent | SessionEnd::KeysExpired | SessionEnd::Slept);
        if unheard && !self.closed {
            self.dialer.start_after_backoff(now, &mut self.rng);
        } else if !pairing.paired {
            self.events.push(Event::PairingFailed(why));
            self.closed = true;
            self.dialer.stop();
        }
        true
    }
}
