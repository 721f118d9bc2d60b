//! The clock: CLOCK_MONOTONIC as the core's [`Instant`], and the time of day for people to read.
//!
//! This is the only file of the project that reads the time. Microseconds count from the start of the machine, so
//! that a timestamp which a driver took on CLOCK_MONOTONIC (V4L2's) is an `Instant` without any offset.
//! Nothing is ever decided by the time of day: a small device may start in 1970, and the journal stamps log lines
//! itself.

use std::time::Duration;

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use sealcam_core::time::Instant;

/// UTC's days have no others: the kernel repeats or smears a leap second.
const SECONDS_OF_A_DAY: u64 = 86_400;

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

    /// The time since the last midnight in UTC, as this machine believes it to be. It may jump: show it to people, and
    /// decide nothing by it.
    #[must_use]
    pub fn time_of_day(self) -> Duration {
        let since_1970 = clock_gettime(ClockId::CLOCK_REALTIME).map(Duration::from).unwrap_or_default();
        Duration::new(since_1970.as_secs() % SECONDS_OF_A_DAY, since_1970.subsec_nanos())
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
    fn time_of_day_is_within_the_day() {
        assert!(Clock.time_of_day() < Duration::from_secs(SECONDS_OF_A_DAY));
    }

    #[test]
    fn driver_timestamp_is_on_the_same_scale() {
        assert_eq!(Clock.from_timeval(3, 250_000), Instant::from_micros(3_250_000));
        assert_eq!(Clock.from_timeval(-1, -1), Instant::ZERO);
        assert_eq!(Clock.from_timeval(i64::MAX, 0), Instant::from_micros(u64::MAX));
    }
}
