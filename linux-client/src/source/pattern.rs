//! A synthetic moving picture, so that anyone can try the link without a camera.
//!
//! Colour bars, a ball that moves, the number of the frame, and the time of day in UTC; encoded as it goes, like a
//! webcam's pictures: baseline, 4:2:0.

mod font;
mod picture;

use std::num::NonZeroU32;
use std::time::Duration;

use jpeg_encoder::{Encoder, SamplingFactor};
use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::log;

use picture::Picture;

use super::intake::Skip;
use super::outlet::Outlet;
use super::pace::Pace;
use super::request::{Request, Size};
use super::{Run, State};

/// The size where none was asked for.
const DEFAULT_SIZE: Size = Size::new(640, 480);

/// Below this the text does not fit; above it one frame takes the memory of a small device.
const SIZES: (Size, Size) = (Size::new(96, 64), Size::new(4096, 4096));

/// About what a webcam gives.
const QUALITY: u8 = 80;

/// How long the rate is watched before it is said that it can't be held.
const TRIAL: Duration = Duration::from_secs(3);

/// Checks that the pattern can be drawn in this size.
///
/// # Errors
/// [`Exit::Usage`]: it cannot.
pub(super) fn check_size(size: Size) -> Result<()> {
    let (least, most) = SIZES;
    let fits = (least.width..=most.width).contains(&size.width)
        && (least.height..=most.height).contains(&size.height);
    let message = || format!("The pattern's size is {least} to {most}, not {size}.");
    if fits { Ok(()) } else { Err(Failure::new(Exit::Usage, message())) }
}

/// Starts the pattern.
///
/// # Errors
/// As [`check_size`].
pub(super) fn open(request: &Request) -> Result<Run> {
    let size = request.size.unwrap_or(DEFAULT_SIZE);
    check_size(size)?;
    let no_room = || Failure::new(Exit::Usage, format!("The pattern does not fit {size}."));
    let mut picture = Picture::new(size).ok_or_else(no_room)?;
    let fps = request.fps();
    Ok(Box::new(move |outlet| {
        outlet.state(State::Capturing, format!("Synthetic pattern: {size} at {fps} frames/s."));
        run(&mut picture, fps, outlet)
            .map_err(|e| Failure::new(Exit::Other, format!("Cannot wait for the next picture: {e}.")))
    }))
}

fn run(picture: &mut Picture, fps: NonZeroU32, outlet: &mut Outlet) -> std::io::Result<()> {
    let start = Clock.now();
    let mut pace = Pace::new(start, fps);
    let mut trial = Some(Trial::new(start));
    let mut number = 0;
    loop {
        let Some(missed) = outlet.wait_for_slot(&mut pace)? else { return Ok(()) };
        let now = Clock.now();
        picture.draw(number, now.since(start), Clock.time_of_day());
        outlet.fill(now, |jpeg| encode(picture, jpeg));
        number += 1;
        let verdict = trial.as_mut().and_then(|trial| trial.frame(Clock.now(), missed));
        if let Some(held) = verdict {
            trial = None;
            if let Err(reached) = held {
                log::say(format_args!(
                    "This machine can't make the pattern at {fps} frames/s, only at about {reached:.0}: \
                     ask for a smaller --size or a lower --fps.",
                ));
            }
        }
    }
}

/// Encodes the picture as a JPEG into an empty buffer.
fn encode(picture: &Picture, jpeg: &mut Vec<u8>) -> std::result::Result<(), Skip> {
    let mut encoder = Encoder::new(jpeg, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    // Only sizes of zero and writers that fail make it fail.
    encoder.encode_image(picture).map_err(|_| Skip::Damaged)
}

/// Whether the machine holds the rate: judged once.
struct Trial {
    start: Instant,
    made: u32,
    missed: u64,
}

impl Trial {
    fn new(start: Instant) -> Self {
        Self { start, made: 0, missed: 0 }
    }

    /// One frame was made, after `missed` others were not; once enough was seen: `Ok` if the rate is held (one
    /// frame in twenty may be missing: other programs run too), else the rate that was reached.
    fn frame(&mut self, now: Instant, missed: u64) -> Option<std::result::Result<(), f64>> {
        self.made += 1;
        self.missed += missed;
        let span = now.since(self.start);
        if span < TRIAL {
            return None;
        }
        let is_held = self.missed * 20 <= self.missed + u64::from(self.made);
        Some(if is_held { Ok(()) } else { Err(f64::from(self.made) / span.as_secs_f64()) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use sealcam_core::frame::jpeg;
    use zune_core::bytestream::ZCursor;
    use zune_jpeg::JpegDecoder;

    use super::super::{Kind, Source};
    use super::*;

    fn encoded(size: Size, number: u64, elapsed_ms: u64) -> Vec<u8> {
        let mut picture = Picture::new(size).unwrap();
        let elapsed = Duration::from_millis(elapsed_ms);
        picture.draw(number, elapsed, elapsed);
        let mut jpeg = Vec::new();
        encode(&picture, &mut jpeg).unwrap();
        jpeg
    }

    fn request(size: Option<Size>) -> Request {
        Request { kind: Kind::Pattern, size, fps: NonZeroU32::new(100), repeat: false, max_len: 1 << 20 }
    }

    #[test]
    fn frames_are_whole_jpegs_of_the_size_asked_for() {
        // Sizes that are not multiples of a block, too.
        for size in [SIZES.0, DEFAULT_SIZE, Size::new(333, 251), Size::new(1280, 720)] {
            let bytes = encoded(size, 1, 33);
            let picture = jpeg::scan(&bytes).unwrap();
            assert_eq!((picture.len, picture.has_huffman_tables), (bytes.len(), true));
            assert_eq!((u32::from(picture.width), u32::from(picture.height)), (size.width, size.height));
        }
    }

    #[test]
    fn decoded_picture_shows_the_colour_bars() {
        let bytes = encoded(DEFAULT_SIZE, 0, 0);
        let pixels = JpegDecoder::new(ZCursor::new(&bytes)).decode().unwrap();
        assert_eq!(pixels.len(), 640 * 480 * 3);
        // The middle of each eighth of the top line: white, yellow, cyan, green, magenta, red, blue, black at 75 %.
        let expected = [7, 6, 3, 2, 5, 4, 1, 0]
            .map(|bits| [4, 2, 1].map(|bit| if bits & bit != 0 { 191_i32 } else { 0 }));
        for (bar, expected) in expected.into_iter().enumerate() {
            let at = (bar * 80 + 40) * 3;
            for (channel, expected) in expected.into_iter().enumerate() {
                let found = i32::from(pixels[at + channel]);
                assert!(
                    (found - expected).abs() <= 6,
                    "bar {bar}, channel {channel}: {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn running_source_gives_frames_that_differ() {
        let (woken, wakes) = mpsc::channel();
        let mut source = Source::start(&request(None), move || _ = woken.send(())).unwrap();
        let mut last = (Instant::ZERO, Vec::new());
        for _ in 0..5 {
            let frame = loop {
                wakes.recv_timeout(Duration::from_secs(30)).unwrap();
                if let Some(frame) = source.newest() {
                    break (frame.captured_at, frame.jpeg.to_vec());
                }
            };
            assert_eq!(jpeg::scan(&frame.1).map(|picture| picture.len), Ok(frame.1.len()));
            assert!(frame.0 > last.0 && frame.1 != last.1);
            last = frame;
        }
        assert_eq!(source.status().state, State::Capturing);
        assert_eq!(source.stats().skipped.total(), 0);
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for size in [Size::new(95, 64), Size::new(96, 63), Size::new(4097, 480), Size::new(640, 65_535)] {
            let failure = Source::start(&request(Some(size)), || {}).err().unwrap();
            assert!(failure.exit == Exit::Usage && failure.message.contains(&size.to_string()), "{failure}");
        }
    }

    #[test]
    fn rate_that_cannot_be_held_is_noticed_once_enough_was_seen() {
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        let mut slow = Trial::new(at(0));
        // Every second frame of 20 a second is missed.
        for n in 1..30 {
            assert_eq!(slow.frame(at(n * 100), 1), None);
        }
        assert_eq!(slow.frame(at(3000), 1), Some(Err(10.0)));
        let mut fine = Trial::new(at(0));
        for n in 1..60 {
            assert_eq!(fine.frame(at(n * 50), u64::from(n == 30)), None);
        }
        assert_eq!(fine.frame(at(3000), 0), Some(Ok(())));
    }
}
