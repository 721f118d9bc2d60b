//! The clock: CLOCK_MONOTONIC as the core's [`Instant`], and nothing else.
//!
//! This is the only file of the project that reads the time. Microseconds count from the start of the machine, so
//! that a timestamp which a driver took on CLOCK_MONOTONIC (V4L2's) is an `Instant` without any offset.
//! Wall-clock time is not read at all: a small device may start in 1970, and the journal stamps log lines itself.

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use sealcam_core::time::Instant;

/// The machine's monotonic clock; all copies agree, in every thread and process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock;

impl Clock {
    /// The time now.
    #[must_use]
    pub fn now(self) -> Instant {
        // Linux always has CLOCK_MONOTONIC, so the call cannot fail; the core takes any time without harm.
        clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map_or(Instant::ZERO, |time| instant(0, time.num_microseconds()))
    }

    /// A driver's CLOCK_MONOTONIC timestamp (`v4l2_buffer.timestamp` where the buffer's flags say
    /// `V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC`): seconds and microseconds. Negative values count as zero.
    #[must_use]
    pub fn from_timeval(self, seconds: i64, micros: i64) -> Instant {
        instant(seconds, micros)
    }
}

fn instant(seconds: i64, micros: i64) -> Instant {
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    Instant::from_micros(part(seconds).saturating_mul(1_000_000).saturating_add(part(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards() {
        let mut last = Clock.now();
        for _ in 0..1000 {
            let now = Clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn driver_timestamp_is_on_the_same_scale() {
        assert_eq!(Clock.from_timeval(3, 250_000), Instant::from_micros(3_250_000));
        assert_eq!(Clock.from_timeval(-1, -1), Instant::ZERO);
        assert_eq!(Clock.from_timeval(i64::MAX, 0), Instant::from_micros(u64::MAX));
    }
}
