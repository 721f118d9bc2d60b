//! CHUNK: a piece of a frame (docs/protocol.md §9.1).
//!
//! ```text
//!  0 u8  0x01      1 u8  flags: bit0 repair, bit1 last-of-frame hint
//!  2 u32 frame_id  6 u16 chunk_idx  8 u16 chunk_cnt (1..4096)  10 u16 tail_len (1..1152)
//! 12 u32 capture_ts µs   16 u32 send_ts µs   20 [1152] payload, zero padded in the last chunk
//! ```

use super::read::{Reader, Writer};
use crate::time::Stamp;

/// The type byte.
pub(crate) const TYPE: u8 = 0x01;
/// Bytes of picture in a chunk.
pub(crate) const PAYLOAD_LEN: usize = 1152;
/// Bytes before the payload, the type byte among them.
pub(crate) const HEADER_LEN: usize = 20;
/// The whole message.
pub(crate) const LEN: usize = HEADER_LEN + PAYLOAD_LEN;
/// Chunks that a frame may have.
pub(crate) const MAX_CHUNKS: u16 = 4096;

const FLAG_REPAIR: u8 = 1;
const FLAG_LAST: u8 = 2;

/// What all chunks of one frame say alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameShape {
    pub(crate) frame_id: u32,
    /// 1..=[`MAX_CHUNKS`].
    pub(crate) chunk_cnt: u16,
    /// Bytes in the last chunk, 1..=[`PAYLOAD_LEN`].
    pub(crate) tail_len: u16,
    pub(crate) captured: Stamp,
}

/// One chunk as it stands in a packet's plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk<'a> {
    pub(crate) shape: FrameShape,
    /// Below `shape.chunk_cnt`.
    pub(crate) chunk_idx: u16,
    /// This chunk was sent before.
    pub(crate) repair: bool,
    pub(crate) last: bool,
    /// When this packet was sent, on the camera's clock.
    pub(crate) sent: Stamp,
    pub(crate) payload: &'a [u8; PAYLOAD_LEN],
}

impl<'a> Chunk<'a> {
    /// Parses the body that follows the type byte.
    pub(crate) fn parse(body: &mut Reader<'a>) -> Option<Self> {
        let flags = body.u8()?;
        let frame_id = body.u32()?;
        let chunk_idx = body.u16()?;
        let shape = FrameShape {
            frame_id,
            chunk_cnt: body.u16()?,
            tail_len: body.u16()?,
            captured: Stamp(body.u32()?),
        };
        let sent = Stamp(body.u32()?);
        let payload = body.array()?;
        let valid = flags & !(FLAG_REPAIR | FLAG_LAST) == 0
            && (1..=MAX_CHUNKS).contains(&shape.chunk_cnt)
            && chunk_idx < shape.chunk_cnt
            && shape.tail_len != 0
            && usize::from(shape.tail_len) <= PAYLOAD_LEN;
        let (repair, last) = (flags & FLAG_REPAIR != 0, flags & FLAG_LAST != 0);
        valid.then_some(Self { shape, chunk_idx, repair, last, sent, payload })
    }

    /// Writes the header and `payload`, filled up with zeros to [`PAYLOAD_LEN`].
    pub(crate) fn emit(
        out: &mut Writer<'_>,
        shape: &FrameShape,
        chunk_idx: u16,
        repair: bool,
        sent: Stamp,
        payload: &[u8],
    ) -> Option<()> {
        let last = chunk_idx.checked_add(1)? == shape.chunk_cnt;
        out.u8(TYPE)?;
        out.u8(if repair { FLAG_REPAIR } else { 0 } | if last { FLAG_LAST } else { 0 })?;
        out.u32(shape.frame_id)?;
        out.u16(chunk_idx)?;
        out.u16(shape.chunk_cnt)?;
        out.u16(shape.tail_len)?;
        out.u32(shape.captured.0)?;
        out.u32(sent.0)?;
        out.put(payload)?;
        out.zeros(PAYLOAD_LEN.checked_sub(payload.len())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(shape: FrameShape, idx: u16, payload: &[u8]) -> [u8; LEN] {
        let mut bytes = [0xee; LEN];
        let mut out = Writer::new(&mut bytes);
        Chunk::emit(&mut out, &shape, idx, true, Stamp(9), payload).unwrap();
        assert_eq!(out.room(), 0);
        bytes
    }

    const SHAPE: FrameShape = FrameShape { frame_id: 7, chunk_cnt: 3, tail_len: 5, captured: Stamp(8) };

    #[test]
    fn emit_and_parse_are_inverse() {
        let bytes = emitted(SHAPE, 2, b"tail!");
        let mut reader = Reader::new(&bytes[1..]);
        let chunk = Chunk::parse(&mut reader).unwrap();
        assert_eq!((chunk.shape, chunk.chunk_idx, chunk.sent), (SHAPE, 2, Stamp(9)));
        assert!(chunk.repair && chunk.last);
        assert_eq!(&chunk.payload[..6], b"tail!\0");
        assert!(reader.rest().is_empty());
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for (offset, value) in [(8, 0u16), (8, 4097), (8, 2), (10, 0), (10, 1153), (6, 3)] {
            let mut bytes = emitted(SHAPE, 2, b"tail!");
            bytes[offset..offset + 2].copy_from_slice(&value.to_be_bytes());
            assert_eq!(Chunk::parse(&mut Reader::new(&bytes[1..])), None, "{offset}: {value}");
        }
    }
}
