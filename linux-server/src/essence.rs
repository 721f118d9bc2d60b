//! The essence of a JPEG: the segments that the decoder needs, as it should find them, and nothing else.
//!
//! ```text
//! SOI ─ APP0 ─ APP1 ─ DQT ─ COM ─ SOF ─ DRI ─ DHT ─ SOS ─ data ─ RST0 ─ data ─ EOI ─ whatever
//! SOI ─────────────── DQT ─────── SOF ─ DRI ─ DHT ─ SOS ─ data ▪ RST0 ─ data ▪ EOI
//! ```
//! The decoder is lenient where a display must not be. It reads zeros for data that breaks off, which are codes like
//! any other; so 64 one bits (▪) end each piece of data, where no code consists of ones only (ITU-T T.81, annex C). Where
//! it misses a restart it passes over everything up to the next marker, ones too, and goes on with zeros; so there must
//! be as many restarts as it looks for. It takes a second scan of a baseline picture for the end of the first, or for the
//! first once more, as often as the bytes last; and goes over all that it has seen of an XMP packet again at each marker.
//! Those it does not get.
//!
//! ```text
//! SOI ─ DQT ─ SOF ─ DHT ─────────── SOS ─ data ─────────── DHT ─ SOS ─ data ─────────── EOI
//! SOI ─ DQT ─ SOF ─ DHT ─ SOS ─ 0 ─ SOS ─ data ▪ APP15 ─── DHT ─ SOS ─ data ▪ APP15 ─── EOI
//! ```
//! The data of a progressive picture also has bits which are no codes, and the ones may be taken for such. So behind them
//! comes a marker at which the decoder gives up if it meets it within a scan, and which it skips once it is through. Only
//! with the first scan it must meet the next marker; that one is made up, and changes nothing. There is no such marker for
//! where a restart follows: restarts in progressive pictures are refused. How large a picture may be is `decode.rs`'s
//! decision.

use std::fmt;

use sealcam_core::frame::jpeg::{self, JpegError};

use crate::canvas::Size;

const FF: u8 = 0xFF;
const TEM: u8 = 0x01;
const SOF_BASELINE: u8 = 0xC0;
const SOF_EXTENDED: u8 = 0xC1;
const SOF_PROGRESSIVE: u8 = 0xC2;
const LAST_SOF: u8 = 0xCF;
const DHT: u8 = 0xC4;
const JPG: u8 = 0xC8;
const DAC: u8 = 0xCC;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DQT: u8 = 0xDB;
const DRI: u8 = 0xDD;
const APP14: u8 = 0xEE;
const APP15: u8 = 0xEF;

/// What APP14 begins with where it says how the colours are meant.
const ADOBE: &[u8] = b"Adobe";
/// The most bytes of headers: sixteen scans with new tables each have less than 10 000. A table takes the decoder a
/// hundred times as long as its bytes would as picture data.
const HEADER_LIMIT: usize = 1 << 15;
/// 64 one bits, of which the decoder, that wants 32 at hand, has not seen the last when the data before was enough.
const ONES: [u8; 16] = [FF, 0, FF, 0, FF, 0, FF, 0, FF, 0, FF, 0, FF, 0, FF, 0];
/// A segment that the decoder does not know.
const STOP: [u8; 4] = [FF, APP15, 0, 2];
/// What a scan goes over that changes nothing: one bit of the first coefficient of each block, to be added to what is
/// known of it (T.81 §G.1.2.1). The decoder makes zeros of those for which there is no data.
const BLANK: [u8; 3] = [0, 0, 0x10];

/// What a picture claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Its size.
    pub(crate) size: Size,
    /// How many scans it has: passes over the picture. One, if it is not progressive.
    pub(crate) scans: usize,
    /// Whether it is progressive.
    pub(crate) progressive: bool,
}

/// Why there is no picture that a decoder should be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The markers make no sense.
    Markers(JpegError),
    /// A code in the picture data that means nothing.
    Data,
    /// Lossless, hierarchical, or with arithmetic coding.
    Kind,
    /// More than one frame header.
    Headers,
    /// More tables than any picture needs.
    Tables,
    /// One of the colours has more samples than the brightness.
    Sampling,
    /// Not progressive, and not all of it in one scan.
    Scans,
    /// A restart is not there, or has another's number; or one is in a progressive picture, or is to be.
    Restarts,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Markers(error) => return error.fmt(f),
            Self::Data => "there is a marker without a meaning in its picture data",
            Self::Kind => "it is neither baseline nor progressive",
            Self::Headers => "it has more than one frame header",
            Self::Tables => "it has more tables than any picture needs",
            Self::Sampling => "a colour of it is finer than the brightness",
            Self::Scans => "it is not progressive, and not all of it is in its first scan",
            Self::Restarts => "its restarts are missing, out of order, or in a progressive picture",
        })
    }
}

/// Writes what matters of the picture that `jpeg` begins with to `out`, in place of what was there.
pub(crate) fn extract(jpeg: &[u8], out: &mut Vec<u8>) -> Result<Outline, Flaw> {
    let found = jpeg::scan(jpeg).map_err(Flaw::Markers)?;
    out.clear();
    out.extend_from_slice(&[FF, SOI]);
    let rest = jpeg.get(2..found.len).unwrap_or(&[]);
    let mut walk = Walk { rest, out, frame: None, interval: 0, scans: 0, headers: 0 };
    while !walk.segment()? {}
    let frame = walk.frame.ok_or(Flaw::Markers(JpegError::NoFrameHeader))?;
    Ok(Outline { size: frame.size, scans: walk.scans, progressive: frame.progressive })
}

/// A walk over the segments.
struct Walk<'a> {
    rest: &'a [u8],
    out: &'a mut Vec<u8>,
    frame: Option<Frame>,
    /// MCUs from one restart to the next; none is no restarts.
    interval: u16,
    scans: usize,
    /// Bytes of what was kept besides picture data.
    headers: usize,
}

/// What a frame header says.
#[derive(Clone, Copy)]
struct Frame {
    size: Size,
    components: u8,
    /// Into how many MCUs a scan of all components divides it.
    mcus: usize,
    progressive: bool,
}

impl<'a> Walk<'a> {
    /// Deals with the next segment, and the data behind it; says whether it was EOI.
    fn segment(&mut self) -> Result<bool, Flaw> {
        let code = self.marker()?;
        if matches!(code, EOI | TEM | RST0..=RST7) {
            if code == EOI {
                self.out.extend_from_slice(&[FF, EOI]);
            }
            return Ok(code == EOI);
        }
        let body = self.body()?;
        match code {
            SOS => {
                self.begin_scan(body)?;
                self.keep(code, body)?;
                self.data()?;
            }
            DRI => {
                self.interval = u16::from_be_bytes(*body.as_array().ok_or(BROKEN)?);
                self.keep(code, body)?;
            }
            DQT | DHT => self.keep(code, body)?,
            APP14 if body.starts_with(ADOBE) => self.keep(code, body)?,
            SOF_BASELINE..=LAST_SOF if !matches!(code, JPG | DAC) => {
                self.begin_frame(code, body)?;
                self.keep(code, body)?;
            }
            _ => {}
        }
        Ok(false)
    }

    /// A marker's code, behind its FF or as many as there are.
    fn marker(&mut self) -> Result<u8, Flaw> {
        let fill = self.rest.iter().take_while(|byte| **byte == FF).count();
        let (code, rest) = self.rest.get(fill..).and_then(<[u8]>::split_first).ok_or(BROKEN)?;
        self.rest = rest;
        if fill == 0 { Err(BROKEN) } else { Ok(*code) }
    }

    /// A segment without its length, which counts its own two bytes.
    fn body(&mut self) -> Result<&'a [u8], Flaw> {
        let (len, _) = self.rest.split_first_chunk::<2>().ok_or(BROKEN)?;
        let (segment, rest) =
            self.rest.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or(BROKEN)?;
        self.rest = rest;
        segment.get(2..).ok_or(BROKEN)
    }

    fn keep(&mut self, code: u8, body: &[u8]) -> Result<(), Flaw> {
        self.headers += body.len() + 4;
        if self.headers > HEADER_LIMIT {
            return Err(Flaw::Tables);
        }
        let len = u16::try_from(body.len() + 2).unwrap_or(u16::MAX);
        self.out.extend_from_slice(&[FF, code]);
        self.out.extend_from_slice(&len.to_be_bytes());
        self.out.extend_from_slice(body);
        Ok(())
    }

    /// Precision, height, width, number of components, components (T.81 §B.2.2).
    fn begin_frame(&mut self, code: u8, body: &[u8]) -> Result<(), Flaw> {
        let progressive = match code {
            SOF_BASELINE | SOF_EXTENDED => false,
            SOF_PROGRESSIVE => true,
            _ => return Err(Flaw::Kind),
        };
        let (&[_, high, low, left, right, components], rest) = body.split_first_chunk().ok_or(BROKEN)?;
        // Of each component: its name, its factors across and down, its quantization table.
        let mut factors = rest.as_chunks().0.iter().map(|[_, factors, _]| (factors >> 4, factors & 0x0F));
        let (across, down) = factors.next().ok_or(BROKEN)?;
        if factors.any(|factor| factor.0 > across || factor.1 > down) {
            return Err(Flaw::Sampling);
        }
        let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let size = Size::new(side(left, right), side(high, low));
        // An MCU of several components has as many blocks of each as its factors say; that of one has one block (T.81
        // §A.2). A factor of zero is the decoder's to refuse.
        let (across, down) = if components == 1 { (1, 1) } else { (across.max(1), down.max(1)) };
        let mcus = size.width.div_ceil(8 * usize::from(across)) * size.height.div_ceil(8 * usize::from(down));
        match self.frame.replace(Frame { size, components, mcus, progressive }) {
            Some(_) => Err(Flaw::Headers),
            None => Ok(()),
        }
    }

    fn begin_scan(&mut self, body: &[u8]) -> Result<(), Flaw> {
        let frame = self.frame.ok_or(Flaw::Markers(JpegError::NoFrameHeader))?;
        self.scans += 1;
        let is_all = self.scans == 1 && body.first() == Some(&frame.components);
        if !frame.progressive {
            return if is_all { Ok(()) } else { Err(Flaw::Scans) };
        }
        if self.interval > 0 {
            return Err(Flaw::Restarts);
        }
        if self.scans == 1 {
            let (components, _) = body.split_last_chunk::<3>().ok_or(BROKEN)?;
            self.keep(SOS, &[components, &BLANK].concat())?;
            // One byte, or it is an error.
            self.out.push(0);
        }
        Ok(())
    }

    /// Copies picture data up to the next marker that is no restart.
    fn data(&mut self) -> Result<(), Flaw> {
        let frame = self.frame.ok_or(BROKEN)?;
        let mut numbers = (RST0..=RST7).cycle();
        let mut restarts = 0;
        loop {
            let (plain, rest) = self.rest.split_at(leading_non_ff(self.rest));
            self.out.extend_from_slice(plain);
            self.rest = rest;
            match self.marker()? {
                0 => self.out.extend_from_slice(&[FF, 0]),
                code @ RST0..=RST7 if !frame.progressive && numbers.next() == Some(code) => {
                    restarts += 1;
                    self.out.extend_from_slice(&ONES);
                    self.out.extend_from_slice(&[FF, code]);
                }
                RST0..=RST7 => return Err(Flaw::Restarts),
                TEM..SOF_BASELINE => return Err(Flaw::Data),
                _ => {
                    self.rest = rest;
                    break;
                }
            }
        }
        self.out.extend_from_slice(&ONES);
        if frame.progressive {
            self.out.extend_from_slice(&STOP);
        }
        // One between two intervals each. What stands behind the last of those the decoder does not read, and a camera may
        // well code more lines than it shows.
        let wanted = frame.mcus.saturating_sub(1).checked_div(self.interval.into()).unwrap_or(0);
        if restarts < wanted { Err(Flaw::Restarts) } else { Ok(()) }
    }
}

/// What [`jpeg::scan`] has seen before.
const BROKEN: Flaw = Flaw::Markers(JpegError::Malformed);

/// How many bytes stand before the first FF; all of them if there is none.
fn leading_non_ff(bytes: &[u8]) -> usize {
    // Blocks of a fixed size without an early exit are compared with vector instructions.
    const BLOCK: usize = 32;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let has_ff = |block: &[u8; BLOCK]| block.iter().fold(false, |found, byte| found | (*byte == FF));
    let clear = blocks.iter().take_while(|block| !has_ff(block)).count() * BLOCK;
    clear + bytes.iter().skip(clear).take_while(|byte| **byte != FF).count()
}

#[cfg(test)]
mod tests {
    use sealcam_core::frame::jpeg::insert_huffman_tables;
    use zune_core::bytestream::ZCursor;
    use zune_jpeg::JpegDecoder;

    use super::*;

    const YUV422: &[u8] = include_bytes!("../tests/data/yuv422.jpg");
    const RESTART: &[u8] = include_bytes!("../tests/data/restart.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../tests/data/progressive.jpg");
    const ALL: [&[u8]; 9] = [
        YUV422,
        RESTART,
        PROGRESSIVE,
        include_bytes!("../tests/data/yuv444.jpg"),
        include_bytes!("../tests/data/yuv420.jpg"),
        include_bytes!("../tests/data/odd.jpg"),
        include_bytes!("../tests/data/grey.jpg"),
        include_bytes!("../tests/data/no-dht.jpg"),
        include_bytes!("../tests/data/avi1.jpg"),
    ];

    fn essence(jpeg: &[u8]) -> Result<(Outline, Vec<u8>), Flaw> {
        let mut out = vec![7; 3];
        extract(jpeg, &mut out).map(|outline| (outline, out))
    }

    /// `jpeg` with this in front of its first marker of the kind.
    fn before(code: u8, inserted: &[u8], jpeg: &[u8]) -> Vec<u8> {
        let at = jpeg.windows(2).position(|two| two == [FF, code]).unwrap();
        [&jpeg[..at], inserted, &jpeg[at..]].concat()
    }

    #[test]
    fn the_essence_makes_the_same_picture() {
        let decoded = |jpeg: &[u8]| JpegDecoder::new(ZCursor::new(jpeg)).decode().unwrap();
        for jpeg in ALL {
            let mut completed = vec![0; jpeg.len() + 420];
            let len = insert_huffman_tables(jpeg, &mut completed).unwrap();
            let jpeg = len.map_or(jpeg, |len| &completed[..len]);
            assert!(decoded(&essence(jpeg).unwrap().1) == decoded(jpeg));
        }
    }

    #[test]
    fn what_makes_no_picture_is_left_out() {
        for jpeg in ALL {
            let bare = essence(jpeg).unwrap();
            let len = u16::try_from(jpeg.len() + 2).unwrap().to_be_bytes();
            let thumbnail = [&[FF, 0xE1], &len[..], jpeg].concat();
            for odd in
                [&thumbnail[..], &[FF, 0xFE, 0, 3, b'!'], &[FF, 0xEE, 0, 4, 1, 2], &[FF; 5], &[FF, RST0]]
            {
                for code in [DQT, SOS] {
                    assert_eq!(essence(&before(code, odd, jpeg)).as_ref(), Ok(&bare), "{odd:02x?}");
                }
            }
            assert_eq!(essence(&[jpeg, &[FF, SOI, FF, SOS]].concat()).as_ref(), Ok(&bare));
        }
        let adobe = [&[FF, APP14, 0, 14][..], b"Adobe\0d\0\0\0\0\x01"].concat();
        let kept = essence(&before(DQT, &adobe, YUV422)).unwrap().1;
        assert!(kept.windows(adobe.len()).any(|window| window == adobe));
    }

    #[test]
    fn outline_is_what_the_picture_claims() {
        let size = |width, height| Size::new(width, height);
        let outline = |jpeg| essence(jpeg).unwrap().0;
        assert_eq!(outline(YUV422), Outline { size: size(64, 48), scans: 1, progressive: false });
        assert_eq!(outline(PROGRESSIVE), Outline { size: size(64, 48), scans: 10, progressive: true });
    }

    #[test]
    fn each_piece_of_data_ends_in_ones_and_if_it_is_progressive_in_a_stop() {
        let ends = |jpeg| {
            let essence = essence(jpeg).unwrap().1;
            let stopped = [&ONES[..], &STOP].concat();
            [&ONES[..], &stopped]
                .map(|end| essence.windows(end.len()).filter(|window| *window == end).count())
        };
        let restarts = RESTART.windows(2).filter(|two| matches!(two, [FF, RST0..=RST7])).count();
        assert!(restarts > 3);
        assert_eq!([YUV422, RESTART, PROGRESSIVE].map(ends), [[1, 0], [restarts + 1, 0], [10, 10]]);
    }

    #[test]
    fn flaws_are_told_apart() {
        let sof = YUV422.windows(2).position(|two| two == [FF, SOF_BASELINE]).unwrap();
        let with = |at: usize, bytes: &[u8]| {
            let mut jpeg = YUV422.to_vec();
            jpeg[at..at + bytes.len()].copy_from_slice(bytes);
            essence(&jpeg).map(|(outline, _)| outline)
        };
        let frame = &YUV422[sof..sof + 19];
        let data = YUV422.len() - 100;
        let restart = RESTART.windows(2).position(|two| two == [FF, RST0 + 3]).unwrap();
        let restarts = |third: &[u8]| {
            let jpeg = [&RESTART[..restart], third, &RESTART[restart + 2..]].concat();
            essence(&jpeg).map(|(outline, _)| outline)
        };
        let progressive =
            |code, inserted: &[u8]| essence(&before(code, inserted, PROGRESSIVE)).map(|(outline, _)| outline);
        let interval = |body: &[u8]| [&[FF, DRI, 0, body.len() as u8 + 2], body].concat();
        let tables = [&[FF, DQT, 0, 67][..], &[1; 65]].concat().repeat(HEADER_LIMIT / 69);
        for (outcome, flaw) in [
            (with(sof + 1, &[0xC3]), Flaw::Kind),
            (with(sof + 1, &[0xC9]), Flaw::Kind),
            (with(sof + 14, &[0x41]), Flaw::Sampling),
            (with(sof + 17, &[0x12]), Flaw::Sampling),
            (with(sof + 9, &[4]), Flaw::Scans),
            (with(data, &[FF, 0x01]), Flaw::Data),
            (with(data, &[FF, 0xBF]), Flaw::Data),
            (restarts(&[]), Flaw::Restarts),
            (restarts(&[FF, RST0 + 4]), Flaw::Restarts),
            (restarts(&[FF, RST0 + 2, FF, RST0 + 3]), Flaw::Restarts),
            (progressive(SOS, &interval(&[0xFF, 0xFF])), Flaw::Restarts),
            (progressive(SOS, &interval(&[0])), BROKEN),
            (progressive(SOS, &interval(&[0, 0, 0])), BROKEN),
            (progressive(EOI, &[FF, SOS, 0, 8, 1, 1, 0, 1, 63, 0, 7, FF, RST0]), Flaw::Restarts),
            (essence(&before(SOS, frame, YUV422)).map(|(outline, _)| outline), Flaw::Headers),
            (essence(&before(DQT, &tables, YUV422)).map(|(outline, _)| outline), Flaw::Tables),
        ] {
            assert_eq!(outcome, Err(flaw));
        }
        assert!(restarts(&[FF, RST0 + 3]).is_ok() && progressive(SOS, &interval(&[0, 0])).is_ok());
    }
}
