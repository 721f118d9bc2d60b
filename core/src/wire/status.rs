//! STATUS: the camera's heartbeat (docs/protocol.md §9).
//!
//! ```text
//!  0 u8 0x0F   1 u8 state   2 u32 since ms   6 u16 capture fps × 10   8 u32 frames captured
//! 12 u32 frames not sent   16 u16 SRTT 100 µs   18 u16 RTTVAR 100 µs (0xFFFF: none yet)   20 u32 clock µs
//! ```

use super::read::{Reader, Writer};
use crate::time::Stamp;

/// The type byte.
pub(crate) const TYPE: u8 = 0x0F;
/// SRTT or RTTVAR when nothing was measured yet.
pub(crate) const NOT_MEASURED: u16 = 0xFFFF;

/// What the camera program's source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureState {
    /// Opening its source.
    Starting,
    /// Taking pictures.
    Capturing,
    /// No camera is there.
    NoCamera,
    /// A camera is there and gives no pictures.
    CameraError,
    /// Told to pause.
    Paused,
}

impl CaptureState {
    const ALL: [Self; 5] = [Self::Starting, Self::Capturing, Self::NoCamera, Self::CameraError, Self::Paused];

    const fn code(self) -> u8 {
        match self {
            Self::Starting => 0,
            Self::Capturing => 1,
            Self::NoCamera => 2,
            Self::CameraError => 3,
            Self::Paused => 4,
        }
    }
}

/// One heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) state: CaptureState,
    /// How long it has been in this state.
    pub(crate) since_ms: u32,
    pub(crate) fps_x10: u16,
    pub(crate) frames_captured: u32,
    pub(crate) frames_not_sent: u32,
    /// 100 µs, or [`NOT_MEASURED`].
    pub(crate) srtt: u16,
    /// 100 µs, or [`NOT_MEASURED`].
    pub(crate) rttvar: u16,
    pub(crate) clock: Stamp,
}

impl Status {
    /// Parses the body that follows the type byte.
    pub(crate) fn parse(body: &mut Reader<'_>) -> Option<Self> {
        let code = body.u8()?;
        Some(Self {
            state: CaptureState::ALL.into_iter().find(|state| state.code() == code)?,
            since_ms: body.u32()?,
            fps_x10: body.u16()?,
            frames_captured: body.u32()?,
            frames_not_sent: body.u32()?,
            srtt: body.u16()?,
            rttvar: body.u16()?,
            clock: Stamp(body.u32()?),
        })
    }

    /// Writes the whole message.
    pub(crate) fn emit(&self, out: &mut Writer<'_>) -> Option<()> {
        out.u8(TYPE)?;
        out.u8(self.state.code())?;
        out.u32(self.since_ms)?;
        out.u16(self.fps_x10)?;
        out.u32(self.frames_captured)?;
        out.u32(self.frames_not_sent)?;
        out.u16(self.srtt)?;
        out.u16(self.rttvar)?;
        out.u32(self.clock.0)
    }
}
