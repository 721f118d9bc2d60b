//! COOKIE: the display's stateless answer to HELLO (docs/protocol.md §3.2).
//!
//! ```text
//!    0  u8      0x02
//!    1  u8      version = 1 (of this layout)
//!    2  u16     flags: bit0 PAIRING_OPEN (informational)
//!    4  [32]    client_random (echo)
//!   36  [8]     the display's versions
//!   44  [32]    cookie
//!   76  [384]   n_s
//!  460  [16]    mac1'
//! ```

use super::hello::LAYOUT_VERSION;
use super::read::{Reader, Writer};
use super::versions::Versions;
use crate::key::MODULUS_LEN;

/// The type byte.
pub(crate) const TYPE: u8 = 0x02;
/// The whole datagram.
pub(crate) const LEN: usize = 476;
/// What `mac1` covers.
pub(crate) const MAC_OFFSET: usize = 460;

const FLAG_PAIRING_OPEN: u16 = 1;

/// A well-formed COOKIE; its `mac1` is checked apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cookie<'a> {
    /// Whether a pairing window is open; for information.
    pub(crate) pairing_open: bool,
    pub(crate) client_random: &'a [u8; 32],
    pub(crate) versions: Versions,
    pub(crate) cookie: &'a [u8; 32],
    pub(crate) modulus: &'a [u8; MODULUS_LEN],
}

impl<'a> Cookie<'a> {
    pub(crate) fn parse(datagram: &'a [u8; LEN]) -> Option<Self> {
        let mut at = Reader::new(datagram);
        if at.u8()? != TYPE || at.u8()? != LAYOUT_VERSION {
            return None;
        }
        let flags = at.u16()?;
        if flags & !FLAG_PAIRING_OPEN != 0 {
            return None;
        }
        let pairing_open = flags == FLAG_PAIRING_OPEN;
        let client_random = at.array()?;
        let versions = Versions::parse(at.array()?)?;
        Some(Self { pairing_open, client_random, versions, cookie: at.array()?, modulus: at.array()? })
    }

    /// Writes everything that `mac1` covers.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.u8(LAYOUT_VERSION)?;
        out.u16(if self.pairing_open { FLAG_PAIRING_OPEN } else { 0 })?;
        out.put(self.client_random)?;
        out.put(self.versions.as_bytes())?;
        out.put(self.cookie)?;
        out.put(self.modulus)
    }
}
