//! What comes in at the camera goes out at the display: the very bytes, in order; or the picture, never half of it.

use std::collections::HashSet;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use sealcam_core::frame::jpeg;

use super::world::{CAMERA, House, jpeg as picture, write_folder};

/// Small ones, and ones of many chunks.
const SIZES: [usize; 10] = [1_400, 60_000, 5_000, 200_000, 1_153, 30_000, 2_400, 90_000, 1_400, 12_345];

#[test]
fn folder_of_jpegs_comes_out_on_standard_output_byte_for_byte() {
    let house = House::new();
    let pictures = write_folder(&house.path("in"), "folder", &SIZES);
    let (display, mut camera) = house.stream("-", &["--source", "in", "--fps", "5"]);
    assert_eq!(camera.exit(), 0, "{}", camera.log());
    display.line("it ended its stream");
    let (_, output) = display.stop();
    assert!(output == pictures.concat(), "{} bytes instead of {}", output.len(), pictures.concat().len());
}

#[test]
fn pattern_is_dumped_as_valid_jpegs_with_growing_numbers() {
    let house = House::new();
    let (display, camera) = house.stream("dump:out", &["--source", "pattern", "--fps", "20"]);
    house.until("ten frames are in the folder", || (dumped(&house.path("out")).len() >= 10).then_some(()));
    camera.stop();
    display.line("it ended its stream");
    display.stop();
    let mut last = None;
    for name in dumped(&house.path("out")) {
        let number: u32 = name.strip_prefix(&format!("{CAMERA}-")).unwrap()[..8].parse().unwrap();
        assert!(last < Some(number), "{number} after {last:?}");
        last = Some(number);
        let bytes = fs::read(house.path("out").join(&name)).unwrap();
        let found = jpeg::scan(&bytes).unwrap();
        assert_eq!((found.len, found.width, found.height), (bytes.len(), 640, 480), "{name}");
    }
}

#[test]
fn pipe_of_mjpeg_is_dumped_byte_for_byte() {
    let house = House::new();
    let (display, mut camera) = house.stream("dump:out", &["--source", "-"]);
    let mut pipe = camera.input();
    let first = picture("pipe", 1_400);
    // A pipe is live: what it gives before a display takes it is let go.
    house.until("a frame is in the folder", || {
        pipe.write_all(&first).unwrap();
        (!dumped(&house.path("out")).is_empty()).then_some(())
    });
    for (i, size) in SIZES.into_iter().enumerate() {
        let bytes = picture(&format!("pipe {i}"), size);
        // In two pieces that end where no JPEG does, with what cameras put after a picture.
        let (front, back) = bytes.split_at(size / 3);
        for piece in [front, back, &[0; 17]] {
            pipe.write_all(piece).unwrap();
        }
        house.until("the very frame is in the folder", || {
            let frames = dumped(&house.path("out")).into_iter().map(|name| house.path("out").join(name));
            frames.rev().any(|path| fs::read(path).unwrap() == bytes).then_some(())
        });
    }
    drop(pipe);
    assert_eq!(camera.exit(), 0, "{}", camera.log());
    display.line("it ended its stream");
    display.stop();
}

#[test]
fn looped_file_begins_again() {
    let house = House::new();
    let pictures: Vec<_> = (0..3).map(|i| picture(&format!("file {i}"), 3000)).collect();
    fs::write(house.path("clip.mjpeg"), pictures.concat()).unwrap();
    let (display, camera) = house.stream("-", &["--source", "clip.mjpeg", "--loop", "--fps", "15"]);
    let three_rounds = 3 * pictures.concat().len();
    display.output("the file three times", |bytes| (bytes.len() >= three_rounds).then_some(()));
    camera.stop();
    display.line("it ended its stream");
    let (_, output) = display.stop();
    let received: Vec<&[u8]> = output.chunks(pictures[0].len()).collect();
    assert!(received.iter().all(|frame| pictures.iter().any(|sent| sent == frame)));
    assert!(pictures.iter().all(|sent| received.iter().filter(|frame| **frame == sent).count() >= 2));
}

#[test]
fn snapshot_is_a_whole_picture_whenever_it_is_looked_at() {
    let house = House::new();
    let (display, camera) = house.stream("snapshot:now.png", &["--source", "pattern", "--fps", "20"]);
    let path = house.path("now.png");
    let mut seen = HashSet::new();
    house.until("four pictures of the camera have stood in the file", || {
        // There is no file before the first one.
        let bytes = fs::read(&path).ok()?;
        let (size, _) = decode_png(&bytes);
        if size == (640, 480) && is_live(&bytes) {
            seen.insert(bytes);
        }
        (seen.len() >= 4).then_some(())
    });
    camera.stop();
    display.stop();
    let left: Vec<_> =
        fs::read_dir(house.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("part")), "{left:?}");
}

/// The names of the dumped frames, in order; without what is being written.
fn dumped(path: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

pub(crate) fn decode_png(bytes: &[u8]) -> ((u32, u32), Vec<u8>) {
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut rgb).unwrap();
    ((info.width, info.height), rgb)
}

/// Whether the PNG shows the pattern: its colour bars, but for those that the ball covers.
pub(crate) fn is_live(bytes: &[u8]) -> bool {
    let ((width, _), rgb) = decode_png(bytes);
    let width = usize::try_from(width).unwrap();
    let is_there = |bar: &usize| {
        let at = (width * 4 + (2 * bar + 1) * width / 16) * 3;
        let bits = [7, 6, 3, 2, 5, 4, 1, 0][*bar];
        let expected = [4, 2, 1].map(|bit| if bits & bit == 0 { 0_u8 } else { 191 });
        expected.iter().zip(&rgb[at..at + 3]).all(|(a, b)| a.abs_diff(*b) < 12)
    };
    (0..8).filter(is_there).count() >= 6
}
