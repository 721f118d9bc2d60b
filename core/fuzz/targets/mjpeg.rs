//! The MJPEG splitter: any stream, in pieces of any length, into a buffer of any length.
#![no_main]

use embedded_io::{ErrorType, Read};
use sealcam_core::frame::jpeg::scan;
use sealcam_core::frame::mjpeg::{MjpegCounters, MjpegReader};
use sealcam_fuzz::input::Input;

/// Gives so many bytes at a time, over and over.
struct Pieces<'a> {
    rest: &'a [u8],
    lengths: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl ErrorType for Pieces<'_> {
    type Error = std::convert::Infallible;
}

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let wanted = self.lengths.next().map_or(usize::MAX, |len| usize::from(*len) + 1);
        let (now, rest) = self.rest.split_at(wanted.min(buf.len()).min(self.rest.len()));
        buf[..now.len()].copy_from_slice(now);
        self.rest = rest;
        Ok(now.len())
    }
}

/// All pictures of a stream.
fn pictures(stream: &[u8], lengths: &[u8], room: usize) -> (Vec<Vec<u8>>, MjpegCounters) {
    let mut buf = vec![0; room];
    let mut reader = MjpegReader::new(Pieces { rest: stream, lengths: lengths.iter().cycle() }, &mut buf);
    let mut found = Vec::new();
    while let Ok(Some(picture)) = reader.next_frame() {
        found.push(picture.to_vec());
    }
    (found, reader.counters())
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut input = Input::new(input);
    let (room, count) = (input.word(), usize::from(input.byte() % 8));
    let lengths = input.bytes(count);
    let stream = input.bytes(usize::MAX);
    let (found, counters) = pictures(stream, lengths, room);
    let mut after = 0;
    for picture in &found {
        assert!(picture.len() <= room);
        assert_eq!(scan(picture).map(|picture| picture.len), Ok(picture.len()));
        let place = stream[after..].windows(picture.len()).position(|window| window == picture);
        after += place.expect("a piece of the stream, behind the one before") + picture.len();
    }
    let (whole, counted) = pictures(stream, &[], stream.len().max(4));
    assert!(found.iter().all(|picture| whole.contains(picture)));
    if room >= stream.len().max(4) {
        assert_eq!((found, counters), (whole, counted), "cuts make no difference");
    }
});
