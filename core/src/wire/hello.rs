//! HELLO: a camera asks for a cookie (docs/protocol.md §3.1).
//!
//! ```text
//!    0  u8      0x01
//!    1  u8      version = 1 (of this layout)
//!    2  u16     flags: bit0 PAIRING; rest 0
//!    4  [32]    client_random
//!   36  [8]     offered versions
//!   44  [1140]  zero
//! 1184  [16]    mac1
//! ```
//! The zeros are the credit that a reply to an unproven address draws on.

use super::read::{Reader, Writer};
use super::versions::Versions;

/// The type byte.
pub(crate) const TYPE: u8 = 0x01;
/// The whole datagram.
pub(crate) const LEN: usize = 1200;
/// What `mac1` covers.
pub(crate) const MAC_OFFSET: usize = 1184;
/// The version of the layouts of HELLO and COOKIE, whatever is offered.
pub(crate) const LAYOUT_VERSION: u8 = 1;
/// The camera wants to be paired.
pub(crate) const FLAG_PAIRING: u16 = 1;

const ZEROS: usize = 1140;

/// A well-formed HELLO; its `mac1` is checked apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hello<'a> {
    pub(crate) flags: u16,
    pub(crate) client_random: &'a [u8; 32],
    pub(crate) offered: Versions,
}

impl<'a> Hello<'a> {
    pub(crate) fn parse(datagram: &'a [u8; LEN]) -> Option<Self> {
        let mut at = Reader::new(datagram);
        if at.u8()? != TYPE || at.u8()? != LAYOUT_VERSION {
            return None;
        }
        let flags = at.u16()?;
        let client_random = at.array()?;
        let offered = Versions::parse(at.array()?)?;
        let zeros = at.bytes(ZEROS)?;
        let clean = flags & !FLAG_PAIRING == 0 && zeros.iter().all(|byte| *byte == 0);
        clean.then_some(Self { flags, client_random, offered })
    }

    /// Writes everything that `mac1` covers.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.u8(LAYOUT_VERSION)?;
        out.u16(self.flags)?;
        out.put(self.client_random)?;
        out.put(self.offered.as_bytes())?;
        out.zeros(ZEROS)
    }
}
