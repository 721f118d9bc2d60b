//! PARITY (docs/protocol.md §9.6): media, so not in epoch 0; and whatever it says, it touches no frame.

use super::*;

/// PARITY with any header and a payload that no chunk has.
fn parity(block: u8, frame_id: u32, idx: u8, m: u8, chunk_cnt: u16, tail_len: u16) -> Vec<u8> {
    let mut words = vec![0x02, block];
    words.extend(frame_id.to_be_bytes());
    words.extend([idx, m]);
    words.extend(chunk_cnt.to_be_bytes());
    words.extend(tail_len.to_be_bytes());
    words.extend([0; 8]);
    words.resize(1172, 0xEE);
    words
}

#[test]
fn parity_in_epoch_zero_closes_the_session() {
    let mut both = Both::in_epoch(0);
    assert_eq!(both.say(|out| out.put(&parity(0, 1, 0, 2, 1, 1))), Err(Discard::Violation));
    both.assert_closed("PARITY in epoch 0");
    let mut both = Both::in_epoch(1);
    assert_eq!(both.say(|out| out.put(&parity(0, 1, 0, 2, 1, 1))), Ok(false));
    assert_eq!(both.verdict(), None);
}

#[test]
fn parity_that_contradicts_the_chunks_changes_nothing_of_the_frame() {
    let mut both = Both::in_epoch(1);
    // The first chunk of three, then parity for it and for frames before and behind it, with sense and without.
    assert_eq!(both.say(|out| chunk(out, shape(7, 3), 0)), Ok(false));
    for frame_id in [0, 1, 6, 7, 8, u32::MAX] {
        for (chunk_cnt, tail_len) in
            [(3, 1), (3, 2), (4, 1), (0, 0), (9, 1), (4096, 1152), (u16::MAX, u16::MAX)]
        {
            for (block, idx, m) in [(0, 0, 2), (0, 1, 2), (31, 31, 32), (255, 255, 255), (0, 0, 0)] {
                let words = parity(block, frame_id, idx, m, chunk_cnt, tail_len);
                assert_eq!(both.say(|out| out.put(&words)), Ok(false));
            }
        }
    }
    assert_eq!(both.say_for_frame(|out| chunk(out, shape(7, 3), 1)), None);
    let frame = both.say_for_frame(|out| chunk(out, shape(7, 3), 2)).unwrap();
    // Each chunk is a 7 and zeros, and the last has one byte.
    let piece = [&[7][..], &[0; 1151]].concat();
    assert!(frame == [&piece[..], &piece, &[7]].concat());
    assert_eq!(both.verdict(), None);
}
