//! Two channels that share a secret: what seals, what opens, and what neither does any more.

extern crate std;
use std::collections::BTreeSet;
use std::vec::Vec;

use super::*;
use crate::frame::{XorShift, setting};
use crate::handshake::schedule::HandshakeSecret;

const RTT: Duration = Duration::from_millis(20);

fn secret() -> EpochSecret {
    HandshakeSecret::new(Secret::new([1; 32]), [2; 32], &[3; 32]).into_epoch([4; 32])
}

/// The secret of the next epoch; both sides get the same.
fn next(channel: &Channel) -> EpochSecret {
    channel.secret().next(&[5; 1216], &[6; 1120], &[7; 64])
}

fn pair() -> (Channel, Channel) {
    let at = |side| Channel::new(side, 0xC1D, secret(), Instant::ZERO);
    (at(Side::Camera), at(Side::Display))
}

fn seconds(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn seal(channel: &mut Channel, now: Instant, text: &[u8]) -> Vec<u8> {
    let mut buf = [0xEE; 1200];
    let len = channel.seal(now, &mut buf, |out| out.put(text)).unwrap();
    buf[..len].to_vec()
}

fn open<'d>(channel: &mut Channel, now: Instant, packet: &'d mut [u8]) -> Result<Opened<'d>, Discard> {
    let (header, len) = Header::parse(packet).ok_or(Discard::Malformed)?;
    channel.open(now, RTT, &header, len, packet)
}

/// Both sides agree on the next epoch; the display enters it with the camera's first packet.
fn rekey(camera: &mut Channel, display: &mut Channel, now: Instant) {
    let (theirs, ours) = (next(camera), next(display));
    camera.advance(theirs, now);
    display.prepare(ours, now);
}

#[test]
fn a_packet_that_fails_changes_nothing_but_a_count_and_leaves_no_plaintext() {
    let (mut camera, mut display) = pair();
    let packet = seal(&mut camera, seconds(0), b"a picture of the garden");
    for bit in 0..packet.len() * 8 {
        let mut forged = packet.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let before = forged.clone();
        // A flip in the CID is judged before a channel is chosen.
        if !(8..40).contains(&bit) {
            assert!(open(&mut display, seconds(0), &mut forged).is_err(), "bit {bit}");
            assert_eq!(forged, before, "bit {bit}");
        }
    }
    assert!(display.current.incoming.forgeries > 0);
    assert_eq!(display.received(), (0, 0));
    let mut packet = packet;
    let opened = open(&mut display, seconds(0), &mut packet).unwrap();
    assert_eq!((opened.plaintext, opened.epoch, opened.newest), (&b"a picture of the garden"[..], 0, true));
}

#[test]
fn a_far_counter_with_a_wrong_tag_does_not_move_the_window() {
    let (mut camera, mut display) = pair();
    camera.current.outgoing.ctr = MAX_CTR - 1;
    let mut far = seal(&mut camera, seconds(0), b"x");
    *far.last_mut().unwrap() ^= 1;
    assert_eq!(open(&mut display, seconds(0), &mut far).err(), Some(Discard::Tag));
    camera.current.outgoing.ctr = 0;
    assert!(open(&mut display, seconds(0), &mut seal(&mut camera, seconds(0), b"x")).is_ok());
}

#[test]
fn sealing_ends_at_the_limit_and_leaves_no_ciphertext() {
    let (mut camera, mut display) = pair();
    camera.current.outgoing.ctr = MAX_CTR - 1;
    let mut last = seal(&mut camera, seconds(0), b"last");
    assert!(camera.is_expired(seconds(0)));
    let mut buf = [0xEE; 100];
    for _ in 0..3 {
        assert_eq!(camera.seal(seconds(0), &mut buf, |out| out.put(b"more")), Err(SealError::Expired));
    }
    // Nor at the end of the field, should the other limit ever be raised.
    camera.current.outgoing.ctr = u32::MAX;
    assert_eq!(camera.current.outgoing.seal(1, &mut buf, |out| out.put(b"more")), Err(SealError::Expired));
    assert_eq!(buf, [0xEE; 100]);
    assert!(open(&mut display, seconds(0), &mut last).is_ok());
}

#[test]
fn a_counter_at_the_limit_is_not_opened() {
    let (mut camera, mut display) = pair();
    camera.current.outgoing.ctr = MAX_CTR;
    let mut buf = [0; 100];
    let len = camera.current.outgoing.seal(0xC1D, &mut buf, |out| out.put(b"x")).unwrap();
    assert_eq!(open(&mut display, seconds(0), &mut buf[..len]).err(), Some(Discard::Expired));
}

#[test]
fn keys_are_of_no_use_after_fifteen_minutes() {
    let (mut camera, mut display) = pair();
    let mut early = seal(&mut camera, seconds(899), b"x");
    let mut late = seal(&mut camera, seconds(899), b"x");
    assert!(open(&mut display, seconds(899), &mut early).is_ok());
    assert_eq!(open(&mut display, seconds(900), &mut late).err(), Some(Discard::Expired));
    let mut buf = [0xEE; 100];
    assert_eq!(camera.seal(seconds(900), &mut buf, |out| out.put(b"x")), Err(SealError::Expired));
    assert_eq!(buf, [0xEE; 100]);
}

#[test]
fn a_counter_is_spent_even_when_its_packet_did_not_fit() {
    let (mut camera, _) = pair();
    let header = |packet: &[u8]| Header::parse(packet).unwrap().0;
    let before = header(&seal(&mut camera, seconds(0), b"x"));
    for room in 0..20 {
        let mut buf = [0; 20];
        assert_eq!(camera.seal(seconds(0), &mut buf[..room], |out| out.put(&[7; 9])), Err(SealError::NoRoom));
    }
    assert_eq!(header(&seal(&mut camera, seconds(0), b"x")).ctr, before.ctr + 21);
}

#[test]
fn the_previous_epoch_is_opened_for_a_while_and_then_unknown() {
    for (rtt, grace) in [(10, 1000), (700, 2100), (5000, 3000)] {
        let (mut camera, mut display) = pair();
        let late: Vec<_> = (0..3).map(|_| seal(&mut camera, seconds(0), b"old")).collect();
        rekey(&mut camera, &mut display, seconds(10));
        let mut first = seal(&mut camera, seconds(10), b"new");
        // Until the first packet of the new epoch the grace has not begun.
        assert!(open(&mut display, seconds(14), &mut late[0].clone()).is_ok());
        let (header, len) = Header::parse(&first).unwrap();
        let opened = display.open(seconds(20), Duration::from_millis(rtt), &header, len, &mut first).unwrap();
        assert!(opened.epoch_began && opened.newest && opened.epoch == 1);
        let ends = seconds(20) + Duration::from_millis(grace);
        let last = ends.before(Duration::from_micros(1));
        assert!(open(&mut display, last, &mut late[1].clone()).is_ok());
        assert_eq!(open(&mut display, ends, &mut late[2].clone()).err(), Some(Discard::UnknownEpoch));
    }
}

#[test]
fn a_delayed_packet_of_the_old_epoch_is_never_the_newest() {
    let (mut camera, mut display) = pair();
    let mut delayed = seal(&mut camera, seconds(0), b"old");
    rekey(&mut camera, &mut display, seconds(10));
    assert!(open(&mut display, seconds(10), &mut seal(&mut camera, seconds(10), b"new")).unwrap().newest);
    let opened = open(&mut display, seconds(10), &mut delayed).unwrap();
    assert_eq!((opened.epoch, opened.newest, opened.epoch_began), (0, false, false));
}

#[test]
fn an_epoch_not_agreed_on_is_unknown() {
    let (mut camera, mut display) = pair();
    let theirs = next(&camera);
    camera.advance(theirs, seconds(1));
    let mut early = seal(&mut camera, seconds(1), b"x");
    assert_eq!(open(&mut display, seconds(1), &mut early.clone()).err(), Some(Discard::UnknownEpoch));
    let ours = next(&display);
    display.prepare(ours, seconds(1));
    assert!(open(&mut display, seconds(1), &mut early).is_ok());
}

#[test]
fn a_packet_does_not_open_on_the_side_that_sealed_it() {
    let (mut camera, mut display) = pair();
    let mut packet = seal(&mut camera, seconds(0), b"x");
    assert_eq!(open(&mut camera, seconds(0), &mut packet.clone()).err(), Some(Discard::Tag));
    let mut answer = seal(&mut display, seconds(0), b"x");
    assert_eq!(open(&mut display, seconds(0), &mut answer.clone()).err(), Some(Discard::Tag));
    assert!(open(&mut display, seconds(0), &mut packet).is_ok());
    assert!(open(&mut camera, seconds(0), &mut answer).is_ok());
}

#[test]
fn the_last_wrong_tag_that_is_borne_is_number_two_to_the_32() {
    let (mut camera, mut display) = pair();
    display.current.incoming.forgeries = MAX_FORGERIES - 2;
    let mut forged = seal(&mut camera, seconds(0), b"x");
    forged[8] ^= 1;
    for enough in [false, true] {
        assert_eq!(open(&mut display, seconds(0), &mut forged.clone()).err(), Some(Discard::Tag));
        assert_eq!(display.is_forged_out(), enough);
    }
}

#[test]
fn no_epoch_and_counter_ever_come_twice_from_one_side() {
    let seed = setting("SESSION_SEED", 0x5ea1);
    std::println!("SESSION_SEED={seed}");
    let mut dice = XorShift::new(seed);
    let (mut camera, mut display) = pair();
    let (mut seen, mut now) = (BTreeSet::new(), seconds(0));
    for _ in 0..20_000 {
        now += Duration::from_millis(dice.below(50));
        let mut buf = [0; 60];
        let room = usize::try_from(dice.below(60)).unwrap();
        let text = [9; 20];
        if let Ok(len) = camera.seal(now, &mut buf[..room], |out| out.put(&text)) {
            let (header, _) = Header::parse(&buf[..len]).unwrap();
            assert!(seen.insert((camera.epoch(), header.ctr)), "{header:?}");
            match dice.below(4) {
                0 => {}
                1 => {
                    buf[len - 1] ^= 1;
                    assert!(open(&mut display, now, &mut buf[..len]).is_err());
                }
                _ => assert!(open(&mut display, now, &mut buf[..len]).is_ok()),
            }
        }
        // The camera begins no epoch before it has heard from the display in the one before.
        if dice.below(200) == 0 && camera.epoch() == display.epoch() {
            rekey(&mut camera, &mut display, now);
        }
    }
    assert!(camera.epoch() > 20 && seen.len() > 5000, "{} epochs, {} packets", camera.epoch(), seen.len());
}
