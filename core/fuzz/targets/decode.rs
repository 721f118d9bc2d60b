//! The display's decoder as the display calls it: the very file, with the tables put in, the checks and the end mark.
#![no_main]

#[allow(dead_code, reason = "the display uses more of it")]
#[path = "../../../linux-server/src/canvas.rs"]
mod canvas;
#[allow(dead_code, reason = "the display uses more of it")]
#[path = "../../../linux-server/src/decode.rs"]
mod decode;

use decode::{Decoder, Picture, Undecodable};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let mut picture = Picture::new();
    match Decoder::new().decode(input, &mut picture) {
        Ok(()) => {
            let size = picture.size();
            assert!(size.width > 0 && (0..size.height).all(|y| picture.row(y).len() == size.width * 3));
        }
        Err(Undecodable::DecoderPanicked) => panic!("the decoder panicked"),
        Err(_) => assert_eq!((picture.size().width, picture.size().height), (0, 0)),
    }
});
