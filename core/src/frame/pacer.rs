//! The pacer: a frame leaves spread over part of its interval, never in one burst that fills the display's buffer
//! (docs/protocol.md §17).

use core::time::Duration;

use crate::time::{Instant, micros};
use crate::wire::data::MAX_LEN;

/// A frame is spread over no more than this.
const MAX_SPREAD: Duration = Duration::from_millis(25);
/// Releases that a spread is cut into: few enough for one system call each, many enough to be smooth.
const STEPS: u32 = 8;
/// Assumed receive buffer while the display has named none.
const ASSUMED_BUFFER: u32 = 212_992;

/// Not less than this lies between two bursts, however short the spread.
const MIN_PAUSE: Duration = Duration::from_millis(1);

/// Decides how many chunks may leave by now: of each frame by its spread, of all together by the display's buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pacer {
    /// The frame that is leaving: when it began, its chunks, and how far apart its releases are (whole µs).
    began: Instant,
    chunks: u32,
    step: Duration,
    /// Chunks that may leave at once.
    burst: u32,
    /// When a chunk left last, and how much of a burst was used up then: it may span the end of a frame.
    took_at: Instant,
    used: u32,
}

impl Pacer {
    /// Nothing has left yet.
    pub(crate) const fn new() -> Self {
        let (began, step) = (Instant::ZERO, Duration::ZERO);
        Self { began, chunks: 0, step, burst: 1, took_at: began, used: 0 }
    }

    /// A frame of `chunks` begins now; another follows after `interval`.
    pub(crate) fn begin(&mut self, now: Instant, chunks: u16, interval: Duration, receive_buffer: u32) {
        let buffer = if receive_buffer == 0 { ASSUMED_BUFFER } else { receive_buffer };
        let packet = u32::try_from(MAX_LEN).unwrap_or(u32::MAX);
        let spread = (interval * 4 / 5).min(MAX_SPREAD);
        self.began = now;
        self.chunks = u32::from(chunks);
        self.step = Duration::from_micros(micros(spread) / u64::from(STEPS));
        self.burst = (buffer / 2 / packet).max(1);
        self.used = self.used.min(self.burst);
    }

    /// How many more chunks may leave now, `sent` of the frame having left.
    pub(crate) fn release(&self, now: Instant, sent: u16) -> u16 {
        let room = self.burst.saturating_sub(self.used_by(now));
        let due = self.due_by(now).saturating_sub(u32::from(sent)).min(room);
        u16::try_from(due).unwrap_or(u16::MAX)
    }

    /// One chunk leaves now.
    pub(crate) fn took(&mut self, now: Instant) {
        (self.used, self.took_at) = (self.used_by(now).saturating_add(1), now);
    }

    /// When the next chunk may leave, `sent` of the frame having left and [`release`](Self::release) saying 0.
    pub(crate) fn next_release(&self, sent: u16) -> Instant {
        // The first whole step by which more than `sent` are due; the inverse of `due_by`.
        let steps = u32::from(sent) * STEPS / self.chunks.max(1);
        let by_rate = self.began + self.step * steps;
        if self.used < self.burst { by_rate } else { by_rate.max(self.took_at + self.pause()) }
    }

    /// The chunks whose time has come, in whole steps: the first step's leave at once.
    fn due_by(&self, now: Instant) -> u32 {
        let Some(steps) = micros(now.since(self.began)).checked_div(micros(self.step)) else {
            return self.chunks;
        };
        let due = u64::from(self.chunks).saturating_mul(steps.saturating_add(1));
        u32::try_from(due.div_ceil(u64::from(STEPS))).unwrap_or(u32::MAX).min(self.chunks)
    }

    /// What is still used up of a burst: a whole one comes back in each pause, evenly.
    fn used_by(&self, now: Instant) -> u32 {
        let since = micros(now.since(self.took_at)).saturating_mul(u64::from(self.burst));
        let back = since / micros(self.pause()).max(1);
        self.used.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX))
    }

    /// After a whole burst.
    fn pause(&self) -> Duration {
        self.step.max(MIN_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    const START: Instant = Instant::from_micros(1_000_000);

    /// (time, chunks) of each release of a frame, woken when the pacer asks to be. No call takes more than `batch`.
    fn releases_of(pacer: &mut Pacer, began: Instant, chunks: u16, batch: u16) -> Vec<(u64, u16)> {
        let (mut now, mut sent, mut all) = (began, 0, Vec::new());
        while sent < chunks {
            let count = pacer.release(now, sent).min(batch);
            if count != 0 {
                (0..count).for_each(|_| pacer.took(now));
                all.push((micros(now.since(START)), count));
                sent += count;
                continue;
            }
            let next = pacer.next_release(sent);
            assert!(next > now, "asks for a later time");
            now = next;
        }
        all
    }

    fn releases(chunks: u16, interval: Duration, buffer: u32) -> Vec<(u64, u16)> {
        let mut pacer = Pacer::new();
        pacer.begin(START, chunks, interval, buffer);
        releases_of(&mut pacer, START, chunks, u16::MAX)
    }

    #[test]
    fn a_frame_is_spread_over_25_ms_at_most() {
        let all = releases(170, Duration::from_millis(33), 1 << 20);
        let (last, _) = *all.last().unwrap();
        assert!((18_000..=25_000).contains(&last), "{all:?}");
        assert!(all.iter().all(|(_, count)| *count <= 22), "{all:?}");
    }

    #[test]
    fn a_short_batch_delays_nothing() {
        let mut pacer = Pacer::new();
        pacer.begin(START, 170, Duration::from_millis(33), 1 << 20);
        let all = releases_of(&mut pacer, START, 170, 1);
        assert_eq!(all.len(), 170);
        assert!(all.last().unwrap().0 <= 25_000, "{all:?}");
    }

    #[test]
    fn a_fast_camera_spreads_over_80_percent_of_its_interval() {
        let all = releases(80, Duration::from_millis(10), 1 << 20);
        assert!(all.last().unwrap().0 <= 8_000, "{all:?}");
    }

    #[test]
    fn any_interval_is_followed_without_asking_for_the_past() {
        for micros in (0..40_000).step_by(7) {
            let all = releases(33, Duration::from_nanos(micros * 1000 + 333), 20_000);
            assert_eq!(all.iter().map(|(_, count)| *count).sum::<u16>(), 33);
        }
    }

    #[test]
    fn no_burst_exceeds_half_of_the_receive_buffer() {
        for interval in [0, 1, 33] {
            for chunks in [1, 7, 300, 4096] {
                let all = releases(chunks, Duration::from_millis(interval), 24_000);
                assert!(all.iter().all(|(_, count)| *count <= 10), "{all:?}");
                assert_eq!(all.iter().map(|(_, count)| *count).sum::<u16>(), chunks);
            }
        }
    }

    #[test]
    fn a_burst_spans_the_end_of_a_frame() {
        let mut pacer = Pacer::new();
        pacer.begin(START, 12, Duration::ZERO, 24_000);
        let first = releases_of(&mut pacer, START, 12, u16::MAX);
        assert_eq!(first, [(0, 10), (1000, 2)]);
        let then = START + Duration::from_millis(1);
        pacer.begin(then, 12, Duration::ZERO, 24_000);
        assert_eq!(releases_of(&mut pacer, then, 12, u16::MAX), [(1000, 8), (2000, 4)]);
    }

    #[test]
    fn bursts_of_two_frames_do_not_add_up() {
        let mut pacer = Pacer::new();
        pacer.begin(START, 1, Duration::ZERO, 24_000);
        assert_eq!(releases_of(&mut pacer, START, 1, u16::MAX), [(0, 1)]);
        let then = START + Duration::from_micros(900);
        pacer.begin(then, 30, Duration::ZERO, 24_000);
        let all = releases_of(&mut pacer, then, 30, u16::MAX);
        for (at, _) in &all {
            let near: u16 = all.iter().filter(|(t, _)| t.abs_diff(*at) < 500).map(|(_, n)| n).sum();
            assert!(near <= 10, "{near} chunks within 0.5 ms of {at}: {all:?}");
        }
    }

    #[test]
    fn without_an_interval_all_leave_at_once_but_for_the_buffer() {
        assert_eq!(releases(50, Duration::ZERO, 1 << 20), [(0, 50)]);
    }
}
