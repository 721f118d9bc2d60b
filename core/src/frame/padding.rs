//! Padding between frames and the wire: how many packets a frame becomes, and when (docs/protocol.md §10).

use core::time::Duration;

use crate::config::Padding;
use crate::time::{Instant, micros};
use crate::wire::chunk::{MAX_CHUNKS, PAYLOAD_LEN};

/// The fixed clock of [`Padding::Constant`] does not tick faster.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// Decides how many packets leave as one frame, and under [`Padding::Constant`] also when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Padder {
    own: Padding,
    /// The stricter of the camera's own and the display's wish.
    policy: Padding,
    /// Of every frame under [`Padding::Constant`].
    packets: u16,
    interval: Duration,
    /// The fixed clock's next tick, once it runs.
    tick: Option<Instant>,
}

impl Padder {
    /// `size` is that of a frame under [`Padding::Constant`], bytes; `interval` the time between two of them.
    pub(crate) fn new(own: Padding, size: u32, interval: Duration) -> Self {
        let chunks = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(PAYLOAD_LEN);
        let packets = u16::try_from(chunks).unwrap_or(MAX_CHUNKS).clamp(1, MAX_CHUNKS);
        Self { own, policy: own, packets, interval: interval.max(MIN_INTERVAL), tick: None }
    }

    /// A new session, whose display has not said its wish yet.
    pub(crate) fn reset(&mut self) {
        (self.policy, self.tick) = (self.own, None);
    }

    /// What the display asks for; says whether that changed the policy.
    pub(crate) fn wish(&mut self, wish: Padding) -> bool {
        let before = self.policy;
        self.policy = self.own.max(wish);
        self.policy != before
    }

    /// Chunks that a frame may have, if there is such a limit.
    pub(crate) fn most(&self) -> Option<u16> {
        (self.policy == Padding::Constant).then_some(self.packets)
    }

    /// Whether a frame may begin to leave now.
    pub(crate) fn may_begin(&self, now: Instant) -> bool {
        self.next_frame().is_none_or(|tick| tick <= now)
    }

    /// Whether one may begin at once, when `waits` says that one waits: the fixed clock asks for none.
    pub(crate) fn is_ready(&self, waits: bool) -> bool {
        match self.policy {
            Padding::Constant => self.tick.is_none(),
            Padding::Chunk | Padding::Bucket => waits,
        }
    }

    /// When the next frame begins, where that is fixed.
    pub(crate) fn next_frame(&self) -> Option<Instant> {
        self.tick.filter(|_| self.policy == Padding::Constant)
    }

    /// A frame of `chunks`, 0 for none, begins: its packets, and the time until the next one begins. `None` where
    /// nothing leaves.
    pub(crate) fn begin(&mut self, now: Instant, chunks: u16, mean: Duration) -> Option<(u16, Duration)> {
        match self.policy {
            Padding::Chunk => (chunks != 0).then_some((chunks, mean)),
            Padding::Bucket => (chunks != 0).then(|| (padme(chunks), mean)),
            Padding::Constant => {
                let began = self.tick.unwrap_or(now);
                let missed = micros(now.since(began)) / micros(self.interval).max(1);
                let ticks = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
                self.tick = Some(began + self.interval.saturating_mul(ticks));
                Some((self.packets, self.interval))
            }
        }
    }
}

/// Padmé (Nikitin et al., PETS 2019, §4): rounded up so that only as many leading bits stay as it takes to write how
/// many bits there are. At most an eighth more, less for larger counts.
fn padme(count: u16) -> u16 {
    let Some(bits) = count.checked_ilog2() else { return count };
    let kept = bits.checked_ilog2().map_or(0, |log| log + 1);
    let mask = (1_u32 << bits.saturating_sub(kept)) - 1;
    u16::try_from((u32::from(count) + mask) & !mask).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padme_adds_an_eighth_at_most_and_leaves_few_sizes() {
        let mut sizes = 0;
        let mut last = 0;
        for count in 1..=MAX_CHUNKS {
            let padded = padme(count);
            assert!(padded >= count && (padded - count) * 8 <= count, "{count} becomes {padded}");
            assert!(padded >= last && padme(padded) == padded, "{count} becomes {padded}");
            sizes += u16::from(padded != last);
            last = padded;
        }
        // As the paper's own few lines of Python give it.
        assert_eq!((padme(9), padme(73), padme(4096), sizes), (10, 80, 4096, 108));
    }

    #[test]
    fn the_stricter_wish_is_followed_until_the_session_ends() {
        let mut padder = Padder::new(Padding::Bucket, 9 * 1152 + 1, Duration::from_millis(33));
        assert!(!padder.wish(Padding::Chunk));
        assert_eq!(padder.most(), None);
        assert!(padder.wish(Padding::Constant) && !padder.wish(Padding::Constant));
        assert_eq!(padder.most(), Some(10));
        padder.reset();
        assert_eq!(padder.most(), None);
    }

    #[test]
    fn the_fixed_clock_keeps_its_beat_whatever_comes_late() {
        let beat = Duration::from_millis(10);
        let mut padder = Padder::new(Padding::Constant, 7 * 1152, beat);
        let start = Instant::from_micros(5_000_000);
        assert!(padder.is_ready(false) && padder.may_begin(start));
        assert_eq!(padder.begin(start, 0, Duration::ZERO), Some((7, beat)));
        assert_eq!(padder.next_frame(), Some(start + beat));
        assert!(!padder.may_begin(start) && !padder.is_ready(true));
        // 25 ms late: two beats are lost, the third comes when it would have.
        let late = start + beat * 2 + beat / 2;
        assert_eq!(padder.begin(late, 3, Duration::ZERO), Some((7, beat)));
        assert_eq!(padder.next_frame(), Some(start + beat * 3));
    }
}
