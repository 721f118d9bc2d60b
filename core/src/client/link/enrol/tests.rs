//! A pairing session in the hands of somebody who has the code and means no good: what the display does about it.

extern crate std;

use core::net::SocketAddr;
use std::vec;
use std::vec::Vec;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::client::Client;
use crate::config::{DEFAULT_BUDGET, Padding, PairingConfig, ServerConfig};
use crate::discard::Discard;
use crate::output::{Event, Output, SessionEnd};
use crate::pairing::{NotAccepted, PairingEnd};
use crate::rsa::{PrivateKey, SoftwareCameraKey, SoftwareDisplayKey, SoftwareRsa};
use crate::server::Server;
use crate::time::Stamp;
use crate::wire::chunk::{Chunk, FrameShape, PAYLOAD_LEN};
use crate::wire::close::CloseReason;
use crate::wire::message;
use crate::wire::read::Writer;
use crate::wire::status::{CaptureState, Status};

type Camera = Client<'static, ChaCha20Rng, SoftwareCameraKey<ChaCha20Rng>, SoftwareRsa<ChaCha20Rng>>;
type Display = Server<'static, ChaCha20Rng, SoftwareRsa<ChaCha20Rng>, 1>;

const CAMERA_KEY: &[u8] = include_bytes!("../../../../tests/data/TEST-ONLY-camera-key.pem");
const OTHER_KEY: &[u8] = include_bytes!("../../../../tests/data/TEST-ONLY-camera2-key.pem");
const DISPLAY_KEY: &[u8] = include_bytes!("../../../../tests/data/TEST-ONLY-display-key.pem");

const CAMERA: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1)), 7);
const DISPLAY: SocketAddr =
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 2)), 5000);

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn private(text: &[u8]) -> PrivateKey {
    PrivateKey::read_pem(text).unwrap()
}

/// A camera and a display with nothing between them but this value, which is the clock as well.
struct Pair {
    camera: Camera,
    display: Display,
    key: SoftwareDisplayKey<ChaCha20Rng>,
    now: Instant,
    at_camera: Vec<Event>,
    at_display: Vec<Event>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let key = private(DISPLAY_KEY);
        let now = Instant::from_micros(1_000_000);
        let config = ServerConfig {
            modulus: *key.modulus(),
            frame_capacity: 1 << 16,
            receive_buffer: 0,
            budget: DEFAULT_BUDGET,
            padding: Padding::Chunk,
        };
        let store = vec![0; Display::store_len(1 << 16)].leak();
        let mut display =
            Display::new(config, store, rng(seed), SoftwareRsa::new(rng(seed + 1)), now).unwrap();
        let secret = display.open_pairing(now).unwrap();
        let camera_key = private(CAMERA_KEY);
        let config = PairingConfig {
            display: key.modulus().fingerprint(),
            address: Some(DISPLAY),
            modulus: *camera_key.modulus(),
        };
        let camera_key = camera_key.into_camera_key(rng(seed + 2));
        let rsa = SoftwareRsa::new(rng(seed + 3));
        let camera = Camera::pair(config, &secret, rng(seed + 4), camera_key, rsa, now);
        let key = key.into_display_key(rng(seed + 5));
        Self { camera, display, key, now, at_camera: Vec::new(), at_display: Vec::new() }
    }

    /// Carries what there is to carry, and lets some time go by.
    fn turn(&mut self) {
        let mut buf = [0; 1200];
        while let Output::Transmit(sent) = self.camera_output(&mut buf) {
            let _ = self.display.handle_datagram(self.now, CAMERA, &mut buf[..sent.len]);
        }
        loop {
            match self.display.poll(self.now, &mut buf) {
                Output::Transmit(sent) => {
                    let _ = self.camera.handle_datagram(self.now, DISPLAY, &mut buf[..sent.len]);
                }
                Output::Event(event) => self.at_display.push(event),
                Output::Decrypt(ticket) => self.display.complete(self.now, ticket.open(&mut self.key)),
                Output::Wait(at) => {
                    assert!(at.is_none_or(|at| at > self.now), "the display would spin");
                    break;
                }
            }
        }
        self.now += Duration::from_millis(50);
    }

    fn camera_output(&mut self, buf: &mut [u8]) -> Output {
        loop {
            match self.camera.poll(self.now, buf) {
                Output::Event(event) => self.at_camera.push(event),
                other => return other,
            }
        }
    }

    fn turns(&mut self, count: u32) {
        (0..count).for_each(|_| self.turn());
    }

    /// Up to the moment at which the camera may ask, which it then does not: somebody else acts for it.
    fn up_to_enrol(seed: u64) -> Self {
        let mut pair = Self::new(seed);
        for _ in 0..100 {
            if pair.camera.link.as_ref().is_some_and(|link| link.channel.epoch() == 1) {
                pair.link().timers.stop(Due::Enrol);
                return pair;
            }
            let asking = |link: &Link| matches!(link.enrolling, Some(Enrolling::Asking { .. }));
            assert!(!pair.camera.link.as_ref().is_some_and(asking));
            pair.turn();
        }
        panic!("no session")
    }

    fn link(&mut self) -> &mut Link {
        self.camera.link.as_mut().unwrap()
    }

    /// Seals a message in the camera's session and hands it to the display.
    fn say(&mut self, emit: impl FnOnce(&mut Writer<'_>) -> Option<()>) {
        let mut buf = [0; 1200];
        let now = self.now;
        let len = self.link().channel.seal(now, &mut buf, emit).unwrap();
        let _ = self.display.handle_datagram(now, CAMERA, &mut buf[..len]);
    }

    /// What ENROL says when this key signs this.
    fn enrol(key: &[u8], modulus: &Modulus, exporter: &[u8; 32]) -> [u8; MODULUS_LEN] {
        let mut signature = [0; MODULUS_LEN];
        let mut key = private(key).into_camera_key(rng(9));
        key.pss_sign(&[ENROL_AUTH, exporter, &modulus.fingerprint().0], &mut signature).unwrap();
        signature
    }

    /// The display closed the session as a violation, and nobody was asked.
    fn assert_closed(&mut self, asked: usize) {
        self.turns(30);
        let asked_now =
            self.at_display.iter().filter(|event| matches!(event, Event::PairingAsked { .. })).count();
        assert_eq!(asked_now, asked, "{:?}", self.at_display);
        let end = Event::PairingEnded(PairingEnd::CameraGone(SessionEnd::Closed(CloseReason::Protocol)));
        assert!(self.at_display.contains(&end), "{:?}", self.at_display);
        let end = Event::PairingFailed(SessionEnd::ClosedByPeer(CloseReason::Protocol));
        assert!(self.at_camera.contains(&end), "{:?}", self.at_camera);
        assert!(self.display.accept_pairing(self.now).is_err());
    }
}

/// The exporter of this session, which the camera has thrown away by now: read while it still has it.
fn with_exporter(seed: u64) -> (Pair, [u8; 32]) {
    let mut pair = Pair::new(seed);
    for _ in 0..100 {
        if let Some(Enrolling::Bound(exporter)) = pair.camera.link.as_ref().and_then(|l| l.enrolling.as_ref())
        {
            let exporter = *exporter.as_bytes();
            for _ in 0..100 {
                if pair.link().channel.epoch() == 1 {
                    pair.link().timers.stop(Due::Enrol);
                    // The first packet of epoch 1, which makes the display take it up.
                    pair.say(|out| crate::wire::message::emit_ping(out, 1));
                    return (pair, exporter);
                }
                pair.turn();
            }
        }
        pair.turn();
    }
    panic!("no session")
}

fn modulus(key: &[u8]) -> Modulus {
    *private(key).modulus()
}

#[test]
fn an_honest_enrol_made_by_hand_is_taken() {
    let (mut pair, exporter) = with_exporter(40);
    let (modulus, signature) =
        (modulus(CAMERA_KEY), Pair::enrol(CAMERA_KEY, &modulus(CAMERA_KEY), &exporter));
    pair.say(|out| Enrol { modulus: modulus.as_bytes(), signature: &signature }.emit(out));
    pair.turn();
    assert_eq!(pair.display.pairing_camera(), Some(&modulus));
    assert_eq!(pair.display.accept_pairing(pair.now), Ok(modulus.fingerprint()));
}

#[test]
fn enrol_signed_by_another_key_or_for_another_session_is_refused() {
    let (_, foreign) = with_exporter(50);
    let (own, other) = (modulus(CAMERA_KEY), modulus(OTHER_KEY));
    for (case, expected) in [(0, own), (1, other), (2, own), (3, own)] {
        let (mut pair, exporter) = with_exporter(60 + case);
        assert_ne!(exporter, foreign);
        let signature = match case {
            // Its own modulus, signed by a key that is not its own; and another's modulus, signed by its own.
            0 => Pair::enrol(OTHER_KEY, &expected, &exporter),
            1 => Pair::enrol(CAMERA_KEY, &expected, &exporter),
            // What was signed in another session, and for another camera.
            2 => Pair::enrol(CAMERA_KEY, &expected, &foreign),
            _ => Pair::enrol(CAMERA_KEY, &other, &exporter),
        };
        pair.say(|out| Enrol { modulus: expected.as_bytes(), signature: &signature }.emit(out));
        pair.assert_closed(0);
    }
}

#[test]
fn enrol_for_an_even_modulus_is_refused_and_so_is_another_camera_than_the_one_that_asked() {
    let (mut pair, exporter) = with_exporter(70);
    let signature = Pair::enrol(CAMERA_KEY, &modulus(CAMERA_KEY), &exporter);
    pair.say(|out| Enrol { modulus: &[0xC8; MODULUS_LEN], signature: &signature }.emit(out));
    pair.assert_closed(0);

    let (mut pair, exporter) = with_exporter(71);
    for key in [CAMERA_KEY, OTHER_KEY] {
        let (modulus, signature) = (modulus(key), Pair::enrol(key, &modulus(key), &exporter));
        pair.say(|out| Enrol { modulus: modulus.as_bytes(), signature: &signature }.emit(out));
    }
    pair.assert_closed(1);
}

#[test]
fn a_pairing_session_that_sends_pictures_is_closed() {
    let shape = FrameShape { frame_id: 1, chunk_cnt: 1, tail_len: 1, captured: Stamp(0) };
    let status = Status {
        state: CaptureState::Capturing,
        since_ms: 0,
        fps_x10: 0,
        frames_captured: 0,
        frames_not_sent: 0,
        srtt: 0,
        rttvar: 0,
        clock: Stamp(0),
    };
    let mut pair = Pair::up_to_enrol(80);
    pair.say(|out| Chunk::emit(out, &shape, 0, false, Stamp(0), &[1; PAYLOAD_LEN]));
    pair.assert_closed(0);
    assert_eq!(pair.display.stats().frames, 0);

    let mut pair = Pair::up_to_enrol(81);
    pair.say(|out| status.emit(out));
    pair.assert_closed(0);

    // Nor once it asks, nor once it is accepted.
    let mut pair = Pair::new(82);
    pair.turns(20);
    assert!(pair.at_display.iter().any(|event| matches!(event, Event::PairingAsked { .. })));
    pair.say(|out| Chunk::emit(out, &shape, 0, false, Stamp(0), &[1; PAYLOAD_LEN]));
    pair.assert_closed(1);
}

#[test]
fn padding_in_a_pairing_session_changes_nothing() {
    let mut pair = Pair::new(83);
    pair.turns(20);
    pair.say(|out| out.zeros(1000));
    pair.turns(20);
    assert!(pair.display.pairing_camera().is_some());
    assert!(!pair.at_display.iter().any(|event| matches!(event, Event::PairingEnded(_))));
}

#[test]
fn neither_end_keeps_the_exporter_longer_than_it_needs_it() {
    let mut pair = Pair::new(90);
    pair.turns(20);
    assert!(matches!(pair.link().enrolling, Some(Enrolling::Asking { .. })), "signed, and the exporter gone");
    assert_eq!(pair.camera.stats().rsa_private, 1);
    assert!(pair.display.pairing_camera().is_some());
    assert!(!pair.display.has_exporter(), "judged, and the exporter gone");
    // Up to then it has it.
    let (pair, _) = with_exporter(91);
    assert!(pair.display.has_exporter());
}

#[test]
fn a_camera_whose_session_is_closing_is_not_accepted() {
    let mut pair = Pair::new(92);
    pair.turns(20);
    assert!(pair.display.pairing_camera().is_some());
    // A violation, and the owner's yes before the display's program has polled.
    pair.say(|out| out.put(&[0xFF; 9]));
    assert_eq!(pair.display.accept_pairing(pair.now), Err(NotAccepted::NobodyAsks));
    pair.assert_closed(1);
}

#[test]
fn a_yes_that_comes_before_the_question_closes_the_session() {
    let say_yes = |pair: &mut Pair| {
        let mut buf = [0; 1200];
        let now = pair.now;
        let len = pair.display.channel().unwrap().seal(now, &mut buf, message::emit_enrol_ok).unwrap();
        pair.camera.handle_datagram(now, DISPLAY, &mut buf[..len])
    };
    let (mut pair, exporter) = with_exporter(93);
    // The camera signs as soon as epoch 1 is there; as if it had not come to it.
    pair.link().enrolling = Some(Enrolling::Bound(Secret::new(exporter)));
    assert_eq!(say_yes(&mut pair), Err(Discard::Violation));
    pair.turns(30);
    assert!(!pair.at_camera.contains(&Event::Paired), "{:?}", pair.at_camera);
    let end = Event::PairingFailed(SessionEnd::Closed(CloseReason::Protocol));
    assert!(pair.at_camera.contains(&end), "{:?}", pair.at_camera);

    let mut pair = Pair::new(94);
    pair.turns(20);
    assert_eq!(say_yes(&mut pair), Ok(()), "whereas now it was asked");
    pair.turns(30);
    assert!(pair.at_camera.contains(&Event::Paired), "{:?}", pair.at_camera);
}
