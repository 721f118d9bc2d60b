//! The world: one display, some cameras, the network between them, and the clock that they all lack.
//!
//! ```text
//!  cameras ── up ──▶ display          every step: the earliest datagram, ticket, frame or wake-up,
//!     ◀── down ──                     then `poll` of whoever it touched, until it waits
//! ```
//! What must hold in every run is checked here, whatever the test is about: a frame that comes out equals one that
//! went in, is newer than all before it of that camera, and `poll` never asks to be woken in the past.

pub(crate) mod camera;
pub(crate) mod display;
pub(crate) mod forge;
pub(crate) mod keys;
pub(crate) mod network;
mod pairing;
pub(crate) mod picture;
pub(crate) mod schedule;
mod setting;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use sealcam_core::config::{DEFAULT_BUDGET, Padding, ServerConfig};
use sealcam_core::discard::Discard;
use sealcam_core::frame::{SendError, Sent};
use sealcam_core::key::Modulus;
use sealcam_core::output::{Event, Output, Transmit};
use sealcam_core::time::Instant;

use self::camera::Camera;
use self::display::Display;
use self::keys::Pem;
use self::network::{Heading, Network, Path};
use self::schedule::{Happening, Schedule};
pub(crate) use self::setting::{Clock, ms, secs, seed, setting};

/// Polls in a row without a wait that no sane run needs: whoever exceeds them would spin for ever.
const MAX_POLLS: u32 = 100_000;

/// Whom something happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Display,
    Camera(usize),
}

/// An event that `poll` handed out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) at: Duration,
    pub(crate) who: Who,
    pub(crate) event: Event,
}

/// A frame that came out of the display, already found to equal one that went in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) at: Duration,
    pub(crate) camera: usize,
    /// Counts the frames that this camera handed over, sessions and restarts apart.
    pub(crate) number: u64,
    pub(crate) len: usize,
    /// How old it was, and how old the display believed it to be.
    pub(crate) age: Duration,
    pub(crate) believed_age: Duration,
    /// The round trip that the display was told of.
    pub(crate) rtt: Duration,
}

/// One run. `SEATS` cameras may be connected at a time.
pub(crate) struct World<const SEATS: usize = 2> {
    now: Duration,
    pub(crate) dice: ChaCha20Rng,
    schedule: Schedule,
    pub(crate) network: Network,
    pub(crate) display: Display<SEATS>,
    pub(crate) cameras: Vec<Camera>,
    pub(crate) told: Vec<Told>,
    pub(crate) shown: Vec<Shown>,
}

/// How a world is set up; the defaults are a quiet LAN.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) frame_capacity: u32,
    pub(crate) receive_buffer: u32,
    pub(crate) budget: Duration,
    pub(crate) padding: Padding,
}

impl Default for Setup {
    fn default() -> Self {
        let (frame_capacity, receive_buffer) = (300 * 1024, 212_992);
        Self { frame_capacity, receive_buffer, budget: DEFAULT_BUDGET, padding: Padding::Chunk }
    }
}

impl World {
    /// A display with two seats and nobody there yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Setup::default())
    }
}

impl<const SEATS: usize> World<SEATS> {
    pub(crate) fn with(seed: u64, setup: Setup) -> Self {
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let config = |modulus: Modulus| ServerConfig {
            modulus,
            frame_capacity: setup.frame_capacity,
            receive_buffer: setup.receive_buffer,
            budget: setup.budget,
            padding: setup.padding,
        };
        let mut display = Display::new(config, &mut dice);
        display.start(Duration::ZERO, &mut dice);
        Self {
            now: Duration::ZERO,
            dice,
            schedule: Schedule::default(),
            network: Network::default(),
            display,
            cameras: Vec::new(),
            told: Vec::new(),
            shown: Vec::new(),
        }
    }

    pub(crate) const fn now(&self) -> Duration {
        self.now
    }

    /// A new camera with this key, on the display's list, switched on.
    pub(crate) fn add(&mut self, pem: Pem) -> usize {
        let id = self.add_unknown(pem);
        let modulus = self.cameras[id].modulus;
        self.display.enrol(&modulus);
        id
    }

    /// The same without enrolment.
    pub(crate) fn add_unknown(&mut self, pem: Pem) -> usize {
        let id = self.cameras.len();
        let address = self.network.add_camera(id);
        let mut camera = Camera::new(id, pem, self.display.config(), &mut self.dice);
        camera.start(self.now, self.display.address, &mut self.dice);
        camera.address = address;
        self.cameras.push(camera);
        id
    }

    /// Takes a camera off the display's list.
    pub(crate) fn strike(&mut self, id: usize) {
        let camera = self.cameras[id].modulus;
        self.display.strike(self.now, &camera);
        self.poll_display();
    }

    /// The camera's program is killed and started anew: same key, nothing else kept.
    pub(crate) fn restart_camera(&mut self, id: usize) {
        let Self { cameras, dice, now, display, .. } = self;
        cameras[id].start(*now, display.address, dice);
    }

    /// The display's program is killed and started anew: same key and list, nothing else kept.
    pub(crate) fn restart_display(&mut self) {
        self.display.start(self.now, &mut self.dice);
    }

    /// The camera's packets come from another port from now on, and what is sent to the old one is lost.
    pub(crate) fn rebind(&mut self, id: usize) -> SocketAddr {
        let address = self.network.rebind(id);
        self.cameras[id].address = address;
        address
    }

    /// The camera takes pictures of so many bytes at so many frames a second from now on.
    pub(crate) fn stream(&mut self, id: usize, fps: u32, sizes: RangeInclusive<usize>) {
        self.cameras[id].stream(self.now, fps, sizes);
    }

    /// Both directions of one camera's path.
    pub(crate) fn paths(&mut self, id: usize) -> impl Iterator<Item = &mut Path> {
        let route = &mut self.network.routes[id];
        [&mut route.up, &mut route.down].into_iter()
    }

    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
    }

    /// Runs until `done`, at most for `limit`; says how long it took.
    pub(crate) fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Option<Duration> {
        let began = self.now;
        while !done(self) {
            if !self.step(began + limit) {
                return done(self).then(|| self.now - began);
            }
        }
        Some(self.now - began)
    }

    /// Runs until a frame of this camera comes out that was captured after now.
    pub(crate) fn run_until_live(&mut self, id: usize, limit: Duration) -> Option<Duration> {
        let (began, first) = (self.now, self.shown.len());
        self.run_until(limit, |world| {
            world.shown[first..].iter().any(|shown| shown.camera == id && shown.at - shown.age >= began)
        })
    }

    /// How often an event was told to `who`.
    pub(crate) fn count(&self, who: Who, is: impl Fn(&Event) -> bool) -> usize {
        self.told.iter().filter(|told| told.who == who && is(&told.event)).count()
    }

    /// Frames of this camera that came out.
    pub(crate) fn frames(&self, id: usize) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(move |shown| shown.camera == id)
    }

    /// Hands a datagram to the display at once, past the network.
    pub(crate) fn at_display(&mut self, from: SocketAddr, bytes: &[u8]) -> Result<(), Discard> {
        let result = self.give_to_display(from, bytes.to_vec());
        self.poll_display();
        result
    }

    /// Hands a datagram to a camera at once, past the network.
    pub(crate) fn at_camera(&mut self, id: usize, from: SocketAddr, bytes: &[u8]) -> Result<(), Discard> {
        let result = self.give_to_camera(id, from, bytes.to_vec());
        self.poll_camera(id);
        result
    }

    /// Hands a datagram to the display at once and listens: what it answers to that address.
    pub(crate) fn ask_display(&mut self, from: SocketAddr, bytes: &[u8]) -> Vec<Vec<u8>> {
        let before = self.network.stray.len();
        let _dropped = self.at_display(from, bytes);
        self.network.stray[before..]
            .iter()
            .filter(|(to, _)| *to == from)
            .map(|(_, bytes)| bytes.clone())
            .collect()
    }

    /// Hands a frame of so many bytes to a camera now.
    pub(crate) fn send_frame(&mut self, id: usize, len: usize) -> Result<Sent, SendError> {
        let sent = self.cameras[id].send_frame(self.now, len);
        self.poll_camera(id);
        sent
    }

    /// Polls everybody: after a call to a client or a server past this world.
    pub(crate) fn poll(&mut self) {
        self.poll_display();
        for id in 0..self.cameras.len() {
            self.poll_camera(id);
        }
    }

    /// One point in time; false when nothing more happens before `end`, which then is now.
    fn step(&mut self, end: Duration) -> bool {
        let cameras = self.cameras.iter().filter_map(Camera::next);
        let next = cameras.chain(self.display.wake).chain(self.schedule.next()).min().filter(|at| *at <= end);
        let Some(next) = next else {
            self.now = end;
            return false;
        };
        assert!(next >= self.now, "time runs backwards");
        self.now = next;
        let mut touched = vec![false; self.cameras.len()];
        let mut display_touched = self.display.wake.is_some_and(|at| at <= next);
        while let Some(what) = self.schedule.pop(next) {
            match what {
                Happening::Datagram { heading: Heading::Up, from, to, bytes } => {
                    if to == self.display.address {
                        let _dropped = self.give_to_display(from, bytes);
                        display_touched = true;
                    }
                }
                Happening::Datagram { heading: Heading::Down, from, to, bytes } => {
                    match self.cameras.iter().position(|camera| camera.address == to) {
                        Some(id) => {
                            let _dropped = self.give_to_camera(id, from, bytes);
                            touched[id] = true;
                        }
                        None => self.network.stray.push((to, bytes)),
                    }
                }
                Happening::Opened { instance, opened } => {
                    display_touched |= self.display.complete(next, instance, *opened);
                }
            }
        }
        if display_touched {
            self.poll_display();
        }
        for (id, touched) in touched.into_iter().enumerate() {
            let ticked = self.cameras[id].tick(next, &mut self.dice);
            if touched || ticked || self.cameras[id].wake.is_some_and(|at| at <= next) {
                self.poll_camera(id);
            }
        }
        true
    }

    pub(crate) fn give_to_display(&mut self, from: SocketAddr, mut bytes: Vec<u8>) -> Result<(), Discard> {
        let Self { display, cameras, shown, now, .. } = self;
        let here = display.clock.here(*now);
        let Some(frame) = display.handle(*now, from, &mut bytes)? else { return Ok(()) };
        let camera = cameras.iter_mut().find(|camera| camera.fingerprint() == frame.camera);
        let camera = camera.expect("a frame names a camera that exists");
        let (number, sent_at) = camera.recognise(&frame);
        let age = *now - sent_at;
        let believed_age = here.since(frame.captured_at);
        let len = frame.jpeg.len();
        let rtt = frame.rtt;
        let one = Shown { at: *now, camera: camera.id, number, len, age, believed_age, rtt };
        let before = shown.iter().rev().find(|shown| shown.camera == one.camera);
        assert!(before.is_none_or(|before| before.number < number), "{one:?} came after {before:?}");
        shown.push(one);
        Ok(())
    }

    pub(crate) fn give_to_camera(
        &mut self,
        id: usize,
        from: SocketAddr,
        mut bytes: Vec<u8>,
    ) -> Result<(), Discard> {
        let camera = &mut self.cameras[id];
        let now = camera.clock.here(self.now);
        match &mut camera.client {
            Some(client) => client.handle_datagram(now, from, &mut bytes),
            None => Ok(()),
        }
    }

    fn poll_display(&mut self) {
        let mut buf = [0; 1200];
        for _ in 0..MAX_POLLS {
            let here = self.display.clock.here(self.now);
            let Some(server) = &mut self.display.server else {
                self.display.wake = None;
                return;
            };
            match server.poll(here, &mut buf) {
                Output::Transmit(sent) => {
                    let from = self.display.address;
                    self.transmit(Heading::Down, from, sent, &buf);
                }
                Output::Event(event) => self.told.push(Told { at: self.now, who: Who::Display, event }),
                Output::Decrypt(ticket) => {
                    let (at, opened) = self.display.open(self.now, ticket);
                    let instance = self.display.instance;
                    self.schedule.plan(at, Happening::Opened { instance, opened: Box::new(opened) });
                }
                Output::Wait(at) => {
                    self.display.wake = self.woken(&Who::Display, here, at);
                    return;
                }
            }
        }
        panic!("the display never waits");
    }

    fn poll_camera(&mut self, id: usize) {
        let mut buf = std::mem::take(&mut self.cameras[id].buf);
        for _ in 0..MAX_POLLS {
            let camera = &mut self.cameras[id];
            let here = camera.clock.here(self.now);
            let from = camera.address;
            let output = camera.client.as_mut().map(|client| client.poll(here, &mut buf));
            match output.unwrap_or(Output::Wait(None)) {
                Output::Transmit(sent) => self.transmit(Heading::Up, from, sent, &buf),
                Output::Event(event) => self.told.push(Told { at: self.now, who: Who::Camera(id), event }),
                Output::Decrypt(_) => panic!("a camera has nothing to decrypt"),
                Output::Wait(at) => {
                    let wake = self.woken(&Who::Camera(id), here, at);
                    let camera = &mut self.cameras[id];
                    (camera.wake, camera.buf) = (wake, buf);
                    return;
                }
            }
        }
        panic!("camera {id} never waits");
    }

    /// The time of the world at which `at` of somebody's clock comes.
    fn woken(&self, who: &Who, here: Instant, at: Option<Instant>) -> Option<Duration> {
        at.map(|at| {
            assert!(at > here, "{who:?} asks to be woken in the past: at {at:?}, and it is {here:?}");
            self.now + at.since(here)
        })
    }

    /// Splits a batch into its datagrams, as the kernel does, and entrusts them to the network.
    fn transmit(&mut self, heading: Heading, from: SocketAddr, sent: Transmit, buf: &[u8]) {
        let Transmit { to, len, segment_len } = sent;
        assert!(segment_len > 0 && segment_len <= 1200 && len > 0, "{sent:?}");
        for segment in buf[..len].chunks(segment_len) {
            let Self { network, dice, now, .. } = self;
            for (at, bytes) in network.carry(*now, heading, from, to, segment, dice) {
                self.schedule.plan(at, Happening::Datagram { heading, from, to, bytes });
            }
        }
    }
}
