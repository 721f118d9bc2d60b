//! Messages written out by hand, as the kernel would: parsed, refused, and the answers read back.

use super::*;

/// Twelve numbers, and the request in place of the last two.
fn head(numbers: [u32; 10], setup: [u8; 8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
    bytes.extend(setup);
    bytes
}

fn control_out() -> Vec<u8> {
    let mut bytes = head([1, 7, 0x10002, 0, 0, 0, 3, 0, 0, 0], [0x21, 1, 0, 1, 1, 0, 3, 0]);
    bytes.extend(b"abc");
    bytes
}

fn isochronous_in() -> Vec<u8> {
    let mut bytes = head([1, 9, 0x10002, 1, 1, 0, 2048, 0, 2, 1], [0; 8]);
    bytes.extend([0, 1024, 0, 0, 1024, 1024, 0, 0].into_iter().flat_map(u32::to_be_bytes));
    bytes
}

fn refusal(bytes: &[u8]) -> Refusal {
    parse(bytes).unwrap_err()
}

#[test]
fn a_control_request_with_data_is_parsed() {
    let (message, len) = parse(&control_out()).unwrap().unwrap();
    let Message::Submit(submit) = message else { panic!("{message:?}") };
    assert_eq!(len, 51);
    assert_eq!((submit.seqnum, submit.endpoint, submit.to_host, submit.len), (7, 0, false, 3));
    assert_eq!((submit.setup, submit.data), ([0x21, 1, 0, 1, 1, 0, 3, 0], b"abc".to_vec()));
    assert!(submit.packets.is_empty());
}

#[test]
fn isochronous_packets_are_parsed() {
    let (message, len) = parse(&isochronous_in()).unwrap().unwrap();
    let Message::Submit(submit) = message else { panic!("{message:?}") };
    assert_eq!(len, 48 + 32);
    assert_eq!((submit.endpoint, submit.to_host, submit.interval), (1, true, 1));
    assert_eq!(submit.packets, [PacketRoom { offset: 0, len: 1024 }, PacketRoom { offset: 1024, len: 1024 }]);
}

#[test]
fn a_transfer_without_packets_may_say_so_with_all_ones() {
    let bytes = head([1, 9, 0x10002, 1, 1, 0, 16_384, 0, u32::MAX, 0], [0; 8]);
    let Some((Message::Submit(submit), 48)) = parse(&bytes).unwrap() else { panic!() };
    assert!(submit.packets.is_empty() && submit.len == 16_384);
}

#[test]
fn taking_back_is_parsed() {
    let bytes = head([2, 12, 0x10002, 0, 0, 9, 0, 0, 0, 0], [0; 8]);
    assert_eq!(parse(&bytes), Ok(Some((Message::Unlink { seqnum: 12, victim: 9 }, 48))));
}

#[test]
fn a_message_in_pieces_is_awaited_and_several_are_told_apart() {
    let stream = [control_out(), isochronous_in(), control_out()].concat();
    for piece in [1, 5, 47, 48, 49, stream.len()] {
        let mut inbox = Inbox::default();
        let mut numbers = Vec::new();
        for bytes in stream.chunks(piece) {
            inbox.extend(bytes);
            while let Some(message) = inbox.take().unwrap() {
                let Message::Submit(submit) = message else { panic!("{message:?}") };
                numbers.push(submit.seqnum);
            }
        }
        assert_eq!(numbers, [7, 9, 7], "in pieces of {piece}");
    }
    for len in 0..control_out().len() {
        assert_eq!(parse(&control_out()[..len]), Ok(None));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert_eq!(refusal(&head([0; 10], [0; 8])), Refusal::Command(0));
    assert_eq!(refusal(&head([3, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0; 8])), Refusal::Command(3));
    assert_eq!(refusal(&[0xff; 48]), Refusal::Command(u32::MAX));
    assert_eq!(refusal(&head([1, 1, 0, 2, 1, 0, 0, 0, 0, 0], [0; 8])), Refusal::Direction(2));
    let mut inbox = Inbox::default();
    inbox.extend(&[0xff; 48]);
    assert!(inbox.take().is_err() && inbox.take().is_err());
}

#[test]
fn huge_lengths_are_refused_before_anything_is_awaited() {
    for (direction, len) in [(0, MAX_TRANSFER_LEN + 1), (1, u32::MAX), (0, 0x8000_0000)] {
        assert_eq!(refusal(&head([1, 1, 0, direction, 1, 0, len, 0, 0, 0], [0; 8])), Refusal::Length(len));
    }
    for count in [MAX_PACKETS + 1, u32::MAX - 1] {
        assert_eq!(refusal(&head([1, 1, 0, 1, 1, 0, 8, 0, count, 0], [0; 8])), Refusal::Packets(count));
    }
}

#[test]
fn a_packet_outside_its_transfer_is_refused() {
    for (offset, len) in [(0, 2049), (2048, 1), (u32::MAX, 1), (1, u32::MAX)] {
        let mut bytes = head([1, 9, 0, 1, 1, 0, 2048, 0, 1, 1], [0; 8]);
        bytes.extend([offset, len, 0, 0].into_iter().flat_map(u32::to_be_bytes));
        assert_eq!(refusal(&bytes), Refusal::Room(PacketRoom { offset, len }));
    }
}

#[test]
fn a_completion_is_emitted_with_its_data_and_packets() {
    let room = |offset| PacketRoom { offset, len: 1024 };
    let packets = vec![
        PacketDone { room: room(0), len: 3, status: Status::Done },
        PacketDone { room: room(1024), len: 0, status: Status::Lost },
    ];
    let completion = Completion { packets, ..Completion::sent(9, b"xyz".to_vec()) };
    let mut bytes = Vec::new();
    completion.emit(&mut bytes);
    assert_eq!(bytes.len(), 48 + 3 + 2 * 16);
    assert_eq!(numbers::<12>(&bytes), [3, 9, 0, 0, 0, 0, 3, 0, 2, 1, 0, 0]);
    assert_eq!(&bytes[48..51], b"xyz");
    assert_eq!(numbers::<8>(&bytes[51..]), [0, 1024, 3, 0, 1024, 1024, 0, -71_i32 as u32]);
}

#[test]
fn stalls_and_unlinks_are_emitted_with_linux_error_numbers() {
    let mut bytes = Vec::new();
    Completion::stalled(5).emit(&mut bytes);
    Completion::taken(6, 26).emit(&mut bytes);
    emit_unlinked(&mut bytes, 7, true);
    emit_unlinked(&mut bytes, 8, false);
    let messages: Vec<_> = bytes.chunks(48).map(numbers::<7>).collect();
    assert_eq!(messages[0], [3, 5, 0, 0, 0, -32_i32 as u32, 0]);
    assert_eq!(messages[1], [3, 6, 0, 0, 0, 0, 26]);
    assert_eq!(messages[2], [4, 7, 0, 0, 0, -104_i32 as u32, 0]);
    assert_eq!(messages[3], [4, 8, 0, 0, 0, 0, 0]);
}
