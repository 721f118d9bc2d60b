//! The clock: CLOCK_MONOTONIC as the core's [`Instant`], and the time of day for people to read.
//!
//! That clock stands still while the machine sleeps: [`SleepWatch`] tells that it did.
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

/// Longer than the kernel's two clocks ever differ for another reason.
const SLEEP: Duration = Duration::from_secs(5);

/// Notices that the machine was asleep (docs/protocol.md §14): CLOCK_BOOTTIME went on and CLOCK_MONOTONIC did not.
#[derive(Debug)]
pub struct SleepWatch {
    asleep: Duration,
}

impl SleepWatch {
    /// Sleep counts from now on.
    #[must_use]
    pub fn new() -> Self {
        Self { asleep: asleep() }
    }

    /// How long the machine has slept since the last call, if for more than 5 s.
    #[must_use]
    pub fn slept(&mut self) -> Option<Duration> {
        self.slept_by(asleep())
    }

    fn slept_by(&mut self, asleep: Duration) -> Option<Duration> {
        let slept = asleep.saturating_sub(self.asleep);
        (slept > SLEEP).then(|| {
            self.asleep = asleep;
            slept
        })
    }
}

impl Default for SleepWatch {
    fn default() -> Self {
        Self::new()
    }
}

/// How long the machine has been asleep since its start.
fn asleep() -> Duration {
    let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
    // In this order the difference is never too small, and too large by no more than the time between the two.
    let awake = read(ClockId::CLOCK_MONOTONIC);
    read(ClockId::CLOCK_BOOTTIME).saturating_sub(awake)
}

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
    /// `V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC`): seconds and microseconds, which have 32 bits on 32-bit processors.
    /// Negative values count as zero.
    #[must_use]
    pub fn from_timeval(self, seconds: impl Into<i64>, micros: impl Into<i64>) -> Instant {
        instant(seconds.into(), micros.into())
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
    fn sleep_is_told_once_and_only_if_it_was_one() {
        let mut watch = SleepWatch::new();
        assert_eq!(watch.slept(), None);
        let before = watch.asleep;
        assert_eq!(watch.slept_by(before + SLEEP), None);
        assert_eq!(watch.slept_by(before + SLEEP * 2), Some(SLEEP * 2));
        assert_eq!(watch.slept_by(before + SLEEP * 2), None);
        // Short naps add up.
        assert_eq!(watch.slept_by(before + SLEEP * 3), None);
        assert_eq!(watch.slept_by(before + SLEEP * 4), Some(SLEEP * 2));
    }

    #[test]
    fn time_of_day_is_within_the_day() {
        assert!(Clock.time_of_day() < Duration::from_secs(SECONDS_OF_A_DAY));
    }

    #[test]
    fn driver_timestamp_is_on_the_same_scale() {
        assert_eq!(Clock.from_timeval(3_i64, 250_000_i32), Instant::from_micros(3_250_000));
        assert_eq!(Clock.from_timeval(-1_i32, -1_i32), Instant::ZERO);
        assert_eq!(Clock.from_timeval(i64::MAX, 0_i64), Instant::from_micros(u64::MAX));
    }
}
