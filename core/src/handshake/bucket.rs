//! A token bucket: how often something may happen.

use core::time::Duration;

use crate::time::Instant;

/// Full at first; a token comes back each `refill`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    burst: u32,
    refill: Duration,
    /// When the bucket will be full again.
    full_at: Instant,
}

impl Bucket {
    pub(crate) const fn new(burst: u32, refill: Duration) -> Self {
        Self { burst, refill, full_at: Instant::ZERO }
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        // Should the clock have gone back, it is empty and not shut for as long.
        let whole = self.refill * self.burst;
        self.full_at = self.full_at.clamp(now, now + whole);
        let full_at = self.full_at + self.refill;
        let taken = full_at.since(now) <= whole;
        if taken {
            self.full_at = full_at;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_token_per_refill() {
        let mut bucket = Bucket::new(3, Duration::from_secs(3));
        let at = |ms: u64| Instant::from_micros(ms * 1000);
        assert!((0..3).all(|_| bucket.take(at(0))));
        assert!(!bucket.take(at(0)));
        assert!(!bucket.take(at(2999)));
        assert!(bucket.take(at(3000)));
        assert!(!bucket.take(at(3001)));
        assert!((0..3).all(|_| bucket.take(at(60_000))));
        assert!(!bucket.take(at(60_000)));
    }

    #[test]
    fn a_clock_that_goes_back_costs_no_more_than_the_tokens() {
        let mut bucket = Bucket::new(3, Duration::from_secs(3));
        let at = |s: u64| Instant::from_micros(s * 1_000_000);
        assert!(bucket.take(at(3600)));
        assert!(!bucket.take(at(1)));
        assert!(bucket.take(at(4)));
    }
}
