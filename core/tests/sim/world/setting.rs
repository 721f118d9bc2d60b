//! Seeds and other numbers from the environment, spans of time, and clocks that have nothing in common.

use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use sealcam_core::time::Instant;

/// The seed of a run: `SIM_SEED` if it is set. Printed, so that a failure can be run again.
pub(crate) fn seed(default: u64) -> u64 {
    let seed = setting("SIM_SEED", default);
    println!("SIM_SEED={seed}");
    seed
}

/// A number from the environment.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A clock that started some other time than the world.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    offset: Duration,
}

impl Clock {
    /// Now and then near the point where 32 bits of microseconds wrap.
    pub(crate) fn random(dice: &mut ChaCha20Rng) -> Self {
        let near_wrap = u64::from(u32::MAX) - 3_000_000;
        let offset = if dice.next_u32().is_multiple_of(3) { near_wrap } else { dice.next_u64() >> 20 };
        Self { offset: Duration::from_micros(offset) }
    }

    /// The same clock, which has just been put forward.
    pub(crate) fn jumped(self, by: Duration) -> Self {
        Self { offset: self.offset + by }
    }

    pub(crate) fn here(self, now: Duration) -> Instant {
        Instant::from_micros(u64::try_from((now + self.offset).as_micros()).unwrap())
    }
}
