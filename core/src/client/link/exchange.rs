//! The camera's end of the exchange that begins an epoch: when, how it is repeated, and what its answer changes
//! (docs/protocol.md §8).

use core::time::Duration;

use rand_core::TryCryptoRng;

use super::{Due, Link, LinkOutput, REKEY_AGE, REKEY_PACKETS, REKEY_PAUSE};
use crate::events::Events;
use crate::output::Event;
use crate::random;
use crate::session::rekey::{self, Initiator};
use crate::time::Instant;
use crate::wire::close::CloseReason;
use crate::wire::kex::{Half, KexResp};
use crate::wire::message;

const KEX_MIN_INTERVAL: Duration = Duration::from_millis(50);
const KEX_MAX_INTERVAL: Duration = Duration::from_secs(1);

/// An exchange under way.
pub(super) struct Exchange {
    initiator: Initiator,
    interval: Duration,
    /// The half that goes out next of the pair that is being sent.
    half: Option<Half>,
}

impl Link {
    /// KEX_RESP: everything is sealed in the new epoch from here on, and one packet goes out at once.
    pub(super) fn new_epoch(
        &mut self,
        now: Instant,
        resp: &KexResp<'_>,
        events: &mut Events,
    ) -> Result<(), message::Violation> {
        let Some(exchange) = &self.exchange else { return self.late_resp(resp) };
        if resp.epoch != rekey::wire_epoch(exchange.initiator.epoch()) {
            return self.late_resp(resp);
        }
        let secret = exchange.initiator.finish(resp, self.channel.secret())?;
        self.channel.advance(secret, now);
        self.exchange = None;
        self.timers.stop(Due::KexInit);
        self.rekeyed_at = Some(now);
        self.ping = true;
        let epoch = self.channel.epoch();
        if self.enrolling.is_some() {
            return Ok(());
        }
        if epoch == 1 {
            self.timers.set(Due::Status, now);
            events.push(Event::Connected { camera: self.camera, peer: self.to });
        } else {
            events.push(Event::Rekeyed { camera: self.camera, epoch });
        }
        Ok(())
    }

    /// One for an epoch already reached does no harm; one for an epoch that was not asked for does.
    pub(super) fn late_resp(&self, resp: &KexResp<'_>) -> Result<(), message::Violation> {
        let behind = rekey::wire_epoch(self.channel.epoch()).wrapping_sub(resp.epoch);
        if behind < 128 { Ok(()) } else { Err(message::Violation) }
    }

    pub(super) fn begin_exchange(&mut self, now: Instant, rng: &mut impl TryCryptoRng, events: &mut Events) {
        let first = self.channel.epoch() == 0;
        let rested = self.rekeyed_at.is_none_or(|at| now.since(at) >= REKEY_PAUSE);
        let due = first || self.channel.has_used(REKEY_PACKETS, REKEY_AGE, now) && rested;
        if self.exchange.is_some() || !due || self.channel.has_previous(now) {
            return;
        }
        match Initiator::new(self.channel.epoch() + 1, rng) {
            Ok(initiator) => {
                self.exchange = Some(Exchange { initiator, interval: KEX_MIN_INTERVAL, half: None });
                self.timers.set(Due::KexInit, now);
            }
            Err(random::RandomFailed) => {
                events.push(Event::RandomFailed);
                self.close(CloseReason::GoingAway, now);
            }
        }
    }

    pub(super) fn poll_exchange(&mut self, now: Instant, buf: &mut [u8]) -> Option<LinkOutput> {
        let exchange = self.exchange.as_mut()?;
        if exchange.half.is_none() && self.timers.is_due(Due::KexInit, now) {
            exchange.half = Some(Half::First);
            let shortest = (self.rtt.smoothed() * 2).max(KEX_MIN_INTERVAL);
            exchange.interval = exchange.interval.max(shortest).min(KEX_MAX_INTERVAL);
            self.timers.set(Due::KexInit, now + exchange.interval);
            exchange.interval *= 2;
        }
        let half = exchange.half?;
        exchange.half = match half {
            Half::First => Some(Half::Second),
            Half::Second => None,
        };
        let init = exchange.initiator.half(half)?;
        let sealed = self.channel.seal(now, buf, |out| init.emit(out));
        Some(self.sealed(now, sealed))
    }
}
