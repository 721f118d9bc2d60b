//! JPEG decoding: one frame in, RGB pixels out, into a buffer that is used again.
//!
//! Cameras write odd JPEGs, so the headers are read leniently: missing Huffman tables (the standard ones are put
//! in), AVI1 marks, fill bytes. The picture data is read strictly: a frame that breaks off or whose codes make no
//! sense is an error and never shown, because the lenient way fills the rest with grey and calls it a picture.
//! Nothing here decides what becomes of a frame that cannot be decoded.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sealcam_core::frame::jpeg::{self, STANDARD_HUFFMAN_TABLES, insert_huffman_tables};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::canvas::Size;

/// The longest side of a frame, in pixels.
const SIDE_LIMIT: usize = 8192;
/// The most pixels of a frame: two 4K pictures. Bounds what one frame can make the decoder allocate to some 100 MB.
const PIXEL_LIMIT: usize = 1 << 24;
/// The most scans of a progressive JPEG; each costs a pass over the whole picture.
const SCAN_LIMIT: usize = 16;
/// The end marker.
const EOI: [u8; 2] = [0xFF, 0xD9];
/// What is put between the picture data and EOI: 64 one bits. The decoder reads zeros for data that ends early, which
/// are codes like any other; but no code consists of ones only (ITU-T T.81, annex C), so these stop it.
const BEYOND: [u8; 16] = [0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0];

/// Why a frame could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// It has no pixels, or more than this program is ready to hold.
    Dimensions(Size),
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
    #[cfg(test)]
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

/// Decodes frames, and keeps the buffer that some of them need.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// The frame as the decoder gets it.
    completed: Vec<u8>,
}

impl Decoder {
    /// A decoder for any number of frames, which need not have anything in common.
    pub(crate) const fn new() -> Self {
        Self { completed: Vec::new() }
    }

    /// Decodes one frame, SOI to EOI, in place of what was in `picture`, which is empty after an error.
    pub(crate) fn decode(&mut self, jpeg: &[u8], picture: &mut Picture) -> Result<(), Undecodable> {
        picture.size = Size::new(0, 0);
        let jpeg = self.complete(jpeg)?;
        // The decoder holds no state beyond the call and `rgb` is plain bytes, so nothing is left half-changed
        // that a later frame could see.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode_into(jpeg, &mut picture.rgb)));
        picture.size = decoded.unwrap_or(Err(Undecodable::DecoderPanicked))?;
        Ok(())
    }

    /// The frame without what follows it, with the Huffman tables that it lacks, and with an end that shows when
    /// its data ran short.
    fn complete(&mut self, jpeg: &[u8]) -> Result<&[u8], Undecodable> {
        let damaged = |error: &dyn fmt::Display| Undecodable::Damaged(error.to_string());
        let found = jpeg::scan(jpeg).map_err(|error| damaged(&error))?;
        let jpeg = jpeg.get(..found.len).unwrap_or(jpeg);
        self.completed.resize(jpeg.len() + STANDARD_HUFFMAN_TABLES.len(), 0);
        let inserted = insert_huffman_tables(jpeg, &mut self.completed).map_err(|error| damaged(&error))?;
        if let Some(len) = inserted {
            self.completed.truncate(len);
        } else {
            self.completed.clear();
            self.completed.extend_from_slice(jpeg);
        }
        self.completed.truncate(self.completed.len() - EOI.len());
        self.completed.extend_from_slice(&BEYOND);
        self.completed.extend_from_slice(&EOI);
        Ok(&self.completed)
    }
}

fn decode_into(jpeg: &[u8], rgb: &mut Vec<u8>) -> Result<Size, Undecodable> {
    let options = DecoderOptions::default()
        .set_max_width(SIDE_LIMIT)
        .set_max_height(SIDE_LIMIT)
        .jpeg_set_max_scans(SCAN_LIMIT)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let damaged = |error: zune_jpeg::errors::DecodeErrors| Undecodable::Damaged(error.to_string());
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options.set_strict_mode(false));
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().unwrap_or((0, 0));
    let size = Size::new(width, height);
    if width == 0 || height == 0 || width * height > PIXEL_LIMIT {
        return Err(Undecodable::Dimensions(size));
    }
    rgb.resize(width * height * 3, 0);
    decoder.set_options(decoder.options().set_strict_mode(true));
    decoder.decode_into(rgb).map_err(damaged)?;
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four fields, red, green, blue and near white, with some noise, 64x48; `ODD` is 61x43.
    const YUV444: &[u8] = include_bytes!("../tests/data/yuv444.jpg");
    const YUV422: &[u8] = include_bytes!("../tests/data/yuv422.jpg");
    const YUV420: &[u8] = include_bytes!("../tests/data/yuv420.jpg");
    const RESTART: &[u8] = include_bytes!("../tests/data/restart.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../tests/data/progressive.jpg");
    const ODD: &[u8] = include_bytes!("../tests/data/odd.jpg");
    const GREY: &[u8] = include_bytes!("../tests/data/grey.jpg");
    /// The picture of `YUV422` without Huffman tables, and the same with an AVI1 mark, as cameras send it.
    const NO_DHT: &[u8] = include_bytes!("../tests/data/no-dht.jpg");
    const AVI1: &[u8] = include_bytes!("../tests/data/avi1.jpg");
    const ALL: [&[u8]; 9] = [YUV444, YUV422, YUV420, RESTART, PROGRESSIVE, ODD, GREY, NO_DHT, AVI1];

    fn decoded(jpeg: &[u8]) -> Result<Picture, Undecodable> {
        let mut picture = Picture::new();
        Decoder::new().decode(jpeg, &mut picture).map(|()| picture)
    }

    /// The mean colour of the middle of each quarter.
    fn fields(picture: &Picture) -> [[u32; 3]; 4] {
        let Size { width, height } = picture.size();
        [(1, 1), (5, 1), (1, 5), (5, 5)].map(|(x, y)| {
            let mut sums = [0; 3];
            let (left, across, down) = (x * width / 8, width / 4, height / 4);
            for row in y * height / 8..y * height / 8 + down {
                for pixel in picture.row(row)[left * 3..(left + across) * 3].as_chunks::<3>().0 {
                    sums = [0, 1, 2].map(|c| sums[c] + u32::from(pixel[c]));
                }
            }
            sums.map(|sum| sum / u32::try_from(across * down).unwrap())
        })
    }

    #[test]
    fn every_kind_of_colour_jpeg_shows_its_colours() {
        for (jpeg, size) in ALL.map(|jpeg| (jpeg, if jpeg == ODD { (61, 43) } else { (64, 48) })) {
            let picture = decoded(jpeg).unwrap();
            assert_eq!(picture.size(), Size::new(size.0, size.1));
            if jpeg == GREY {
                continue;
            }
            let expected = [[200, 40, 40], [40, 180, 60], [40, 60, 200], [230, 230, 230_u32]];
            for (field, expected) in fields(&picture).into_iter().zip(expected) {
                for (value, expected) in field.into_iter().zip(expected) {
                    assert!(expected.abs_diff(value) <= 4, "{field:?} instead of {expected:?}");
                }
            }
        }
    }

    #[test]
    fn grey_has_three_equal_channels() {
        let fields = fields(&decoded(GREY).unwrap());
        // ITU-R BT.601 luma of the four fields.
        for (field, luma) in fields.into_iter().zip([88, 124, 70, 230_u32]) {
            assert!(field.iter().all(|value| *value == field[0] && luma.abs_diff(*value) <= 3), "{field:?}");
        }
    }

    #[test]
    fn missing_tables_change_nothing() {
        let (with, without) = (decoded(YUV422).unwrap(), decoded(NO_DHT).unwrap());
        assert_eq!(with.rgb, without.rgb);
        assert_eq!(with.rgb, decoded(AVI1).unwrap().rgb);
    }

    #[test]
    fn bytes_after_the_end_change_nothing() {
        for jpeg in [YUV420, NO_DHT] {
            let padded = [jpeg, &[0; 512], &[0xFF, 0xD8, 0xFF]].concat();
            assert_eq!(decoded(&padded).unwrap().rgb, decoded(jpeg).unwrap().rgb);
        }
    }

    #[test]
    fn a_frame_that_breaks_off_is_never_a_picture() {
        for jpeg in ALL {
            for len in 0..jpeg.len() {
                assert!(decoded(&jpeg[..len]).is_err(), "{len} bytes of {}", jpeg.len());
            }
        }
    }

    #[test]
    fn a_frame_with_its_middle_missing_is_never_a_picture() {
        for jpeg in [YUV444, YUV422, YUV420, ODD] {
            let entropy = jpeg.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap() + 14;
            for keep in [0, 10, (jpeg.len() - entropy) / 2] {
                let cut = [&jpeg[..entropy + keep], &[0xFF, 0xD9]].concat();
                assert!(decoded(&cut).is_err(), "{keep} bytes of picture data");
            }
        }
    }

    #[test]
    fn damaged_frames_are_errors_or_pictures_but_never_more() {
        let mut decoder = Decoder::new();
        let mut picture = Picture::new();
        for jpeg in ALL {
            for bit in (0..jpeg.len() * 8).step_by(7) {
                let mut damaged = jpeg.to_vec();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let outcome = decoder.decode(&damaged, &mut picture);
                assert_ne!(outcome, Err(Undecodable::DecoderPanicked), "bit {bit}");
                assert_eq!(outcome.is_err(), picture.size() == Size::new(0, 0));
            }
        }
    }

    #[test]
    fn claimed_dimensions_are_bounded() {
        let with_size = |width: u16, height: u16| {
            let mut jpeg = YUV444.to_vec();
            let at = jpeg.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
            jpeg[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
            jpeg[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
            decoded(&jpeg).unwrap_err()
        };
        assert_eq!(with_size(8000, 8000), Undecodable::Dimensions(Size::new(8000, 8000)));
        for (width, height) in [(65_535, 65_535), (9000, 8), (8, 9000), (0, 48), (64, 0)] {
            let error = with_size(width, height);
            assert!(matches!(error, Undecodable::Damaged(_) | Undecodable::Dimensions(_)), "{error}");
        }
    }
}
