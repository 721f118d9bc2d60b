//! The other end's clock as seen from here: the smallest "arrival − its stamp" of the last ten seconds
//! (docs/protocol.md §9.5).
//!
//! What a packet took longer than the fastest one is queueing; the fastest one's own way is estimated by the caller.

use core::time::Duration;

use crate::time::{Instant, Stamp, micros};

const BUCKETS: usize = 10;
const BUCKET: Duration = Duration::from_secs(1);

/// Minimum of wrapping differences over a sliding window.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ClockOffset {
    /// The minimum in each of the last seconds, with the second's number.
    minima: [Option<(u64, Stamp)>; BUCKETS],
    latest: Option<Stamp>,
}

impl ClockOffset {
    /// Takes a packet that left at `stamp` on the other clock and arrived now.
    pub(crate) fn sample(&mut self, now: Instant, stamp: Stamp) {
        let difference = Stamp(now.stamp().0.wrapping_sub(stamp.0));
        self.latest = Some(difference);
        let second = micros(now.since(Instant::ZERO)) / micros(BUCKET);
        let bucket = usize::try_from(second).unwrap_or(0) % BUCKETS;
        if let Some(minimum) = self.minima.get_mut(bucket) {
            *minimum = match *minimum {
                Some((of, least)) if of == second && difference.since(least) >= 0 => Some((of, least)),
                _ => Some((second, difference)),
            };
        }
    }

    /// How much longer than the fastest the latest packet took.
    pub(crate) fn queue_delay(&self, now: Instant) -> Duration {
        match (self.latest, self.minimum(now)) {
            (Some(latest), Some(minimum)) => duration(latest.since(minimum)),
            _ => Duration::ZERO,
        }
    }

    /// How long ago the other end's `stamp` was, if the fastest packet took `one_way`.
    pub(crate) fn age(&self, now: Instant, stamp: Stamp, one_way: Duration) -> Option<Duration> {
        let minimum = self.minimum(now)?;
        let since_arrival = Stamp(now.stamp().0.wrapping_sub(stamp.0)).since(minimum);
        Some(duration(since_arrival) + one_way)
    }

    fn minimum(&self, now: Instant) -> Option<Stamp> {
        let second = micros(now.since(Instant::ZERO)) / micros(BUCKET);
        let recent = self.minima.iter().flatten().filter(|(of, _)| second.saturating_sub(*of) < 10);
        recent.map(|(_, least)| *least).reduce(|a, b| if b.since(a) < 0 { b } else { a })
    }
}

fn duration(difference: i32) -> Duration {
    Duration::from_micros(u64::from(difference.max(0).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;

    #[test]
    fn queueing_is_what_exceeds_the_fastest_packet() {
        let mut offset = ClockOffset::default();
        // The other clock is 5 s behind; the way takes 2 ms, then 9 ms.
        offset.sample(Instant::from_micros(6_000 * MS), Stamp(998_000));
        offset.sample(Instant::from_micros(6_020 * MS), Stamp(1_011_000));
        assert_eq!(offset.queue_delay(Instant::from_micros(6_020 * MS)), Duration::from_millis(7));
    }

    #[test]
    fn age_counts_the_way_and_survives_the_wrap_of_both_clocks() {
        let mut offset = ClockOffset::default();
        let wrap = u64::from(u32::MAX);
        offset.sample(Instant::from_micros(wrap - 500), Stamp(u32::MAX - 9_500));
        let age = offset.age(Instant::from_micros(wrap + 20_000), Stamp(10_000), Duration::from_millis(4));
        // 9.999 ms by the clocks, of which 9 are their difference and the fastest way; that way took 4 ms.
        assert_eq!(age, Some(Duration::from_micros(999 + 4_000)));
    }

    #[test]
    fn a_minimum_is_forgotten_after_ten_seconds() {
        let mut offset = ClockOffset::default();
        offset.sample(Instant::from_micros(0), Stamp(0));
        for second in 1..=10 {
            let now = Instant::from_micros(second * 1_000_000);
            offset.sample(now, Stamp(now.stamp().0 - 3_000));
        }
        assert_eq!(offset.queue_delay(Instant::from_micros(10_000_000)), Duration::ZERO);
    }
}
