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

/// Decides how many chunks of a frame may leave by now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pacer {
    began: Instant,
    spread: Duration,
    chunks: u32,
    /// Chunks that may leave at once.
    burst: u32,
    last_release: Option<Instant>,
}

impl Pacer {
    /// A frame of `chunks` begins now; another follows after `interval`.
    pub(crate) fn new(now: Instant, chunks: u16, interval: Duration, receive_buffer: u32) -> Self {
        let buffer = if receive_buffer == 0 { ASSUMED_BUFFER } else { receive_buffer };
        let packet = u32::try_from(MAX_LEN).unwrap_or(u32::MAX);
        Self {
            began: now,
            spread: (interval * 4 / 5).min(MAX_SPREAD),
            chunks: u32::from(chunks),
            burst: (buffer / 2 / packet).max(1),
            last_release: None,
        }
    }

    /// How many more chunks may leave now, `sent` having left.
    pub(crate) fn release(&mut self, now: Instant, sent: u16) -> u16 {
        let due = self.due_by(now).saturating_sub(u32::from(sent)).min(self.burst);
        if due == 0 || self.last_release.is_some_and(|last| now.since(last) < self.step() && sent != 0) {
            return 0;
        }
        self.last_release = Some(now);
        u16::try_from(due).unwrap_or(u16::MAX)
    }

    /// When the next chunk may leave, `sent` having left.
    pub(crate) fn next_release(&self, sent: u16) -> Instant {
        // The first whole step by which more than `sent` are due; the inverse of `due_by`.
        let steps = u32::from(sent) * STEPS / self.chunks.max(1);
        let by_rate = self.began + self.step() * steps;
        self.last_release.map_or(by_rate, |last| by_rate.max(last + self.step()))
    }

    /// The chunks whose time has come, in whole steps: the first step's leave at once.
    fn due_by(&self, now: Instant) -> u32 {
        let step = micros(self.step());
        if step == 0 {
            return self.chunks;
        }
        let steps = micros(now.since(self.began)) / step + 1;
        let due = u64::from(self.chunks) * steps;
        u32::try_from(due.div_ceil(u64::from(STEPS))).unwrap_or(u32::MAX).min(self.chunks)
    }

    fn step(&self) -> Duration {
        self.spread / STEPS
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    /// (time, chunks) of each release of a frame, woken when the pacer asks to be.
    fn releases(chunks: u16, interval: Duration, buffer: u32) -> Vec<(u64, u16)> {
        let began = Instant::from_micros(1_000_000);
        let mut pacer = Pacer::new(began, chunks, interval, buffer);
        let (mut now, mut sent, mut all) = (began, 0, Vec::new());
        while sent < chunks {
            let count = pacer.release(now, sent);
            if count != 0 {
                all.push((micros(now.since(began)), count));
                sent += count;
            }
            assert!(all.len() < 10_000, "the pacer makes progress");
            if sent < chunks {
                let next = pacer.next_release(sent);
                assert!(next > now || count == 0 && next >= now, "asks for a later time");
                now = next.max(now + Duration::from_micros(1));
            }
        }
        all
    }

    #[test]
    fn a_frame_is_spread_over_25_ms_at_most() {
        let all = releases(170, Duration::from_millis(33), 1 << 20);
        let (last, _) = *all.last().unwrap();
        assert!((18_000..=25_000).contains(&last), "{all:?}");
        assert!(all.iter().all(|(_, count)| *count <= 22), "{all:?}");
    }

    #[test]
    fn a_fast_camera_spreads_over_80_percent_of_its_interval() {
        let all = releases(80, Duration::from_millis(10), 1 << 20);
        assert!(all.last().unwrap().0 <= 8_000, "{all:?}");
    }

    #[test]
    fn no_burst_exceeds_half_of_the_receive_buffer() {
        for chunks in [1, 7, 300, 4096] {
            let all = releases(chunks, Duration::from_millis(33), 24_000);
            assert!(all.iter().all(|(_, count)| *count <= 10), "{all:?}");
            assert_eq!(all.iter().map(|(_, count)| *count).sum::<u16>(), chunks);
        }
    }

    #[test]
    fn without_an_interval_all_leave_at_once_but_for_the_buffer() {
        assert_eq!(releases(50, Duration::ZERO, 1 << 20), [(0, 50)]);
    }
}
