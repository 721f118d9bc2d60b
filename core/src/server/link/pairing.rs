//! The display's end of a pairing session: what its camera must prove, and the answer (docs/protocol.md §5).

#[cfg(test)]
use super::super::Server;
use super::Link;
use crate::key::{MODULUS_LEN, Modulus, RsaPublic};
use crate::pairing::{ENROL_AUTH, SixDigits};

impl Link {
    /// Whether the camera has the private key to `modulus`, and signed for this very session. The exporter is judged
    /// with once: it is gone when this says yes.
    pub(in super::super) fn prove(
        &mut self,
        modulus: &Modulus,
        signature: &[u8; MODULUS_LEN],
        rsa: &impl RsaPublic,
    ) -> Option<SixDigits> {
        let exporter = self.exporter.as_ref()?;
        let id = modulus.fingerprint();
        let proven = rsa.pss_verify(modulus, &[ENROL_AUTH, exporter.as_bytes(), &id.0], signature);
        let digits = proven.then(|| SixDigits::of(exporter))?;
        self.exporter = None;
        Some(digits)
    }

    /// The camera's ENROL is answered.
    pub(in super::super) const fn owe_enrol_ok(&mut self) {
        self.enrol_ok_owed = true;
    }
}

#[cfg(test)]
impl<R, P, const CAMERAS: usize> Server<'_, R, P, CAMERAS> {
    /// Whether the pairing session has its exporter still.
    pub(crate) fn has_exporter(&self) -> bool {
        self.pairing.link.as_ref().is_some_and(|link| link.exporter.is_some())
    }
}
