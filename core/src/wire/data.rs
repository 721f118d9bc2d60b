//! DATA: the outside of a sealed packet (docs/protocol.md §7).
//!
//! ```text
//!  0        u8   0x10                                   ┐ SFrame metadata
//!  1..5     u32  destination CID                        ┘
//!  5        u8   config: 0 | KID(3) | Y | C(3)          ┐ SFrame header, RFC 9605 §4.3
//!  6..6+k   CTR, k = 0 (CTR < 8) … 4 bytes, minimal     ┘
//!  …        ciphertext, then a tag of 10 bytes
//! ```

use super::read::{Reader, Writer};

/// The type byte.
pub(crate) const TYPE: u8 = 0x10;
/// The whole datagram, at least and at most.
pub(crate) const MIN_LEN: usize = 17;
/// The whole datagram at most: no path with IPv6 fragments it.
pub(crate) const MAX_LEN: usize = 1200;
/// Bytes of the SFrame metadata.
pub(crate) const METADATA_LEN: usize = 5;
/// Bytes of the tag.
pub(crate) const TAG_LEN: usize = 10;

const X: u8 = 0x80;
const Y: u8 = 0x08;

/// What stands in clear before the ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) cid: u32,
    /// The epoch's number mod 8.
    pub(crate) kid: u8,
    pub(crate) ctr: u32,
}

impl Header {
    /// The header and its length. Anything but the minimal form is refused.
    pub(crate) fn parse(datagram: &[u8]) -> Option<(Self, usize)> {
        if datagram.len() < MIN_LEN || datagram.len() > MAX_LEN {
            return None;
        }
        let mut at = Reader::new(datagram);
        if at.u8()? != TYPE {
            return None;
        }
        let cid = at.u32()?;
        let config = at.u8()?;
        if config & X != 0 {
            return None;
        }
        let (kid, low) = (config >> 4, config & 7);
        let ctr = if config & Y == 0 {
            u32::from(low)
        } else {
            let bytes = at.bytes(usize::from(low) + 1)?;
            let minimal = bytes.first() != Some(&0) && !matches!(bytes, [0..8]);
            if bytes.len() > 4 || !minimal {
                return None;
            }
            bytes.iter().fold(0, |ctr, byte| ctr << 8 | u32::from(*byte))
        };
        let header = Self { cid, kid, ctr };
        let len = header.len();
        (datagram.len() > len + TAG_LEN).then_some((header, len))
    }

    /// Bytes that `emit` writes.
    pub(crate) const fn len(&self) -> usize {
        METADATA_LEN + 1 + self.ctr_len()
    }

    /// Bytes of the counter after the config byte: 0 below 8, else the minimal number.
    const fn ctr_len(&self) -> usize {
        match self.ctr {
            0..8 => 0,
            8..0x100 => 1,
            0x100..0x1_0000 => 2,
            0x1_0000..0x100_0000 => 3,
            _ => 4,
        }
    }

    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.u32(self.cid)?;
        let len = self.ctr_len();
        let bytes = self.ctr.to_be_bytes();
        let kid = (self.kid & 7) << 4;
        if len == 0 {
            let [.., low] = bytes;
            return out.u8(kid | low);
        }
        let count = u8::try_from(len).ok()?;
        out.u8(kid | Y | (count - 1))?;
        out.put(bytes.get(bytes.len() - len..)?)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn emit_and_parse_are_inverse_at_every_length() {
        for ctr in [0, 7, 8, 0xff, 0x100, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000, u32::MAX] {
            let header = Header { cid: 0xdead_beef, kid: 5, ctr };
            let mut bytes = [0; 32];
            let mut out = Writer::new(&mut bytes);
            header.emit(&mut out).unwrap();
            assert_eq!(out.written(), header.len());
            assert_eq!(Header::parse(&bytes), Some((header, header.len())), "{ctr:#x}");
        }
    }

    #[test]
    fn other_forms_of_the_same_header_are_dropped() {
        let with = |head: &[u8]| {
            let mut bytes = [0u8; 40];
            bytes[..head.len()].copy_from_slice(head);
            Header::parse(&bytes)
        };
        let cid = [0x10, 0, 0, 0, 1];
        assert!(with(&[&cid[..], &[0x50]].concat()).is_some());
        assert!(with(&[&cid[..], &[0xd0]].concat()).is_none(), "X = 1");
        assert!(with(&[&cid[..], &[0x58, 7]].concat()).is_none(), "counter below 8 with its own byte");
        assert!(with(&[&cid[..], &[0x59, 0, 9]].concat()).is_none(), "leading zero");
        for count in 5..=8 {
            let long = [&cid[..], &[0x58 | (count - 1)], &[9; 8]].concat();
            assert!(with(&long).is_none(), "{count}-byte counter");
            let short = [&cid[..], &[0x58 | (count - 5)], &[9; 8]].concat();
            assert!(with(&short).is_some(), "{}-byte counter", count - 4);
        }
        for first in 0x80..=0xFF {
            assert!(with(&[&cid[..], &[first], &[9; 8]].concat()).is_none(), "X = 1");
        }
        assert!(Header::parse(&[0x10; 16]).is_none(), "too short for a tag and one byte");
    }

    #[test]
    fn what_is_shorter_than_header_text_and_tag_is_dropped() {
        for (config, counter) in [(0x50, 0), (0x58, 1), (0x59, 2), (0x5a, 3), (0x5b, 4)] {
            let mut bytes = [0x11; 40];
            (bytes[0], bytes[5]) = (TYPE, config);
            let shortest = METADATA_LEN + 1 + counter + 1 + TAG_LEN;
            for len in 0..=bytes.len() {
                assert_eq!(Header::parse(&bytes[..len]).is_some(), len >= shortest, "{config:#x}, {len}");
            }
        }
    }
}
