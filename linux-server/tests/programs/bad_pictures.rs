//! An enrolled camera that sends pictures which are none, or too much: the display lives on, at a bounded price, and
//! shows the next good one.
//!
//! Our own camera would send hardly any of them, so they come from the one in Python. That each by itself does no harm
//! is tested without a network, in `src/decode/tests.rs` and `src/painter/tests.rs`.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use sealcam_linux::clock::Clock;

use super::sinks::decode_png;
use super::witness::{CAMERA_KEY, paired, witness};
use super::world::{House, Random, bad_jpegs, parts};

/// The most pixels of a picture, as in `src/decode.rs`, and the most bytes that each costs a display which writes PNGs:
/// 3 in the picture on the screen and in the one being decoded, 4 on the canvas, 3 on their way into the PNG, and up to
/// three times a PNG that could not be made smaller than they are. A framebuffer or a window wants the first 6 alone.
const PIXELS: usize = 1 << 24;
const BYTES_A_PIXEL: usize = 3 + 3 + 4 + 3 + 3 * 3;
/// Frames, the decoder's copies of them and the coefficients of a progressive picture.
const BESIDES: usize = 35 << 20;
/// What may remain of the memory that a huge picture took.
const GROWTH: usize = 32 << 20;

/// Frames a second.
const RATE: &str = "30";
/// A snapshot is made twice a second: so many frames are needed until a picture's turn comes for sure.
const TURNS: usize = 18;
/// So many of each kind, and no longer than so: a frame must get through in 100 ms, and Python is slow.
const OF_A_KIND: usize = 10;
const LONGEST: usize = 200_000;

/// The side of the huge picture.
const SIDE: u16 = 4096;

/// What is sent, again and again, and the greys that are good pictures: each after a few kinds of bad ones. In the end
/// comes the largest that there may be.
fn programme() -> (Vec<Vec<u8>>, Vec<u8>) {
    let good = |grey| parts::flat((64, 48), &[0x22, 0x11, 0x11], grey);
    let mut greys = vec![200];
    let mut sent = vec![good(greys[0]); TURNS];
    for kinds in bad_jpegs::kinds(&mut Random::seeded()).chunks(3) {
        for (_, pictures) in kinds {
            let fit =
                |picture: &&Vec<u8>| !picture.is_empty() && picture.len() < LONGEST && !is_huge(picture);
            let some: Vec<_> = pictures.iter().filter(fit).collect();
            sent.extend(
                some.iter().step_by(some.len().div_ceil(OF_A_KIND).max(1)).map(|picture| (*picture).clone()),
            );
        }
        let grey = greys[greys.len() - 1] + 10;
        sent.extend(vec![good(grey); TURNS]);
        greys.push(grey);
    }
    sent.extend(vec![parts::flat((SIDE, SIDE), &[0x11], 10); TURNS]);
    (sent, greys)
}

/// Whether it would keep the display busy for as long as the one that comes in the end.
fn is_huge(jpeg: &[u8]) -> bool {
    sealcam_core::frame::jpeg::scan(jpeg)
        .is_ok_and(|picture| u32::from(picture.width) * u32::from(picture.height) >= 1 << 22)
}

#[test]
fn after_bad_pictures_of_every_kind_the_next_good_one_is_shown_at_a_bounded_price() {
    let house = House::of_strangers();
    let display = house.display("snapshot:now.png");
    let (address, fingerprint) = paired(&house, &display);
    let (sent, greys) = programme();
    let paths: Vec<String> = (0..sent.len()).map(|number| format!("{number}.jpg")).collect();
    for (path, picture) in paths.iter().zip(&sent) {
        fs::write(house.path(path), picture).unwrap();
    }
    println!("{} pictures", sent.len());
    let arguments = ["camera", "--unseen", "--key", CAMERA_KEY, "--frames", "100000", "--fps", RATE];
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let camera = witness(&house, &[&arguments[..], &[&address, &fingerprint], &paths].concat());
    let shown = |greys: &[u8]| {
        let what = format!("a picture is shown of one of the greys {greys:?}");
        house.until(&what, || greys.iter().find(|grey| is_flat(&house.path("now.png"), **grey)).copied())
    };
    shown(&greys[..1]);
    let (resident, peak, threads, since) =
        (display.resident(), display.peak(), display.threads(), Clock.now());
    for grey in &greys[1..] {
        shown(&[*grey]);
        println!("{grey}: {} MB resident, at most {} MB", display.resident() >> 20, display.peak() >> 20);
    }
    // To write a PNG of that size takes seconds where nothing is optimised: whatever comes then is the next good one.
    house.until("the huge picture is shown", || (width(&house.path("now.png")) == SIDE.into()).then_some(()));
    println!("{} MB resident, at most {} MB", display.resident() >> 20, display.peak() >> 20);
    shown(&greys);
    assert_eq!(display.threads(), threads);
    let bound = peak + BYTES_A_PIXEL * PIXELS + BESIDES;
    assert!(display.peak() <= bound, "{} bytes at most, {bound} allowed", display.peak());
    assert!(display.peak() >= peak + 2 * PIXELS, "the largest picture was there");
    // Both pictures of the painter are small again, by now or soon.
    house.until("memory is given back", || (display.resident() <= resident + GROWTH).then_some(()));

    let seconds = Clock.now().since(since).as_secs();
    camera.stop();
    display.line("it ended its stream");
    let (log, _) = display.stop();
    let told = log.lines().filter(|line| line.contains("frames could not be decoded (")).count();
    assert!(told >= 1 && told as u64 <= 2 + seconds, "{told} lines in {seconds} s: {log}");
    assert!(!log.contains("panicked"), "{log}");
    let (_, undecodable) = log.split_once("too late to be shown, ").unwrap_or_else(|| panic!("{log}"));
    let undecodable: usize = undecodable.split(' ').next().unwrap().parse().unwrap();
    println!("{undecodable} not to be decoded");
    // Those that come in the half second after a snapshot are not even tried.
    assert!(undecodable >= OF_A_KIND, "{log}");
}

/// Whether the file is a small picture of this grey all over.
fn is_flat(path: &Path, grey: u8) -> bool {
    let is_grey = |bytes: Vec<u8>| decode_png(&bytes).1.iter().all(|value| value.abs_diff(grey) <= 2);
    width(path) < SIDE.into() && fs::read(path).is_ok_and(is_grey)
}

/// The width that the head of a PNG tells; none where there is no file yet.
fn width(path: &Path) -> u32 {
    let mut head = [0; 24];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    if read.is_ok() { u32::from_be_bytes([head[16], head[17], head[18], head[19]]) } else { 0 }
}
