//! Pictures out of an MJPEG byte stream: JPEGs one after another, with or without bytes between them, such as
//! the headers of an HTTP multipart stream.
//!
//! ```text
//! buf: │ given out │ picture in the making … walked │ read, not walked yet │ room │
//!                  begin                     walked                 filled
//! ```
//!
//! A picture's end is found by its markers ([`super::jpeg`]), never by a search for FF D9: thumbnails have one
//! too. Nothing is decoded and nothing altered.

use core::fmt;

use embedded_io::Read;

use super::jpeg::JpegError;
use super::jpeg::walk::{Step, Walker};

/// Below this a buffer cannot even hold the start of a picture and one byte more.
const MIN_BUFFER: usize = 4;

/// Takes an MJPEG byte stream apart. Time is linear in the bytes read, whatever they are and however they come.
#[derive(Debug)]
pub struct MjpegReader<'b, R> {
    reader: R,
    buf: &'b mut [u8],
    walker: Walker,
    /// Bytes of `buf` that the walker has seen.
    walked: usize,
    /// Bytes of `buf` that were read.
    filled: usize,
    inside: Inside,
    counters: MjpegCounters,
}

/// What the walk stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// No picture, or one that is broken.
    Nothing,
    /// The picture that begins at this place in the buffer.
    Picture { begin: usize },
    /// A picture that is larger than the buffer: it is walked and not kept.
    TooLarge,
}

/// What a stream has held so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MjpegCounters {
    /// Whole pictures, given out.
    pub pictures: u64,
    /// Pictures larger than the buffer, skipped.
    pub too_large: u64,
    /// Pictures cut off by the start of another one or by the end of the stream, skipped.
    pub cut_off: u64,
    /// Pictures with damaged or missing markers, skipped.
    pub damaged: u64,
}

/// Why a stream gives no picture now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MjpegError<E> {
    /// The reader failed, or has nothing yet where it does not block. Nothing is lost: the next call goes on.
    Read(E),
    /// The buffer lent is too small for any picture.
    BufferTooSmall,
}

impl<E: fmt::Display> fmt::Display for MjpegError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::BufferTooSmall => f.write_str("the buffer is too small for any picture"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for MjpegError<E> {}

impl<'b, R: Read> MjpegReader<'b, R> {
    /// Reads from `reader` into `buf`, whose length is that of the largest picture that gets through.
    pub fn new(reader: R, buf: &'b mut [u8]) -> Self {
        Self {
            reader,
            buf,
            walker: Walker::new(),
            walked: 0,
            filled: 0,
            inside: Inside::Nothing,
            counters: MjpegCounters::default(),
        }
    }

    /// The next whole picture, SOI to EOI, byte for byte; `None` at the end of the stream.
    ///
    /// Returns as soon as a picture's last byte was read: a picture never waits for the one after it. After
    /// `None` it may be called again, should the stream go on.
    ///
    /// # Errors
    /// [`MjpegError`], above all what the reader says.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, MjpegError<R::Error>> {
        if self.buf.len() < MIN_BUFFER {
            return Err(MjpegError::BufferTooSmall);
        }
        loop {
            if let Some(begin) = self.walk() {
                return Ok(self.buf.get(begin..self.walked));
            }
            self.make_room();
            let room = self.buf.get_mut(self.filled..).unwrap_or_default();
            let count = self.reader.read(room).map_err(MjpegError::Read)?.min(room.len());
            if count == 0 {
                self.end();
                return Ok(None);
            }
            self.filled += count;
        }
    }

    /// What the stream has held so far.
    pub const fn counters(&self) -> MjpegCounters {
        self.counters
    }

    /// The reader, to look at or to change.
    pub const fn reader(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Walks to the end of a whole picture and says where it begins; `None` if all that was read is walked.
    fn walk(&mut self) -> Option<usize> {
        loop {
            let unwalked = self.buf.get(self.walked..self.filled).unwrap_or_default();
            let (used, step) = self.walker.walk(unwalked);
            self.walked += used;
            match step {
                Step::More => return None,
                Step::Scan => {}
                Step::Start => self.inside = Inside::Picture { begin: self.walked.saturating_sub(3) },
                Step::Broken(error) => {
                    self.inside = Inside::Nothing;
                    self.count_broken(error);
                }
                Step::End(_) => match core::mem::replace(&mut self.inside, Inside::Nothing) {
                    Inside::Picture { begin } => {
                        self.counters.pictures += 1;
                        return Some(begin);
                    }
                    Inside::TooLarge | Inside::Nothing => self.counters.too_large += 1,
                },
            }
        }
    }

    /// Makes room for at least one byte, once all that was read is walked.
    ///
    /// A picture is moved at most once, when the end of the buffer is reached; outside of one, at most two bytes
    /// are kept.
    fn make_room(&mut self) {
        let is_full = self.filled == self.buf.len();
        if is_full && self.inside == (Inside::Picture { begin: 0 }) {
            self.inside = Inside::TooLarge;
        }
        let keep_from = match &mut self.inside {
            Inside::Picture { .. } if !is_full => return,
            Inside::Picture { begin } => core::mem::take(begin),
            Inside::Nothing | Inside::TooLarge => self.filled.saturating_sub(self.walker.undecided()),
        };
        self.buf.copy_within(keep_from..self.filled, 0);
        self.filled -= keep_from;
        self.walked = self.filled;
    }

    /// The stream has ended, for now.
    fn end(&mut self) {
        if self.inside != Inside::Nothing {
            self.count_broken(JpegError::NoEoi);
        }
        self.walker = Walker::new();
        self.inside = Inside::Nothing;
        (self.walked, self.filled) = (0, 0);
    }

    fn count_broken(&mut self, error: JpegError) {
        match error {
            JpegError::NoEoi => self.counters.cut_off += 1,
            _ => self.counters.damaged += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use embedded_io::{ErrorKind, ErrorType};

    use super::*;
    use crate::frame::jpeg::scan;
    use crate::frame::random::{XorShift, setting};

    const YUV422: &[u8] = include_bytes!("../../tests/data/yuv422.jpg");
    const GREY: &[u8] = include_bytes!("../../tests/data/grey.jpg");
    const RESTART: &[u8] = include_bytes!("../../tests/data/restart.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../../tests/data/progressive.jpg");

    /// Gives `piece_len` bytes at a time, and with `pauses` has nothing every other time.
    struct Pieces<'a> {
        bytes: &'a [u8],
        piece_len: usize,
        pauses: bool,
        calls: usize,
    }

    impl<'a> Pieces<'a> {
        fn new(bytes: &'a [u8], piece_len: usize) -> Self {
            Self { bytes, piece_len, pauses: false, calls: 0 }
        }
    }

    impl ErrorType for Pieces<'_> {
        type Error = ErrorKind;
    }

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> Result<usize, ErrorKind> {
            assert_ne!(out.len(), 0, "a read without room looks like the end of the stream");
            self.calls += 1;
            if self.pauses && self.calls.is_multiple_of(2) {
                return Err(ErrorKind::Other);
            }
            let len = self.piece_len.min(out.len()).min(self.bytes.len());
            let (piece, rest) = self.bytes.split_at(len);
            out[..len].copy_from_slice(piece);
            self.bytes = rest;
            Ok(len)
        }
    }

    /// All pictures of a stream, and what was counted.
    fn split(stream: &[u8], piece_len: usize, buf_len: usize) -> (Vec<Vec<u8>>, MjpegCounters) {
        let mut buf = vec![0; buf_len];
        let mut reader = MjpegReader::new(Pieces::new(stream, piece_len), &mut buf);
        let mut pictures = Vec::new();
        while let Some(picture) = reader.next_frame().unwrap() {
            pictures.push(picture.to_vec());
        }
        (pictures, reader.counters())
    }

    fn counted(pictures: u64, too_large: u64, cut_off: u64, damaged: u64) -> MjpegCounters {
        MjpegCounters { pictures, too_large, cut_off, damaged }
    }

    /// Ways to cut and hold a stream: a byte at a time, odd pieces, all at once; buffers just enough and ample.
    const PIECES: [usize; 5] = [1, 2, 3, 577, usize::MAX];
    const BUFFERS: [usize; 4] = [1146, 1147, 2000, 100_000];

    #[test]
    fn pictures_come_out_byte_for_byte() {
        let all = [YUV422, GREY, PROGRESSIVE, RESTART, GREY, YUV422];
        for (piece_len, buf_len) in PIECES.into_iter().flat_map(|piece| BUFFERS.map(|buf| (piece, buf))) {
            let (pictures, counters) = split(&all.concat(), piece_len, buf_len);
            assert_eq!(pictures, all, "{piece_len} {buf_len}");
            assert_eq!(counters, counted(6, 0, 0, 0));
        }
    }

    #[test]
    fn bytes_between_pictures_are_skipped() {
        let header = b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 702\r\n\r\n";
        let lure: &[u8] = &[0xFF, 0xD8, 0x00, 0xFF, 0xFF, 0xD9, 0xFF, 0xD8, 0xFF - 1, 0xFF];
        let zeros = [0; 3000];
        let stream = [header, GREY, &zeros, RESTART, lure, header, YUV422, lure, GREY, header].concat();
        for (piece_len, buf_len) in PIECES.into_iter().flat_map(|piece| BUFFERS.map(|buf| (piece, buf))) {
            let (pictures, counters) = split(&stream, piece_len, buf_len);
            assert_eq!(pictures, [GREY, RESTART, YUV422, GREY], "{piece_len} {buf_len}");
            assert_eq!(counters, counted(4, 0, 0, 0));
        }
    }

    #[test]
    fn thumbnail_does_not_end_a_picture() {
        let exif_len = u16::try_from(GREY.len() + 8).unwrap().to_be_bytes();
        let jpeg = [&YUV422[..2], &[0xFF, 0xE1], &exif_len, b"Exif\0\0", GREY, &YUV422[2..]].concat();
        for piece_len in PIECES {
            let (pictures, _) = split(&[&jpeg[..], &jpeg].concat(), piece_len, jpeg.len());
            assert_eq!(pictures, [&jpeg[..], &jpeg]);
        }
    }

    #[test]
    fn picture_larger_than_the_buffer_is_counted_and_skipped() {
        let stream = [YUV422, GREY, YUV422, YUV422, GREY].concat();
        for piece_len in PIECES {
            for buf_len in [GREY.len(), GREY.len() + 1, YUV422.len() - 1] {
                let (pictures, counters) = split(&stream, piece_len, buf_len);
                assert_eq!(pictures, [GREY, GREY], "{piece_len} {buf_len}");
                assert_eq!(counters, counted(2, 3, 0, 0));
            }
            for buf_len in 4..40 {
                assert_eq!(split(&stream, piece_len, buf_len), (vec![], counted(0, 5, 0, 0)));
            }
        }
    }

    #[test]
    fn picture_cut_off_is_counted_and_the_next_one_survives() {
        let data = GREY.len() - 100;
        for (piece_len, buf_len) in PIECES.into_iter().flat_map(|piece| BUFFERS.map(|buf| (piece, buf))) {
            let stream =
                [&GREY[..data], YUV422, &GREY[..data], b"\r\n--frame\r\n", GREY, &YUV422[..900]].concat();
            let (pictures, counters) = split(&stream, piece_len, buf_len);
            assert_eq!(pictures, [YUV422, GREY]);
            assert_eq!(counters, counted(2, 0, 3, 0));
        }
        // Also where the one cut off is too large for the buffer.
        for piece_len in PIECES {
            let stream = [&YUV422[..1000], GREY, &YUV422[..1000]].concat();
            assert_eq!(split(&stream, piece_len, GREY.len()), (vec![GREY.to_vec()], counted(1, 0, 2, 0)));
        }
    }

    #[test]
    fn damaged_picture_is_counted_and_the_next_one_survives() {
        let mut damaged = GREY.to_vec();
        damaged[20] = 0x33; // where the second segment's FF stood
        for piece_len in PIECES {
            let (pictures, counters) = split(&[&damaged[..], GREY].concat(), piece_len, 5000);
            assert_eq!((pictures, counters), (vec![GREY.to_vec()], counted(1, 0, 0, 1)));
        }
    }

    #[test]
    fn damaged_streams_give_the_same_however_they_are_cut() {
        let seed = setting("SEED", 0x5CA1_AB1E);
        std::println!("SEED={seed}");
        let clean = [YUV422, GREY, b"--frame", PROGRESSIVE, GREY, RESTART, GREY].concat();
        let mut total = MjpegCounters::default();
        for number in 0..2000 {
            let mut random = XorShift::nth(seed, number);
            let mut below = |limit: usize| usize::try_from(random.below(limit as u64)).unwrap();
            let mut stream = clean.clone();
            let mut hits = 1 + below(12);
            while hits != 0 && stream.len() > 300 {
                hits -= 1;
                let at = below(stream.len());
                match below(4) {
                    0 => stream[at] = [0xFF, 0xD8, 0xD9, 0xDA, 0x00, 0xC0][below(6)],
                    1 => stream[at] = u8::try_from(below(256)).unwrap(),
                    2 => stream.truncate(at.max(301)),
                    _ => drop(stream.drain(at..(at + below(300)).min(stream.len()))),
                }
            }
            let buf_len = 900 + below(1500);
            let at_once = split(&stream, usize::MAX, buf_len);
            for piece_len in [1, 2, 3, 1 + below(600)] {
                assert_eq!(split(&stream, piece_len, buf_len), at_once, "{number} {piece_len} {buf_len}");
            }
            for picture in &at_once.0 {
                assert_eq!(scan(picture).map(|found| found.len), Ok(picture.len()));
            }
            total.pictures += at_once.1.pictures;
            total.too_large += at_once.1.too_large;
            total.cut_off += at_once.1.cut_off;
            total.damaged += at_once.1.damaged;
        }
        std::println!("{total:?}");
        assert!([total.pictures, total.too_large, total.cut_off, total.damaged].into_iter().all(|n| n > 200));
    }

    #[test]
    fn picture_does_not_wait_for_the_bytes_after_it() {
        let stream = [GREY, RESTART].concat();
        let mut buf = [0; 5000];
        let mut reader = MjpegReader::new(Pieces::new(&stream, GREY.len()), &mut buf);
        assert_eq!(reader.next_frame(), Ok(Some(GREY)));
        assert_eq!(reader.reader().calls, 1);
        let mut reader = MjpegReader::new(&stream[..], &mut buf);
        assert_eq!(reader.next_frame(), Ok(Some(GREY)));
        assert!(reader.reader().is_empty(), "both were read at once");
        assert_eq!(reader.next_frame(), Ok(Some(RESTART)));
    }

    #[test]
    fn reader_without_bytes_for_now_loses_nothing() {
        let stream = [GREY, b"....", YUV422].concat();
        let mut buf = [0; 1500];
        let pieces = Pieces { pauses: true, ..Pieces::new(&stream, 7) };
        let mut reader = MjpegReader::new(pieces, &mut buf);
        let (mut pictures, mut pauses) = (Vec::new(), 0);
        loop {
            match reader.next_frame() {
                Ok(Some(picture)) => pictures.push(picture.to_vec()),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error, MjpegError::Read(ErrorKind::Other));
                    pauses += 1;
                }
            }
        }
        assert_eq!(pictures, [GREY, YUV422]);
        assert!(pauses > 200);
    }

    #[test]
    fn stream_that_goes_on_after_its_end_is_read_on() {
        let mut buf = [0; 1500];
        let mut reader = MjpegReader::new(&GREY[..300], &mut buf);
        assert_eq!(reader.next_frame(), Ok(None));
        assert_eq!(reader.next_frame(), Ok(None));
        *reader.reader() = RESTART;
        assert_eq!(reader.next_frame(), Ok(Some(RESTART)));
        assert_eq!(reader.counters(), counted(1, 0, 1, 0));
    }

    #[test]
    fn buffer_without_room_for_anything_is_an_error() {
        let mut reader = MjpegReader::new(GREY, &mut []);
        assert_eq!(reader.next_frame(), Err(MjpegError::BufferTooSmall));
    }
}
