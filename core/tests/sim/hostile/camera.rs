//! A camera's program under attack: it hands over frames of awkward lengths, and is killed and started again.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::slice::IterMut;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use sealcam_core::client::Client;
use sealcam_core::config::{ClientConfig, Padding};
use sealcam_core::time::Instant;

use super::album::Album;
use super::attacker::DISPLAY;
use super::keys::{CameraStandIn, PublicStandIn, Source, modulus};
use super::{CAMERA_KEY, DISPLAY_KEY, FRAME_CAPACITY};
use crate::world::network::below;
use crate::world::{Clock, ms};

pub(super) type HostileClient<'s> = Client<'s, Source, CameraStandIn, PublicStandIn>;

pub(super) struct Camera<'s> {
    stores: IterMut<'s, Vec<u8>>,
    pub(super) client: HostileClient<'s>,
    pub(super) clock: Clock,
    pub(super) address: SocketAddr,
    pub(super) wake: Option<Duration>,
    pub(super) next_frame: Duration,
    pub(super) interval: Duration,
    /// Whether there is padding among what it sends.
    pub(super) pads: bool,
    pub(super) random_fails: Rc<Cell<bool>>,
    /// Starts of the program.
    pub(super) life: usize,
    pub(super) album: Album,
}

impl<'s> Camera<'s> {
    pub(super) fn new(mut stores: IterMut<'s, Vec<u8>>, dice: &mut ChaCha20Rng) -> Self {
        let (clock, random_fails) = (Clock::random(dice), Rc::new(Cell::new(false)));
        let interval = ms(20 + u64::from(dice.next_u32() % 150));
        let pads = below(dice, 4) == 0;
        let store = stores.next().expect("a store for the first life");
        let client = client(store, clock.here(Duration::ZERO), (interval, pads), &random_fails, dice);
        Self {
            stores,
            client,
            clock,
            address: SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 40_000)),
            wake: Some(Duration::ZERO),
            next_frame: Duration::ZERO,
            interval,
            pads,
            random_fails,
            life: 0,
            album: Album::default(),
        }
    }

    /// The program is killed and started anew: same key, nothing else kept. False when it has died often enough.
    pub(super) fn restart(&mut self, now: Duration, dice: &mut ChaCha20Rng) -> bool {
        let Some(store) = self.stores.next() else { return false };
        self.clock = Clock::random(dice);
        self.client =
            client(store, self.clock.here(now), (self.interval, self.pads), &self.random_fails, dice);
        self.wake = Some(now);
        self.life += 1;
        true
    }

    /// Takes a picture, in this session if there is one; says whether the client took it.
    pub(super) fn take_picture(&mut self, now: Duration, session: u32, dice: &mut ChaCha20Rng) -> bool {
        self.next_frame = now + self.interval;
        let len = awkward(dice);
        let captured = now.saturating_sub(ms(u64::from(dice.next_u32() % 40)));
        let jpeg = self.album.next(self.life, len);
        let taken = self.client.send_frame(self.clock.here(now), self.clock.here(captured), &jpeg).is_ok();
        assert!(!taken || len <= FRAME_CAPACITY, "{len} bytes were taken");
        if taken {
            self.album.hand_over(self.life, session, len, captured);
        }
        taken
    }

    pub(super) fn next(&self) -> Duration {
        self.wake.map_or(self.next_frame, |wake| wake.min(self.next_frame))
    }
}

/// One byte, whole chunks and a byte more or less, as much as there is room for and a byte more, or anything.
fn awkward(dice: &mut ChaCha20Rng) -> usize {
    let chunks = 1 + below(dice, FRAME_CAPACITY / 1152);
    match below(dice, 8) {
        0 => 1,
        1 => 1 + below(dice, 16),
        2 => chunks * 1152,
        3 => chunks * 1152 - 1,
        4 => chunks * 1152 + 1,
        _ => 1 + below(dice, FRAME_CAPACITY),
    }
}

fn client<'s>(
    store: &'s mut [u8],
    here: Instant,
    (frame_interval, pads): (Duration, bool),
    random_fails: &Rc<Cell<bool>>,
    dice: &mut ChaCha20Rng,
) -> HostileClient<'s> {
    let config = ClientConfig {
        display: modulus(DISPLAY_KEY).fingerprint(),
        address: Some(DISPLAY),
        frame_capacity: u32::try_from(FRAME_CAPACITY).unwrap(),
        frame_interval,
        padding: if pads { Padding::Bucket } else { Padding::Chunk },
        constant_size: 0,
    };
    let source = Source::new(dice.next_u64(), random_fails);
    let key = CameraStandIn(modulus(CAMERA_KEY));
    Client::new(config, store, source, key, PublicStandIn, here).unwrap()
}
