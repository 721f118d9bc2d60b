//! KEX_INIT and KEX_RESP: the key exchange inside the channel (docs/protocol.md §9.4).
//!
//! ```text
//! KEX_INIT: 0x06 ‖ epoch u8 ‖ total u16 = 1216 ‖ offset u16 ∈ {0, 608} ‖ 608 B
//! KEX_RESP: 0x07 ‖ epoch u8 ‖ 1120 B
//! ```

use super::read::{Reader, Writer};

/// The type byte of KEX_INIT.
pub(crate) const INIT_TYPE: u8 = 0x06;
/// The type byte of KEX_RESP.
pub(crate) const RESP_TYPE: u8 = 0x07;
/// ML-KEM-768 encapsulation key (1184) and X25519 public key (32).
pub(crate) const INIT_LEN: usize = 1216;
/// ML-KEM-768 ciphertext (1088) and X25519 public key (32).
pub(crate) const RESP_LEN: usize = 1120;
/// Bytes of a share in one KEX_INIT.
pub(crate) const HALF_LEN: usize = 608;

/// Which half of the share a KEX_INIT carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    First,
    Second,
}

/// One half of the camera's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KexInit<'a> {
    /// The new epoch's number mod 256.
    pub(crate) epoch: u8,
    pub(crate) half: Half,
    pub(crate) bytes: &'a [u8; HALF_LEN],
}

impl<'a> KexInit<'a> {
    /// Parses the body that follows the type byte.
    pub(crate) fn parse(body: &mut Reader<'a>) -> Option<Self> {
        let epoch = body.u8()?;
        if usize::from(body.u16()?) != INIT_LEN {
            return None;
        }
        let half = match usize::from(body.u16()?) {
            0 => Half::First,
            HALF_LEN => Half::Second,
            _ => return None,
        };
        Some(Self { epoch, half, bytes: body.array()? })
    }

    /// Writes the whole message.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(INIT_TYPE)?;
        out.u8(self.epoch)?;
        out.u16(u16::try_from(INIT_LEN).ok()?)?;
        out.u16(match self.half {
            Half::First => 0,
            Half::Second => u16::try_from(HALF_LEN).ok()?,
        })?;
        out.put(self.bytes)
    }
}

/// The display's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KexResp<'a> {
    /// The new epoch's number mod 256.
    pub(crate) epoch: u8,
    pub(crate) bytes: &'a [u8; RESP_LEN],
}

impl<'a> KexResp<'a> {
    /// Parses the body that follows the type byte.
    pub(crate) fn parse(body: &mut Reader<'a>) -> Option<Self> {
        Some(Self { epoch: body.u8()?, bytes: body.array()? })
    }

    /// Writes the whole message.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(RESP_TYPE)?;
        out.u8(self.epoch)?;
        out.put(self.bytes)
    }
}
