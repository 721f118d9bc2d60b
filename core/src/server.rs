//! The display's side of the protocol: datagrams in, frames out, for several cameras (docs/protocol.md §16).
//!
//! ```text
//! handle_datagram ─┬─ HELLO, KEY ─▶ Responder ─▶ poll: COOKIE, Decrypt ─▶ complete ─▶ poll: ACCEPT
//!                  └─ DATA ───────▶ Link (open) ─▶ Joiner ─▶ Frame
//! ```
//! The driver calls `handle_datagram` for each datagram, then `poll` until it says [`Output::Wait`]. Any order of
//! calls is legal and only ever costs delay.

mod link;
mod pairing;
mod path;
mod places;

use core::net::SocketAddr;
use core::time::Duration;

use heapless::{Deque, Vec};
use rand_core::TryCryptoRng;

use self::link::LinkOutput;
use self::pairing::Pairing;
use self::places::{LastWord, Seat};
use crate::config::ServerConfig;
use crate::discard::Discard;
use crate::events::Events;
use crate::frame::join::{Joiner, join_store_len};
use crate::handshake::Whose;
use crate::handshake::bucket::Bucket;
use crate::handshake::responder::{CookieRequest, Place, Responder};
use crate::key::{Fingerprint, Modulus, RsaPublic};
use crate::output::{Event, Frame, NotStarted, Opened, Output, SessionEnd, Transmit};
use crate::pairing::TurnedAway;
use crate::stats::Stats;
use crate::time::Instant;
use crate::timer::earlier;
use crate::wire::close::CloseReason;
use crate::wire::config::DisplayLimits;
use crate::wire::{self, data, hello, key};

/// COOKIEs that may be owed at a time; a flood of HELLOs between two polls loses the rest.
const COOKIES: usize = 16;

/// The display's side, for up to `CAMERAS` cameras at once. `R` gives random bytes, `P` verifies signatures.
pub struct Server<'b, R, P, const CAMERAS: usize = 4> {
    limits: DisplayLimits,
    budget: Duration,
    rng: R,
    rsa: P,
    responder: Responder,
    cookies: Deque<CookieRequest, COOKIES>,
    last_words: Deque<LastWord, CAMERAS>,
    places: Vec<Seat<'b>, CAMERAS>,
    pairing: Pairing,
    /// Unknown cameras and full houses are told of once a second: whoever knows the address can cause them.
    told: Bucket,
    events: Events,
    stats: Stats,
    closed: bool,
}

impl<'b, R: TryCryptoRng, P: RsaPublic, const CAMERAS: usize> Server<'b, R, P, CAMERAS> {
    /// Bytes of store that a display for frames of up to `frame_capacity` bytes needs.
    #[must_use]
    pub const fn store_len(frame_capacity: usize) -> usize {
        join_store_len(frame_capacity) * CAMERAS
    }

    /// A display with no camera enrolled. `store` holds the frames that are put together: at least
    /// [`Server::store_len`] bytes.
    ///
    /// # Errors
    /// [`NotStarted`] if it has less, or if `rng` fails.
    pub fn new(
        config: ServerConfig,
        store: &'b mut [u8],
        mut rng: R,
        rsa: P,
        now: Instant,
    ) -> Result<Self, NotStarted> {
        let capacity = usize::try_from(config.frame_capacity).map_err(|_| NotStarted::StoreTooSmall)?;
        let share = join_store_len(capacity);
        let mut places = Vec::new();
        let mut rest = store;
        while !places.is_full() {
            let (own, others) = rest.split_at_mut_checked(share).ok_or(NotStarted::StoreTooSmall)?;
            rest = others;
            let joiner = Joiner::new(own).ok_or(NotStarted::StoreTooSmall)?;
            let _pushed = places.push(Seat { link: None, joiner });
        }
        let responder =
            Responder::new(config.modulus, &mut rng, now).map_err(|_| NotStarted::RandomFailed)?;
        let limits = DisplayLimits {
            max_frame_bytes: config.frame_capacity,
            receive_buffer: config.receive_buffer,
            max_kbit: 0,
            max_fps: 0,
            budget_ms: u16::try_from(config.budget.as_millis()).unwrap_or(u16::MAX),
            padding: config.padding,
        };
        Ok(Self {
            limits,
            budget: config.budget,
            rng,
            rsa,
            responder,
            cookies: Deque::new(),
            last_words: Deque::new(),
            places,
            pairing: Pairing::none(),
            told: Bucket::new(1, Duration::from_secs(1)),
            events: Events::new(),
            stats: Stats::default(),
            closed: false,
        })
    }

    /// Enrols a camera; false when the list is full.
    pub fn enrol(&mut self, camera: &Modulus) -> bool {
        self.responder.enrol(camera)
    }

    /// Forgets a camera: its session is closed as revoked and no further packet of it is taken.
    pub fn strike(&mut self, now: Instant, camera: &Fingerprint) {
        self.responder.strike(camera);
        for link in self.links_of(camera) {
            link.close(CloseReason::Revoked, now);
        }
    }

    /// Takes a datagram, which is decrypted in place. A frame that it completes is returned. Call `poll` after the
    /// last of a batch.
    ///
    /// # Errors
    /// [`Discard`], which is no alarm: it says why the datagram changed nothing, and is counted already.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Result<Option<Frame<'_>>, Discard> {
        self.stats.datagrams_in += 1;
        let result = match datagram.first() {
            Some(&hello::TYPE | &key::TYPE) if self.closed => Err(Discard::Closing),
            Some(&hello::TYPE) => self.handle_hello(from, datagram).map(|()| None),
            Some(&key::TYPE) => self.handle_key(now, from, datagram).map(|()| None),
            Some(&data::TYPE) => self.handle_data(now, from, datagram),
            _ => Err(Discard::Malformed),
        };
        match result {
            Ok(None) => Ok(None),
            Ok(Some((seat, joined, age))) => Ok(self.frame(now, seat, joined, age)),
            Err(why) => {
                self.stats.discard(why);
                Err(why)
            }
        }
    }

    /// What to do next; call it until it says [`Output::Wait`]. `buf` needs room for one datagram of 1200 bytes.
    pub fn poll(&mut self, now: Instant, buf: &mut [u8]) -> Output {
        if let Some(event) = self.events.pop() {
            return Output::Event(event);
        }
        self.responder.expire(now);
        if let Some((to, len)) = self.poll_handshakes(now, buf) {
            self.stats.sent(1, len);
            return Output::Transmit(Transmit { to, len, segment_len: len });
        }
        if let Some(ticket) = self.responder.ticket() {
            self.stats.rsa_private += 1;
            return Output::Decrypt(ticket);
        }
        let mut wait = match self.poll_pairing(now, buf) {
            LinkOutput::Transmit { to, len } => {
                self.stats.sent(1, len);
                return Output::Transmit(Transmit { to, len, segment_len: len });
            }
            LinkOutput::Wait(at) => earlier(at, self.responder.next_expiry()),
            LinkOutput::Ended(_) => self.responder.next_expiry(),
        };
        for index in 0..self.places.len() {
            match self.poll_seat(now, index, buf) {
                Some(LinkOutput::Transmit { to, len }) => {
                    self.stats.sent(1, len);
                    return Output::Transmit(Transmit { to, len, segment_len: len });
                }
                Some(LinkOutput::Ended(why)) => {
                    self.end(index, why);
                }
                Some(LinkOutput::Wait(at)) => wait = earlier(wait, at),
                None => {}
            }
        }
        match self.events.pop() {
            Some(event) => Output::Event(event),
            None => Output::Wait(wait),
        }
    }

    /// The result of a private operation. Call `poll` next.
    pub fn complete(&mut self, now: Instant, opened: Opened) {
        let Self { responder, rng, places, pairing, .. } = self;
        let links = || places.iter().filter_map(|seat| seat.link.as_ref()).chain(&pairing.link);
        let is_free = |cid| links().all(|link| link.cid != cid);
        if responder.complete(now, opened, rng, is_free).is_err() {
            self.events.push(Event::RandomFailed);
        }
    }

    /// The machine was asleep, and its clock stood still: all sessions are erased in silence, for their other ends have
    /// long given them up, and what came before is old.
    pub fn slept(&mut self) {
        self.responder.forget_pending();
        for index in 0..self.places.len() {
            self.end(index, SessionEnd::Slept);
        }
        self.pairing_slept();
    }

    /// Closes all sessions and lets nobody in any more: the program is stopping. Poll on until
    /// [`Server::is_closed`].
    pub fn close(&mut self, now: Instant) {
        self.closed = true;
        self.cookies.clear();
        self.responder.forget_pending();
        self.stop_pairing(now);
        for link in self.places.iter_mut().filter_map(|seat| seat.link.as_mut()) {
            link.close(CloseReason::GoingAway, now);
        }
    }

    /// Whether no session is left.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.places.iter().all(|seat| seat.link.is_none()) && self.pairing.link.is_none()
    }

    /// The fingerprint of the display's key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.responder.fingerprint()
    }

    /// Cameras that are connected now, and where.
    pub fn connected(&self) -> impl Iterator<Item = (Fingerprint, SocketAddr)> {
        self.places.iter().filter_map(|seat| seat.link.as_ref()).filter_map(|link| match link.whose {
            Whose::Camera(camera) => Some((camera, link.address())),
            Whose::Pairing => None,
        })
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { events_lost: self.events.lost, ..self.stats };
        for seat in &self.places {
            stats.add_joined(&seat.joiner);
        }
        stats
    }

    fn handle_hello(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<(), Discard> {
        let request = self.responder.hello(from, wire::exactly(datagram)?)?;
        // A full queue is a flood: the camera asks again.
        let _pushed = self.cookies.push_back(request);
        Ok(())
    }

    fn handle_key(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<(), Discard> {
        let datagram = wire::exactly(datagram)?;
        let Self { responder, rsa, places, stats, .. } = self;
        let place = |camera: &Fingerprint| {
            let has = |seat: &Seat<'_>| seat.link.as_ref().is_none_or(|link| link.is_of(camera));
            if places.iter().any(has) { Place::Free } else { Place::Taken }
        };
        let result = responder.key(now, from, datagram, rsa, &mut stats.rsa_verified, place);
        result.map_err(|(why, camera)| {
            match (why, camera) {
                (Discard::NoWindow, _) => self.turned_away(now, from, TurnedAway::NoWindow),
                (Discard::PairingMac, _) => self.turned_away(now, from, TurnedAway::WrongSecret),
                (Discard::UnknownCamera, Some(camera)) if self.told.take(now) => {
                    self.events.push(Event::UnknownCamera { camera, from });
                }
                (Discard::NoPlace, Some(camera)) if self.told.take(now) => {
                    self.events.push(Event::NoPlace { camera });
                }
                _ => {}
            }
            why
        })
    }

    fn poll_handshakes(&mut self, now: Instant, buf: &mut [u8]) -> Option<(SocketAddr, usize)> {
        if let Some(word) = self.last_words.pop_front() {
            let bytes = word.datagram.get(..word.len)?;
            buf.get_mut(..word.len)?.copy_from_slice(bytes);
            return Some((word.to, word.len));
        }
        if let Some(request) = self.cookies.pop_front() {
            return self.responder.cookie(now, &request, buf);
        }
        self.responder.accept(buf)
    }
}
