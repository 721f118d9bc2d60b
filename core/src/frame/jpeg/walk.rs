//! One walk over JPEG markers (ITU-T T.81 §B.1), a few bytes at a time or a whole picture at once.
//!
//! ```text
//! Seek ─FF D8─▶ Soi ─FF─▶ Code ─marker─▶ Length ─▶ Frame (SOFn) / Skip ─▶ Marker ─FF─▶ Code …
//!                          │                            │ SOS
//!                          EOI: End                     ▼
//!                                        Entropy ─FF─▶ EntropyCode ─00, RSTn─▶ Entropy, else as Code
//! ```
//!
//! Each byte is looked at once, so a walk takes time linear in its bytes however they are cut into pieces and
//! whatever they are. The walk keeps no bytes.

use super::{JpegError, Picture};

/// The two bytes that every picture begins with.
pub(crate) const SOI_MARKER: [u8; 2] = [FF, SOI];

const FF: u8 = 0xFF;
const TEM: u8 = 0x01;
const DHT: u8 = 0xC4;
const JPG: u8 = 0xC8;
const DAC: u8 = 0xCC;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
/// SOF0 to SOF15 lie in this range, together with [`DHT`], [`JPG`] and [`DAC`].
const FIRST_SOF: u8 = 0xC0;
const LAST_SOF: u8 = 0xCF;

/// Bytes of a frame header up to and including the number of components (T.81 §B.2.2).
const FRAME_FIELDS_LEN: u8 = 6;

/// What the walk has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The end of the bytes given.
    More,
    /// The start of a picture: its SOI and an FF are the three bytes up to here.
    Start,
    /// The picture's first scan: its SOS marker is the two bytes up to here.
    Scan,
    /// The end of a picture: EOI is the two bytes up to here.
    End(Picture),
    /// A picture had begun and comes to nothing. Where another SOI cut it off, that one's picture is next.
    Broken(JpegError),
}

/// Where a walk is.
#[derive(Debug, Clone)]
pub(crate) struct Walker {
    state: State,
    /// What is known of the picture so far, `len` up to here.
    picture: Picture,
    has_frame_header: bool,
    has_scan: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Outside a picture, looking for an FF.
    Seek,
    /// Outside a picture, after an FF.
    SeekCode,
    /// After an SOI, at the FF of the marker that must follow it.
    Soi,
    /// At the FF of a marker.
    Marker,
    /// After that FF: at the marker's code, or one more FF.
    Code,
    /// At the high byte of the length of this marker's segment.
    LengthHigh(u8),
    /// At its low byte.
    LengthLow(u8, u8),
    /// At byte `at` of the fields of a frame header; `after` bytes of the segment follow them.
    Frame { at: u8, after: u16 },
    /// Inside a segment, `left` bytes before its end.
    Skip { left: u16, next: AfterSegment },
    /// In entropy-coded data.
    Entropy,
    /// After an FF in entropy-coded data.
    EntropyCode,
}

#[derive(Debug, Clone, Copy)]
enum AfterSegment {
    Marker,
    Entropy,
}

const NO_PICTURE: Picture = Picture { len: 0, width: 0, height: 0, has_huffman_tables: false };

impl Walker {
    /// A walk through a stream, at a place where no picture has begun.
    pub(crate) const fn new() -> Self {
        Self { state: State::Seek, picture: NO_PICTURE, has_frame_header: false, has_scan: false }
    }

    /// A walk through a picture, behind its SOI.
    pub(crate) const fn after_soi() -> Self {
        let picture = Picture { len: SOI_MARKER.len(), ..NO_PICTURE };
        Self { state: State::Marker, picture, has_frame_header: false, has_scan: false }
    }

    /// Walks on through `bytes`, which follow those of the call before; says how many it has used and what it
    /// has come to. Call it again with the rest until it says [`Step::More`].
    pub(crate) fn walk(&mut self, bytes: &[u8]) -> (usize, Step) {
        let mut rest = bytes;
        loop {
            rest = self.skip(rest);
            let Some((byte, tail)) = rest.split_first() else { return (bytes.len(), Step::More) };
            rest = tail;
            self.picture.len = self.picture.len.saturating_add(1);
            if let Some(step) = self.byte(*byte) {
                return (bytes.len() - rest.len(), step);
            }
        }
    }

    /// What is known of the picture so far.
    pub(crate) const fn picture(&self) -> &Picture {
        &self.picture
    }

    /// How many of the last bytes walked, at most 2, may turn out to belong to the next [`Step::Start`].
    pub(crate) const fn undecided(&self) -> usize {
        match self.state {
            State::SeekCode | State::Code | State::EntropyCode => 1,
            State::Soi => 2,
            _ => 0,
        }
    }

    /// Passes over the bytes that mean nothing where the walk is: nearly all of them.
    fn skip<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let count = match &mut self.state {
            State::Seek | State::Entropy => leading_non_ff(bytes),
            State::Skip { left, next } => {
                let count = usize::from(*left).min(bytes.len());
                *left = left.saturating_sub(u16::try_from(count).unwrap_or(u16::MAX));
                if *left == 0 {
                    self.state = match next {
                        AfterSegment::Marker => State::Marker,
                        AfterSegment::Entropy => State::Entropy,
                    };
                }
                count
            }
            _ => 0,
        };
        self.picture.len = self.picture.len.saturating_add(count);
        bytes.get(count..).unwrap_or_default()
    }

    fn byte(&mut self, byte: u8) -> Option<Step> {
        match (self.state, byte) {
            (State::Seek | State::SeekCode, FF) => self.go(State::SeekCode),
            (State::SeekCode, SOI) => self.go(State::Soi),
            (State::Soi, FF) => {
                *self = Self::after_soi();
                self.picture.len = self.picture.len.saturating_add(1);
                self.state = State::Code;
                Some(Step::Start)
            }
            (State::Seek | State::SeekCode | State::Soi, _) => self.go(State::Seek),

            (State::Marker | State::Code, FF) => self.go(State::Code),
            (State::Code, code) => self.marker(code),
            (State::LengthHigh(code), high) => self.go(State::LengthLow(code, high)),
            (State::LengthLow(code, high), low) => self.segment(code, u16::from_be_bytes([high, low])),
            (State::Frame { at, after }, field) => self.frame_field(at, after, field),
            (State::Marker, _) => self.broken(JpegError::Malformed),

            (State::Entropy | State::EntropyCode, FF) => self.go(State::EntropyCode),
            // A stuffed zero or a restart marker. Codes without a meaning are left to the decoder, as damage.
            (State::EntropyCode, 0..FIRST_SOF | RST0..=RST7) => self.go(State::Entropy),
            (State::EntropyCode, code) => self.marker(code),
            // Only the first byte after a scan header: `skip` passes over all others.
            (State::Entropy | State::Skip { .. }, _) => None,
        }
    }

    fn go(&mut self, state: State) -> Option<Step> {
        self.state = state;
        None
    }

    fn broken(&mut self, error: JpegError) -> Option<Step> {
        self.state = State::Seek;
        Some(Step::Broken(error))
    }

    /// A marker's code has been read.
    fn marker(&mut self, code: u8) -> Option<Step> {
        match code {
            SOI => {
                self.state = State::Soi;
                Some(Step::Broken(JpegError::NoEoi))
            }
            EOI if !self.has_frame_header => self.broken(JpegError::NoFrameHeader),
            EOI if !self.has_scan => self.broken(JpegError::NoScan),
            EOI => {
                self.state = State::Seek;
                Some(Step::End(self.picture))
            }
            TEM | RST0..=RST7 => self.go(State::Marker),
            0..FIRST_SOF => self.broken(JpegError::Malformed),
            SOS if !self.has_frame_header => self.broken(JpegError::NoFrameHeader),
            SOS if !self.has_scan => {
                self.has_scan = true;
                self.state = State::LengthHigh(code);
                Some(Step::Scan)
            }
            _ => self.go(State::LengthHigh(code)),
        }
    }

    /// A segment's length has been read; it counts its own two bytes.
    fn segment(&mut self, code: u8, len: u16) -> Option<Step> {
        let Some(left) = len.checked_sub(2) else { return self.broken(JpegError::Malformed) };
        match code {
            SOS => self.go(State::Skip { left, next: AfterSegment::Entropy }),
            FIRST_SOF..=LAST_SOF if !matches!(code, DHT | JPG | DAC) => {
                match left.checked_sub(u16::from(FRAME_FIELDS_LEN)) {
                    Some(after) => self.go(State::Frame { at: 0, after }),
                    None => self.broken(JpegError::Malformed),
                }
            }
            _ => {
                self.picture.has_huffman_tables |= code == DHT && !self.has_scan;
                self.go(State::Skip { left, next: AfterSegment::Marker })
            }
        }
    }

    /// Fields of a frame header: precision, height in two bytes, width in two bytes, number of components.
    fn frame_field(&mut self, at: u8, after: u16, byte: u8) -> Option<Step> {
        let append = |field: u16| field << 8 | u16::from(byte);
        match at {
            1 | 2 => self.picture.height = append(self.picture.height),
            3 | 4 => self.picture.width = append(self.picture.width),
            _ => {}
        }
        let at = at + 1;
        if at < FRAME_FIELDS_LEN {
            return self.go(State::Frame { at, after });
        }
        self.has_frame_header = true;
        self.go(State::Skip { left: after, next: AfterSegment::Marker })
    }
}

/// How many bytes stand before the first FF; all of them if there is none.
fn leading_non_ff(bytes: &[u8]) -> usize {
    // Blocks of a fixed size without an early exit are compared with vector instructions.
    const BLOCK: usize = 32;
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let has_ff = |block: &[u8; BLOCK]| block.iter().fold(false, |found, byte| found | (*byte == FF));
    let clear = blocks.iter().take_while(|block| !has_ff(block)).count() * BLOCK;
    clear + bytes.iter().skip(clear).take_while(|byte| **byte != FF).count()
}
