//! A camera, a display, the attacker between them, and the time that passes for all three.
//!
//! ```text
//!  camera ──▶ attacker ──▶ display          every step: what arrives, a ticket, a frame or a wake-up,
//!     ◀───── attacker ◀─────                then `poll` of both until they wait
//! ```
//! Whatever an end sends, takes or tells is shown to `witness`, `accounts`, `album` and `ages`, who judge it.

use std::fmt::Debug;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use sealcam_core::output::{Event, Output, Transmit};
use sealcam_core::time::Instant;

use super::accounts::Accounts;
use super::ages::{Ages, is_old, passes_for_live};
use super::attacker::{Attacker, DISPLAY, is_nobody};
use super::camera::Camera;
use super::display::{self, Display};
use super::keys::modulus;
use super::recordings::Recordings;
use super::tally::Tally;
use super::witness::Witness;
use super::{CAMERA_KEY, DISPLAY_KEY, Stores};
use crate::world::network::{Captured, Heading};
use crate::world::schedule::{Happening, Schedule};

/// Polls in a row without a wait that no sane run needs.
const MAX_POLLS: u32 = 10_000;
/// A CHUNK's datagram (§10).
const CHUNK: usize = 1192;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Camera,
    Display,
}

pub(super) struct Stage<'s> {
    pub(super) now: Duration,
    pub(super) dice: ChaCha20Rng,
    schedule: Schedule,
    pub(super) camera: Camera<'s>,
    pub(super) display: Display<'s>,
    pub(super) attacker: Attacker,
    recordings: &'s mut Recordings,
    witness: Witness,
    accounts: Accounts,
    ages: Ages,
    pub(super) tally: &'s mut Tally,
    /// When the camera derived its keys, while a session stands.
    pub(super) epoch_at: Option<Duration>,
    /// Events, of both ends.
    pub(super) told: u32,
    /// Sessions that ended, at either end.
    pub(super) ends: u32,
    /// The last of the camera's sessions that came as far as CONFIG.
    ready: u32,
    /// Handshakes of the camera that failed since then (docs/protocol.md §4).
    pub(super) failures: u32,
    /// Whether it had no randomness for one of them.
    pub(super) random_failed: bool,
    /// When the newest picture that was shown was captured.
    pub(super) newest: Option<Duration>,
    /// Whether the last one that was shown passed for live.
    pub(super) newest_is_live: bool,
    history: History,
}

/// What was done and told, for whoever has to find out why a round failed.
#[derive(Default)]
struct History(Vec<(Duration, String)>);

impl Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.iter().for_each(|(at, what)| println!("{at:?}: {what}"));
        }
    }
}

impl<'s> Stage<'s> {
    pub(super) fn new(
        seed: u64,
        stores: &'s mut Stores,
        recordings: &'s mut Recordings,
        tally: &'s mut Tally,
    ) -> Self {
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let camera = Camera::new(stores.cameras.iter_mut(), &mut dice);
        let display = Display::new(stores.displays.iter_mut(), &mut dice);
        let attacker = Attacker::new(modulus(DISPLAY_KEY).fingerprint(), camera.address, &mut dice);
        Self {
            now: Duration::ZERO,
            dice,
            schedule: Schedule::default(),
            camera,
            display,
            attacker,
            recordings,
            witness: Witness::default(),
            accounts: Accounts::default(),
            ages: Ages::default(),
            tally,
            epoch_at: None,
            told: 0,
            ends: 0,
            ready: 0,
            failures: 0,
            random_failed: false,
            newest: None,
            newest_is_live: false,
            history: History::default(),
        }
    }

    pub(super) fn run(&mut self, span: Duration) {
        self.run_until(span, |_| false);
    }

    /// Runs until `done`, for `span` at most; says how long it took.
    pub(super) fn run_until(&mut self, span: Duration, done: impl Fn(&Self) -> bool) -> Option<Duration> {
        let began = self.now;
        while !done(self) {
            if !self.step(began + span) {
                return None;
            }
        }
        Some(self.now - began)
    }

    /// Keeps in mind what is done.
    pub(super) fn note(&mut self, what: impl Debug) {
        self.history.0.push((self.now, format!("{what:?}")));
    }

    /// Neither program gets the processor for so long: what comes meanwhile waits.
    pub(super) fn stall(&mut self, span: Duration) {
        self.now += span;
    }

    pub(super) fn restart_camera(&mut self) {
        self.note("the camera is restarted");
        if self.camera.restart(self.now, &mut self.dice) {
            self.tally.camera_restarts += 1;
            (self.epoch_at, self.failures, self.random_failed) = (None, 0, false);
        }
    }

    pub(super) fn restart_display(&mut self) {
        self.note("the display is restarted");
        self.tally.display_restarts += u64::from(self.display.restart(self.now, &mut self.dice));
    }

    /// The camera's packets come from another port from now on, and what is sent to the old one is lost.
    pub(super) fn rebind(&mut self) {
        self.note("the camera has another port");
        self.tally.rebinds += 1;
        self.camera.address.set_port(self.camera.address.port() + 2);
        self.attacker.camera_is_at(self.camera.address);
    }

    /// What the attacker still holds back is lost.
    pub(super) fn lose_what_is_held_back(&mut self) {
        self.schedule.lose_datagrams();
    }

    pub(super) fn end(self) {
        self.tally.most_rekeys = self.tally.most_rekeys.max(self.witness.most_epochs.saturating_sub(1));
        self.tally.ends += u64::from(self.ends);
        self.tally.rounds += 1;
        self.recordings.end_round(&mut { self.dice });
    }

    /// One point in time; false when nothing more happens before `end`, which then is now.
    fn step(&mut self, end: Duration) -> bool {
        let own = [self.display.wake, self.schedule.next()].into_iter().flatten();
        let next = own.chain([self.camera.next()]).min().filter(|at| *at <= end);
        let Some(next) = next else {
            self.now = self.now.max(end);
            return false;
        };
        self.now = self.now.max(next);
        while let Some(what) = self.schedule.pop(self.now) {
            match what {
                Happening::Datagram { heading, from, to, bytes } => {
                    let arrived = Captured { at: self.now, heading, from, to, bytes };
                    match heading {
                        Heading::Up if to == DISPLAY => self.give_to_display(&arrived),
                        Heading::Down if to == self.camera.address => self.give_to_camera(&arrived),
                        _ => {}
                    }
                }
                Happening::Opened { instance, opened } if instance == self.display.start => {
                    self.display.server.complete(self.display.clock.here(self.now), *opened);
                }
                Happening::Opened { .. } => {}
            }
        }
        self.poll(End::Display);
        if self.camera.next_frame <= self.now {
            self.tally.frames_taken +=
                u64::from(self.camera.take_picture(self.now, self.witness.session, &mut self.dice));
        }
        self.poll(End::Camera);
        true
    }

    fn give_to_camera(&mut self, arrived: &Captured) {
        let here = self.camera.clock.here(self.now);
        let verdict = self.camera.client.handle_datagram(here, arrived.from, &mut arrived.bytes.clone());
        if let Err(why) = verdict {
            self.tally.discard(why);
        }
        self.witness.given(arrived, verdict);
        if self.camera.client.is_ready() && self.ready != self.witness.session {
            self.ready = self.witness.session;
            (self.failures, self.random_failed) = (0, false);
        }
    }

    fn give_to_display(&mut self, arrived: &Captured) {
        let here = self.display.clock.here(self.now);
        let mut text = arrived.bytes.clone();
        let given = self.display.server.handle_datagram(here, arrived.from, &mut text);
        let sent = self.witness.given(arrived, given.map(|_frame| ()));
        self.accounts.came(self.display.start, arrived.from, &arrived.bytes, sent.is_some());
        // Padding is as long, and has no timestamp.
        if let Some(sent) = sent.filter(|_| arrived.bytes.len() == CHUNK && !self.camera.pads) {
            self.ages.chunk(sent.session, sent.at, self.now);
        }
        match given {
            Err(why) => self.tally.discard(why),
            Ok(None) => {}
            Ok(Some(frame)) => {
                let sent = sent.expect("a frame comes in a packet");
                self.tally.frames_shown += 1;
                assert_eq!(frame.camera, modulus(CAMERA_KEY).fingerprint());
                let shown = self.camera.album.show(&frame, sent.session);
                self.newest = self.newest.max(Some(shown.captured));
                assert!(frame.captured_at <= here, "captured in the future");
                if shown.is_named() {
                    let (age, believed) = (self.now - shown.captured, here.since(frame.captured_at));
                    self.ages.judge(self.now, age, believed, frame.rtt);
                    self.tally.frames_old += u64::from(is_old(age));
                    self.newest_is_live = passes_for_live(believed, frame.rtt);
                }
            }
        }
    }

    fn poll(&mut self, end: End) {
        let mut buf = [0; 4 * 1200];
        for _ in 0..MAX_POLLS {
            let (here, output) = match end {
                End::Camera => {
                    let here = self.camera.clock.here(self.now);
                    (here, self.camera.client.poll(here, &mut buf))
                }
                End::Display => {
                    let here = self.display.clock.here(self.now);
                    (here, self.display.server.poll(here, &mut buf[..1200]))
                }
            };
            match output {
                Output::Transmit(sent) => self.transmit(end, sent, &buf),
                Output::Event(event) => self.told(end, &event),
                Output::Decrypt(ticket) => {
                    let (opened, ciphertext) = display::open(ticket);
                    self.witness.decrypted(&ciphertext);
                    let (at, instance) = (self.now + self.display.rsa_time, self.display.start);
                    self.schedule.plan(at, Happening::Opened { instance, opened: Box::new(opened) });
                }
                Output::Wait(at) => {
                    let wake = at.map(|at| self.woken(here, at));
                    match end {
                        End::Camera => self.camera.wake = wake,
                        End::Display => self.display.wake = wake,
                    }
                    return;
                }
            }
        }
        panic!("{end:?} never waits");
    }

    fn woken(&self, here: Instant, at: Instant) -> Duration {
        assert!(at > here, "asks to be woken in the past: at {at:?}, and it is {here:?}");
        self.now + at.since(here)
    }

    fn told(&mut self, end: End, event: &Event) {
        self.note((end, event));
        self.told += 1;
        self.ends += u32::from(Witness::told(event));
        match (end, *event) {
            (_, Event::RandomFailed) => self.tally.random_failures += 1,
            (End::Display, Event::Connected { .. }) => self.tally.sessions += 1,
            (End::Display, Event::Rekeyed { .. }) => self.tally.rekeys += 1,
            (End::Display, Event::Moved { .. }) => self.tally.moves += 1,
            (End::Camera, Event::Connected { .. } | Event::Rekeyed { .. }) => self.epoch_at = Some(self.now),
            (End::Camera, Event::Disconnected { .. }) => self.epoch_at = None,
            _ => {}
        }
        if end == End::Camera {
            let failed =
                matches!(event, Event::NotAccepted | Event::RandomFailed | Event::Disconnected { .. });
            self.failures += u32::from(failed);
            self.random_failed |= matches!(event, Event::RandomFailed);
        }
    }

    /// Splits a batch into its datagrams, and leaves each to the attacker.
    fn transmit(&mut self, end: End, sent: Transmit, buf: &[u8]) {
        let Transmit { to, len, segment_len } = sent;
        assert!(len > 0 && (1..=1200).contains(&segment_len), "{sent:?}");
        for segment in buf[..len].chunks(segment_len) {
            let bytes = segment.to_vec();
            let sent = match end {
                End::Camera => {
                    assert_eq!(to, DISPLAY, "a camera sends where it dialled");
                    Captured { at: self.now, heading: Heading::Up, from: self.camera.address, to, bytes }
                }
                End::Display => {
                    self.accounts.went(self.now, self.display.start, to, &bytes);
                    self.tally.to_strangers += u64::from(is_nobody(to));
                    Captured { at: self.now, heading: Heading::Down, from: DISPLAY, to, bytes }
                }
            };
            let start = match end {
                End::Camera => u32::try_from(self.camera.life).unwrap(),
                End::Display => self.display.start,
            };
            self.witness.sent(&sent, start);
            // He is not on the path to those whose addresses he makes use of.
            if is_nobody(sent.to) {
                continue;
            }
            let Self { attacker, recordings, tally, dice, schedule, .. } = self;
            for (at, Captured { heading, from, to, bytes, .. }) in
                attacker.meet(&sent, recordings, tally, dice)
            {
                schedule.plan(at, Happening::Datagram { heading, from, to, bytes });
            }
        }
    }
}
