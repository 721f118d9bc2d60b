//! When the camera tries to reach its display: attempts, their repetition, and the pauses between them
//! (docs/protocol.md §4 client timers, §11).
//!
//! At most two attempts run side by side: the second begins one second after the first one's KEY, so that a COOKIE
//! that was raced costs one second and not eight, and is renewed every three seconds, so that a display that was
//! started anew, and knows no cookie of before, costs three. Whichever ACCEPT verifies first wins. After the first
//! one's eight seconds both have failed, and a pause follows.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;

use crate::discard::Discard;
use crate::events::Events;
use crate::handshake::initiator::{
    ACCEPT_TIMEOUT, AwaitingAccept, AwaitingCookie, Cookied, Established, Tools,
};
use crate::key::{CameraKey, RsaPublic};
use crate::output::Event;
use crate::random;
use crate::time::{Instant, micros};
use crate::wire::accept::{self, Accept};
use crate::wire::cookie;

const COMPANION_AFTER: Duration = Duration::from_secs(1);
const RENEWED_AFTER: Duration = Duration::from_secs(3);
const MIN_BACKOFF: Duration = Duration::from_millis(250);
const MAX_BACKOFF: Duration = Duration::from_secs(8);
/// HELLO goes out at least this often in the first minute of silence, and then more rarely.
const HELLO_SOON: Duration = Duration::from_secs(1);
const HELLO_LATER: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(60);
/// The user is told, and the name looked up again, after so much silence.
const SILENCE: Duration = Duration::from_secs(5);

enum Attempt {
    Cookie(AwaitingCookie),
    Accept(AwaitingAccept),
}

/// The camera's side of getting connected.
pub(crate) struct Dialer {
    primary: Option<Attempt>,
    companion: Option<Attempt>,
    /// No second attempt before this: one was due when randomness failed.
    companion_not_before: Option<Instant>,
    /// When the next attempt begins; `None`: not dialling.
    start_at: Option<Instant>,
    backoff: Duration,
    silent_since: Option<Instant>,
    tell_silence_at: Option<Instant>,
}

impl Dialer {
    pub(crate) const fn new() -> Self {
        Self {
            primary: None,
            companion: None,
            companion_not_before: None,
            start_at: None,
            backoff: MIN_BACKOFF,
            silent_since: None,
            tell_silence_at: None,
        }
    }

    /// Begins dialling at `at`, unless it does already.
    pub(crate) fn start(&mut self, at: Instant) {
        if self.start_at.is_none() && self.primary.is_none() && self.companion.is_none() {
            self.start_at = Some(at);
        }
    }

    /// Begins again after the pause that the last failures have earned.
    pub(crate) fn start_after_backoff(&mut self, now: Instant, rng: &mut impl TryCryptoRng) {
        self.start(now + jittered(self.backoff, rng));
        self.backoff = (self.backoff * 2).min(MAX_BACKOFF);
    }

    /// Ends all attempts.
    pub(crate) fn stop(&mut self) {
        *self = Self { backoff: self.backoff, ..Self::new() };
    }

    /// A session stands: the next failure starts with the shortest pause again.
    pub(crate) fn succeeded(&mut self) {
        self.backoff = MIN_BACKOFF;
    }

    /// Whether an attempt runs or will.
    pub(crate) const fn is_dialling(&self) -> bool {
        self.start_at.is_some() || self.primary.is_some() || self.companion.is_some()
    }

    /// Writes the datagram that is due, if one is.
    pub(crate) fn poll<R: TryCryptoRng, K, P>(
        &mut self,
        now: Instant,
        address: Option<SocketAddr>,
        tools: &mut Tools<'_, R, K, P>,
        events: &mut Events,
        buf: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        self.give_up(now, tools.rng, events);
        self.begin(now, address, tools.rng, events);
        if self.tell_silence_at.is_some_and(|at| at <= now) {
            self.tell_silence_at = Some(now + SILENCE);
            events.push(Event::NoAnswer);
        }
        let longest = match self.silent_since {
            Some(since) if now.since(since) >= PATIENCE => HELLO_LATER,
            _ => HELLO_SOON,
        };
        let purpose = tools.purpose();
        let Tools { rng, display, .. } = tools;
        [&mut self.primary, &mut self.companion].into_iter().flatten().find_map(|attempt| match attempt {
            Attempt::Cookie(state) if state.next_send <= now => {
                let len = state.send(now, (display, purpose), longest, |span| jittered(span, rng), buf)?;
                Some((state.to, len))
            }
            Attempt::Accept(state) if state.next_send <= now => {
                let len = state.send(now, buf)?;
                Some((state.to, len))
            }
            _ => None,
        })
    }

    /// When [`Dialer::poll`] has something to do, apart from an address that it waits for.
    pub(crate) fn next(&self, has_address: bool) -> Option<Instant> {
        let attempts = [&self.primary, &self.companion].into_iter().flatten().map(|attempt| match attempt {
            Attempt::Cookie(state) => state.next_send,
            Attempt::Accept(state) => state.next_send.min(state.keyed_at() + ACCEPT_TIMEOUT),
        });
        let start = self.start_at.filter(|_| has_address);
        attempts.chain(start).chain(self.tell_silence_at).chain(self.companion_at()).min()
    }

    /// Takes a COOKIE.
    pub(crate) fn cookie<R: TryCryptoRng, K: CameraKey, P: RsaPublic>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8; cookie::LEN],
        tools: &mut Tools<'_, R, K, P>,
        events: &mut Events,
    ) -> Result<(), Discard> {
        let mut result = Err(Discard::Unexpected);
        for place in [&mut self.primary, &mut self.companion] {
            let Some(Attempt::Cookie(state)) = place.take_if(|attempt| matches!(attempt, Attempt::Cookie(_)))
            else {
                continue;
            };
            if state.to != from {
                result = Err(Discard::WrongAddress);
                *place = Some(Attempt::Cookie(state));
                continue;
            }
            match state.handle(now, datagram, tools) {
                Cookied::Waiting(state, why) => {
                    *place = Some(Attempt::Cookie(state));
                    result = Err(why);
                }
                Cookied::Mismatch(mut state, shown) => {
                    if !core::mem::replace(&mut state.mismatch_told, true) {
                        events.push(Event::PinMismatch { shown });
                    }
                    *place = Some(Attempt::Cookie(state));
                    return Err(Discard::PinMismatch);
                }
                Cookied::Failed(state) => {
                    *place = Some(Attempt::Cookie(state));
                    events.push(Event::RandomFailed);
                    return Err(Discard::RandomFailed);
                }
                Cookied::Keyed(state, pairing_open) => {
                    *place = Some(Attempt::Accept(state));
                    self.silent_since = None;
                    self.tell_silence_at = None;
                    events.push(Event::DisplayAnswered);
                    if tools.pair_key.is_some() && !pairing_open {
                        events.push(Event::PairingShut);
                    }
                    return Ok(());
                }
            }
        }
        result
    }

    /// Takes an ACCEPT.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8; accept::LEN],
    ) -> Result<Established, Discard> {
        let (accept, ..) = Accept::parse(datagram).ok_or(Discard::Malformed)?;
        for place in [&mut self.primary, &mut self.companion] {
            let meant = |attempt: &mut Attempt| matches!(attempt, Attempt::Accept(state) if state.has_cid(accept.client_cid));
            let Some(Attempt::Accept(state)) = place.take_if(meant) else { continue };
            if state.to != from {
                *place = Some(Attempt::Accept(state));
                return Err(Discard::WrongAddress);
            }
            return state.handle(now, datagram).map_err(|(state, why)| {
                *place = Some(Attempt::Accept(state));
                why
            });
        }
        Err(Discard::Unexpected)
    }

    /// Ends the attempts when the first one's time is over. A companion that still waits for its COOKIE goes on.
    fn give_up(&mut self, now: Instant, rng: &mut impl TryCryptoRng, events: &mut Events) {
        let over = |attempt: &mut Attempt| matches!(attempt, Attempt::Accept(state) if state.is_over(now));
        if self.primary.take_if(over).is_some() {
            events.push(Event::NotAccepted);
            self.primary = self.companion.take().filter(|attempt| matches!(attempt, Attempt::Cookie(_)));
            if self.primary.is_none() {
                self.start_after_backoff(now, rng);
            }
        }
    }

    /// Begins what is due to begin.
    fn begin(
        &mut self,
        now: Instant,
        address: Option<SocketAddr>,
        rng: &mut impl TryCryptoRng,
        events: &mut Events,
    ) {
        let Some(to) = address else { return };
        if self.start_at.is_some_and(|at| at <= now) {
            self.start_at = None;
            self.primary = attempt(to, rng, now, events);
            if self.primary.is_none() {
                self.start_after_backoff(now, rng);
            }
            self.listen(now);
            events.push(Event::Connecting);
        }
        if self.companion_at().is_some_and(|at| at <= now) {
            self.companion = attempt(to, rng, now, events);
            self.companion_not_before = self.companion.is_none().then(|| now + COMPANION_AFTER);
            self.listen(now);
        }
    }

    /// A HELLO goes out: from now on no COOKIE is silence, until one comes.
    fn listen(&mut self, now: Instant) {
        self.silent_since = self.silent_since.or(Some(now));
        self.tell_silence_at = self.tell_silence_at.or(Some(now + SILENCE));
    }

    /// When a second attempt begins beside the first, or anew.
    fn companion_at(&self) -> Option<Instant> {
        match (&self.primary, &self.companion) {
            (Some(Attempt::Accept(_)), Some(Attempt::Accept(state))) => {
                Some(state.keyed_at() + RENEWED_AFTER)
            }
            (Some(Attempt::Accept(state)), None) => {
                let due = state.keyed_at() + COMPANION_AFTER;
                Some(self.companion_not_before.map_or(due, |at| at.max(due)))
            }
            _ => None,
        }
    }
}

fn attempt(
    to: SocketAddr,
    rng: &mut impl TryCryptoRng,
    now: Instant,
    events: &mut Events,
) -> Option<Attempt> {
    let state = AwaitingCookie::new(to, rng, now);
    if state.is_err() {
        events.push(Event::RandomFailed);
    }
    state.ok().map(Attempt::Cookie)
}

/// `span` ± 25 %; exactly `span` should randomness fail.
fn jittered(span: Duration, rng: &mut impl TryCryptoRng) -> Duration {
    let Ok(random) = random::number(rng) else { return span };
    let span = micros(span);
    Duration::from_micros(span * 3 / 4 + (span / 2).saturating_mul(u64::from(random)) / u64::from(u32::MAX))
}
