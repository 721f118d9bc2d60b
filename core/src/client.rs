//! The camera's side of the protocol: frames in, datagrams out.
//!
//! ```text
//! send_frame ─▶ Splitter ─▶ Link (seal) ─▶ poll ─▶ datagrams
//! handle_datagram ─▶ Dialer (COOKIE, ACCEPT) or Link (DATA)
//! ```
//! The driver calls `handle_datagram` and `send_frame` when there is something, then `poll` until it says
//! [`Output::Wait`]. Any order of calls is legal and only ever costs delay.

mod dial;
mod link;
mod pairing;

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;

use self::dial::Dialer;
use self::link::{Link, LinkOutput, Outgoing};
use self::pairing::Pairing;
use crate::config::ClientConfig;
use crate::discard::Discard;
use crate::events::Events;
use crate::frame::padding::Padder;
use crate::frame::split::{SendError, Sent, Splitter};
use crate::handshake::DisplayIdentity;
use crate::handshake::initiator::Tools;
use crate::key::{CameraKey, Fingerprint, RsaPublic};
use crate::output::{Event, Output, SessionEnd, StoreTooSmall, Transmit};
use crate::stats::Stats;
use crate::time::{Instant, Stamp};
use crate::timer::earlier;
use crate::wire::close::CloseReason;
use crate::wire::status::{CaptureState, NOT_MEASURED, Status};
use crate::wire::{self, accept, cookie, data};

/// After CLOSE 3 or 5 the camera waits so long: two devices with one key would supersede each other for ever.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// What the camera program's source is doing, for the display's screen (docs/protocol.md §9.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    /// The state.
    pub state: CaptureState,
    /// Frames per second, times ten.
    pub fps_x10: u16,
    /// Frames that the source gave since the start.
    pub frames_captured: u32,
    /// Frames that were skipped or replaced before they were handed over.
    pub frames_skipped: u32,
}

/// The camera's side. `R` gives random bytes, `K` signs, `P` encrypts to the display's key.
pub struct Client<'b, R, K, P> {
    camera: Fingerprint,
    display: DisplayIdentity,
    address: Option<SocketAddr>,
    rng: R,
    key: K,
    rsa: P,
    dialer: Dialer,
    link: Option<Link>,
    frames: Splitter<'b>,
    capture: Capture,
    state_since: Instant,
    events: Events,
    stats: Stats,
    closed: bool,
    pairing: Option<Pairing>,
}

impl<'b, R: TryCryptoRng, K: CameraKey, P: RsaPublic> Client<'b, R, K, P> {
    /// Nothing is known of the source yet.
    const STARTING: Capture =
        Capture { state: CaptureState::Starting, fps_x10: 0, frames_captured: 0, frames_skipped: 0 };

    /// A camera that starts to dial at once. `store` holds the frames that leave: room for two at least, each
    /// `config.frame_capacity` bytes.
    ///
    /// # Errors
    /// [`StoreTooSmall`] if it has less.
    pub fn new(
        config: ClientConfig,
        store: &'b mut [u8],
        rng: R,
        key: K,
        rsa: P,
        now: Instant,
    ) -> Result<Self, StoreTooSmall> {
        let padder = Padder::new(config.padding, config.constant_size, config.frame_interval);
        let frames = Splitter::new(store, config.frame_capacity, config.frame_interval, padder);
        let frames = frames.ok_or(StoreTooSmall)?;
        let mut dialer = Dialer::new();
        dialer.start(now);
        Ok(Self {
            camera: key.id(),
            display: DisplayIdentity::new(config.display),
            address: config.address,
            rng,
            key,
            rsa,
            dialer,
            link: None,
            frames,
            capture: Self::STARTING,
            state_since: now,
            events: Events::new(),
            stats: Stats::default(),
            closed: false,
            pairing: None,
        })
    }

    /// Takes a frame, SOI to EOI, that was captured at `captured_at`: one copy into the store. Call `poll` next.
    ///
    /// # Errors
    /// [`SendError`]; the frame is counted as not sent.
    pub fn send_frame(&mut self, now: Instant, captured_at: Instant, jpeg: &[u8]) -> Result<Sent, SendError> {
        let sent = self.take_frame(now, captured_at, jpeg);
        if !matches!(sent, Ok(Sent::Queued)) {
            self.stats.frames_dropped += 1;
        }
        sent
    }

    /// Takes a datagram, which is decrypted in place. Call `poll` next.
    ///
    /// # Errors
    /// [`Discard`], which is no alarm: it says why the datagram changed nothing, and is counted already.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Result<(), Discard> {
        self.stats.datagrams_in += 1;
        let result = self.handle(now, from, datagram);
        if let Err(why) = result {
            self.stats.discard(why);
        }
        result
    }

    /// What to do next; call it until it says [`Output::Wait`]. `buf` needs room for one datagram of 1200 bytes;
    /// with more, chunks come several at a time.
    pub fn poll(&mut self, now: Instant, buf: &mut [u8]) -> Output {
        if let Some(event) = self.events.pop() {
            return Output::Event(event);
        }
        if self.closed && self.link.is_none() {
            return Output::Wait(None);
        }
        if self.doubtful_at().is_some_and(|at| at <= now) {
            self.dialer.start(now);
        }
        let address = self.address;
        let (mut tools, dialer, events) = self.tools();
        if let Some((to, len)) = dialer.poll(now, address, &mut tools, events, buf) {
            self.stats.sent(1, len);
            return Output::Transmit(Transmit { to, len, segment_len: len });
        }
        let wait = match self.poll_link(now, buf) {
            Some((to, LinkOutput::Transmit { len, segment_len })) => {
                self.stats.sent(len.div_ceil(segment_len.max(1)), len);
                return Output::Transmit(Transmit { to, len, segment_len });
            }
            Some((_, LinkOutput::Ended(why))) => {
                self.end(now, why);
                return self.poll(now, buf);
            }
            Some((_, LinkOutput::Wait(at))) => at,
            None => None,
        };
        if let Some(event) = self.events.pop() {
            return Output::Event(event);
        }
        let doubt = self.doubtful_at().filter(|_| !self.dialer.is_dialling());
        Output::Wait([wait, doubt, self.dialer.next(self.address.is_some())].into_iter().fold(None, earlier))
    }

    /// Where the display is, as its name was looked up. A change begins a new handshake; the session that stands
    /// keeps its address (docs/protocol.md §11).
    pub fn set_display_address(&mut self, now: Instant, address: SocketAddr) {
        if self.address.replace(address) != Some(address) && self.dialer.is_dialling() {
            self.dialer.stop();
            self.dialer.start(now);
        }
    }

    /// Another display is trusted from now on: the session with the old one is closed.
    pub fn set_display(&mut self, now: Instant, display: Fingerprint, address: Option<SocketAddr>) {
        if display != self.display.fingerprint {
            self.display = DisplayIdentity::new(display);
            if let Some(link) = &mut self.link {
                link.close(CloseReason::GoingAway, now);
            }
            self.dialer.stop();
            self.dialer.start(now);
        }
        if let Some(address) = address {
            self.set_display_address(now, address);
        }
    }

    /// What the source is doing; a change of state is told to the display at once.
    pub fn set_capture(&mut self, now: Instant, capture: Capture) {
        if capture.state != self.capture.state {
            self.state_since = now;
            // A heartbeat between two others would tell whoever watches that something happened.
            if let Some(link) = self.link.as_mut().filter(|_| !self.frames.is_constant()) {
                link.status_changed(now);
            }
        }
        self.capture = capture;
    }

    /// Closes the session, if there is one, and dials no more. Poll on until [`Client::is_closed`].
    pub fn close(&mut self, now: Instant) {
        self.closed = true;
        self.dialer.stop();
        let reason = self.farewell();
        if let Some(link) = &mut self.link {
            link.close(reason, now);
        }
    }

    /// The machine was asleep, and its clock stood still: the session is erased in silence, for the other end has
    /// long given it up, and what its keys have sealed can no longer be judged by their age. Dials at once.
    pub fn slept(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        self.dialer.stop();
        if let Some(link) = self.link.take() {
            self.frames.reset();
            if self.end_pairing(now, SessionEnd::Slept, link.is_known()) {
                return;
            }
            self.events.push(self.disconnected(SessionEnd::Slept));
        }
        self.dialer.start(now);
    }

    /// Whether everything has been said after [`Client::close`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed && self.link.is_none()
    }

    /// Whether frames are taken now: a session stands and the display has said what it can take.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.frame_limit().is_some())
    }

    /// Whether every frame that was taken has left.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.frames.is_drained()
    }

    /// The smoothed round-trip time of the session, if there is one.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        self.link.as_ref().map(|link| link.rtt.smoothed())
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { events_lost: self.events.lost, ..self.stats }
    }

    fn take_frame(&mut self, now: Instant, captured_at: Instant, jpeg: &[u8]) -> Result<Sent, SendError> {
        let limit = self.link.as_ref().and_then(Link::frame_limit).ok_or(SendError::NotConnected)?;
        let limit = limit.min(self.frames.capacity());
        if jpeg.is_empty() {
            return Err(SendError::Empty);
        }
        if u32::try_from(jpeg.len()).map_or(true, |len| len > limit) {
            return Err(SendError::TooLarge { limit });
        }
        self.frames.push(now, captured_at, jpeg).ok_or(SendError::TooLarge { limit })
    }

    fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Result<(), Discard> {
        match datagram.first() {
            Some(&cookie::TYPE) => {
                let datagram = wire::exactly(datagram)?;
                let (mut tools, dialer, events) = self.tools();
                dialer.cookie(now, from, datagram, &mut tools, events)?;
                // A camera that is paired signs nothing yet.
                self.stats.rsa_private += u64::from(self.pairing.is_none());
                Ok(())
            }
            Some(&accept::TYPE) => {
                let established = self.dialer.accept(now, from, wire::exactly(datagram)?)?;
                if self.link.take().is_some() {
                    self.events.push(self.disconnected(SessionEnd::Replaced));
                }
                self.dialer.stop();
                self.frames.reset();
                self.link = Some(Link::new(established, self.camera, now));
                Ok(())
            }
            Some(&data::TYPE) => self.handle_data(now, from, datagram),
            _ => Err(Discard::Malformed),
        }
    }

    fn handle_data(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Result<(), Discard> {
        let link = self.link.as_mut().ok_or(Discard::UnknownCid)?;
        if link.to != from {
            return Err(Discard::WrongAddress);
        }
        let was_ready = link.frame_limit().is_some();
        let ended = link.handle(now, datagram, &mut self.frames, &mut self.events)?;
        if !was_ready && link.frame_limit().is_some() {
            self.dialer.succeeded();
        }
        match ended {
            Some(why) => self.end(now, why),
            // The session lives after all: the attempt beside it was in vain.
            None if !link.is_closing() => self.dialer.stop(),
            None => {}
        }
        self.go_on_pairing(now);
        Ok(())
    }

    fn poll_link(&mut self, now: Instant, buf: &mut [u8]) -> Option<(SocketAddr, LinkOutput)> {
        let status = self.status(now);
        let link = self.link.as_mut()?;
        let mut out = Outgoing {
            rng: &mut self.rng,
            frames: &mut self.frames,
            status,
            stats: &mut self.stats,
            events: &mut self.events,
        };
        let output = link.poll(now, &mut out, buf);
        Some((link.to, output))
    }

    fn status(&self, now: Instant) -> Status {
        let dropped = u32::try_from(self.stats.frames_dropped).unwrap_or(u32::MAX);
        Status {
            state: self.capture.state,
            since_ms: u32::try_from(now.since(self.state_since).as_millis()).unwrap_or(u32::MAX),
            fps_x10: self.capture.fps_x10,
            frames_captured: self.capture.frames_captured,
            frames_not_sent: self.capture.frames_skipped.saturating_add(dropped),
            srtt: NOT_MEASURED,
            rttvar: NOT_MEASURED,
            clock: Stamp(0),
        }
    }

    /// Erases the session and dials again when it may.
    fn end(&mut self, now: Instant, why: SessionEnd) {
        let was_known = self.link.take().is_some_and(|link| link.is_known());
        self.frames.reset();
        if self.end_pairing(now, why, was_known) {
            return;
        }
        self.events.push(self.disconnected(why));
        if self.closed {
            return;
        }
        match why {
            SessionEnd::ClosedByPeer(CloseReason::Revoked | CloseReason::Superseded) => {
                self.dialer.stop();
                self.dialer.start(now + LONG_PAUSE);
            }
            _ => self.dialer.start_after_backoff(now, &mut self.rng),
        }
    }

    fn tools(&mut self) -> (Tools<'_, R, K, P>, &mut Dialer, &mut Events) {
        let tools = Tools {
            rng: &mut self.rng,
            key: &mut self.key,
            rsa: &mut self.rsa,
            display: &self.display,
            pair_key: self.pairing.as_ref().map(|pairing| &pairing.key),
        };
        (tools, &mut self.dialer, &mut self.events)
    }

    fn disconnected(&self, why: SessionEnd) -> Event {
        Event::Disconnected { camera: self.camera, why }
    }
}
