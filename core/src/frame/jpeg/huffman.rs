//! The Huffman tables that MJPEG leaves out: many cameras send no DHT segment and mean those of ITU-T T.81
//! annex K. A decoder made for JPEG files needs them put back.

use core::fmt;

use super::JpegError;
use super::walk::{SOI_MARKER, Step, Walker};

/// Writes `jpeg` to `out` with [`STANDARD_HUFFMAN_TABLES`] before its first scan, and says how many bytes that
/// makes; `None` if it has tables already: nothing is written then, and `jpeg` can be decoded as it is.
///
/// Only the picture's headers are looked at. `out` needs room for `jpeg` and the tables.
///
/// # Errors
/// [`InsertError`] if the headers are damaged or `out` is too small.
pub fn insert_huffman_tables(jpeg: &[u8], out: &mut [u8]) -> Result<Option<usize>, InsertError> {
    let Some(first_scan) = missing_tables(jpeg)? else { return Ok(None) };
    let len = jpeg.len() + STANDARD_HUFFMAN_TABLES.len();
    let (headers, scans) = jpeg.split_at_checked(first_scan).ok_or(InsertError::Jpeg(JpegError::NoEoi))?;
    let out = out.get_mut(..len).ok_or(InsertError::OutTooSmall)?;
    let (out_headers, rest) = out.split_at_mut_checked(first_scan).ok_or(InsertError::OutTooSmall)?;
    let (out_tables, out_scans) =
        rest.split_first_chunk_mut::<{ STANDARD_HUFFMAN_TABLES.len() }>().ok_or(InsertError::OutTooSmall)?;
    out_headers.copy_from_slice(headers);
    *out_tables = STANDARD_HUFFMAN_TABLES;
    out_scans.copy_from_slice(scans);
    Ok(Some(len))
}

/// Why no tables could be inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertError {
    /// The bytes are no picture.
    Jpeg(JpegError),
    /// The output is shorter than the picture and the tables together.
    OutTooSmall,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jpeg(error) => error.fmt(f),
            Self::OutTooSmall => f.write_str("no room to insert the standard Huffman tables into the JPEG"),
        }
    }
}

impl core::error::Error for InsertError {}

/// Where the first scan's marker stands, if there are no tables before it.
fn missing_tables(jpeg: &[u8]) -> Result<Option<usize>, InsertError> {
    let behind_soi = jpeg.strip_prefix(&SOI_MARKER).ok_or(InsertError::Jpeg(JpegError::NoSoi))?;
    let mut walker = Walker::after_soi();
    match walker.walk(behind_soi) {
        (_, Step::Scan) if walker.picture().has_huffman_tables => Ok(None),
        // `used` counts from behind SOI to behind SOS, two markers of one length.
        (used, Step::Scan) => Ok(Some(used)),
        (_, Step::Broken(error)) => Err(InsertError::Jpeg(error)),
        (_, Step::More | Step::Start | Step::End(_)) => Err(InsertError::Jpeg(JpegError::NoEoi)),
    }
}

/// A DHT segment (marker, length, four tables) with the typical tables of T.81, tables K.3 to K.6: DC and AC for
/// luminance (0) and chrominance (1).
#[rustfmt::skip]
pub const STANDARD_HUFFMAN_TABLES: [u8; 420] = [
    0xFF, 0xC4, 0x01, 0xA2,
    // DC, luminance (K.3)
    0x00,
    0x00, 0x01, 0x05, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B,
    // DC, chrominance (K.4)
    0x01,
    0x00, 0x03, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B,
    // AC, luminance (K.5)
    0x10,
    0x00, 0x02, 0x01, 0x03, 0x03, 0x02, 0x04, 0x03, 0x05, 0x05, 0x04, 0x04, 0x00, 0x00, 0x01, 0x7D,
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
    0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3, 0xC4, 0xC5,
    0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA, 0xE1, 0xE2,
    0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
    // AC, chrominance (K.6)
    0x11,
    0x00, 0x02, 0x01, 0x02, 0x04, 0x04, 0x03, 0x04, 0x07, 0x05, 0x04, 0x04, 0x00, 0x01, 0x02, 0x77,
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09, 0x23, 0x33, 0x52, 0xF0,
    0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25, 0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26,
    0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6A, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5,
    0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
    0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDA,
    0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8,
    0xF9, 0xFA,
];

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::BTreeMap;
    use std::vec;
    use std::vec::Vec;

    use super::super::scan;
    use super::*;

    /// ffmpeg with `-huffman default`.
    const FFMPEG: &[u8] = include_bytes!("../../../tests/data/yuv422.jpg");
    /// libjpeg-turbo without `-optimize`.
    const LIBJPEG: [&[u8]; 2] =
        [include_bytes!("../../../tests/data/grey.jpg"), include_bytes!("../../../tests/data/restart.jpg")];

    /// The picture without its DHT segments, and these.
    fn strip(jpeg: &[u8]) -> (Vec<u8>, Vec<&[u8]>) {
        let (mut rest, mut tables) = (jpeg[..2].to_vec(), Vec::new());
        let mut at = 2;
        while jpeg[at + 1] != 0xDA {
            let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            if jpeg[at + 1] == 0xC4 {
                tables.push(&jpeg[at..end]);
            } else {
                rest.extend_from_slice(&jpeg[at..end]);
            }
            at = end;
        }
        rest.extend_from_slice(&jpeg[at..]);
        (rest, tables)
    }

    /// Tables by class and number: their 16 counts and their values (T.81 §B.2.4.2).
    fn tables<'a>(segments: &[&'a [u8]]) -> BTreeMap<u8, &'a [u8]> {
        let mut tables = BTreeMap::new();
        for segment in segments {
            let mut rest = &segment[4..];
            while let Some((name, body)) = rest.split_first() {
                let len = 16 + body[..16].iter().map(|count| usize::from(*count)).sum::<usize>();
                assert_eq!(tables.insert(*name, &body[..len]), None);
                rest = &body[len..];
            }
        }
        tables
    }

    #[test]
    fn tables_are_those_that_encoders_use() {
        assert_eq!(strip(FFMPEG).1, [&STANDARD_HUFFMAN_TABLES]);
        let standard = tables(&[&STANDARD_HUFFMAN_TABLES]);
        assert_eq!(standard.keys().copied().collect::<Vec<_>>(), [0x00, 0x01, 0x10, 0x11]);
        for jpeg in LIBJPEG {
            let used = tables(&strip(jpeg).1);
            assert!(used.len() >= 2);
            for (name, table) in used {
                assert_eq!(table, standard[&name], "{name:02x}");
            }
        }
    }

    #[test]
    fn missing_tables_are_put_before_the_scan() {
        for jpeg in [FFMPEG, LIBJPEG[0], LIBJPEG[1]] {
            let (bare, _) = strip(jpeg);
            let picture = scan(&bare).unwrap();
            assert!(!picture.has_huffman_tables);
            let mut out = vec![0xEE; bare.len() + 420 + 5];
            let len = insert_huffman_tables(&bare, &mut out).unwrap().unwrap();
            assert_eq!(len, bare.len() + 420);
            assert_eq!(out[len..], [0xEE; 5]);
            let (headers, scans) =
                bare.split_at(bare.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap());
            assert_eq!(out[..len], [headers, &STANDARD_HUFFMAN_TABLES, scans].concat());
            let complete = scan(&out[..len]).unwrap();
            assert!(complete.has_huffman_tables);
            assert_eq!((complete.width, complete.height), (picture.width, picture.height));
        }
    }

    #[test]
    fn picture_with_tables_is_left_alone() {
        let mut out = [0xEE; 2000];
        assert_eq!(insert_huffman_tables(FFMPEG, &mut out), Ok(None));
        assert_eq!(out, [0xEE; 2000]);
    }

    #[test]
    fn short_output_and_broken_headers_are_refused() {
        let (bare, _) = strip(FFMPEG);
        let mut out = vec![0; bare.len() + 419];
        assert_eq!(insert_huffman_tables(&bare, &mut out), Err(InsertError::OutTooSmall));
        let refused = |bytes: &[u8]| insert_huffman_tables(bytes, &mut [0; 2000]);
        assert_eq!(refused(&bare[1..]), Err(InsertError::Jpeg(JpegError::NoSoi)));
        assert_eq!(refused(&bare[..100]), Err(InsertError::Jpeg(JpegError::NoEoi)));
        assert_eq!(refused(b"\xFF\xD8\xFF\xD8"), Err(InsertError::Jpeg(JpegError::NoEoi)));
        assert_eq!(refused(b"\xFF\xD8\x00\x00"), Err(InsertError::Jpeg(JpegError::Malformed)));
    }
}
