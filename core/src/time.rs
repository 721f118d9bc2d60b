//! A point in time as the core knows it: microseconds from an arbitrary start.
//!
//! The core reads no clock. Every call is told what time it is, so a test decides how fast time goes.
//! This file does not compare the 32-bit timestamps of the wire; `Stamp` does that.

use core::ops::{Add, AddAssign};
use core::time::Duration;

/// Microseconds since an arbitrary start that is the same for all calls on one object.
///
/// Time that runs backwards does no harm: differences saturate at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The start of time.
    pub const ZERO: Self = Self(0);

    /// The point `micros` microseconds after the start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long `earlier` lies behind this point; zero if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The point `span` before this one, or the start of time.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }

    /// The low 32 bits of the microseconds: what goes on the wire (docs/protocol.md §9).
    #[must_use]
    pub(crate) fn stamp(self) -> Stamp {
        let [_, _, _, _, a, b, c, d] = self.0.to_be_bytes();
        Stamp(u32::from_be_bytes([a, b, c, d]))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

/// A duration in whole microseconds, saturating.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// A 32-bit microsecond timestamp of the wire; it wraps every 71.6 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u32);

impl Stamp {
    /// Microseconds from `earlier` to this stamp by the sign of the wrapping difference.
    pub(crate) const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// How long `earlier` lies behind this stamp; zero if it lies ahead.
    pub(crate) fn after(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::from(self.since(earlier).max(0).unsigned_abs()))
    }
}

/// Whether the 32-bit serial number `a` is newer than `b`, by the sign of the wrapping difference.
pub(crate) const fn is_newer(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_compare_across_the_wrap() {
        assert!(is_newer(1, 0));
        assert!(is_newer(0, u32::MAX));
        assert!(!is_newer(u32::MAX, 0));
        assert!(!is_newer(7, 7));
    }

    #[test]
    fn stamps_wrap_with_the_clock() {
        let early = Instant::from_micros(u64::from(u32::MAX) - 5).stamp();
        let late = Instant::from_micros(u64::from(u32::MAX) + 5).stamp();
        assert_eq!(late.since(early), 10);
        assert_eq!(early.since(late), -10);
    }

    #[test]
    fn differences_saturate_at_zero() {
        assert_eq!(Instant::ZERO.since(Instant::from_micros(9)), Duration::ZERO);
        assert_eq!(Instant::from_micros(3).before(Duration::from_secs(1)), Instant::ZERO);
    }
}
