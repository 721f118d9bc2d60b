//! JPEG as far as a link needs it: where a picture ends, how large it is, and the Huffman tables that MJPEG
//! cameras leave out. Source: ITU-T T.81, annex B (markers) and annex K (tables).
//!
//! Cameras are taken as they are: an `AVI1` or any other APPn segment, restart markers, fill bytes, several
//! scans, missing tables and bytes after the end are all fine. Nothing is decoded: a picture that passes may
//! still be damaged within its entropy-coded data.

mod huffman;
pub(super) mod walk;

use core::fmt;

pub use huffman::{InsertError, STANDARD_HUFFMAN_TABLES, insert_huffman_tables};
use walk::{SOI_MARKER, Step, Walker};

/// What the markers of one picture say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// Bytes from SOI to EOI, both included.
    pub len: usize,
    /// Pixels per line.
    pub width: u16,
    /// Lines; 0 where the picture leaves it to a DNL marker after its first scan, which few decoders take.
    pub height: u16,
    /// A DHT segment stands before the first scan; if not, see [`insert_huffman_tables`].
    pub has_huffman_tables: bool,
}

/// Why bytes are not a whole picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JpegError {
    /// The bytes do not begin with SOI.
    NoSoi,
    /// The bytes end, or another picture begins, before EOI: the picture was cut off.
    NoEoi,
    /// There is no marker where one must be, or a segment's length is impossible.
    Malformed,
    /// No frame header (SOFn) stands before the first scan or EOI: the size of the picture is unknown.
    NoFrameHeader,
    /// There is no scan: tables without a picture.
    NoScan,
}

impl fmt::Display for JpegError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSoi => "no JPEG start marker (SOI) at the beginning",
            Self::NoEoi => "the JPEG was cut off before its end marker (EOI)",
            Self::Malformed => "the JPEG's markers are damaged",
            Self::NoFrameHeader => "the JPEG has no frame header (SOF)",
            Self::NoScan => "the JPEG has no scan (SOS)",
        })
    }
}

impl core::error::Error for JpegError {}

/// Walks the markers of the picture that `bytes` begin with; what follows its EOI is not looked at.
///
/// # Errors
/// [`JpegError`] if no whole picture stands there.
pub fn scan(bytes: &[u8]) -> Result<Picture, JpegError> {
    let mut rest = bytes.strip_prefix(&SOI_MARKER).ok_or(JpegError::NoSoi)?;
    let mut walker = Walker::after_soi();
    loop {
        let (used, step) = walker.walk(rest);
        match step {
            Step::End(picture) => return Ok(picture),
            Step::Broken(error) => return Err(error),
            Step::More => return Err(JpegError::NoEoi),
            Step::Start | Step::Scan => rest = rest.get(used..).ok_or(JpegError::NoEoi)?,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// ffmpeg, 48x32, 4:2:2, one DHT segment with the standard tables.
    const YUV422: &[u8] = include_bytes!("../../tests/data/yuv422.jpg");
    /// cjpeg, 48x32, one component, tables for luminance only.
    const GREY: &[u8] = include_bytes!("../../tests/data/grey.jpg");
    /// cjpeg, 33x21, 4:2:0, a restart marker after every block group.
    const RESTART: &[u8] = include_bytes!("../../tests/data/restart.jpg");
    /// cjpeg, 33x21, ten scans.
    const PROGRESSIVE: &[u8] = include_bytes!("../../tests/data/progressive.jpg");

    const ALL: [&[u8]; 4] = [YUV422, GREY, RESTART, PROGRESSIVE];

    /// `jpeg` with a segment of this marker put behind its SOI.
    fn with_segment(jpeg: &[u8], code: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
        [&jpeg[..2], &[0xFF, code], &len, body, &jpeg[2..]].concat()
    }

    /// The offsets of the first and only SOS marker and of the data behind its segment.
    fn sos(jpeg: &[u8]) -> (usize, usize) {
        let at = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
        (at, at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]])))
    }

    #[test]
    fn real_pictures_are_measured() {
        let size = |jpeg| {
            let picture = scan(jpeg).unwrap();
            assert_eq!(picture.len, jpeg.len());
            assert!(picture.has_huffman_tables);
            (picture.width, picture.height)
        };
        assert_eq!(ALL.map(size), [(48, 32), (48, 32), (33, 21), (33, 21)]);
        assert!(RESTART.windows(2).filter(|pair| matches!(pair, [0xFF, 0xD0..=0xD7])).count() > 3);
    }

    #[test]
    fn what_follows_eoi_is_cut() {
        for jpeg in ALL {
            for tail in [&[0; 500][..], &[0xFF, 0xD9], &[0xFF; 3], jpeg] {
                assert_eq!(scan(&[jpeg, tail].concat()), scan(jpeg));
            }
        }
    }

    #[test]
    fn picture_cut_anywhere_is_refused() {
        for jpeg in ALL {
            for len in 2..jpeg.len() {
                assert_eq!(scan(&jpeg[..len]), Err(JpegError::NoEoi), "{len}");
            }
            assert_eq!(scan(&jpeg[..1]), Err(JpegError::NoSoi));
            assert_eq!(scan(&jpeg[1..]), Err(JpegError::NoSoi));
        }
        assert_eq!(scan(&[]), Err(JpegError::NoSoi));
    }

    #[test]
    fn picture_cut_off_by_the_next_one_is_refused() {
        for jpeg in ALL {
            let (_, scan_data) = sos(jpeg);
            let joined = [&jpeg[..scan_data + 20], jpeg].concat();
            assert_eq!(scan(&joined), Err(JpegError::NoEoi));
        }
    }

    #[test]
    fn thumbnails_and_avi1_are_passed_over() {
        for jpeg in ALL {
            let thumbnail = with_segment(jpeg, 0xE1, &[b"Exif\0\0", GREY].concat());
            let avi1 = with_segment(&thumbnail, 0xE0, b"AVI1\0\0\0\0\0\0\0\0\0\0");
            let comment = with_segment(&avi1, 0xFE, b"");
            let picture = scan(&comment).unwrap();
            assert_eq!(picture, Picture { len: comment.len(), ..scan(jpeg).unwrap() });
        }
    }

    #[test]
    fn fill_bytes_before_markers_are_allowed() {
        let (at, data) = sos(GREY);
        let eoi = GREY.len() - 2;
        let fill: &[u8] = &[0xFF; 40];
        let filled =
            [&GREY[..2], fill, &GREY[2..at], fill, &GREY[at..data], &GREY[data..eoi], fill, &GREY[eoi..]]
                .concat();
        assert_eq!(scan(&filled), Ok(Picture { len: filled.len(), ..scan(GREY).unwrap() }));
    }

    #[test]
    fn impossible_markers_are_refused() {
        let (at, _) = sos(GREY);
        let cases: [(&[u8], JpegError); 8] = [
            (&[0xFF, 0xE0, 0, 1], JpegError::Malformed),
            (&[0xFF, 0xC0, 0, 7, 8, 0, 1, 0, 1], JpegError::Malformed),
            (&[0x00], JpegError::Malformed),
            (&[0xFF, 0x00], JpegError::Malformed),
            (&[0xFF, 0x4F], JpegError::Malformed),
            (&[0xFF, 0xD9], JpegError::NoFrameHeader),
            (&GREY[at..], JpegError::NoFrameHeader),
            (&[0xFF, 0xC0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0, 0xFF, 0xD9], JpegError::NoScan),
        ];
        for (markers, error) in cases {
            let bytes = [&SOI_MARKER, markers].concat();
            assert_eq!(scan(&bytes), Err(error), "{markers:02x?}");
        }
    }

    #[test]
    fn damage_in_entropy_coded_data_is_left_to_the_decoder() {
        let (_, data) = sos(GREY);
        let mut damaged = GREY.to_vec();
        damaged[data + 4..data + 8].copy_from_slice(&[0xFF, 0x4F, 0xFF, 0x01]);
        assert_eq!(scan(&damaged), scan(GREY));
    }

    #[test]
    fn ff_is_found_at_every_place() {
        for len in 0..100 {
            let (_, data) = sos(GREY);
            let entropy = vec![0x55; len];
            let jpeg = [&GREY[..data], &entropy, &[0xFF, 0xD9], &[0x55; 70]].concat();
            assert_eq!(scan(&jpeg).map(|picture| picture.len), Ok(data + len + 2));
        }
    }

    #[test]
    fn steps_are_the_same_however_the_bytes_are_cut() {
        let steps = |bytes: &[u8], piece_len: usize| {
            let mut walker = Walker::new();
            let mut steps = Vec::new();
            for (number, piece) in bytes.chunks(piece_len).enumerate() {
                let mut walked = 0;
                loop {
                    let (used, step) = walker.walk(&piece[walked..]);
                    walked += used;
                    if step == Step::More {
                        break;
                    }
                    steps.push((number * piece_len + walked, step));
                }
            }
            steps
        };
        let (_, data) = sos(GREY);
        let stream =
            [b"--x\r\n\xFF\xD8\xFE", YUV422, b"\xFF", PROGRESSIVE, &GREY[..data + 9], RESTART].concat();
        let at_once = steps(&stream, stream.len());
        assert_eq!(at_once.iter().filter(|(_, step)| matches!(step, Step::End(_))).count(), 3);
        assert_eq!(at_once.iter().filter(|(_, step)| matches!(step, Step::Broken(_))).count(), 1);
        for piece_len in 1..stream.len() {
            assert_eq!(steps(&stream, piece_len), at_once, "{piece_len}");
        }
    }
}
