//! The display's decoder as the display calls it: the very files, with the tables put in and the checks. The picture
//! must not depend on what the buffer held before.
#![no_main]

#[allow(dead_code, reason = "the display uses more of it")]
#[path = "../../../linux-server/src/buffer.rs"]
mod buffer;
#[allow(dead_code, reason = "the display uses more of it")]
#[path = "../../../linux-server/src/canvas.rs"]
mod canvas;
#[allow(dead_code, reason = "the display uses more of it")]
#[path = "../../../linux-server/src/decode.rs"]
mod decode;
#[path = "../../../linux-server/src/essence.rs"]
mod essence;

use canvas::Size;
use decode::{Decoder, Picture, Undecodable};

/// As large as most pictures that are made up here.
const OLD: Size = Size::new(128, 128);

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut decoder = Decoder::new();
    let mut pictures =
        [0x55, 0xAA].map(|byte| Picture::from_rgb(OLD, vec![byte; OLD.width * OLD.height * 3]));
    let outcomes = pictures.each_mut().map(|picture| decoder.decode(input, picture));
    assert_eq!(outcomes[0], outcomes[1]);
    let size = pictures[0].size();
    assert_eq!(size, pictures[1].size());
    match &outcomes[0] {
        Ok(()) => {
            let rows = |y| pictures.each_ref().map(|picture| picture.row(y));
            assert!(size.width > 0 && (0..size.height).all(|y| rows(y)[0].len() == size.width * 3));
            assert!((0..size.height).all(|y| rows(y)[0] == rows(y)[1]), "an older picture shows through");
        }
        Err(Undecodable::DecoderPanicked) => panic!("the decoder panicked"),
        Err(_) => assert_eq!((size.width, size.height), (0, 0)),
    }
});
