//! ACCEPT: the display's half of the key exchange (docs/protocol.md §3.4).
//!
//! ```text
//!   0  u8      0x04
//!   1  u8      version
//!   2  u16     0
//!   4  u32     client_cid
//!   8  u32     server_cid
//!  12  [32]    server_random
//!  44  [32]    x_s, an X25519 public key
//!  76  [32]    finished
//! ```

use super::read::{Reader, Writer};

/// The type byte.
pub(crate) const TYPE: u8 = 0x04;
/// The whole datagram.
pub(crate) const LEN: usize = 108;
/// What `th2` covers; `finished` follows.
pub(crate) const BOUND_LEN: usize = 76;

/// A well-formed ACCEPT; `finished` is checked apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accept<'a> {
    pub(crate) version: u8,
    pub(crate) client_cid: u32,
    pub(crate) server_cid: u32,
    pub(crate) server_random: &'a [u8; 32],
    pub(crate) share: &'a [u8; 32],
}

impl<'a> Accept<'a> {
    /// The message, the bytes that `th2` covers, and `finished`.
    pub(crate) fn parse(datagram: &'a [u8; LEN]) -> Option<(Self, &'a [u8; BOUND_LEN], &'a [u8; 32])> {
        let bound = datagram.first_chunk()?;
        let mut at = Reader::new(datagram);
        if at.u8()? != TYPE {
            return None;
        }
        let version = at.u8()?;
        if at.u16()? != 0 {
            return None;
        }
        let accept = Self {
            version,
            client_cid: at.u32()?,
            server_cid: at.u32()?,
            server_random: at.array()?,
            share: at.array()?,
        };
        Some((accept, bound, at.array()?))
    }

    /// Writes everything that `th2` covers.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.u8(self.version)?;
        out.u16(0)?;
        out.u32(self.client_cid)?;
        out.u32(self.server_cid)?;
        out.put(self.server_random)?;
        out.put(self.share)
    }
}
