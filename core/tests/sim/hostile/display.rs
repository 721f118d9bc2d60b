//! A display's program under attack: it knows two cameras, of which one never speaks, and is killed and started again.

use std::cell::Cell;
use std::rc::Rc;
use std::slice::IterMut;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use sealcam_core::config::{DEFAULT_BUDGET, Padding, ServerConfig};
use sealcam_core::key::{DisplayKey, MODULUS_LEN, Modulus};
use sealcam_core::output::{Opened, Ticket};
use sealcam_core::server::Server;
use sealcam_core::time::Instant;
use subtle::Choice;

use super::keys::{DisplayStandIn, PublicStandIn, Source, modulus};
use super::{CAMERA_KEY, DISPLAY_KEY, FRAME_CAPACITY, SEATS, SILENT_CAMERA_KEY};
use crate::world::{Clock, ms};

pub(super) type HostileServer<'s> = Server<'s, Source, PublicStandIn, SEATS>;

pub(super) struct Display<'s> {
    stores: IterMut<'s, Vec<u8>>,
    pub(super) server: HostileServer<'s>,
    pub(super) clock: Clock,
    pub(super) wake: Option<Duration>,
    pub(super) random_fails: Rc<Cell<bool>>,
    /// Counts the starts, so that a ticket's result finds the program that asked for it or nobody.
    pub(super) start: u32,
    /// What one private operation takes.
    pub(super) rsa_time: Duration,
}

impl<'s> Display<'s> {
    pub(super) fn new(mut stores: IterMut<'s, Vec<u8>>, dice: &mut ChaCha20Rng) -> Self {
        let (clock, random_fails) = (Clock::random(dice), Rc::new(Cell::new(false)));
        let store = stores.next().expect("a store for the first start");
        let server = server(store, clock.here(Duration::ZERO), &random_fails, dice);
        let rsa_time = ms(u64::from(dice.next_u32() % 200));
        Self { stores, server, clock, wake: Some(Duration::ZERO), random_fails, start: 0, rsa_time }
    }

    /// The program is killed and started anew: same key and list, nothing else kept. False when it has died often
    /// enough.
    pub(super) fn restart(&mut self, now: Duration, dice: &mut ChaCha20Rng) -> bool {
        let Some(store) = self.stores.next() else { return false };
        // Without randomness it would not start.
        self.random_fails.set(false);
        self.clock = Clock::random(dice);
        self.server = server(store, self.clock.here(now), &self.random_fails, dice);
        self.wake = Some(now);
        self.start += 1;
        true
    }
}

/// A private operation, and what it was asked to decrypt.
pub(super) fn open(ticket: Ticket) -> (Opened, [u8; MODULUS_LEN]) {
    let mut key = Seen { key: DisplayStandIn(modulus(DISPLAY_KEY)), ciphertext: [0; MODULUS_LEN] };
    let opened = ticket.open(&mut key);
    (opened, key.ciphertext)
}

struct Seen {
    key: DisplayStandIn,
    ciphertext: [u8; MODULUS_LEN],
}

impl DisplayKey for Seen {
    fn modulus(&self) -> &Modulus {
        self.key.modulus()
    }

    fn oaep_decrypt(&mut self, ciphertext: &[u8; MODULUS_LEN], out: &mut [u8; 32]) -> Choice {
        self.ciphertext = *ciphertext;
        self.key.oaep_decrypt(ciphertext, out)
    }
}

fn server<'s>(
    store: &'s mut [u8],
    here: Instant,
    random_fails: &Rc<Cell<bool>>,
    dice: &mut ChaCha20Rng,
) -> HostileServer<'s> {
    let config = ServerConfig {
        modulus: modulus(DISPLAY_KEY),
        frame_capacity: u32::try_from(FRAME_CAPACITY).unwrap(),
        receive_buffer: 0,
        budget: DEFAULT_BUDGET,
        padding: Padding::Chunk,
    };
    let source = Source::new(dice.next_u64(), random_fails);
    let mut server = Server::new(config, store, source, PublicStandIn, here).unwrap();
    for camera in [SILENT_CAMERA_KEY, CAMERA_KEY] {
        assert!(server.enrol(&modulus(camera)));
    }
    server
}
