//! A camera and a display in this process, and what strangers send them; DER as far as a private key needs it.

use std::net::SocketAddr;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sealcam_core::client::Client;
use sealcam_core::config::{ClientConfig, Padding, ServerConfig};
use sealcam_core::key::Fingerprint;
use sealcam_core::output::Output;
use sealcam_core::rsa::{PrivateKey, SoftwareCameraKey, SoftwareRsa};
use sealcam_core::server::Server;
use sealcam_core::time::Instant;
use sealcam_linux::random::OsRng;
use sha2::Sha256;

const DISPLAY_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-display-key.pem");
const CAMERA_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-camera-key.pem");
const CAPACITY: u32 = 8 * 1152;

pub(crate) type DisplayServer<'b> = Server<'b, OsRng, SoftwareRsa<OsRng>, 2>;
type CameraClient = Client<'static, OsRng, SoftwareCameraKey<OsRng>, SoftwareRsa<OsRng>>;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}

/// A display that knows one camera.
pub(crate) fn server(store: &mut [u8]) -> DisplayServer<'_> {
    let config = ServerConfig {
        modulus: *PrivateKey::read_pem(DISPLAY_KEY).unwrap().modulus(),
        frame_capacity: CAPACITY,
        receive_buffer: 0,
        budget: Duration::from_millis(100),
        padding: Padding::Chunk,
    };
    let mut server = Server::new(config, store, OsRng, SoftwareRsa::new(OsRng), Instant::ZERO).unwrap();
    assert!(server.enrol(PrivateKey::read_pem(CAMERA_KEY).unwrap().modulus()));
    server
}

/// A HELLO, from docs/protocol.md §3.1.
pub(crate) fn hello(display: &Fingerprint, client_random: &[u8; 32]) -> Vec<u8> {
    let hmac = |key: &[u8], message: &[u8]| -> [u8; 32] {
        Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().into()
    };
    let mut datagram = vec![0; 1200];
    datagram[..2].copy_from_slice(&[0x01, 1]);
    datagram[4..36].copy_from_slice(client_random);
    datagram[36..38].copy_from_slice(&[1, 1]);
    let mac1 = hmac(&hmac(&display.0, b"scl1 mac1"), &datagram[..1184]);
    datagram[1184..].copy_from_slice(&mac1[..16]);
    datagram
}

/// Both, connected.
pub(crate) struct Pair<'b> {
    pub(crate) now: Instant,
    pub(crate) server: Box<DisplayServer<'b>>,
    pub(crate) camera: SocketAddr,
    display: SocketAddr,
    client: CameraClient,
}

impl<'b> Pair<'b> {
    pub(crate) fn connected(store: &'b mut [u8]) -> Self {
        let server = Box::new(server(store));
        let (camera, display) = (([10, 0, 0, 1], 40_000).into(), ([192, 0, 2, 1], 5000).into());
        let config = ClientConfig {
            display: server.fingerprint(),
            address: Some(display),
            frame_capacity: CAPACITY,
            frame_interval: Duration::ZERO,
            padding: Padding::Chunk,
            constant_size: 0,
        };
        let key = PrivateKey::read_pem(CAMERA_KEY).unwrap().into_camera_key(OsRng);
        let store = vec![0; 2 * 8 * 1152].leak();
        let client = Client::new(config, store, OsRng, key, SoftwareRsa::new(OsRng), Instant::ZERO).unwrap();
        let mut pair = Self { now: Instant::ZERO, server, camera, display, client };
        let mut key = PrivateKey::read_pem(DISPLAY_KEY).unwrap().into_display_key(OsRng);
        for _ in 0..20 {
            for mut datagram in pair.camera_says() {
                let _dropped = pair.server.handle_datagram(pair.now, camera, &mut datagram);
            }
            let mut buf = [0; 1200];
            loop {
                match pair.server.poll(pair.now, &mut buf) {
                    Output::Transmit(sent) => {
                        let _dropped = pair.client.handle_datagram(pair.now, display, &mut buf[..sent.len]);
                    }
                    Output::Decrypt(ticket) => pair.server.complete(pair.now, ticket.open(&mut key)),
                    Output::Event(_) => {}
                    Output::Wait(_) => break,
                }
            }
            if pair.client.is_ready() && pair.camera_says().is_empty() {
                return pair;
            }
        }
        panic!("no session at {}", pair.display);
    }

    /// A packet of the camera that the display has not seen.
    pub(crate) fn packet_kept_back(&mut self) -> Vec<u8> {
        self.now += Duration::from_millis(250);
        self.camera_says().pop().unwrap()
    }

    fn camera_says(&mut self) -> Vec<Vec<u8>> {
        let (mut said, mut buf) = (Vec::new(), [0; 1200]);
        loop {
            match self.client.poll(self.now, &mut buf) {
                Output::Transmit(sent) => said.push(buf[..sent.len].to_vec()),
                Output::Wait(_) => return said,
                _ => {}
            }
        }
    }
}

/// What stands between the first and the last line.
pub(crate) fn der_of(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Base64::decode_vec(&base64).unwrap()
}

/// The INTEGERs of an RSAPrivateKey inside a PKCS#8 PrivateKeyInfo, without their leading zeros (RFC 5208, RFC 8017).
pub(crate) fn numbers_in(der: &[u8]) -> Vec<&[u8]> {
    let (_, info, _) = element(der);
    let (_, _version, rest) = element(info);
    let (_, _algorithm, rest) = element(rest);
    let (tag, octets, _) = element(rest);
    assert_eq!(tag, 4);
    let (_, mut rest, _) = element(octets);
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (tag, number, after) = element(rest);
        assert_eq!(tag, 2);
        numbers.push(number.strip_prefix(&[0]).unwrap_or(number));
        rest = after;
    }
    numbers
}

/// The first element's tag and contents, and what follows it.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, first, rest) = (der[0], usize::from(der[1]), &der[2..]);
    let (len, rest) = if first < 0x80 {
        (first, rest)
    } else {
        let (len, rest) = rest.split_at(first - 0x80);
        (len.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)), rest)
    };
    let (contents, after) = rest.split_at(len);
    (tag, contents, after)
}
