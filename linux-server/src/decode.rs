//! JPEG decoding: one frame in, RGB pixels out, into a buffer that is used again.
//!
//! A frame is what an enrolled camera says it is, and that camera may be broken or mean harm. What the decoder gets of
//! it, and why not more, is `essence.rs`; a frame that breaks off or whose codes make no sense is an error and never
//! shown. How much one frame may cost is decided here, by its pixels and scans, for a few hundred bytes can be as
//! expensive as a megabyte:
//!
//! | | pixels | scans | memory | time |
//! | --- | --- | --- | --- | --- |
//! | baseline, as cameras send it | 2^24, two 4K pictures | 1 | 3 bytes a pixel: 48 MiB | ten frames |
//! | progressive, as files may be | 2^21, 1920 x 1080 | 16 | and 2 for each sample: 22 MiB | six frames |
//!
//! The time is that of the worst that were found, against an ordinary frame of 1920 x 1080. It holds only because the
//! decoder makes up no data: without `essence.rs` a thousand bytes took a hundred frames. To the memory come the two
//! copies below, of 1 and 9 MiB at most where a frame has 1 MiB. Nothing here decides what becomes of a frame that
//! cannot be decoded.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sealcam_core::frame::jpeg::{STANDARD_HUFFMAN_TABLES, insert_huffman_tables};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::buffer::slim;
use crate::canvas::Size;
use crate::essence::{self, Outline};

/// The longest side of a frame, in pixels.
const SIDE_LIMIT: usize = 8192;
/// The most pixels of a frame.
const PIXEL_LIMIT: usize = 1 << 24;
/// The most pixels of a progressive one. Its coefficients are all held in memory, and each scan may touch them all,
/// whatever the number of bytes that it has.
const PROGRESSIVE_PIXEL_LIMIT: usize = 1 << 21;
/// The most scans of a progressive one; encoders make ten.
const SCAN_LIMIT: usize = 16;

/// Why a frame could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// It has no pixels, or more than this program is ready to hold.
    Dimensions(Size),
    /// It is progressive, and has more pixels or scans than this program is ready to go through.
    Progressive(Size, usize),
    /// The decoder's words.
    Damaged(String),
    /// The decoder panicked: a fault of the decoder, and this frame's only.
    DecoderPanicked,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimensions(size) => write!(
                f,
                "it claims {} x {} pixels; at most {SIDE_LIMIT} a side and {PIXEL_LIMIT} in all are shown",
                size.width, size.height
            ),
            Self::Progressive(size, scans) => write!(
                f,
                "it is progressive, with {} x {} pixels in {scans} scans; at most {PROGRESSIVE_PIXEL_LIMIT} pixels \
                 in {SCAN_LIMIT} scans are shown",
                size.width, size.height
            ),
            Self::Damaged(why) => write!(f, "its data is damaged: {why}"),
            Self::DecoderPanicked => f.write_str("the decoder panicked on it"),
        }
    }
}

/// A decoded frame: rows of red, green and blue bytes without padding, uppermost row first.
///
/// Three bytes a pixel, because those are the decoder's fast paths; `fit` makes 32-bit pixels of them.
#[derive(Debug)]
pub(crate) struct Picture {
    size: Size,
    rgb: Vec<u8>,
}

impl Picture {
    /// A picture without pixels, to be decoded into.
    pub(crate) const fn new() -> Self {
        Self { size: Size::new(0, 0), rgb: Vec::new() }
    }

    /// A picture of these pixels.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn from_rgb(size: Size, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len(), size.width * size.height * 3);
        Self { size, rgb }
    }

    /// Its size; zero before the first frame was decoded into it.
    pub(crate) const fn size(&self) -> Size {
        self.size
    }

    /// Row `y`: three bytes a pixel.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        let len = self.size.width * 3;
        self.rgb.get(y * len..(y + 1) * len).unwrap_or(&[])
    }
}

/// Decodes frames, and keeps the buffers that it needs.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The frame with the Huffman tables that it lacked.
    completed: Vec<u8>,
    /// What the decoder gets of it.
    essence: Vec<u8>,
}

impl Decoder {
    /// A decoder for any number of frames, which need not have anything in common.
    pub(crate) const fn new() -> Self {
        Self { completed: Vec::new(), essence: Vec::new() }
    }

    /// Decodes one frame, SOI to EOI, in place of what was in `picture`, which is empty after an error.
    pub(crate) fn decode(&mut self, jpeg: &[u8], picture: &mut Picture) -> Result<(), Undecodable> {
        picture.size = Size::new(0, 0);
        let size = self.prepare(jpeg)?;
        let len = size.width * size.height * 3;
        slim(&mut picture.rgb, len);
        // Black all over: where the decoder writes nothing, nothing that an earlier frame has left is seen.
        picture.rgb.clear();
        picture.rgb.resize(len, 0);
        // The decoder holds no state beyond the call and `rgb` is plain bytes, so nothing is left half-changed
        // that a later frame could see.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode_into(&self.essence, size, &mut picture.rgb)));
        decoded.unwrap_or(Err(Undecodable::DecoderPanicked))?;
        picture.size = size;
        Ok(())
    }

    /// Makes the essence of the frame, and decides whether it shall be decoded: its size.
    fn prepare(&mut self, jpeg: &[u8]) -> Result<Size, Undecodable> {
        let damaged = |error: &dyn fmt::Display| Undecodable::Damaged(error.to_string());
        let len = jpeg.len() + STANDARD_HUFFMAN_TABLES.len();
        slim(&mut self.completed, len);
        slim(&mut self.essence, len);
        self.completed.resize(len, 0);
        let inserted = insert_huffman_tables(jpeg, &mut self.completed).map_err(|error| damaged(&error))?;
        let jpeg = inserted.and_then(|len| self.completed.get(..len)).unwrap_or(jpeg);
        let Outline { size, scans, progressive } =
            essence::extract(jpeg, &mut self.essence).map_err(|flaw| damaged(&flaw))?;
        let pixels = size.width * size.height;
        if pixels == 0 || size.width.max(size.height) > SIDE_LIMIT || pixels > PIXEL_LIMIT {
            return Err(Undecodable::Dimensions(size));
        }
        if progressive && (pixels > PROGRESSIVE_PIXEL_LIMIT || scans > SCAN_LIMIT) {
            return Err(Undecodable::Progressive(size, scans));
        }
        Ok(size)
    }
}

fn decode_into(jpeg: &[u8], size: Size, rgb: &mut [u8]) -> Result<(), Undecodable> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(SIDE_LIMIT)
        .set_max_height(SIDE_LIMIT)
        // One more is put in front by `essence.rs`.
        .jpeg_set_max_scans(SCAN_LIMIT + 1)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let damaged = |error: zune_jpeg::errors::DecodeErrors| Undecodable::Damaged(error.to_string());
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder.decode_headers().map_err(damaged)?;
    if decoder.dimensions() != Some((size.width, size.height)) {
        return Err(Undecodable::Damaged("its size is not what it seemed".to_owned()));
    }
    decoder.decode_into(rgb).map_err(damaged)
}

// By its path, for the fuzz target's sake, which takes this file by its own.
#[cfg(test)]
#[path = "decode/tests.rs"]
pub(crate) mod tests;
