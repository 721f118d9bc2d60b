//! The whole camera over a socket pair, with a host in place of the kernel: it is enumerated, negotiated with, and
//! streams over both kinds of endpoints.
//!
//! The host writes and reads USB/IP by itself and shares no code with the camera, so neither hides the other's error.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests; clippy only exempts the tests"
)]

mod host;

use std::num::NonZeroU32;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use usb_camera::camera::Camera;
use usb_camera::descriptors::Identity;
use usb_camera::failure::{Exit, Failure};
use usb_camera::faults::Faults;
use usb_camera::offer::{Format, Offer, Size, Transport};
use usb_camera::pictures::Album;
use usb_camera::serve;
use usb_camera::switches::Switches;

use host::Host;

const EPIPE: i32 = -32;
const ECONNRESET: i32 = -104;

fn picture(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + seed) as u8).collect()
}

/// What the camera in these tests sees, in two sizes.
fn pictures() -> [Vec<Vec<u8>>; 2] {
    [vec![picture(900, 1)], vec![picture(40_000, 2), picture(0x3ffe, 3), picture(1022, 4)]]
}

/// A camera in a thread of its own, and a host at the other end of its cable.
fn plugged_in(transport: Transport) -> (Host, JoinHandle<Failure>) {
    let sizes = vec![Size { width: 320, height: 240 }, Size { width: 640, height: 480 }];
    let album = |(size, pictures): (&Size, Vec<Vec<u8>>)| Album {
        size: *size,
        pictures: pictures.into_iter().map(Arc::from).collect(),
    };
    let albums = sizes.iter().zip(pictures()).map(album).collect();
    // As fast as pictures are ever offered; what a slow machine leaves out is told apart below.
    let fps = NonZeroU32::new(120).unwrap();
    let offer = Offer::new(transport, vec![Format::Mjpeg], sizes, fps);
    let identity = Identity { name: "Porch".into(), serial: "0042".into() };
    let mut camera = Camera::new(offer, identity, albums, Faults::default());
    let (hosts, cameras) = UnixStream::pair().unwrap();
    let thread = std::thread::spawn(move || {
        let mut switches = Switches::new(Path::new("/nonexistent"));
        serve::serve(cameras, &mut camera, &mut switches).unwrap_err()
    });
    (Host::new(hosts), thread)
}

/// Pulls the cable; the camera says that the link was closed.
fn pull_out(host: Host, camera: JoinHandle<Failure>) {
    drop(host);
    let failure = camera.join().unwrap();
    assert_eq!(failure.exit, Exit::Link);
    assert!(failure.message.contains("dmesg"), "{failure}");
}

/// What every driver does before anything else.
fn enumerate(host: &mut Host) -> Vec<u8> {
    let device = host.get(0x80, 6, 0x0100, 0, 64).unwrap();
    assert_eq!(device.len(), 18);
    let head = host.get(0x80, 6, 0x0200, 0, 9).unwrap();
    let total = u16::from_le_bytes([head[2], head[3]]);
    let configuration = host.get(0x80, 6, 0x0200, 0, total).unwrap();
    assert_eq!(configuration.len(), usize::from(total));
    let product = host.get(0x80, 6, 0x0300 | u16::from(device[15]), 0x0409, 255).unwrap();
    assert_eq!(product[2..], *b"P\0o\0r\0c\0h\0");
    host.set(0x00, 9, 1, 0, &[]).unwrap();
    configuration
}

/// Asks for the second size at a rate that is not offered, takes what the camera makes of it, commits that.
fn negotiate(host: &mut Host) -> u32 {
    let mut wish = [0; 26];
    (wish[2], wish[3]) = (1, 2);
    wish[4..8].copy_from_slice(&1_u32.to_le_bytes());
    host.set(0x21, 0x01, 0x0100, 1, &wish).unwrap();
    let agreed = host.get(0xa1, 0x81, 0x0100, 1, 26).unwrap();
    assert_eq!((agreed[2], agreed[3]), (1, 2));
    assert_eq!(agreed[4..8], 83_333_u32.to_le_bytes());
    assert_eq!(agreed[18..22], (640 * 480 * 2_u32).to_le_bytes());
    host.set(0x21, 0x01, 0x0200, 1, &agreed).unwrap();
    u32::from_le_bytes(agreed[22..26].try_into().unwrap())
}

/// Collects pictures until each of the three has come whole and unchanged.
fn see_all_pictures(host: &mut Host, packets: u32, len: u32) {
    let [_, expected] = pictures();
    let mut missing = expected.clone();
    let mut at_hand = Vec::new();
    let mut last_id = None;
    for _ in 0..4 {
        host.submit(1, packets, len);
    }
    while !missing.is_empty() {
        let done = host.completion();
        assert_eq!(done.status, 0);
        host.submit(1, packets, len);
        for payload in done.payloads.iter().filter(|payload| !payload.is_empty()) {
            let (header, bytes) = payload.split_at(usize::from(payload[0]));
            if at_hand.is_empty() {
                assert_ne!(last_id, Some(header[1] & 1), "each picture has another frame id than the last");
                last_id = Some(header[1] & 1);
            }
            at_hand.extend_from_slice(bytes);
            if header[1] & 2 != 0 {
                assert!(expected.contains(&at_hand), "{} bytes that no picture has", at_hand.len());
                missing.retain(|picture| *picture != at_hand);
                at_hand.clear();
            }
        }
    }
}

#[test]
fn an_isochronous_camera_is_enumerated_negotiated_with_and_streams() {
    let (mut host, camera) = plugged_in(Transport::Isochronous);
    let configuration = enumerate(&mut host);
    assert!(configuration.ends_with(&[7, 5, 0x81, 0x05, 0x00, 0x04, 1]));
    assert_eq!(negotiate(&mut host), 1024);
    host.set(0x01, 11, 1, 1, &[]).unwrap();
    see_all_pictures(&mut host, 32, 32 * 1024);
    host.take_all_back();
    host.set(0x01, 11, 0, 1, &[]).unwrap();
    // Once more, from the beginning.
    host.set(0x01, 11, 1, 1, &[]).unwrap();
    see_all_pictures(&mut host, 8, 8 * 1024);
    pull_out(host, camera);
}

#[test]
fn a_bulk_camera_is_enumerated_negotiated_with_and_streams() {
    let (mut host, camera) = plugged_in(Transport::Bulk);
    let configuration = enumerate(&mut host);
    assert!(configuration.ends_with(&[7, 5, 0x81, 0x02, 0x00, 0x02, 0]));
    let len = negotiate(&mut host);
    assert_eq!(len, 16_384);
    see_all_pictures(&mut host, 0, len);
    host.take_all_back();
    host.set(0x02, 1, 0, 0x81, &[]).unwrap();
    negotiate(&mut host);
    see_all_pictures(&mut host, 0, len);
    pull_out(host, camera);
}

#[test]
fn a_waiting_transfer_is_taken_back_and_one_that_is_over_is_not() {
    let (mut host, camera) = plugged_in(Transport::Bulk);
    enumerate(&mut host);
    let waiting = host.submit(1, 0, 16_384);
    assert_eq!(host.unlink(waiting), ECONNRESET);
    assert_eq!(host.unlink(waiting), 0);
    let over = host.submit(0, 0, 0);
    assert_eq!(host.completion().seqnum, over);
    assert_eq!(host.unlink(over), 0);
    pull_out(host, camera);
}

#[test]
fn what_a_camera_does_not_do_is_stalled() {
    let (mut host, camera) = plugged_in(Transport::Isochronous);
    assert_eq!(host.get(0x80, 6, 0x0600, 0, 10), Err(EPIPE));
    assert_eq!(host.get(0xa1, 0x84, 0x0100, 1, 26), Err(EPIPE));
    assert_eq!(host.get(0xa1, 0x81, 0x0200, 0, 1), Ok(vec![7]));
    assert_eq!(host.set(0x21, 0x01, 0x0100, 1, &[0; 9]), Err(EPIPE));
    // An endpoint that does not exist, and one that does not yet.
    for endpoint in [1, 2] {
        host.submit(endpoint, 4, 4096);
        assert_eq!(host.completion().status, EPIPE);
    }
    pull_out(host, camera);
}

#[test]
fn what_is_no_message_ends_the_link() {
    let (mut host, camera) = plugged_in(Transport::Bulk);
    host.send(&[0xee; 48]);
    let failure = camera.join().unwrap();
    assert_eq!(failure.exit, Exit::Link);
    assert!(failure.message.contains("unknown command 0xeeeeeeee"), "{failure}");
}
