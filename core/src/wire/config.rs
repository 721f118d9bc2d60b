//! CONFIG: what the display can take (docs/protocol.md §9.3).
//!
//! ```text
//!  0 u8 0x0D   1 u32 max frame bytes   5 u32 receive buffer bytes (0: unknown)   9 u32 max kbit/s (0: none)
//! 13 u8 max fps (0: none)   14 u16 budget ms   16 u8 pad policy (0 chunk, 1 bucket, 2 constant)
//! ```

use super::read::{Reader, Writer};
use crate::config::Padding;

/// The type byte.
pub(crate) const TYPE: u8 = 0x0D;

/// The display's limits, as they came: the camera clamps them by its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DisplayLimits {
    pub(crate) max_frame_bytes: u32,
    pub(crate) receive_buffer: u32,
    pub(crate) max_kbit: u32,
    pub(crate) max_fps: u8,
    pub(crate) budget_ms: u16,
    pub(crate) padding: Padding,
}

impl DisplayLimits {
    /// Parses the body that follows the type byte.
    pub(crate) fn parse(body: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            max_frame_bytes: body.u32()?,
            receive_buffer: body.u32()?,
            max_kbit: body.u32()?,
            max_fps: body.u8()?,
            budget_ms: body.u16()?,
            padding: match body.u8()? {
                0 => Padding::Chunk,
                1 => Padding::Bucket,
                2 => Padding::Constant,
                _ => return None,
            },
        })
    }

    /// Writes the whole message.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.u32(self.max_frame_bytes)?;
        out.u32(self.receive_buffer)?;
        out.u32(self.max_kbit)?;
        out.u8(self.max_fps)?;
        out.u16(self.budget_ms)?;
        out.u8(match self.padding {
            Padding::Chunk => 0,
            Padding::Bucket => 1,
            Padding::Constant => 2,
        })
    }
}
