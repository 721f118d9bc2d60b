//! What a pairing session asks of the display: ENROL, once a second until it is answered (docs/protocol.md §5).

use core::time::Duration;

use super::{Due, Link, LinkOutput};
use crate::key::{CameraKey, KeyError, MODULUS_LEN, Modulus, Secret};
use crate::pairing::{ENROL_AUTH, SixDigits};
use crate::time::Instant;
use crate::wire::enrol::Enrol;
use crate::wire::message::Violation;

const ENROL_INTERVAL: Duration = Duration::from_secs(1);

/// How far it is.
pub(super) enum Enrolling {
    /// ENROL will be signed over this, the session's exporter, once epoch 1 is there.
    Bound(Secret),
    /// ENROL goes out, always the same. The exporter is gone.
    Asking { modulus: Modulus, signature: [u8; MODULUS_LEN] },
    /// The display has said yes.
    Done,
}

impl Link {
    /// Whether epoch 1 is there and ENROL still to be signed.
    pub(crate) const fn may_enrol(&self) -> bool {
        matches!(self.enrolling, Some(Enrolling::Bound(_))) && self.channel.epoch() > 0 && !self.is_closing()
    }

    /// Signs ENROL; gives the digits that both ends show.
    pub(crate) fn enrol(
        &mut self,
        now: Instant,
        modulus: &Modulus,
        key: &mut impl CameraKey,
    ) -> Result<Option<SixDigits>, KeyError> {
        let Some(Enrolling::Bound(exporter)) = &self.enrolling else { return Ok(None) };
        let mut signature = [0; MODULUS_LEN];
        let id = modulus.fingerprint();
        key.pss_sign(&[ENROL_AUTH, exporter.as_bytes(), &id.0], &mut signature)?;
        let digits = SixDigits::of(exporter);
        self.enrolling = Some(Enrolling::Asking { modulus: *modulus, signature });
        self.timers.set(Due::Enrol, now);
        Ok(Some(digits))
    }

    /// Whether the display has said yes.
    pub(crate) const fn is_enrolled(&self) -> bool {
        matches!(self.enrolling, Some(Enrolling::Done))
    }

    /// Whether the display is known to have taken this session up: epoch 1 is there.
    pub(crate) const fn is_known(&self) -> bool {
        self.channel.epoch() > 0
    }

    /// ENROL_OK, which answers an ENROL and nothing else.
    pub(super) fn enrolled(&mut self) -> Result<(), Violation> {
        match self.enrolling {
            Some(Enrolling::Asking { .. } | Enrolling::Done) => {
                self.enrolling = Some(Enrolling::Done);
                self.timers.stop(Due::Enrol);
                Ok(())
            }
            _ => Err(Violation),
        }
    }

    pub(super) fn poll_enrol(&mut self, now: Instant, buf: &mut [u8]) -> Option<LinkOutput> {
        if !self.timers.is_due(Due::Enrol, now) {
            return None;
        }
        let Some(Enrolling::Asking { modulus, signature }) = &self.enrolling else { return None };
        self.timers.set(Due::Enrol, now + ENROL_INTERVAL);
        let enrol = Enrol { modulus: modulus.as_bytes(), signature };
        let sealed = self.channel.seal(now, buf, |out| enrol.emit(out));
        Some(self.sealed(now, sealed))
    }
}

#[cfg(test)]
#[cfg(feature = "rsa")]
mod tests;
