//! A way that he makes longer for what the camera sends, slowly or at once, and not for all of it: so that old pictures
//! pass for live (docs/protocol.md §9.5). He has no keys, and tells packets by their length.

use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;

use crate::freshness::{is_path_response, is_status};
use crate::world::network::{Captured, below};
use crate::world::{ms, secs};

/// As long as the way ever becomes. A session of which nothing comes for five seconds would end.
const LONGEST: Duration = secs(6);

#[derive(Debug, Clone, Copy)]
pub(super) struct Delay {
    began: Duration,
    at_once: Duration,
    /// In each second.
    growth: Duration,
    heartbeats: Treatment,
    /// PATH_RESPONSE.
    proofs: Treatment,
    /// Whatever else is no chunk, handshakes among it.
    others: Treatment,
}

/// What becomes of a kind of datagram.
#[derive(Debug, Clone, Copy)]
enum Treatment {
    /// It takes as long as the chunks.
    Delayed,
    /// It takes no longer than ever.
    Hurried,
    /// It takes so much longer than the chunks.
    Held(Duration),
    Dropped,
}

impl Delay {
    pub(super) fn new(now: Duration, dice: &mut ChaCha20Rng) -> Self {
        let at_once = ms(1500 + u64::from(dice.next_u32() % 3000));
        let (at_once, growth) = match below(dice, 4) {
            0 => (ms(0), [ms(50), ms(150), ms(500)][below(dice, 3)]),
            1 => (at_once, ms(100)),
            _ => (at_once, ms(0)),
        };
        let delayed = Treatment::Delayed;
        Self { began: now, at_once, growth, heartbeats: delayed, proofs: delayed, others: delayed }
    }

    /// The same way for the chunks, and another for what is none.
    pub(super) fn treated(self, dice: &mut ChaCha20Rng) -> Self {
        use Treatment::{Delayed, Dropped, Held, Hurried};
        Self {
            heartbeats: [Delayed, Delayed, Delayed, Hurried, Held(secs(2)), Dropped][below(dice, 6)],
            proofs: [Delayed, Hurried][below(dice, 2)],
            others: [Delayed, Delayed, Hurried][below(dice, 3)],
            ..self
        }
    }

    /// How much longer this one takes; never, if it is dropped.
    pub(super) fn of(&self, sent: &Captured) -> Option<Duration> {
        let seconds = (sent.at - self.began).as_secs_f64();
        let longer = (self.at_once + self.growth.mul_f64(seconds)).min(LONGEST);
        let treatment = match &sent.bytes {
            bytes if is_status(bytes) => self.heartbeats,
            bytes if is_path_response(bytes) => self.proofs,
            bytes if bytes[0] == 0x10 && bytes.len() > 1000 => Treatment::Delayed,
            _ => self.others,
        };
        match treatment {
            Treatment::Delayed => Some(longer),
            Treatment::Hurried => Some(Duration::ZERO),
            Treatment::Held(besides) => Some(longer + besides),
            Treatment::Dropped => None,
        }
    }
}
