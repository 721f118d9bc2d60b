//! Which frames get in, and what is counted about those that don't.
//!
//! A frame is valid if [`jpeg::scan`] finds it whole, SOI to EOI, and it is no larger than the link carries. Whether
//! its pixels are sound is for the display's decoder to find: a check that is too strict loses good cameras.

use sealcam_core::frame::jpeg::{self, JpegError};

/// What a source has counted since it started. All counters only grow.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Stats {
    /// Valid frames that the source had ready.
    pub(crate) captured: u64,
    /// Of these, frames that gave way to a newer one before anyone took them.
    pub(crate) replaced: u64,
    /// Frames that the source should have given and did not: the driver lost them, or the machine was too slow.
    pub(crate) missed: u64,
    /// Frames that were not valid, by reason.
    pub(crate) skipped: Skipped,
    /// Valid frames per second, over the last two seconds.
    pub(crate) fps: f32,
}

/// Frames that were skipped, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Skipped {
    /// The driver says that the buffer is damaged (`V4L2_BUF_FLAG_ERROR`).
    pub(crate) flagged: u64,
    /// Nothing in it.
    pub(crate) empty: u64,
    /// It does not begin with SOI.
    pub(crate) no_start: u64,
    /// It ends before EOI.
    pub(crate) cut_off: u64,
    /// Its markers are damaged or do not make a picture.
    pub(crate) damaged: u64,
    /// Larger than the link carries.
    pub(crate) too_large: u64,
    /// A file of a folder that could not be read.
    pub(crate) unreadable: u64,
}

/// Why a frame is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    Flagged,
    Empty,
    NoStart,
    CutOff,
    Damaged,
    TooLarge,
    Unreadable,
}

impl Skipped {
    /// All of them.
    pub(crate) fn total(&self) -> u64 {
        let Self { flagged, empty, no_start, cut_off, damaged, too_large, unreadable } = *self;
        flagged + empty + no_start + cut_off + damaged + too_large + unreadable
    }

    /// Counts `count` frames.
    pub(super) fn count(&mut self, why: Skip, count: u64) {
        *match why {
            Skip::Flagged => &mut self.flagged,
            Skip::Empty => &mut self.empty,
            Skip::NoStart => &mut self.no_start,
            Skip::CutOff => &mut self.cut_off,
            Skip::Damaged => &mut self.damaged,
            Skip::TooLarge => &mut self.too_large,
            Skip::Unreadable => &mut self.unreadable,
        } += count;
    }
}

/// The length of the frame that `bytes` begin with, up to its EOI, if it may be sent.
pub(super) fn frame_len(bytes: &[u8], max_len: usize) -> Result<usize, Skip> {
    if bytes.is_empty() {
        return Err(Skip::Empty);
    }
    match jpeg::scan(bytes) {
        Ok(picture) if picture.len <= max_len => Ok(picture.len),
        Ok(_) => Err(Skip::TooLarge),
        Err(JpegError::NoSoi) => Err(Skip::NoStart),
        Err(JpegError::NoEoi) => Err(Skip::CutOff),
        Err(JpegError::Malformed | JpegError::NoFrameHeader | JpegError::NoScan) => Err(Skip::Damaged),
    }
}

/// The smallest bytes that pass for a JPEG picture, for tests: `mark` tells one from another.
#[cfg(test)]
pub(super) fn tiny_jpeg(mark: u8) -> Vec<u8> {
    let frame_header = [0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0];
    let scan_header = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0];
    let comment = [0xFF, 0xFE, 0, 3, mark];
    let parts: [&[u8]; 6] = [&[0xFF, 0xD8], &comment, &frame_header, &scan_header, &[0x2A; 5], &[0xFF, 0xD9]];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1 << 20;

    #[test]
    fn bytes_after_the_end_are_cut() {
        let jpeg = tiny_jpeg(1);
        let padded = [jpeg.as_slice(), &[0; 100]].concat();
        assert_eq!(frame_len(&padded, MAX), Ok(jpeg.len()));
    }

    #[test]
    fn limit_is_for_the_frame_and_not_its_padding() {
        let jpeg = tiny_jpeg(1);
        let padded = [jpeg.as_slice(), &[0; 100]].concat();
        assert_eq!(frame_len(&padded, jpeg.len()), Ok(jpeg.len()));
        assert_eq!(frame_len(&padded, jpeg.len() - 1), Err(Skip::TooLarge));
    }

    #[test]
    fn invalid_frames_are_told_apart() {
        let jpeg = tiny_jpeg(1);
        assert_eq!(frame_len(&[], MAX), Err(Skip::Empty));
        assert_eq!(frame_len(&jpeg[1..], MAX), Err(Skip::NoStart));
        assert_eq!(frame_len(&jpeg[..jpeg.len() - 2], MAX), Err(Skip::CutOff));
        assert_eq!(frame_len(&[0xFF, 0xD8, 0, 0, 0, 0], MAX), Err(Skip::Damaged));
    }

    #[test]
    fn every_reason_has_its_own_counter() {
        use Skip::{CutOff, Damaged, Empty, Flagged, NoStart, TooLarge, Unreadable};
        let mut skipped = Skipped::default();
        for (n, why) in
            [Flagged, Empty, NoStart, CutOff, Damaged, TooLarge, Unreadable].into_iter().enumerate()
        {
            let before = skipped;
            skipped.count(why, 1 << n);
            assert_ne!(before, skipped);
        }
        assert_eq!(skipped.total(), 0b111_1111);
        assert_eq!((skipped.flagged, skipped.unreadable), (1, 64));
    }
}
