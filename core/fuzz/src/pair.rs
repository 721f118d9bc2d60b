//! A camera and a display whose every datagram lies with an attacker until the script says what becomes of it.
//!
//! What must hold whatever the attacker does is checked here: `poll` comes to an end and asks to be woken in the future
//! only; datagrams fit a path; a display sends to a stranger no more than it got from there; a frame that comes out is one
//! that went in, and newer than the one before, for as long as the attacker has not sealed anything with the camera's keys.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;

use sealcam_core::client::Client;
use sealcam_core::config::{ClientConfig, DEFAULT_BUDGET, Padding, PairingConfig, ServerConfig};
use sealcam_core::frame::join_store_len;
use sealcam_core::output::{Event, Output, Ticket, Transmit};
use sealcam_core::server::Server;
use sealcam_core::time::Instant;

use crate::keys::{CameraStandIn, DisplayStandIn, PublicStandIn, Source, modulus};

/// Bytes that a frame may have: eight chunks.
pub const FRAME_CAPACITY: u32 = 8 * 1152;
/// Calls of `poll` in a row without a wait that no sane state needs.
const MAX_POLLS: u32 = 3000;
/// Datagrams that one direction keeps waiting; of more the oldest are lost.
const MAX_MAIL: usize = 64;
const SEATS: usize = 2;

/// Where the display is.
pub const DISPLAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5000);
/// Where the camera is.
pub const CAMERA: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 4000);
/// Where nobody is but the attacker.
pub const STRANGER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)), 666);

/// The store of a camera, and that of a display.
pub type Stores = ([u8; FRAME_CAPACITY as usize * 3], [u8; join_store_len(FRAME_CAPACITY as usize) * SEATS]);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The camera's side.
    Camera,
    /// The display's.
    Display,
}

/// Both, and what lies between them.
pub struct Pair<'a> {
    micros: u64,
    /// The camera's side.
    pub camera: Client<'a, Source, CameraStandIn, PublicStandIn>,
    /// The display's side.
    pub display: Server<'a, Source, PublicStandIn, SEATS>,
    key: DisplayStandIn,
    /// Set to let all randomness fail.
    pub random_fails: Rc<Cell<bool>>,
    /// Datagrams on their way to the camera.
    pub to_camera: VecDeque<Vec<u8>>,
    /// And to the display.
    pub to_display: VecDeque<Vec<u8>>,
    /// The last datagrams that either has sent.
    pub seen: VecDeque<Vec<u8>>,
    tickets: VecDeque<Ticket>,
    sent: Vec<Vec<u8>>,
    last_shown: usize,
    /// The attacker has used the camera's keys: what comes out is no longer the camera's.
    pub camera_is_taken: bool,
    /// The display has believed that the camera moved.
    moved: bool,
    from_stranger: usize,
    to_stranger: usize,
}

impl<'a> Pair<'a> {
    /// Both switched on. They know each other, or the camera has the code of a pairing window; the display knows a
    /// second camera that never speaks.
    pub fn new(stores: &'a mut Stores, padding: Padding, pairs: bool) -> Self {
        let random_fails = Rc::new(Cell::new(false));
        let key = DisplayStandIn(modulus(1));
        let now = Instant::from_micros(u64::from(u32::MAX) - 2_000_000);
        let config = ServerConfig {
            modulus: key.0,
            frame_capacity: FRAME_CAPACITY,
            receive_buffer: 0,
            budget: DEFAULT_BUDGET,
            padding,
        };
        let (camera_store, display_store) = stores;
        let source = |seed| Source::new(seed, &random_fails);
        let display = Server::new(config, display_store, source(1), PublicStandIn, now);
        let mut display = display.unwrap_or_else(|why| panic!("{why:?}"));
        assert!(display.enrol(&modulus(2)) && display.enrol(&modulus(3)));
        let camera = if pairs {
            let config =
                PairingConfig { display: key.0.fingerprint(), address: Some(DISPLAY), modulus: modulus(4) };
            let secret = display.open_pairing(now).unwrap_or_else(|why| panic!("{why:?}"));
            Client::pair(config, &secret, source(2), CameraStandIn(modulus(4)), PublicStandIn, now)
        } else {
            let config = ClientConfig {
                display: key.0.fingerprint(),
                address: Some(DISPLAY),
                frame_capacity: FRAME_CAPACITY,
                frame_interval: std::time::Duration::from_millis(33),
                padding: Padding::Chunk,
                constant_size: 4 * 1152,
            };
            let camera = CameraStandIn(modulus(2));
            let camera = Client::new(config, camera_store, source(2), camera, PublicStandIn, now);
            camera.unwrap_or_else(|why| panic!("{why:?}"))
        };
        Self {
            micros: now.as_micros(),
            camera,
            display,
            key,
            random_fails,
            to_camera: VecDeque::new(),
            to_display: VecDeque::new(),
            seen: VecDeque::new(),
            tickets: VecDeque::new(),
            sent: Vec::new(),
            last_shown: 0,
            camera_is_taken: false,
            moved: false,
            from_stranger: 0,
            to_stranger: 0,
        }
    }

    /// Both clocks.
    pub const fn now(&self) -> Instant {
        Instant::from_micros(self.micros)
    }

    /// Time goes on.
    pub const fn wait(&mut self, micros: u64) {
        self.micros += micros;
    }

    /// A frame is taken.
    pub fn send_frame(&mut self, len: usize) {
        let number = self.sent.len() + 1;
        let frame: Vec<u8> = number.to_be_bytes().into_iter().cycle().take(len).collect();
        let now = self.now();
        if self.camera.send_frame(now, now, &frame).is_ok() {
            self.sent.push(frame);
        }
    }

    /// Hands a datagram to one of them, and polls it.
    pub fn give(&mut self, to: Role, from: SocketAddr, mut datagram: Vec<u8>) {
        let now = self.now();
        match to {
            Role::Camera => {
                let _counted = self.camera.handle_datagram(now, from, &mut datagram);
            }
            Role::Display => {
                if from == STRANGER {
                    self.from_stranger += datagram.len();
                }
                if let Ok(Some(frame)) = self.display.handle_datagram(now, from, &mut datagram)
                    && !self.camera_is_taken
                {
                    let later = self.sent.iter().skip(self.last_shown);
                    let place = later.enumerate().find(|(_, sent)| *sent == frame.jpeg).map(|(at, _)| at);
                    self.last_shown += place.expect("a frame that was sent, and after the last one") + 1;
                }
            }
        }
        self.poll(to);
    }

    /// What is on its way to one of them.
    pub fn mail(&mut self, to: Role) -> &mut VecDeque<Vec<u8>> {
        match to {
            Role::Camera => &mut self.to_camera,
            Role::Display => &mut self.to_display,
        }
    }

    /// The display's worker does one private operation.
    pub fn work(&mut self) {
        if let Some(ticket) = self.tickets.pop_front() {
            let opened = ticket.open(&mut self.key);
            let now = self.now();
            self.display.complete(now, opened);
            self.poll(Role::Display);
        }
    }

    /// Everything that lies around arrives, in order.
    pub fn deliver(&mut self) {
        self.work();
        for to in [Role::Display, Role::Camera] {
            let from = if to == Role::Display { CAMERA } else { DISPLAY };
            for datagram in std::mem::take(self.mail(to)) {
                self.give(to, from, datagram);
            }
        }
        self.poll_both();
    }

    /// Polls both.
    pub fn poll_both(&mut self) {
        self.poll(Role::Camera);
        self.poll(Role::Display);
    }

    fn poll(&mut self, who: Role) {
        let mut buf = [0; 4 * 1200];
        let now = self.now();
        for _ in 0..MAX_POLLS {
            let output = match who {
                Role::Camera => self.camera.poll(now, &mut buf),
                Role::Display => self.display.poll(now, &mut buf[..1200]),
            };
            match output {
                Output::Transmit(sent) => self.post(who, sent, &buf),
                Output::Event(event) => self.moved |= matches!(event, Event::Moved { .. }),
                Output::Decrypt(ticket) => self.tickets.push_back(ticket),
                Output::Wait(at) => {
                    assert!(at.is_none_or(|at| at > now), "{who:?} asks to be woken in the past");
                    return;
                }
            }
        }
        panic!("{who:?} never waits");
    }

    fn post(&mut self, who: Role, sent: Transmit, buf: &[u8]) {
        let Transmit { to, len, segment_len } = sent;
        assert!(len > 0 && (1..=1200).contains(&segment_len), "{sent:?}");
        for datagram in buf[..len].chunks(segment_len) {
            push(&mut self.seen, datagram.to_vec());
            match who {
                Role::Display if to == CAMERA => push(&mut self.to_camera, datagram.to_vec()),
                Role::Camera if to == DISPLAY => push(&mut self.to_display, datagram.to_vec()),
                Role::Display if to == STRANGER => {
                    self.to_stranger += datagram.len();
                    let earned = self.moved || self.to_stranger <= 3 * self.from_stranger;
                    assert!(earned, "{} bytes for {}", self.to_stranger, self.from_stranger);
                }
                _ => {}
            }
        }
    }
}

fn push(mail: &mut VecDeque<Vec<u8>>, datagram: Vec<u8>) {
    if mail.len() == MAX_MAIL {
        mail.pop_front();
    }
    mail.push_back(datagram);
}
