//! The camera's end of one session: control, the circuit breaker, and chunks (docs/protocol.md §9, §11).

mod enrol;
mod exchange;
#[cfg(fuzzing)]
mod fuzz;

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;

use self::enrol::Enrolling;
use self::exchange::Exchange;
use crate::discard::Discard;
use crate::events::Events;
use crate::frame::split::{Leaving, Splitter};
use crate::handshake::initiator::Established;
use crate::key::Fingerprint;
use crate::output::{Event, SessionEnd};
use crate::rtt::Rtt;
use crate::session::closing::{Closing, Farewell};
use crate::session::{Channel, SealError};
use crate::stats::Stats;
use crate::time::Instant;
use crate::timer::{Timer, Timers, earlier};
use crate::wire::chunk::Chunk;
use crate::wire::close::{self, CloseReason};
use crate::wire::config::DisplayLimits;
use crate::wire::data::Header;
use crate::wire::feedback::{Feedback, NO_SAMPLE};
use crate::wire::message::{self, FromDisplay, Purpose};
use crate::wire::read::Writer;
use crate::wire::status::Status;

/// A CHUNK's datagram, whatever its counter: equal datagrams suit UDP GSO and give less away (§10).
const CHUNK_DATAGRAM: usize = 1192;
const REKEY_AGE: Duration = Duration::from_secs(600);
const REKEY_PACKETS: u32 = 1 << 24;
const REKEY_PAUSE: Duration = Duration::from_secs(10);
const STATUS_INTERVAL: Duration = Duration::from_millis(250);
const KEEPALIVE: Duration = Duration::from_secs(1);
const BREAKER: Duration = Duration::from_millis(500);
const BREAKER_PING: Duration = Duration::from_millis(250);
const DEAD: Duration = Duration::from_secs(5);
/// Silence after which a handshake begins beside the session.
pub(crate) const DOUBT: Duration = Duration::from_millis(1500);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Due {
    /// Both halves of KEX_INIT again.
    KexInit,
    /// The next heartbeat.
    Status,
    /// A PING while the breaker is open.
    BreakerPing,
    /// ENROL again.
    Enrol,
}

impl Timer for Due {
    const ALL: &'static [Self] = &[Self::KexInit, Self::Status, Self::BreakerPing, Self::Enrol];
}

/// One session.
pub(crate) struct Link {
    pub(crate) to: SocketAddr,
    camera: Fingerprint,
    cid: u32,
    channel: Channel,
    /// What a pairing session asks for; `None` in every other.
    enrolling: Option<Enrolling>,
    timers: Timers<Due, 4>,
    heard_at: Instant,
    sent_at: Instant,
    exchange: Option<Exchange>,
    rekeyed_at: Option<Instant>,
    pub(crate) rtt: Rtt,
    /// When it was measured last.
    measured_at: Instant,
    limits: Option<DisplayLimits>,
    /// When media went out that no FEEDBACK has answered.
    unanswered_since: Option<Instant>,
    paused: bool,
    pong: Option<u32>,
    path_response: Option<[u8; 8]>,
    /// A packet of the new epoch is owed at once.
    ping: bool,
    closing: Option<Closing>,
}

/// What the link wants next.
pub(crate) enum LinkOutput {
    Transmit { len: usize, segment_len: usize },
    Ended(SessionEnd),
    Wait(Option<Instant>),
}

/// What goes out besides the link's own control.
pub(crate) struct Outgoing<'a, 'b, R> {
    pub(crate) rng: &'a mut R,
    pub(crate) frames: &'a mut Splitter<'b>,
    pub(crate) status: Status,
    pub(crate) stats: &'a mut Stats,
    pub(crate) events: &'a mut Events,
}

impl Link {
    pub(crate) fn new(established: Established, camera: Fingerprint, now: Instant) -> Self {
        Self {
            to: established.to,
            camera,
            cid: established.cid,
            channel: established.channel,
            enrolling: established.exporter.map(Enrolling::Bound),
            timers: Timers::new(),
            heard_at: now,
            sent_at: now,
            exchange: None,
            rekeyed_at: None,
            rtt: Rtt::default(),
            measured_at: now,
            limits: None,
            unanswered_since: None,
            paused: false,
            pong: None,
            path_response: None,
            ping: false,
            closing: None,
        }
    }

    /// The display's limit on frames, once it has said it: until then no frame is taken.
    pub(crate) fn frame_limit(&self) -> Option<u32> {
        self.limits.filter(|_| self.closing.is_none()).map(|limits| limits.max_frame_bytes)
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    pub(crate) const fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Starts the farewell.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Instant) {
        if self.closing.is_none() {
            self.closing = Some(Closing::new(reason, self.rtt.smoothed(), now));
        }
    }

    /// A heartbeat is owed at once: the camera's state changed.
    pub(crate) fn status_changed(&mut self, now: Instant) {
        if self.channel.epoch() > 0 {
            self.timers.set(Due::Status, now);
        }
    }

    /// Opens a packet and does what it says. `Ok(Some(end))` when the display closed the session.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        datagram: &mut [u8],
        frames: &mut Splitter<'_>,
        events: &mut Events,
    ) -> Result<Option<SessionEnd>, Discard> {
        let (header, len) = Header::parse(datagram).ok_or(Discard::Malformed)?;
        if header.cid != self.cid {
            return Err(Discard::UnknownCid);
        }
        if self.closing.is_some() {
            return Err(Discard::Closing);
        }
        let opened = self.channel.open(now, self.rtt.smoothed(), &header, len, datagram);
        if self.channel.is_forged_out() {
            self.close(CloseReason::Rekey, now);
        }
        let opened = opened?;
        self.heard_at = now;
        let purpose = self.enrolling.as_ref().map_or(Purpose::Pictures, |_| Purpose::Pairing);
        let said = FromDisplay::parse(opened.plaintext, opened.epoch, purpose);
        match said.and_then(|message| self.take(now, message, frames, events)) {
            Ok(end) => Ok(end),
            Err(message::Violation) => {
                self.close(CloseReason::Protocol, now);
                Err(Discard::Violation)
            }
        }
    }

    fn take(
        &mut self,
        now: Instant,
        message: FromDisplay<'_>,
        frames: &mut Splitter<'_>,
        events: &mut Events,
    ) -> Result<Option<SessionEnd>, message::Violation> {
        match message {
            FromDisplay::Nothing | FromDisplay::Pong => {}
            FromDisplay::Ping(token) => self.pong = Some(token),
            FromDisplay::PathChallenge(token) => self.path_response = Some(*token),
            FromDisplay::Config(limits) => {
                frames.pad(limits.padding);
                self.limits = Some(limits);
            }
            FromDisplay::Close(reason) => return Ok(Some(SessionEnd::ClosedByPeer(reason))),
            FromDisplay::KexResp(resp) => self.new_epoch(now, &resp, events)?,
            FromDisplay::Feedback(feedback) => self.feedback(now, &feedback, frames, events),
            FromDisplay::EnrolOk => self.enrolled()?,
        }
        Ok(None)
    }

    fn feedback(
        &mut self,
        now: Instant,
        feedback: &Feedback,
        frames: &mut Splitter<'_>,
        events: &mut Events,
    ) {
        if feedback.hold != NO_SAMPLE {
            let since = now.stamp().since(feedback.echo);
            let hold = u32::from(feedback.hold) * 10;
            if let Some(rtt) = u32::try_from(since).ok().and_then(|since| since.checked_sub(hold)) {
                self.rtt.sample(Duration::from_micros(u64::from(rtt)));
                self.measured_at = now;
            }
        }
        frames.free(feedback.done_frame);
        self.unanswered_since = None;
        if core::mem::take(&mut self.paused) {
            self.timers.stop(Due::BreakerPing);
            events.push(Event::MediaPaused(false));
        }
    }

    /// Writes what is due, most urgent first.
    pub(crate) fn poll<R: TryCryptoRng>(
        &mut self,
        now: Instant,
        out: &mut Outgoing<'_, '_, R>,
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
        self.begin_exchange(now, out.rng, out.events);
        if let Some(sent) = self.poll_exchange(now, buf).or_else(|| self.poll_control(now, out, buf)) {
            return sent;
        }
        self.poll_breaker(now, out);
        if let Some(sent) = self.poll_chunks(now, out, buf) {
            return sent;
        }
        LinkOutput::Wait(self.next(now, out))
    }

    fn poll_control<R>(
        &mut self,
        now: Instant,
        out: &Outgoing<'_, '_, R>,
        buf: &mut [u8],
    ) -> Option<LinkOutput> {
        if let Some(token) = self.pong.take() {
            return Some(self.seal(now, buf, |out| message::emit_pong(out, token)));
        }
        if let Some(token) = self.path_response.take() {
            return Some(self.seal(now, buf, |out| message::emit_path_response(out, &token)));
        }
        if let Some(sent) = self.poll_enrol(now, buf) {
            return Some(sent);
        }
        if self.timers.is_due(Due::Status, now) {
            self.ping = false;
            self.timers.set(Due::Status, now + STATUS_INTERVAL);
            let (srtt, rttvar) = self.rtt.to_wire(now.since(self.measured_at));
            let status = Status { srtt, rttvar, clock: now.stamp(), ..out.status };
            return Some(self.seal(now, buf, |out| status.emit(out)));
        }
        let breaker_ping = self.timers.is_due(Due::BreakerPing, now);
        if core::mem::take(&mut self.ping) || breaker_ping || now.since(self.sent_at) >= KEEPALIVE {
            if breaker_ping {
                self.timers.set(Due::BreakerPing, now + BREAKER_PING);
            }
            let token = now.stamp().0;
            return Some(self.seal(now, buf, |out| message::emit_ping(out, token)));
        }
        None
    }

    /// Opens the circuit breaker: what was leaving would be old by the time it could go on.
    fn poll_breaker<R>(&mut self, now: Instant, out: &mut Outgoing<'_, '_, R>) {
        let unanswered = self.unanswered_since.is_some_and(|since| now.since(since) >= BREAKER);
        if unanswered && !self.paused {
            self.paused = true;
            if out.frames.abandon() {
                out.stats.frames_dropped += 1;
            }
            self.timers.set(Due::BreakerPing, now + BREAKER_PING);
            out.events.push(Event::MediaPaused(true));
        }
    }

    /// Seals as many packets side by side as the pacer and the buffer allow.
    fn poll_chunks<R>(
        &mut self,
        now: Instant,
        out: &mut Outgoing<'_, '_, R>,
        buf: &mut [u8],
    ) -> Option<LinkOutput> {
        let limits = self.limits.filter(|_| !self.paused && self.channel.epoch() > 0)?;
        let release = out.frames.release(now, limits.receive_buffer);
        let mut len = 0;
        for place in buf.chunks_exact_mut(CHUNK_DATAGRAM).take(usize::from(release)) {
            let Some(packet) = out.frames.next_packet(now) else { break };
            let sealed = self.channel.seal(now, place, |out| {
                if let Leaving::Chunk { shape, chunk_idx, payload, .. } = &packet {
                    Chunk::emit(out, shape, *chunk_idx, false, now.stamp(), payload)?;
                }
                out.zeros(out.room())
            });
            let is_last = matches!(packet, Leaving::Chunk { is_last: true, .. });
            match sealed {
                Ok(sealed) => len += sealed,
                Err(_spent) => return Some(LinkOutput::Ended(SessionEnd::KeysExpired)),
            }
            out.stats.frames += u64::from(is_last);
        }
        if len == 0 {
            return None;
        }
        self.sent_at = now;
        self.unanswered_since = self.unanswered_since.or(Some(now));
        Some(LinkOutput::Transmit { len, segment_len: CHUNK_DATAGRAM })
    }

    fn next<R>(&self, now: Instant, out: &Outgoing<'_, '_, R>) -> Option<Instant> {
        let sending = self.limits.is_some() && !self.paused && self.channel.epoch() > 0;
        let chunks = match out.frames.next_release() {
            Some(at) if sending => Some(at),
            None if sending && out.frames.is_ready() => Some(now),
            _ => None,
        };
        let breaker = self.unanswered_since.filter(|_| !self.paused).map(|since| since + BREAKER);
        // While the display has not begun the new epoch no time will bring the next exchange, but a packet.
        let may_rekey = self.exchange.is_none() && !self.channel.awaits_new_epoch();
        let rekey = self.rekeyed_at.filter(|_| may_rekey).map(|at| {
            let rested = at + REKEY_PAUSE;
            let due = match self.channel.has_used(REKEY_PACKETS, REKEY_AGE, now) {
                true => now,
                false => self.channel.reaches_age(REKEY_AGE),
            };
            due.max(rested).max(self.channel.next_expiry().unwrap_or(due))
        });
        let own = [chunks, breaker, rekey, self.timers.next(), Some(self.sent_at + KEEPALIVE)];
        let ends = earlier(
            Some(self.heard_at + DEAD),
            Some(self.channel.reaches_age(crate::session::MAX_EPOCH_AGE)),
        );
        own.into_iter().chain([ends]).fold(None, earlier)
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
                LinkOutput::Transmit { len, segment_len: len }
            }
            Err(SealError::Expired | SealError::NoRoom) => LinkOutput::Ended(SessionEnd::KeysExpired),
        }
    }
}

/// The shortest buffer that `poll` can work with.
pub(crate) const MIN_BUFFER: usize = crate::wire::hello::LEN;
const _: () = assert!(close::LEN < MIN_BUFFER);

#[cfg(test)]
#[cfg(feature = "rsa")]
mod tests;
