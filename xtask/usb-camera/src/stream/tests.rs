//! Transfers in virtual time: what comes when, what is lost, frozen, taken back.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::*;
use crate::offer::{Format, Size};
use crate::payload::{END_OF_FRAME, FRAME_ID, HEADER_LEN};
use crate::usbip::{HEADER_LEN as MESSAGE_LEN, PacketRoom};

const SIZE: Size = Size { width: 320, height: 240 };
const INTERVAL: Duration = Duration::from_millis(40);
const PACKETS: u32 = 32;
const PACKET_LEN: u32 = 1024;
const FROZEN: Mode = Mode { frozen: true, stalled: false };
const STALLED: Mode = Mode { frozen: false, stalled: true };
const SOUND: Mode = Mode { frozen: false, stalled: false };

/// What became of one transfer.
struct Done {
    seqnum: u32,
    status: i32,
    /// The packets of an isochronous one, with their status; else the payload alone.
    payloads: Vec<(Vec<u8>, i32)>,
}

fn pictures(lens: &[usize]) -> Vec<Arc<[u8]>> {
    let picture = |(at, len): (usize, &usize)| (0..*len).map(|n| (n + 37 * at) as u8).collect();
    lens.iter().enumerate().map(picture).collect()
}

fn stream(transport: Transport, lens: &[usize], lose: u32, damage: u32) -> Stream {
    let faults = Faults::new(NonZeroU32::new(lose), NonZeroU32::new(damage));
    Stream::new(transport, vec![Album { size: SIZE, pictures: pictures(lens) }], faults)
}

fn mjpeg() -> Selection {
    Selection { format: Format::Mjpeg, place: 0, size: SIZE, interval: INTERVAL }
}

fn transfer(transport: Transport, seqnum: u32) -> Submit {
    let room = |at| PacketRoom { offset: at * PACKET_LEN, len: PACKET_LEN };
    let (packets, len) = match transport {
        Transport::Isochronous => ((0..PACKETS).map(room).collect(), (PACKETS * PACKET_LEN) as usize),
        Transport::Bulk => (Vec::new(), BULK_PAYLOAD_LEN as usize),
    };
    Submit { seqnum, endpoint: 1, to_host: true, len, packets, interval: 1, ..Submit::default() }
}

/// Takes the answers apart again.
fn read(mut bytes: &[u8]) -> Vec<Done> {
    let mut done = Vec::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let (seqnum, status, len, count) = (number(4), number(20) as i32, number(24) as usize, number(32));
        let (mut data, rest) = bytes[MESSAGE_LEN..].split_at(len);
        let (descriptors, rest) = rest.split_at(count as usize * 16);
        let mut payloads = Vec::new();
        for descriptor in descriptors.chunks(16) {
            let field = |at: usize| u32::from_be_bytes(descriptor[at..at + 4].try_into().unwrap());
            let (payload, later) = data.split_at(field(8) as usize);
            payloads.push((payload.to_vec(), field(12) as i32));
            data = later;
        }
        if count == 0 {
            payloads.push((data.to_vec(), status));
        } else {
            assert!(data.is_empty(), "the packets' lengths make up the data's");
        }
        done.push(Done { seqnum, status, payloads });
        bytes = rest;
    }
    done
}

/// Keeps five transfers waiting, as Linux does, and collects everything that comes until `end`.
fn run(stream: &mut Stream, transport: Transport, from: Duration, end: Duration, mode: Mode) -> Vec<Done> {
    let (mut done, mut now) = (Vec::new(), from);
    for seqnum in 0..5 {
        stream.submit(transfer(transport, seqnum), &mut Vec::new());
    }
    while now < end {
        let mut out = Vec::new();
        let wake = stream.poll(now, mode, &mut out);
        let some = read(&out);
        for one in &some {
            stream.submit(transfer(transport, one.seqnum), &mut Vec::new());
        }
        now = if some.is_empty() { wake.unwrap_or(end) } else { now };
        done.extend(some);
    }
    for seqnum in 0..5 {
        assert!(stream.unlink(seqnum), "all are waiting again");
    }
    done
}

/// The pictures that sound payloads make up; a picture with a lost packet is left out, as drivers do.
fn join(done: &[Done]) -> Vec<Vec<u8>> {
    let (mut pictures, mut at_hand, mut sound) = (Vec::new(), Vec::new(), true);
    for (payload, status) in done.iter().flat_map(|one| &one.payloads) {
        sound &= *status == 0;
        let Some((header, bytes)) = payload.split_at_checked(HEADER_LEN) else { continue };
        at_hand.extend_from_slice(bytes);
        if header[1] & END_OF_FRAME != 0 {
            let picture = std::mem::take(&mut at_hand);
            pictures.extend(std::mem::replace(&mut sound, true).then_some(picture));
        }
    }
    pictures
}

fn seconds(value: u64) -> Duration {
    Duration::from_secs(value)
}

#[test]
fn pictures_arrive_whole_in_order_and_at_their_rate() {
    for transport in [Transport::Isochronous, Transport::Bulk] {
        let lens = [0, 1, 1021, 1022, 1023, 2044, 16_381, 16_382, 16_383, 32_764, 150_000];
        let mut stream = stream(transport, &lens, 0, 0);
        stream.start(mjpeg());
        let done = run(&mut stream, transport, seconds(9), seconds(13), SOUND);
        let expected: Vec<_> = pictures(&lens).into_iter().cycle().take(100).collect();
        let shown = join(&done);
        assert!(shown.len() >= 98, "{} of 100 in four seconds, {transport:?}", shown.len());
        assert!(shown.iter().zip(&expected).all(|(a, b)| a[..] == b[..]), "{transport:?}");
    }
}

#[test]
fn an_isochronous_transfer_is_over_every_four_milliseconds_with_or_without_pictures() {
    for mode in [SOUND, STALLED] {
        let mut stream = stream(Transport::Isochronous, &[20_000], 0, 0);
        stream.start(mjpeg());
        let done = run(&mut stream, Transport::Isochronous, seconds(0), seconds(2), mode);
        assert_eq!(done.len(), 499, "one is under way");
        let seqnums: Vec<_> = done.iter().take(7).map(|one| one.seqnum).collect();
        assert_eq!(seqnums, [0, 1, 2, 3, 4, 0, 1]);
        assert!(done.iter().all(|one| one.status == 0 && one.payloads.len() == PACKETS as usize));
        assert_eq!(join(&done).is_empty(), mode == STALLED);
    }
}

#[test]
fn a_stalled_bulk_camera_answers_no_transfer() {
    let mut stream = stream(Transport::Bulk, &[100], 0, 0);
    stream.start(mjpeg());
    assert!(run(&mut stream, Transport::Bulk, seconds(0), seconds(2), STALLED).is_empty());
    assert_eq!(join(&run(&mut stream, Transport::Bulk, seconds(2), seconds(3), SOUND)).len(), 25);
}

#[test]
fn a_frozen_camera_shows_the_last_picture_on_and_then_what_is_there() {
    let mut stream = stream(Transport::Bulk, &[100, 200, 300], 0, 0);
    stream.start(mjpeg());
    let lens = |stream: &mut Stream, from: u64, mode| -> Vec<usize> {
        let (from, end) = (Duration::from_millis(from), Duration::from_millis(from + 160));
        join(&run(stream, Transport::Bulk, from, end, mode)).iter().map(Vec::len).collect()
    };
    assert_eq!(lens(&mut stream, 0, SOUND), [100, 200, 300, 100]);
    assert_eq!(lens(&mut stream, 160, FROZEN), [100; 4]);
    assert_eq!(lens(&mut stream, 320, SOUND), [300, 100, 200, 300]);
}

#[test]
fn lost_packets_are_marked_and_counted() {
    let mut stream = stream(Transport::Isochronous, &[10_220], 50, 0);
    stream.start(mjpeg());
    let done = run(&mut stream, Transport::Isochronous, seconds(0), seconds(20), SOUND);
    let packets: Vec<_> = done.iter().flat_map(|one| &one.payloads).collect();
    let carried = packets.iter().filter(|(bytes, status)| !bytes.is_empty() || *status != 0).count();
    let lost = packets.iter().filter(|(_, status)| *status == -71).count();
    assert_eq!(lost, carried / 50);
    assert!(packets.iter().all(|(bytes, status)| bytes.is_empty() || *status == 0));
    // Ten packets a picture: each fifth loses one, always its last.
    assert!(join(&done).iter().all(|picture| picture.len() == 10_220));
}

#[test]
fn damaged_packets_are_not_marked_and_change_one_byte_each() {
    for (transport, payloads) in [(Transport::Isochronous, 30), (Transport::Bulk, 2)] {
        let mut stream = stream(transport, &[30_660], 0, payloads);
        stream.start(mjpeg());
        let shown = join(&run(&mut stream, transport, seconds(0), seconds(2), SOUND));
        let sound = pictures(&[30_660]);
        assert!(shown.len() >= 48);
        for picture in shown {
            assert_eq!(picture.len(), sound[0].len());
            assert_eq!(picture.iter().zip(&*sound[0]).filter(|(a, b)| a != b).count(), 1);
        }
    }
}

#[test]
fn a_transfer_is_taken_back_once_and_not_when_it_is_over() {
    let mut stream = stream(Transport::Bulk, &[100], 0, 0);
    stream.start(mjpeg());
    let mut out = Vec::new();
    for seqnum in [1, 2, 3] {
        stream.submit(transfer(Transport::Bulk, seqnum), &mut out);
    }
    assert!(out.is_empty() && stream.unlink(2) && !stream.unlink(2) && !stream.unlink(9));
    assert_eq!(stream.poll(seconds(0), SOUND, &mut out), Some(INTERVAL));
    assert!(!stream.unlink(1), "over");
    stream.poll(INTERVAL, SOUND, &mut out);
    assert_eq!(read(&out).iter().map(|one| one.seqnum).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_stream_begins_anew_without_the_rest_of_the_last_picture() {
    for transport in [Transport::Isochronous, Transport::Bulk] {
        let mut stream = stream(transport, &[50_000, 60], 0, 0);
        stream.start(mjpeg());
        let end = Duration::from_millis(if transport == Transport::Bulk { 1 } else { 5 });
        stream.submit(transfer(transport, 0), &mut Vec::new());
        let mut out = Vec::new();
        stream.poll(seconds(0), SOUND, &mut out);
        stream.poll(end, SOUND, &mut out);
        let first = read(&out)[0].payloads[0].0[1];
        assert!(join(&read(&out)).is_empty(), "cut off");
        stream.stop();
        stream.start(mjpeg());
        let done = run(&mut stream, transport, seconds(5), seconds(6), SOUND);
        let second = done[0].payloads.iter().find(|(bytes, _)| !bytes.is_empty()).unwrap().0[1];
        assert_ne!(first & FRAME_ID, second & FRAME_ID);
        assert_eq!(join(&done)[0].len(), 50_000);
    }
}

#[test]
fn a_transfer_for_no_endpoint_is_stalled() {
    let mut iso = stream(Transport::Isochronous, &[1], 0, 0);
    let mut out = Vec::new();
    iso.submit(transfer(Transport::Isochronous, 1), &mut out);
    iso.start(mjpeg());
    iso.submit(transfer(Transport::Bulk, 2), &mut out);
    let mut bulk = stream(Transport::Bulk, &[1], 0, 0);
    bulk.submit(transfer(Transport::Isochronous, 3), &mut out);
    bulk.submit(Submit { to_host: false, ..transfer(Transport::Bulk, 4) }, &mut out);
    let outcomes: Vec<_> = read(&out).iter().map(|one| (one.seqnum, one.status)).collect();
    assert_eq!(outcomes, [(1, -32), (2, -32), (3, -32), (4, -32)]);
}

#[test]
fn the_first_picture_is_the_first_however_late_the_host_asks() {
    for transport in [Transport::Isochronous, Transport::Bulk] {
        let mut stream = stream(transport, &[100, 200, 300], 0, 0);
        stream.start(mjpeg());
        assert_eq!(stream.poll(seconds(1), SOUND, &mut Vec::new()), None);
        let shown = join(&run(&mut stream, transport, seconds(5), seconds(6), SOUND));
        assert_eq!((shown[0].len(), shown[1].len()), (100, 200), "{transport:?}");
    }
}

#[test]
fn a_bulk_transfer_waits_until_the_stream_begins() {
    let mut stream = stream(Transport::Bulk, &[1], 0, 0);
    let mut out = Vec::new();
    stream.submit(transfer(Transport::Bulk, 1), &mut out);
    assert_eq!(stream.poll(seconds(1), SOUND, &mut out), None);
    stream.start(mjpeg());
    stream.poll(seconds(2), SOUND, &mut out);
    assert_eq!(join(&read(&out)), [[0]]);
}
