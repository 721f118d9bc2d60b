//! FEEDBACK: what the display received and lacks (docs/protocol.md §9.2).
//!
//! ```text
//!  0 u8 0x03   1 u8 epoch   2 u32 highest_ctr   6 u32 received   10 u32 lost
//! 14 u32 echo   18 u16 hold 10 µs (0xFFFF: no sample)   20 u16 queue delay 100 µs
//! 22 u32 done_frame   26 u8 missed (mod 256)   27 u8 n (0..4)
//! entry: u32 frame_id ‖ u16 base ‖ u8 len (1..33) ‖ bitmap of len bytes
//! ```

use super::read::{Reader, Writer};
use crate::time::Stamp;

/// The type byte.
pub(crate) const TYPE: u8 = 0x03;
/// `hold` when there is nothing to echo.
pub(crate) const NO_SAMPLE: u16 = 0xFFFF;

const MAX_ENTRIES: u8 = 4;
const MAX_BITMAP: u8 = 33;

/// The fixed part. Requests for repair are checked for form and not acted upon yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Feedback {
    pub(crate) epoch: u8,
    pub(crate) highest_ctr: u32,
    pub(crate) received: u32,
    pub(crate) lost: u32,
    pub(crate) echo: Stamp,
    /// 10 µs, or [`NO_SAMPLE`].
    pub(crate) hold: u16,
    /// 100 µs.
    pub(crate) queue_delay: u16,
    pub(crate) done_frame: u32,
    pub(crate) missed: u8,
}

impl Feedback {
    /// Parses the body that follows the type byte.
    pub(crate) fn parse(body: &mut Reader<'_>) -> Option<Self> {
        let feedback = Self {
            epoch: body.u8()?,
            highest_ctr: body.u32()?,
            received: body.u32()?,
            lost: body.u32()?,
            echo: Stamp(body.u32()?),
            hold: body.u16()?,
            queue_delay: body.u16()?,
            done_frame: body.u32()?,
            missed: body.u8()?,
        };
        let entries = body.u8()?;
        if entries > MAX_ENTRIES {
            return None;
        }
        for _ in 0..entries {
            let (_frame_id, _base, len) = (body.u32()?, body.u16()?, body.u8()?);
            if !(1..=MAX_BITMAP).contains(&len) {
                return None;
            }
            body.bytes(usize::from(len))?;
        }
        Some(feedback)
    }

    /// Writes the whole message, with no requests for repair.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.u8(self.epoch)?;
        out.u32(self.highest_ctr)?;
        out.u32(self.received)?;
        out.u32(self.lost)?;
        out.u32(self.echo.0)?;
        out.u16(self.hold)?;
        out.u16(self.queue_delay)?;
        out.u32(self.done_frame)?;
        out.u8(self.missed)?;
        out.u8(0)
    }
}
