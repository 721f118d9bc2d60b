//! What a listener on the wire sees: nothing of any picture, and no block of ciphertext twice.

use std::collections::HashSet;

use super::world::{House, To, write_folder};

/// Bytes of a block of AES, and of a piece of picture that would be recognised.
const BLOCK: usize = 16;
const TAG: usize = 10;
const CAPTURED: usize = 1000;

#[test]
fn wire_carries_no_piece_of_a_picture_and_no_block_twice() {
    let house = House::new();
    let pictures = write_folder(&house.path("in"), "secret", &[40_000, 60_000, 1_400]);
    // Each picture goes out several times: a repeated block would be found.
    let display = house.display("-");
    let relay = super::world::Relay::to(display.address());
    relay.listen();
    house.trust("display", relay.address());
    let camera = house.camera(&["--source", "in", "--loop", "--fps", "20"]);
    house.until("enough datagrams have passed", || {
        let count = relay.count(|to, bytes| to == To::Display && bytes.first() == Some(&0x10));
        (count >= CAPTURED).then_some(())
    });
    camera.stop();
    let heard = relay.heard();
    let (_, output) = display.stop();
    let known: HashSet<&[u8]> = pictures.iter().flat_map(|picture| picture.windows(BLOCK)).collect();
    let shows = |bytes: &[u8]| bytes.windows(BLOCK).any(|window| known.contains(window));
    assert!(shows(&output), "the pictures did arrive, and would be recognised");
    let mut blocks = HashSet::new();
    for (to, datagram) in &heard {
        assert!(!shows(datagram), "a piece of a picture is in a datagram to the {to:?}: {datagram:02x?}");
        for block in ciphertext(datagram).chunks_exact(BLOCK) {
            assert!(blocks.insert(block), "a block came twice, to the {to:?}: {block:02x?}");
        }
    }
    println!("{} datagrams, {} blocks", heard.len(), blocks.len());
    assert!(blocks.len() >= CAPTURED * 60, "only {} blocks were compared", blocks.len());
}

/// Bytes of a datagram that carries a chunk, or looks as if it did (docs/protocol.md §10).
const MEDIA: usize = 1192;

/// How many such datagrams went by for each picture that came out, of pictures of `size` bytes.
fn media_for_a_picture(display: &[&str], camera: &[&str], size: usize) -> f64 {
    let house = House::new();
    let picture = &write_folder(&house.path("in"), "padded", &[size])[0];
    let display = house.display_with(&[&["--sink", "-"], display].concat());
    let relay = super::world::Relay::to(display.address());
    house.trust("display", relay.address());
    relay.listen();
    let camera = house.camera(&[&["--source", "in", "--loop", "--fps", "10"], camera].concat());
    display.output("twelve pictures", |bytes| (bytes.len() >= 12 * size).then_some(()));
    camera.stop();
    let heard = relay.heard();
    let (_, output) = display.stop();
    assert!(output.chunks(size).all(|came| came == &picture[..came.len()]));
    let media = heard.iter().filter(|(to, datagram)| *to == To::Display && datagram.len() == MEDIA).count();
    media as f64 / (output.len() / size) as f64
}

#[test]
fn with_constant_padding_a_small_picture_and_a_large_one_take_as_many_packets() {
    let size = ["--constant-size", "23040"];
    let own = [&["--padding", "constant"][..], &size].concat();
    for (display, camera) in [(&[][..], &own[..]), (&["--padding", "constant"], &size)] {
        for bytes in [1_400, 23_000] {
            let media = media_for_a_picture(display, camera, bytes);
            println!("{bytes} bytes: {media:.1} packets a picture");
            // 20 in each beat of the clock, the last of which is cut short; on a busy machine one may pass without a
            // picture. Without padding the small one would take 2.
            assert!(media >= 18.0, "{bytes} bytes took {media:.1} packets");
        }
    }
    let media = media_for_a_picture(&["--padding", "bucket"], &[], 21 * 1152);
    assert!(media > 21.5, "in buckets 21 chunks are 22 packets, not {media:.1}");
}

#[test]
fn a_picture_that_constant_padding_has_no_room_for_is_told_of() {
    let house = House::new();
    write_folder(&house.path("in"), "large", &[5_000]);
    let camera = ["--source", "in", "--loop", "--padding", "constant", "--constant-size", "4000"];
    let (display, camera) = house.stream("-", &camera);
    let line = camera.line("was not sent");
    assert!(line.contains("5000 bytes") && line.contains("4608"), "{line}");
    camera.stop();
    display.stop();
}

/// The ciphertext of a DATA datagram (docs/protocol.md §7); nothing of any other.
fn ciphertext(datagram: &[u8]) -> &[u8] {
    match datagram {
        [0x10, _, _, _, _, config, rest @ ..] => {
            let counter = if config & 0x08 == 0 { 0 } else { usize::from(config & 7) + 1 };
            &rest[counter..rest.len() - TAG]
        }
        _ => &[],
    }
}
