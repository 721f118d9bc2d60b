//! Cameras that hold the session's keys and break the protocol (docs/protocol.md §8, §9): CLOSE 1, nothing shown.
//!
//! A camera is driven to the epoch wanted by hand, and then its own channel seals what it would never say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests; clippy only exempts the tests")]

mod equal_work;
mod exchange;
mod forgeries;
mod parity;
mod requests;

extern crate std;
use core::net::Ipv4Addr;
use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::client::Client;
use crate::config::{ClientConfig, Padding, ServerConfig};
use crate::output::{Output, Transmit};
use crate::rsa::{PrivateKey, SoftwareCameraKey, SoftwareDisplayKey, SoftwareRsa};
use crate::server::Server;
use crate::session::rekey::Initiator;
use crate::time::Stamp;
use crate::wire::chunk::FrameShape;
use crate::wire::kex::Half;
use crate::wire::kex::{HALF_LEN, INIT_LEN};
use crate::wire::status::{CaptureState, NOT_MEASURED};

const CAPACITY: u32 = 8 * 1152;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

type TestClient = Client<'static, ChaCha20Rng, SoftwareCameraKey<ChaCha20Rng>, SoftwareRsa<ChaCha20Rng>>;
type TestServer = Server<'static, ChaCha20Rng, SoftwareRsa<ChaCha20Rng>, 1>;

/// A camera and a display on a network without loss or delay.
struct Both {
    now: Instant,
    client: TestClient,
    server: TestServer,
    key: SoftwareDisplayKey<ChaCha20Rng>,
    ends: Vec<SessionEnd>,
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Both {
    fn new() -> Self {
        let key = include_bytes!("../../../tests/data/TEST-ONLY-display-key.pem");
        let key = PrivateKey::read_pem(&key[..]).unwrap();
        let camera = include_bytes!("../../../tests/data/TEST-ONLY-camera-key.pem");
        let camera = PrivateKey::read_pem(&camera[..]).unwrap();
        let modulus = *key.modulus();
        let config = ServerConfig {
            modulus,
            frame_capacity: CAPACITY,
            receive_buffer: 0,
            budget: Duration::from_millis(100),
            padding: Padding::Chunk,
        };
        let store = Box::leak(vec![0; TestServer::store_len(8 * 1152)].into_boxed_slice());
        let mut server = Server::new(config, store, rng(1), SoftwareRsa::new(rng(2)), Instant::ZERO).unwrap();
        assert!(server.enrol(camera.modulus()));
        let config = ClientConfig {
            display: modulus.fingerprint(),
            address: Some(address(1)),
            frame_capacity: CAPACITY,
            frame_interval: Duration::ZERO,
            padding: Padding::Chunk,
            constant_size: 1,
        };
        let store = Box::leak(vec![0; 2 * 8 * 1152].into_boxed_slice());
        let camera = camera.into_camera_key(rng(3));
        let client =
            Client::new(config, store, rng(4), camera, SoftwareRsa::new(rng(5)), Instant::ZERO).unwrap();
        Self { now: Instant::ZERO, client, server, key: key.into_display_key(rng(6)), ends: Vec::new() }
    }

    /// A session in this epoch: 0 with nothing said yet, or 1 with CONFIG there.
    fn in_epoch(epoch: u64) -> Self {
        let mut both = Self::new();
        let reached = |both: &Self| match (&both.client.link, epoch) {
            (Some(_), 0) => true,
            (Some(link), _) => link.frame_limit().is_some(),
            (None, _) => false,
        };
        for _ in 0..20 {
            if reached(&both) {
                return both;
            }
            both.poll_client();
            if !reached(&both) {
                both.poll_server();
            }
        }
        panic!("no session");
    }

    fn poll_client(&mut self) {
        let mut buf = [0; 1200];
        loop {
            match self.client.poll(self.now, &mut buf) {
                Output::Transmit(Transmit { len, .. }) => {
                    let _dropped = self.server.handle_datagram(self.now, address(2), &mut buf[..len]);
                }
                Output::Event(Event::Disconnected { why, .. }) => self.ends.push(why),
                Output::Event(_) => {}
                Output::Decrypt(_) => panic!("a camera decrypts nothing"),
                Output::Wait(_) => return,
            }
        }
    }

    fn poll_server(&mut self) {
        let mut buf = [0; 1200];
        loop {
            match self.server.poll(self.now, &mut buf) {
                Output::Transmit(Transmit { len, .. }) => {
                    let _dropped = self.client.handle_datagram(self.now, address(1), &mut buf[..len]);
                }
                Output::Event(_) => {}
                Output::Decrypt(ticket) => {
                    let opened = ticket.open(&mut self.key);
                    self.server.complete(self.now, opened);
                }
                Output::Wait(_) => return,
            }
        }
    }

    /// Seals this with the camera's own keys and hands it to the display; whether a frame came out.
    fn say(&mut self, emit: impl FnOnce(&mut Writer<'_>) -> Option<()>) -> Result<bool, Discard> {
        let mut buf = [0; 1200];
        let channel = &mut self.client.link.as_mut().unwrap().channel;
        let len = channel.seal(self.now, &mut buf, emit).unwrap();
        self.server.handle_datagram(self.now, address(2), &mut buf[..len]).map(|frame| frame.is_some())
    }

    /// The same; the frame that came out.
    fn say_for_frame(&mut self, emit: impl FnOnce(&mut Writer<'_>) -> Option<()>) -> Option<Vec<u8>> {
        let mut buf = [0; 1200];
        let channel = &mut self.client.link.as_mut().unwrap().channel;
        let len = channel.seal(self.now, &mut buf, emit).unwrap();
        let frame = self.server.handle_datagram(self.now, address(2), &mut buf[..len]).unwrap();
        frame.map(|frame| frame.jpeg.to_vec())
    }

    /// Seals this with the display's own keys and hands it to the camera.
    fn hear(&mut self, emit: impl FnOnce(&mut Writer<'_>) -> Option<()>) -> Result<(), Discard> {
        let mut buf = [0; 1200];
        let len = self.server.channel().unwrap().seal(self.now, &mut buf, emit).unwrap();
        self.client.handle_datagram(self.now, address(1), &mut buf[..len])
    }

    /// What the display hears of the camera's opinion.
    fn counter_verdict(&mut self) -> Option<SessionEnd> {
        self.poll_client();
        let mut buf = [0; 1200];
        loop {
            match self.server.poll(self.now, &mut buf) {
                Output::Event(Event::Disconnected { why, .. }) => return Some(why),
                Output::Wait(_) => return None,
                _ => {}
            }
        }
    }

    /// What the camera hears of the display's opinion.
    fn verdict(&mut self) -> Option<SessionEnd> {
        self.poll_server();
        let mut buf = [0; 1200];
        while let Output::Event(event) = self.client.poll(self.now, &mut buf) {
            if let Event::Disconnected { why, .. } = event {
                self.ends.push(why);
            }
        }
        self.ends.pop()
    }

    /// The display closed for a violation, says so, and takes nothing more.
    fn assert_closed(mut self, what: &str) {
        assert_eq!(self.verdict(), Some(SessionEnd::ClosedByPeer(CloseReason::Protocol)), "{what}");
        // Two more CLOSEs, and a pause behind the last.
        for _ in 0..3 {
            self.now += Duration::from_millis(250);
            self.poll_server();
        }
        assert!(self.server.is_closed(), "{what}");
    }
}

fn shape(frame_id: u32, chunk_cnt: u16) -> FrameShape {
    FrameShape { frame_id, chunk_cnt, tail_len: 1, captured: Stamp(0) }
}

fn chunk(out: &mut Writer<'_>, shape: FrameShape, chunk_idx: u16) -> Option<()> {
    Chunk::emit(out, &shape, chunk_idx, false, Stamp(1), &[7])
}

#[test]
fn a_chunk_in_epoch_zero_closes_the_session_and_shows_nothing() {
    let mut both = Both::in_epoch(0);
    assert_eq!(both.say(|out| chunk(out, shape(1, 1), 0)), Err(Discard::Violation));
    both.assert_closed("CHUNK in epoch 0");
    // The same words in epoch 1 are a frame.
    let mut both = Both::in_epoch(1);
    assert_eq!(both.say(|out| chunk(out, shape(1, 1), 0)), Ok(true));
}

#[test]
fn what_a_camera_may_not_say_closes_the_session() {
    let too_early_in_epoch_0 = [vec![0x0F; 24], vec![0x02; 1172], vec![0x08; 769]];
    for words in too_early_in_epoch_0 {
        let mut both = Both::in_epoch(0);
        assert_eq!(both.say(|out| out.put(&words)), Err(Discard::Violation));
        both.assert_closed("epoch 0");
    }
    // FEEDBACK, KEX_RESP, ENROL, ENROL_OK, PATH_CHALLENGE, CONFIG, and types that nobody knows.
    for kind in [0x03, 0x07, 0x08, 0x09, 0x0A, 0x0D, 0x0E, 0x10, 0xFF] {
        let mut both = Both::in_epoch(1);
        assert_eq!(both.say(|out| out.put(&[kind; 60])), Err(Discard::Violation), "{kind:#x}");
        both.assert_closed("a type that is not the camera's");
    }
    // A PING that goes on, a CHUNK cut short, impossible chunks.
    let mut words = vec![vec![0x04, 0, 0, 0, 1, 2], vec![0x01; 1100]];
    for (at, value) in [(8, 0u16), (8, 4097), (10, 0), (10, 1153), (6, 9)] {
        let mut chunk = vec![0; 1172];
        chunk[..12].copy_from_slice(&[1, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1]);
        chunk[at..at + 2].copy_from_slice(&value.to_be_bytes());
        words.push(chunk);
    }
    for words in words {
        let mut both = Both::in_epoch(1);
        assert_eq!(both.say(|out| out.put(&words)), Err(Discard::Violation));
        both.assert_closed("malformed");
    }
}

#[test]
fn a_close_that_is_heard_is_not_answered() {
    let mut both = Both::in_epoch(1);
    assert_eq!(both.say(|out| CloseReason::Normal.emit(out)), Ok(false));
    assert!(both.server.is_closed());
    assert_eq!(both.verdict(), None);
}

#[test]
fn chunks_that_contradict_their_frame_are_borne_three_times() {
    let mut both = Both::in_epoch(1);
    assert_eq!(both.say(|out| chunk(out, shape(1, 4), 0)), Ok(false));
    for _ in 0..3 {
        assert_eq!(both.say(|out| chunk(out, shape(1, 5), 1)), Err(Discard::ChunkMismatch));
        assert_eq!(both.verdict(), None);
    }
    assert_eq!(both.say(|out| chunk(out, shape(1, 5), 1)), Err(Discard::ChunkMismatch));
    both.assert_closed("the fourth");
}

#[test]
fn a_frame_over_the_announced_limit_is_dropped_and_harms_nothing() {
    let mut both = Both::in_epoch(1);
    for chunk_cnt in [9, 10, 4096] {
        let frame_id = u32::from(chunk_cnt);
        assert_eq!(both.say(|out| chunk(out, shape(frame_id, chunk_cnt), 0)), Err(Discard::FrameTooLarge));
    }
    assert_eq!(both.say(|out| chunk(out, shape(5000, 1), 0)), Ok(true));
    assert_eq!(both.verdict(), None);
}

/// A STATUS that tells no round trip.
fn heartbeat(state: CaptureState, clock: u32) -> Status {
    Status {
        state,
        since_ms: 0,
        fps_x10: 0,
        frames_captured: 0,
        frames_not_sent: 0,
        srtt: NOT_MEASURED,
        rttvar: NOT_MEASURED,
        clock: Stamp(clock),
    }
}

#[test]
fn a_heartbeat_that_a_newer_one_has_overtaken_says_nothing() {
    let mut both = Both::in_epoch(1);
    let mut states = Vec::new();
    for (state, clock) in [
        (CaptureState::Capturing, 3000),
        (CaptureState::NoCamera, 5000),
        (CaptureState::Capturing, 4000),
        (CaptureState::Paused, 6000),
    ] {
        assert_eq!(both.say(|out| heartbeat(state, clock).emit(out)), Ok(false));
        let mut buf = [0; 1200];
        while let Output::Event(event) = both.server.poll(both.now, &mut buf) {
            if let Event::CameraState { state, .. } = event {
                states.push(state);
            }
        }
    }
    let last = states.last_chunk().copied();
    assert_eq!(last, Some([CaptureState::Capturing, CaptureState::NoCamera, CaptureState::Paused]));
}

#[test]
fn a_timestamp_that_a_newer_one_has_overtaken_is_not_echoed() {
    let mut both = Both::in_epoch(1);
    both.now += Duration::from_secs(1);
    for back in [0, 80_000] {
        let clock = both.now.stamp().0 - back;
        assert_eq!(both.say(|out| heartbeat(CaptureState::Capturing, clock).emit(out)), Ok(false));
    }
    assert_eq!(both.client.link.as_ref().unwrap().rtt.smoothed(), Duration::from_millis(100), "not measured");
    // FEEDBACK is due.
    both.now += Duration::from_millis(200);
    both.poll_server();
    let rtt = both.client.link.as_ref().unwrap().rtt.smoothed();
    assert_eq!(rtt, Duration::ZERO, "the way takes no time, and what it was held for is told");
}

fn init(share: &[u8; INIT_LEN], epoch: u8, half: Half) -> impl FnOnce(&mut Writer<'_>) -> Option<()> {
    let offset = if half == Half::First { 0 } else { HALF_LEN };
    let bytes: [u8; HALF_LEN] = *share[offset..].first_chunk().unwrap();
    move |out| crate::wire::kex::KexInit { epoch, half, bytes: &bytes }.emit(out)
}

#[test]
fn a_half_that_differs_from_the_one_before_it_closes_the_session() {
    // Before the answer and after it.
    for answered in [false, true] {
        let mut both = Both::in_epoch(0);
        let exchange = Initiator::new(1, &mut rng(9)).unwrap();
        for half in [Half::First, Half::Second].into_iter().take(1 + usize::from(answered)) {
            let said = both.say(|out| exchange.half(half).unwrap().emit(out));
            assert_eq!(said, Ok(false));
            // The same again does no harm.
            assert_eq!(both.say(|out| exchange.half(half).unwrap().emit(out)), Ok(false));
        }
        assert_eq!(both.say(init(&[3; INIT_LEN], 1, Half::First)), Err(Discard::Violation));
        both.assert_closed("another half");
    }
}

#[test]
fn a_share_that_is_no_key_closes_the_session() {
    // Coefficients beyond the modulus (FIPS 203 §7.2), and an X25519 share of low order beside a good key.
    let good = Initiator::new(1, &mut rng(9)).unwrap();
    let mut low = [0; INIT_LEN];
    low[..HALF_LEN].copy_from_slice(good.half(Half::First).unwrap().bytes);
    low[HALF_LEN..].copy_from_slice(good.half(Half::Second).unwrap().bytes);
    low[INIT_LEN - 32..].fill(0);
    for share in [[0xFF; INIT_LEN], low] {
        let mut both = Both::in_epoch(0);
        assert_eq!(both.say(init(&share, 1, Half::First)), Ok(false));
        assert_eq!(both.say(init(&share, 1, Half::Second)), Err(Discard::Violation));
        both.assert_closed("no key");
    }
}

#[test]
fn a_new_epoch_too_soon_closes_the_session_and_an_old_one_is_ignored() {
    let mut both = Both::in_epoch(1);
    for half in [Half::First, Half::Second] {
        assert_eq!(both.say(init(&[3; INIT_LEN], 1, half)), Ok(false), "an epoch already reached");
        assert_eq!(both.say(init(&[3; INIT_LEN], 0, half)), Ok(false));
    }
    assert_eq!(both.verdict(), None);
    assert_eq!(both.say(init(&[3; INIT_LEN], 2, Half::First)), Err(Discard::Violation));
    both.assert_closed("within five seconds");
}

#[test]
fn an_epoch_beyond_the_next_closes_the_session() {
    let rested = |epoch| {
        let mut both = Both::in_epoch(1);
        both.now += Duration::from_secs(5);
        let said = both.say(init(&[3; INIT_LEN], epoch, Half::First));
        (both, said)
    };
    assert_eq!(rested(2).1, Ok(false), "the next one's time has come");
    for epoch in [3, 4, 128] {
        let (both, said) = rested(epoch);
        assert_eq!(said, Err(Discard::Violation), "{epoch}");
        both.assert_closed("an epoch beyond the next");
    }
    let mut both = Both::in_epoch(0);
    assert_eq!(both.say(init(&[3; INIT_LEN], 2, Half::First)), Err(Discard::Violation));
    both.assert_closed("an epoch beyond the first");
}
