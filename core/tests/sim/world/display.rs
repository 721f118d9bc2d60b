//! A display's program: a `Server`, its key, and the one worker that opens tickets.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use sealcam_core::config::ServerConfig;
use sealcam_core::discard::Discard;
use sealcam_core::key::{DisplayKey, Modulus};
use sealcam_core::output::{Frame, Opened, Ticket};
use sealcam_core::server::Server;

use super::Clock;
use super::keys::{CountedDisplayKey, CountedRsa, Mood, Source};

pub(crate) type SimServer<const SEATS: usize> = Server<'static, Source, CountedRsa, SEATS>;

/// The display and whoever drives it.
pub(crate) struct Display<const SEATS: usize> {
    key: CountedDisplayKey,
    config: ServerConfig,
    pub(super) enrolled: Vec<Modulus>,
    pub(crate) server: Option<SimServer<SEATS>>,
    pub(crate) clock: Clock,
    pub(crate) address: SocketAddr,
    pub(crate) wake: Option<Duration>,
    pub(crate) mood: Rc<Cell<Mood>>,
    /// Counts the starts, so that a ticket's result finds the program that asked for it or nobody.
    pub(crate) instance: u32,
    /// What one private operation takes.
    pub(crate) rsa_time: Duration,
    worker_free_at: Duration,
    /// Private operations done, as the key counts them.
    pub(crate) opened: u64,
    /// Public-key operations, as the RSA backend counts them: all of a display's are verifications.
    pub(crate) verified: Rc<Cell<u64>>,
}

impl<const SEATS: usize> Display<SEATS> {
    pub(crate) fn new(config: impl FnOnce(Modulus) -> ServerConfig, dice: &mut ChaCha20Rng) -> Self {
        let key = CountedDisplayKey::new(dice);
        let config = config(*key.modulus());
        Self {
            key,
            config,
            enrolled: Vec::new(),
            server: None,
            clock: Clock::random(dice),
            address: SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 5000)),
            wake: None,
            mood: Rc::new(Cell::new(Mood::Good)),
            instance: 0,
            rsa_time: Duration::from_millis(100),
            worker_free_at: Duration::ZERO,
            opened: 0,
            verified: Rc::new(Cell::new(0)),
        }
    }

    /// Starts the program, or starts it anew. The store leaks: a server borrows it for as long as the test runs.
    pub(crate) fn start(&mut self, now: Duration, dice: &mut ChaCha20Rng) {
        self.clock = Clock::random(dice);
        let capacity = usize::try_from(self.config.frame_capacity).unwrap();
        let store = vec![0; SimServer::<SEATS>::store_len(capacity)].leak();
        let source = Source::new(dice, &self.mood);
        let rsa = CountedRsa::new(dice, &self.verified);
        let mut server = SimServer::new(self.config, store, source, rsa, self.clock.here(now)).unwrap();
        for camera in &self.enrolled {
            assert!(server.enrol(camera));
        }
        self.server = Some(server);
        self.instance += 1;
        self.worker_free_at = now;
        self.wake = Some(now);
    }

    /// Kills the program.
    pub(crate) fn stop(&mut self) {
        self.server = None;
        self.wake = None;
    }

    pub(crate) fn server(&mut self) -> &mut SimServer<SEATS> {
        self.server.as_mut().expect("the display is on")
    }

    pub(crate) const fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// Puts a camera on the list, and keeps it there over restarts.
    pub(crate) fn enrol(&mut self, camera: &Modulus) {
        self.enrolled.push(*camera);
        if let Some(server) = &mut self.server {
            assert!(server.enrol(camera));
        }
    }

    /// Takes a camera off the list for good.
    pub(crate) fn strike(&mut self, now: Duration, camera: &Modulus) {
        self.enrolled.retain(|enrolled| enrolled != camera);
        let here = self.clock.here(now);
        self.server().strike(here, &camera.fingerprint());
    }

    pub(crate) fn handle(
        &mut self,
        now: Duration,
        from: SocketAddr,
        bytes: &mut [u8],
    ) -> Result<Option<Frame<'_>>, Discard> {
        match &mut self.server {
            Some(server) => server.handle_datagram(self.clock.here(now), from, bytes),
            None => Ok(None),
        }
    }

    /// Works a ticket off: the result, and when the worker has it.
    pub(crate) fn open(&mut self, now: Duration, ticket: Ticket) -> (Duration, Opened) {
        self.worker_free_at = self.worker_free_at.max(now) + self.rsa_time;
        let opened = ticket.open(&mut self.key);
        self.opened = self.key.decrypted();
        (self.worker_free_at, opened)
    }

    /// Gives a result back, unless the program that asked is gone. Says whether it is there.
    pub(crate) fn complete(&mut self, now: Duration, instance: u32, opened: Opened) -> bool {
        let Some(server) = self.server.as_mut().filter(|_| instance == self.instance) else { return false };
        server.complete(self.clock.here(now), opened);
        true
    }
}
