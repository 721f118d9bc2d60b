//! How many frames come per second, measured.

use std::time::Duration;

use sealcam_core::time::Instant;

/// How far back the measurement looks.
const WINDOW: Duration = Duration::from_secs(2);

/// Frames that are remembered: two seconds at 120 a second, the last half second at more.
const REMEMBERED: usize = 240;

/// Measures a rate from the times of the last frames.
#[derive(Debug)]
pub(super) struct Rate {
    /// A ring; `next` is the oldest once it is full.
    times: Vec<Instant>,
    next: usize,
}

impl Rate {
    /// Nothing measured.
    pub(super) fn new() -> Self {
        Self { times: Vec::with_capacity(REMEMBERED), next: 0 }
    }

    /// A frame came.
    pub(super) fn note(&mut self, at: Instant) {
        match self.times.get_mut(self.next) {
            Some(oldest) => *oldest = at,
            None => self.times.push(at),
        }
        self.next = (self.next + 1) % REMEMBERED;
    }

    /// Frames per second over the last two seconds; 0 when fewer than two came in them.
    pub(super) fn per_second(&self, now: Instant) -> f32 {
        let since = now.before(WINDOW);
        let recent = self.times.iter().copied().filter(|&time| time >= since);
        let (count, first, last) = recent
            .fold((0_u16, Instant::from_micros(u64::MAX), Instant::ZERO), |(count, first, last), time| {
                (count + 1, first.min(time), last.max(time))
            });
        let span = last.since(first).as_secs_f32();
        if count < 2 || span <= 0.0 { 0.0 } else { f32::from(count - 1) / span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn steady_frames_give_their_rate() {
        let mut rate = Rate::new();
        for n in 0..1000 {
            rate.note(at(10_000 + n * 40));
        }
        let fps = rate.per_second(at(10_000 + 999 * 40));
        assert!((fps - 25.0).abs() < 0.01, "{fps}");
    }

    #[test]
    fn rate_is_zero_when_frames_have_stopped_or_not_begun() {
        let mut rate = Rate::new();
        assert_eq!(rate.per_second(at(5)), 0.0);
        for n in 0..100 {
            rate.note(at(n * 10));
        }
        assert_eq!(rate.per_second(at(4000)), 0.0);
    }
}
