//! The display's end of one session: feedback, rekeying, path validation (docs/protocol.md §8, §9, §11).

mod exchange;
#[cfg(fuzzing)]
mod fuzz;
mod media;
mod moving;
mod pairing;

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;

use super::path::Candidate;
use crate::clock_offset::ClockOffset;
use crate::discard::Discard;
use crate::events::Events;
use crate::frame::join::{Joined, Joiner};
use crate::handshake::Whose;
use crate::handshake::slot::Ready;
use crate::key::{Fingerprint, MODULUS_LEN, Secret};
use crate::output::{Event, SessionEnd};
use crate::rtt::Rtt;
use crate::session::closing::{Closing, Farewell};
use crate::session::rekey::Responder;
use crate::session::{Channel, MAX_EPOCH_AGE, Opened, SealError};
use crate::time::{Instant, Stamp};
use crate::timer::{Timer, Timers, earlier};
use crate::wire::close::CloseReason;
use crate::wire::config::DisplayLimits;
use crate::wire::data::Header;
use crate::wire::message::{self, FromCamera, Violation};
use crate::wire::read::Writer;
use crate::wire::status::CaptureState;

const DEAD: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(1);
/// FEEDBACK while chunks arrive, and otherwise.
const FEEDBACK_BUSY: Duration = Duration::from_millis(25);
const FEEDBACK_IDLE: Duration = Duration::from_millis(200);
/// CONFIG is repeated after the first of these so many times, then after the second.
const CONFIG_SOON: Duration = Duration::from_millis(100);
const CONFIG_LATER: Duration = Duration::from_secs(1);
const CONFIG_SOON_TIMES: u32 = 10;
/// A round trip that was told so long ago, on the camera's clock, says nothing any more: four heartbeats.
const RTT_LIFE: Duration = Duration::from_secs(1);
/// A PATH_CHALLENGE's datagram at most.
const CHALLENGE_LEN: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Due {
    Feedback,
    Config,
}

impl Timer for Due {
    const ALL: &'static [Self] = &[Self::Feedback, Self::Config];
}

/// One session.
pub(crate) struct Link {
    pub(crate) whose: Whose,
    pub(crate) cid: u32,
    to: SocketAddr,
    channel: Channel,
    timers: Timers<Due, 2>,
    heard_at: Instant,
    sent_at: Instant,
    epoch_began: Instant,
    exchange: Option<Responder>,
    /// When the answer that leads to epoch 1 was ready.
    answered_at: Option<Instant>,
    resp_owed: bool,
    rtt: Rtt,
    offset: ClockOffset,
    /// The newest packet's timestamp and when it came.
    echo: Option<(Stamp, Instant)>,
    /// The newest heartbeat's clock and when it came.
    status_at: Option<(Stamp, Instant)>,
    /// The clock of the newest heartbeat that told a round trip, and when it came; until then, of the first timestamp.
    rtt_at: Option<(Stamp, Instant)>,
    configs_sent: u32,
    pong: Option<u32>,
    candidate: Option<Candidate>,
    /// When a PATH_CHALLENGE went out last, to whichever candidate.
    challenged_at: Option<Instant>,
    mismatches: u8,
    capture: Option<CaptureState>,
    /// A pairing session's, until its ENROL was judged.
    exporter: Option<Secret>,
    enrol_ok_owed: bool,
    closing: Option<Closing>,
}

/// What a datagram led to, besides events.
pub(crate) enum Heard {
    Nothing,
    /// A frame is whole; the camera took it so long ago.
    Frame(Joined, Option<Duration>),
    /// A camera asks to be enrolled.
    Enrol {
        modulus: [u8; MODULUS_LEN],
        signature: [u8; MODULUS_LEN],
    },
    Ended(SessionEnd),
}

/// What the link wants next.
pub(crate) enum LinkOutput {
    Transmit { to: SocketAddr, len: usize },
    Ended(SessionEnd),
    Wait(Option<Instant>),
}

/// What the server lends a link to work with.
pub(crate) struct Around<'a, 'b, R> {
    pub(crate) rng: &'a mut R,
    /// A pairing session has none.
    pub(crate) joiner: Option<&'a mut Joiner<'b>>,
    pub(crate) limits: &'a DisplayLimits,
    pub(crate) budget: Duration,
    pub(crate) events: &'a mut Events,
}

impl Link {
    pub(crate) fn new(whose: Whose, ready: Ready, now: Instant) -> Self {
        Self {
            whose,
            cid: ready.cid,
            to: ready.to,
            channel: ready.channel,
            timers: Timers::new(),
            heard_at: now,
            sent_at: now,
            epoch_began: now,
            exchange: None,
            answered_at: None,
            resp_owed: false,
            rtt: Rtt::default(),
            offset: ClockOffset::default(),
            echo: None,
            status_at: None,
            rtt_at: None,
            configs_sent: 0,
            pong: None,
            candidate: None,
            challenged_at: None,
            mismatches: 0,
            capture: None,
            exporter: ready.exporter,
            enrol_ok_owed: false,
            closing: None,
        }
    }

    pub(crate) fn is_of(&self, camera: &Fingerprint) -> bool {
        self.whose == Whose::Camera(*camera)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.to
    }

    /// The round trip that a frame is judged by. Whoever drops the heartbeats that tell it must not hide behind
    /// the last one: when they are missing, it counts as at least the time of which nothing is known, on the camera's
    /// clock (what comes may be old) and on this one (stamps wrap).
    pub(crate) fn rtt(&self, now: Instant) -> Duration {
        let untold = match (self.echo, self.rtt_at) {
            (Some((newest, _)), Some((told, came))) => newest.after(told).max(now.since(came)),
            _ => Duration::ZERO,
        };
        if untold > RTT_LIFE { self.rtt.smoothed().max(untold) } else { self.rtt.smoothed() }
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Starts the farewell.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Instant) {
        if self.closing.is_none() {
            self.closing = Some(Closing::new(reason, self.rtt.smoothed(), now));
        }
    }

    /// One CLOSE at once, for a session whose place is taken: it is erased right after.
    pub(crate) fn last_word(&mut self, now: Instant, reason: CloseReason, buf: &mut [u8]) -> Option<usize> {
        self.channel.seal(now, buf, |out| reason.emit(out)).ok()
    }

    /// Opens a packet and does what it says.
    pub(crate) fn handle<R: TryCryptoRng>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        header: (&Header, usize),
        datagram: &mut [u8],
        around: &mut Around<'_, '_, R>,
    ) -> Result<Heard, Discard> {
        if self.closing.is_some() {
            return Err(Discard::Closing);
        }
        let received = datagram.len();
        let opened = self.channel.open(now, self.rtt.smoothed(), header.0, header.1, datagram);
        if self.channel.is_forged_out() {
            self.close(CloseReason::Rekey, now);
        }
        self.handle_opened(now, from, received, &opened?, around)
    }

    /// Does what an opened packet of `received` bytes says; the first one was opened in its pending slot.
    pub(crate) fn handle_opened<R: TryCryptoRng>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        received: usize,
        opened: &Opened<'_>,
        around: &mut Around<'_, '_, R>,
    ) -> Result<Heard, Discard> {
        self.heard_at = now;
        self.watch_epoch(now, opened, around.events);
        self.watch_path(now, from, received, opened, around);
        let heard = match FromCamera::parse(opened.plaintext, opened.epoch, self.whose.purpose()) {
            Ok(FromCamera::Chunk(chunk)) => return self.chunk(now, &chunk, around),
            Ok(message) => self.control(now, from, &message, around),
            Err(violation) => Err(violation),
        };
        heard.map_err(|Violation| {
            self.close(CloseReason::Protocol, now);
            Discard::Violation
        })
    }

    fn watch_epoch(&mut self, now: Instant, opened: &Opened<'_>, events: &mut Events) {
        if !opened.epoch_began {
            return;
        }
        self.epoch_began = now;
        self.exchange = None;
        self.resp_owed = false;
        let Whose::Camera(camera) = self.whose else { return };
        if opened.epoch == 1 {
            self.timers.set(Due::Config, now);
            self.timers.set(Due::Feedback, now + FEEDBACK_IDLE);
            events.push(Event::Connected { camera, peer: self.to });
        } else {
            events.push(Event::Rekeyed { camera, epoch: opened.epoch });
        }
    }

    fn control<R: TryCryptoRng>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &FromCamera<'_>,
        around: &mut Around<'_, '_, R>,
    ) -> Result<Heard, Violation> {
        match message {
            FromCamera::Pong | FromCamera::Chunk(_) => {}
            // It stands for a chunk, and whoever watches the answers shall not see that it was none (§10).
            FromCamera::Nothing if self.channel.epoch() > 0 => self.media_came(now),
            FromCamera::Nothing => {}
            FromCamera::Ping(token) => self.pong = Some(*token),
            FromCamera::Close(reason) => return Ok(Heard::Ended(SessionEnd::ClosedByPeer(*reason))),
            FromCamera::KexInit(init) => self.kex_init(now, init, around)?,
            FromCamera::Status(status) => self.status(now, status, around.events),
            FromCamera::PathResponse(token) => self.path_response(from, token, around.events),
            FromCamera::Enrol(enrol) => {
                return Ok(Heard::Enrol { modulus: *enrol.modulus, signature: *enrol.signature });
            }
        }
        Ok(Heard::Nothing)
    }

    /// Writes what is due, most urgent first.
    pub(crate) fn poll<R>(
        &mut self,
        now: Instant,
        around: &mut Around<'_, '_, R>,
        buf: &mut [u8],
    ) -> LinkOutput {
        if let Some(closing) = &mut self.closing {
            let end = SessionEnd::Closed(closing.reason);
            return match closing.poll(now) {
                Farewell::Over => LinkOutput::Ended(end),
                Farewell::Wait(at) => LinkOutput::Wait(Some(at)),
                Farewell::Say(reason) => self.seal(now, buf, |out| reason.emit(out)),
            };
        }
        if now.since(self.heard_at) >= DEAD {
            return LinkOutput::Ended(SessionEnd::Silent);
        }
        if self.channel.is_expired(now) {
            return LinkOutput::Ended(SessionEnd::KeysExpired);
        }
        if let Some(joiner) = &mut around.joiner {
            joiner.expire(now);
        }
        // CONFIG comes before all else: no frame leaves the camera before it.
        if self.timers.is_due(Due::Config, now) {
            self.configs_sent = self.configs_sent.saturating_add(1);
            let soon = self.configs_sent <= CONFIG_SOON_TIMES;
            self.timers.set(Due::Config, now + if soon { CONFIG_SOON } else { CONFIG_LATER });
            return self.seal(now, buf, |out| around.limits.emit(out));
        }
        if let Some(sent) = self.poll_path(now, buf).or_else(|| self.poll_control(now, around, buf)) {
            return sent;
        }
        LinkOutput::Wait(self.next(around))
    }

    fn poll_control<R>(
        &mut self,
        now: Instant,
        around: &Around<'_, '_, R>,
        buf: &mut [u8],
    ) -> Option<LinkOutput> {
        if core::mem::take(&mut self.resp_owed)
            && let Some(resp) = self.exchange.as_ref().and_then(Responder::resp)
        {
            let sealed = self.channel.seal(now, buf, |out| resp.emit(out));
            return Some(self.sealed(now, sealed));
        }
        if let Some(token) = self.pong.take() {
            return Some(self.seal(now, buf, |out| message::emit_pong(out, token)));
        }
        if core::mem::take(&mut self.enrol_ok_owed) {
            return Some(self.seal(now, buf, message::emit_enrol_ok));
        }
        if let Some(joiner) = around.joiner.as_deref()
            && self.timers.is_due(Due::Feedback, now)
        {
            self.timers.set(Due::Feedback, now + FEEDBACK_IDLE);
            let feedback = self.feedback(now, joiner);
            return Some(self.seal(now, buf, |out| feedback.emit(out)));
        }
        if now.since(self.sent_at) >= KEEPALIVE {
            let token = now.stamp().0;
            return Some(self.seal(now, buf, |out| message::emit_ping(out, token)));
        }
        None
    }

    fn next<R>(&self, around: &Around<'_, '_, R>) -> Option<Instant> {
        let path = self.candidate.as_ref().map(Candidate::next);
        let ends = [self.heard_at + DEAD, self.channel.reaches_age(MAX_EPOCH_AGE), self.sent_at + KEEPALIVE];
        let frames = around.joiner.as_deref().and_then(Joiner::next_deadline);
        let own = [path, self.timers.next(), frames];
        own.into_iter().chain(ends.map(Some)).fold(None, earlier)
    }

    fn seal(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        emit: impl FnOnce(&mut Writer<'_>) -> Option<()>,
    ) -> LinkOutput {
        let sealed = self.channel.seal(now, buf, emit);
        self.sealed(now, sealed)
    }

    fn sealed(&mut self, now: Instant, sealed: Result<usize, SealError>) -> LinkOutput {
        match sealed {
            Ok(len) => {
                self.sent_at = now;
                LinkOutput::Transmit { to: self.to, len }
            }
            Err(SealError::Expired | SealError::NoRoom) => LinkOutput::Ended(SessionEnd::KeysExpired),
        }
    }
}

#[cfg(test)]
impl<R, P, const CAMERAS: usize> super::Server<'_, R, P, CAMERAS> {
    /// The keys of the one session, so that a test can say what no display would.
    pub(crate) fn channel(&mut self) -> Option<&mut Channel> {
        let own = self.places.iter_mut().find_map(|seat| seat.link.as_mut());
        own.or(self.pairing.link.as_mut()).map(|link| &mut link.channel)
    }
}
