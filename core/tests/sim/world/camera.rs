//! A camera's program: hands frames to its `Client` at a rate, knows what it handed over.

use std::cell::Cell;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use sealcam_core::client::Client;
use sealcam_core::config::{ClientConfig, Padding, PairingConfig, ServerConfig};
use sealcam_core::frame::{SendError, Sent};
use sealcam_core::key::{Fingerprint, Modulus};
use sealcam_core::output::Frame;
use sealcam_core::pairing::PairSecret;
use sealcam_core::rsa::SoftwareCameraKey;

use super::Clock;
use super::keys::{CountedRsa, Mood, Pem, Source, rng};
use super::network::below;
use super::picture::{number_of, picture};

pub(crate) type SimClient = Client<'static, Source, SoftwareCameraKey<ChaCha20Rng>, CountedRsa>;

/// A camera and whoever drives it.
pub(crate) struct Camera {
    pub(crate) id: usize,
    pem: Pem,
    pub(crate) modulus: Modulus,
    /// What the next start is made with.
    pub(crate) config: ClientConfig,
    /// Frames that the store has room for.
    pub(crate) slots: usize,
    pub(crate) client: Option<SimClient>,
    pub(crate) clock: Clock,
    /// Where the network says it is.
    pub(crate) address: SocketAddr,
    pub(crate) wake: Option<Duration>,
    /// What `poll` writes to: one datagram long or a batch.
    pub(crate) buf: Vec<u8>,
    pub(crate) mood: Rc<Cell<Mood>>,
    stream: Option<Stream>,
    /// Frames that the client took: number, length and when.
    sent: Vec<(u64, usize, Duration)>,
    next_number: u64,
    /// The place in `sent` behind the last frame that came out.
    seen: usize,
}

struct Stream {
    interval: Duration,
    sizes: RangeInclusive<usize>,
    next: Duration,
}

impl Camera {
    pub(crate) fn new(id: usize, pem: Pem, display: &ServerConfig, dice: &mut ChaCha20Rng) -> Self {
        let config = ClientConfig {
            display: display.modulus.fingerprint(),
            address: None,
            frame_capacity: display.frame_capacity,
            frame_interval: Duration::from_millis(33),
            padding: Padding::Chunk,
            constant_size: 40 * 1152,
        };
        Self {
            id,
            pem,
            modulus: *pem.read().modulus(),
            config,
            slots: 4,
            client: None,
            clock: Clock::random(dice),
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            wake: None,
            buf: vec![0; 52 * 1192],
            mood: Rc::new(Cell::new(Mood::Good)),
            stream: None,
            sent: Vec::new(),
            next_number: 0,
            seen: 0,
        }
    }

    /// Starts the program, or starts it anew. The store leaks: a client borrows it for as long as the test runs.
    pub(crate) fn start(&mut self, now: Duration, display: SocketAddr, dice: &mut ChaCha20Rng) {
        self.clock = Clock::random(dice);
        self.config.address = Some(display);
        let capacity = usize::try_from(self.config.frame_capacity).unwrap();
        let store = vec![0; capacity * self.slots].leak();
        let source = Source::new(dice, &self.mood);
        let key = self.pem.read().into_camera_key(rng(dice));
        let rsa = CountedRsa::new(dice, &Rc::new(Cell::new(0)));
        let client = Client::new(self.config, store, source, key, rsa, self.clock.here(now));
        self.client = Some(client.unwrap());
        self.wake = Some(now);
    }

    /// Starts the program that pairs, with the secret of a code.
    pub(crate) fn pair(
        &mut self,
        now: Duration,
        display: SocketAddr,
        secret: &PairSecret,
        dice: &mut ChaCha20Rng,
    ) {
        self.clock = Clock::random(dice);
        let config =
            PairingConfig { display: self.config.display, address: Some(display), modulus: self.modulus };
        let source = Source::new(dice, &self.mood);
        let key = self.pem.read().into_camera_key(rng(dice));
        let rsa = CountedRsa::new(dice, &Rc::new(Cell::new(0)));
        self.client = Some(Client::pair(config, secret, source, key, rsa, self.clock.here(now)));
        self.wake = Some(now);
    }

    /// Kills the program.
    pub(crate) fn stop(&mut self) {
        self.client = None;
        self.wake = None;
    }

    pub(crate) fn client(&mut self) -> &mut SimClient {
        self.client.as_mut().expect("the camera is on")
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.modulus.fingerprint()
    }

    /// Whether its session takes frames.
    pub(crate) fn is_ready(&self) -> bool {
        self.client.as_ref().is_some_and(SimClient::is_ready)
    }

    /// Whether it has closed and said so.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.as_ref().is_some_and(SimClient::is_closed)
    }

    /// Hands over frames of random size from now on.
    pub(crate) fn stream(&mut self, now: Duration, fps: u32, sizes: RangeInclusive<usize>) {
        self.stream = Some(Stream { interval: Duration::from_secs(1) / fps, sizes, next: now });
    }

    pub(crate) fn pause(&mut self) {
        self.stream = None;
    }

    /// Hands over one frame.
    pub(crate) fn send_frame(&mut self, now: Duration, len: usize) -> Result<Sent, SendError> {
        let here = self.clock.here(now);
        let number = self.next_number;
        let Some(client) = &mut self.client else { return Err(SendError::NotConnected) };
        let sent = client.send_frame(here, here, &picture(self.id, number, len))?;
        self.next_number += 1;
        self.sent.push((number, len, now));
        Ok(sent)
    }

    /// Frames that the client took.
    pub(crate) fn taken(&self) -> usize {
        self.sent.len()
    }

    /// When there is something to do.
    pub(crate) fn next(&self) -> Option<Duration> {
        [self.wake, self.stream.as_ref().map(|stream| stream.next)].into_iter().flatten().min()
    }

    /// Takes a picture if it is time to; says whether it was.
    pub(crate) fn tick(&mut self, now: Duration, dice: &mut ChaCha20Rng) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.next <= now) else { return false };
        stream.next += stream.interval;
        let span = stream.sizes.end() - stream.sizes.start() + 1;
        let len = stream.sizes.start() + below(dice, span);
        // Before a session stands no frame is taken.
        let _refused = self.send_frame(now, len);
        true
    }

    /// Finds the frame that was sent among those after the last one that came out: its number, and when.
    pub(crate) fn recognise(&mut self, frame: &Frame<'_>) -> (u64, Duration) {
        let named = number_of(frame.jpeg);
        let fits = |(number, len, _): &(u64, usize, Duration)| {
            *len == frame.jpeg.len()
                && named.is_none_or(|named| named == *number)
                && picture(self.id, *number, *len) == frame.jpeg
        };
        let place = self.sent[self.seen..].iter().position(fits);
        let place = self.seen
            + place.unwrap_or_else(|| {
                panic!(
                    "camera {}: frame {} of {} bytes (number {named:?}) is none of those sent since the last shown",
                    self.id,
                    frame.frame_id,
                    frame.jpeg.len()
                )
            });
        self.seen = place + 1;
        let (number, _, at) = self.sent[place];
        (number, at)
    }
}
