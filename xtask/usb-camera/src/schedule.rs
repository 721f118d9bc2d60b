//! When something is due: the next picture, and the microframes that an isochronous transfer takes.
//!
//! Time is told, never read; it counts from anywhere.

use std::time::Duration;

/// The microframe of high-speed USB.
pub const MICROFRAME: Duration = Duration::from_micros(125);

/// How far the bus may be behind the clock. Within it everything that the guest was too slow for is made up for; beyond
/// it the bus skips to now, or a guest that stood still for a second would be owed a second of packets.
const MAX_LAG: Duration = Duration::from_millis(200);

/// The pictures of one stream: number `n` is due `n` intervals after its start.
#[derive(Debug)]
pub struct Pace {
    start: Duration,
    interval: Duration,
    next: u64,
}

impl Pace {
    /// Picture 0 is due at once.
    #[must_use]
    pub fn new(start: Duration, interval: Duration) -> Self {
        Self { start, interval: interval.max(Duration::from_nanos(100)), next: 0 }
    }

    /// The number of the picture that is due, once each. Pictures whose time has passed are left out: a camera shows
    /// what is there now.
    pub fn take(&mut self, now: Duration) -> Option<u64> {
        let passed = now.checked_sub(self.start)?;
        let number = u64::try_from(passed.as_nanos() / self.interval.as_nanos()).unwrap_or(u64::MAX);
        if number < self.next {
            return None;
        }
        self.next = number.saturating_add(1);
        Some(number)
    }

    /// When the next picture is due.
    #[must_use]
    pub fn due(&self) -> Duration {
        let nanos = self.interval.as_nanos().saturating_mul(u128::from(self.next));
        self.start.saturating_add(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// Where an isochronous transfer stands on the bus.
#[derive(Debug, PartialEq, Eq)]
pub enum Slot {
    /// It is over only then.
    Until(Duration),
    /// It is over; its first packet had gone at this time.
    From(Duration),
}

/// The bus: each microframe happens once, one transfer after the other.
#[derive(Debug, Default)]
pub struct Bus {
    /// The first microframe that belongs to no transfer yet.
    free: Option<Duration>,
}

impl Bus {
    /// Where the first transfer in the queue stands; `length` is the time of all its packets. Said [`Slot::From`] once,
    /// the next call is about the next transfer.
    pub fn slot(&mut self, now: Duration, length: Duration) -> Slot {
        let in_time = |free: &Duration| free.saturating_add(length).saturating_add(MAX_LAG) >= now;
        let start = self.free.filter(in_time).unwrap_or(now);
        let end = start.saturating_add(length);
        if end > now {
            self.free = Some(start);
            return Slot::Until(end);
        }
        self.free = Some(end);
        Slot::From(start)
    }

    /// No transfer is under way any more; the next one begins when it comes.
    pub fn rest(&mut self) {
        self.free = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn each_picture_is_due_once_and_in_its_time() {
        let mut pace = Pace::new(ms(1000), ms(40));
        assert_eq!(pace.take(ms(999)), None);
        assert_eq!(pace.take(ms(1000)), Some(0));
        assert_eq!((pace.take(ms(1039)), pace.due()), (None, ms(1040)));
        assert_eq!((pace.take(ms(1040)), pace.take(ms(1041))), (Some(1), None));
    }

    #[test]
    fn pictures_whose_time_has_passed_are_left_out() {
        let mut pace = Pace::new(ms(0), ms(40));
        assert_eq!((pace.take(ms(205)), pace.take(ms(206)), pace.due()), (Some(5), None, ms(240)));
    }

    #[test]
    fn an_hour_of_pictures_does_not_drift() {
        let interval = Duration::from_nanos(33_333_300);
        let mut pace = Pace::new(ms(0), interval);
        let mut now = ms(0);
        for number in 0..108_000 {
            assert_eq!(pace.take(now), Some(number));
            now = pace.due();
        }
        assert_eq!(now, interval * 108_000);
    }

    #[test]
    fn a_transfer_is_over_when_its_packets_have_had_their_microframes() {
        let mut bus = Bus::default();
        let length = MICROFRAME * 32;
        assert_eq!(bus.slot(ms(100), length), Slot::Until(ms(104)));
        assert_eq!(bus.slot(ms(103), length), Slot::Until(ms(104)));
        assert_eq!(bus.slot(ms(104), length), Slot::From(ms(100)));
        assert_eq!(bus.slot(ms(104), length), Slot::Until(ms(108)));
    }

    #[test]
    fn a_short_delay_is_made_up_for() {
        let mut bus = Bus::default();
        let length = ms(4);
        assert_eq!(bus.slot(ms(0), length), Slot::Until(ms(4)));
        let starts: Vec<_> = (0..25).map(|_| bus.slot(ms(100), length)).collect();
        let expected: Vec<_> = (0..25).map(|n| Slot::From(ms(4 * n))).collect();
        assert_eq!(starts, expected);
        assert_eq!(bus.slot(ms(100), length), Slot::Until(ms(104)));
    }

    #[test]
    fn a_long_delay_is_skipped() {
        let mut bus = Bus::default();
        assert_eq!(bus.slot(ms(0), ms(4)), Slot::Until(ms(4)));
        assert_eq!(bus.slot(ms(205), ms(4)), Slot::Until(ms(209)));
        assert_eq!(bus.slot(ms(209), ms(4)), Slot::From(ms(205)));
        bus.rest();
        assert_eq!(bus.slot(ms(215), ms(4)), Slot::Until(ms(219)));
    }
}
