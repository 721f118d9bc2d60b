//! The pace of a source that has none of its own: a grid of times at the rate asked for.
//!
//! Reads no clock: it is told the time and says what to sleep until.

use std::num::NonZeroU32;

use sealcam_core::time::Instant;

/// A grid of times `1 / fps` apart. It does not drift: each time is reckoned from the start.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    fps: NonZeroU32,
    next: u64,
}

/// When the next frame is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// Its time; may have passed, by less than one interval.
    pub(super) due: Instant,
    /// Times of the grid that passed without a frame since the last slot.
    pub(super) missed: u64,
}

impl Pace {
    /// A grid that begins at `start`.
    pub(super) fn new(start: Instant, fps: NonZeroU32) -> Self {
        Self { start, fps, next: 0 }
    }

    /// The next slot. Whoever comes late by an interval or more goes on with the newest slot that has come: frames
    /// are never sent in a burst to catch up.
    pub(super) fn next(&mut self, now: Instant) -> Slot {
        let elapsed = u64::try_from(now.since(self.start).as_micros()).unwrap_or(u64::MAX);
        let current = elapsed.saturating_mul(self.per_second()) / 1_000_000;
        let missed = current.saturating_sub(self.next);
        let slot = self.next + missed;
        self.next = slot + 1;
        Slot { due: self.time_of(slot), missed }
    }

    fn time_of(&self, slot: u64) -> Instant {
        let micros = slot.saturating_mul(1_000_000).div_ceil(self.per_second());
        Instant::from_micros(self.start.as_micros().saturating_add(micros))
    }

    fn per_second(&self) -> u64 {
        u64::from(self.fps.get())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Instant = Instant::from_micros(5_000_000);

    fn pace(fps: u32) -> Pace {
        Pace::new(START, NonZeroU32::new(fps).unwrap())
    }

    #[test]
    fn frames_are_due_at_the_rate_without_drift() {
        let mut pace = pace(30);
        let mut now = START;
        for n in 0..=30_000 {
            let slot = pace.next(now);
            assert_eq!(slot.missed, 0, "frame {n}");
            now = slot.due;
        }
        assert_eq!(now.since(START), Duration::from_secs(1000));
    }

    #[test]
    fn late_caller_skips_slots_instead_of_bursting() {
        let mut pace = pace(10);
        assert_eq!(pace.next(START), Slot { due: START, missed: 0 });
        // Slots 1 to 4 are at 100 to 400 ms; at 450 ms the newest that has come is slot 4.
        let slot = pace.next(START + Duration::from_millis(450));
        assert_eq!(slot, Slot { due: START + Duration::from_millis(400), missed: 3 });
        let slot = pace.next(START + Duration::from_millis(460));
        assert_eq!(slot, Slot { due: START + Duration::from_millis(500), missed: 0 });
    }

    #[test]
    fn caller_late_by_less_than_an_interval_misses_nothing() {
        let mut pace = pace(10);
        for n in 0..100 {
            let slot = pace.next(START + Duration::from_millis(n * 100 + 99));
            assert_eq!(slot, Slot { due: START + Duration::from_millis(n * 100), missed: 0 });
        }
    }
}
