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
