//! Requests as a host sends them, and the answers that chapter 9 and the video class ask for.

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::offer::{Format, Size};

fn endpoint(transport: Transport) -> Endpoint0 {
    let sizes = vec![Size { width: 320, height: 240 }, Size { width: 640, height: 480 }];
    let offer = Offer::new(transport, vec![Format::Mjpeg], sizes, NonZeroU32::new(30).unwrap());
    Endpoint0::new(offer, Identity { name: "Porch".into(), serial: "7".into() })
}

fn setup(kind: u8, request: u8, value: u16, index: u16, len: u16) -> Setup {
    Setup { kind, request, value, index, len }
}

/// What a request without data is answered with.
fn asked(endpoint: &mut Endpoint0, kind: u8, request: u8, value: u16, index: u16, len: u16) -> Answer {
    endpoint.answer(setup(kind, request, value, index, len), &[]).0
}

fn proposal(frame: u8, interval: u32) -> [u8; 26] {
    Proposal { format: 1, frame, interval, ..Proposal::default() }.emit()
}

fn set_cur(endpoint: &mut Endpoint0, control: u16, block: &[u8]) -> (Answer, Option<Change>) {
    endpoint.answer(setup(0x21, 0x01, control, 1, block.len() as u16), block)
}

#[test]
fn a_setup_packet_is_little_endian() {
    let parsed = Setup::from([0x80, 6, 0x00, 0x02, 0x09, 0x04, 0xff, 0x01]);
    assert_eq!(parsed, setup(0x80, 6, 0x0200, 0x0409, 0x01ff));
}

#[test]
fn descriptors_are_given_and_cut_at_what_was_asked_for() {
    let mut endpoint = endpoint(Transport::Isochronous);
    assert_eq!(
        asked(&mut endpoint, 0x80, 6, 0x0100, 0, 8),
        Answer::Data(descriptors::device()[..8].to_vec())
    );
    let Answer::Data(whole) = asked(&mut endpoint, 0x80, 6, 0x0200, 0, 0xffff) else { panic!() };
    assert_eq!(usize::from(u16::from_le_bytes([whole[2], whole[3]])), whole.len());
    assert_eq!(asked(&mut endpoint, 0x80, 6, 0x0200, 0, 9), Answer::Data(whole[..9].to_vec()));
    let name = [12, 3, b'P', 0, b'o', 0, b'r', 0, b'c', 0, b'h', 0];
    assert_eq!(asked(&mut endpoint, 0x80, 6, 0x0302, 0x0409, 255), Answer::Data(name.to_vec()));
    for unknown in [0x0101, 0x0201, 0x0304, 0x0600, 0x0700, 0x0f00, 0x0000] {
        assert_eq!(asked(&mut endpoint, 0x80, 6, unknown, 0, 255), Answer::Stall, "{unknown:#x}");
    }
}

#[test]
fn chapter_9_is_answered() {
    let mut endpoint = endpoint(Transport::Isochronous);
    let data = |bytes: &[u8]| Answer::Data(bytes.to_vec());
    for recipient in [0x80, 0x81, 0x82] {
        assert_eq!(asked(&mut endpoint, recipient, 0, 0, 0, 2), data(&[0, 0]));
    }
    assert_eq!(asked(&mut endpoint, 0x80, 8, 0, 0, 1), data(&[0]));
    let configured = endpoint.answer(setup(0x00, 9, 1, 0, 0), &[]);
    assert_eq!(configured, (Answer::Done, Some(Change::Stop)));
    assert_eq!(asked(&mut endpoint, 0x80, 8, 0, 0, 1), data(&[1]));
    assert_eq!(asked(&mut endpoint, 0x01, 11, 1, 1, 0), Answer::Done);
    assert_eq!(asked(&mut endpoint, 0x81, 10, 0, 1, 1), data(&[1]));
    assert_eq!(asked(&mut endpoint, 0x81, 10, 0, 0, 1), data(&[0]));
    assert_eq!(asked(&mut endpoint, 0x02, 1, 0, 0x81, 0), Answer::Done);
}

#[test]
fn what_is_unknown_is_stalled() {
    let mut endpoint = endpoint(Transport::Bulk);
    let unknown = [
        setup(0x00, 9, 2, 0, 0),       // no such configuration
        setup(0x01, 11, 1, 1, 0),      // over bulk there is no setting 1
        setup(0x01, 11, 0, 2, 0),      // no such interface
        setup(0x01, 11, 0x0100, 1, 0), // no such setting
        setup(0x81, 10, 0, 2, 1),
        setup(0x00, 3, 1, 0, 0),              // it wakes nobody
        setup(0x82, 12, 0, 0x81, 2),          // SYNCH_FRAME
        setup(0xc0, 1, 0, 0, 1),              // a vendor's
        setup(0xa1, 0x81, 0x0300, 1, 26),     // a still picture
        setup(0xa1, 0x81, 0x0200, 0x0100, 1), // a control of the camera terminal
        setup(0xa1, 0x84, 0x0100, 1, 26),     // GET_RES
        setup(0xa1, 0x82, 0x0200, 1, 26),     // COMMIT has no minimum
        setup(0x21, 0x01, 0x0100, 1, 0),      // no block in it
        setup(0xff, 0xff, 0xffff, 0xffff, 0xffff),
    ];
    for request in unknown {
        assert_eq!(endpoint.answer(request, &[]), (Answer::Stall, None), "{request:?}");
    }
}

#[test]
fn the_reason_for_a_stall_can_be_asked_once() {
    let mut endpoint = endpoint(Transport::Bulk);
    let why = |endpoint: &mut Endpoint0| asked(endpoint, 0xa1, 0x81, 0x0200, 0, 1);
    assert_eq!(why(&mut endpoint), Answer::Data(vec![0]));
    assert_eq!(asked(&mut endpoint, 0xa1, 0x84, 0x0100, 1, 26), Answer::Stall);
    assert_eq!(why(&mut endpoint), Answer::Data(vec![7]));
    assert_eq!(asked(&mut endpoint, 0xa1, 0x81, 0x0900, 0x0200, 1), Answer::Stall);
    assert_eq!(why(&mut endpoint), Answer::Data(vec![6]));
    assert_eq!(why(&mut endpoint), Answer::Data(vec![0]));
}

#[test]
fn a_proposal_is_put_right_and_can_be_read_back() {
    let mut endpoint = endpoint(Transport::Isochronous);
    assert_eq!(set_cur(&mut endpoint, 0x0100, &proposal(9, 400_000)), (Answer::Done, None));
    let Answer::Data(block) = asked(&mut endpoint, 0xa1, 0x81, 0x0100, 1, 26) else { panic!() };
    assert_eq!((block[2], block[3], &block[4..8]), (1, 1, &333_333_u32.to_le_bytes()[..]));
    assert_eq!(block[18..22], (320 * 240 * 2_u32).to_le_bytes());
    assert_eq!(block[22..26], 1024_u32.to_le_bytes());
    assert_eq!(asked(&mut endpoint, 0xa1, 0x85, 0x0100, 1, 2), Answer::Data(vec![26, 0]));
    assert_eq!(asked(&mut endpoint, 0xa1, 0x86, 0x0200, 1, 1), Answer::Data(vec![3]));
    let Answer::Data(longest) = asked(&mut endpoint, 0xa1, 0x83, 0x0100, 1, 26) else { panic!() };
    assert_eq!(longest[4..8], 1_999_998_u32.to_le_bytes());
}

#[test]
fn an_isochronous_stream_begins_with_its_alternate_setting() {
    let mut endpoint = endpoint(Transport::Isochronous);
    assert_eq!(set_cur(&mut endpoint, 0x0200, &proposal(2, 666_666)), (Answer::Done, None));
    let (_, change) = endpoint.answer(setup(0x01, 11, 1, 1, 0), &[]);
    let Some(Change::Start(selection)) = change else { panic!("{change:?}") };
    assert_eq!((selection.place, selection.interval), (1, Duration::from_nanos(66_666_600)));
    let (answer, change) = endpoint.answer(setup(0x01, 11, 0, 1, 0), &[]);
    assert_eq!((answer, change), (Answer::Done, Some(Change::Stop)));
}

#[test]
fn a_bulk_stream_begins_with_commit_and_ends_with_the_halt_cleared() {
    let mut endpoint = endpoint(Transport::Bulk);
    let (answer, change) = set_cur(&mut endpoint, 0x0200, &proposal(2, 333_333));
    assert!(answer == Answer::Done && matches!(change, Some(Change::Start(_))), "{change:?}");
    assert_eq!(endpoint.answer(setup(0x02, 1, 0, 0x81, 0), &[]), (Answer::Done, Some(Change::Stop)));
}
