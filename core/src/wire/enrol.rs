//! ENROL: a camera asks to be enrolled, and proves that it has the key (docs/protocol.md §5):
//! `0x08 ‖ n_c[384] ‖ signature[384]`. It is answered with ENROL_OK, `0x09`.

use super::read::{Reader, Writer};
use crate::key::MODULUS_LEN;

/// The type byte of ENROL.
pub(crate) const TYPE: u8 = 0x08;
/// The type byte of ENROL_OK, which has no body.
pub(crate) const OK_TYPE: u8 = 0x09;

/// A camera's key, and its signature over this session's exporter and its own fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enrol<'a> {
    pub(crate) modulus: &'a [u8; MODULUS_LEN],
    pub(crate) signature: &'a [u8; MODULUS_LEN],
}

impl<'a> Enrol<'a> {
    /// Parses the body that follows the type byte.
    pub(crate) fn parse(body: &mut Reader<'a>) -> Option<Self> {
        Some(Self { modulus: body.array()?, signature: body.array()? })
    }

    /// Writes the whole message.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.put(self.modulus)?;
        out.put(self.signature)
    }
}
