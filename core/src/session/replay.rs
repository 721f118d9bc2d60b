//! The replay window: which counters of one epoch and direction were taken (docs/protocol.md §7; RFC 4303 §3.4.3).

/// Counters that the window spans.
pub(crate) const WINDOW: u32 = 2048;

const BITS: u32 = 32;
/// One word more than the window has, since its edges may lie inside a word (RFC 6479 §2).
const WORDS: usize = 65;

/// A ring of bits, one for each of the last [`WINDOW`] counters.
pub(crate) struct ReplayWindow {
    /// One more than the highest counter taken; 0 when none was.
    next: u64,
    taken: u64,
    bits: [u32; WORDS],
}

/// What the window says of a counter, before the packet is known to be authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peek {
    /// Higher than all before it.
    Newest,
    /// Within the window and not taken yet.
    Fresh,
    /// Taken before.
    Replayed,
    /// Older than the window.
    TooOld,
}

impl ReplayWindow {
    pub(crate) const fn new() -> Self {
        Self { next: 0, taken: 0, bits: [0; WORDS] }
    }

    /// Changes nothing.
    pub(crate) fn peek(&self, ctr: u32) -> Peek {
        let ctr = u64::from(ctr);
        if ctr >= self.next {
            return Peek::Newest;
        }
        if self.next - ctr > u64::from(WINDOW) {
            return Peek::TooOld;
        }
        let (word, bit) = place(ctr);
        match self.bits.get(word).is_some_and(|bits| bits & bit != 0) {
            true => Peek::Replayed,
            false => Peek::Fresh,
        }
    }

    /// Takes the counter of a packet that was found authentic.
    pub(crate) fn take(&mut self, ctr: u32) {
        let ctr = u64::from(ctr);
        if ctr >= self.next {
            // Words that the window's upper edge enters anew are cleared; the one it stands in is kept.
            let first = self.next.div_ceil(u64::from(BITS));
            let last = ctr / u64::from(BITS);
            for word in (first..=last).take(WORDS) {
                if let Some(bits) = self.bits.get_mut(index(word)) {
                    *bits = 0;
                }
            }
            self.next = ctr + 1;
        }
        let (word, bit) = place(ctr);
        if let Some(bits) = self.bits.get_mut(word) {
            *bits |= bit;
        }
        self.taken += 1;
    }

    /// The highest counter taken.
    pub(crate) fn highest(&self) -> Option<u32> {
        self.next.checked_sub(1).and_then(|ctr| u32::try_from(ctr).ok())
    }

    /// How many counters were taken in all.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }
}

/// The word and the bit of a counter.
fn place(ctr: u64) -> (usize, u32) {
    let bit = u32::try_from(ctr % u64::from(BITS)).unwrap_or(0);
    (index(ctr / u64::from(BITS)), 1 << bit)
}

fn index(word: u64) -> usize {
    usize::try_from(word).unwrap_or(0) % WORDS
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_counter_is_taken_once() {
        let mut window = ReplayWindow::new();
        assert_eq!(window.peek(0), Peek::Newest);
        window.take(0);
        assert_eq!(window.peek(0), Peek::Replayed);
        window.take(5);
        assert_eq!((window.peek(5), window.peek(4)), (Peek::Replayed, Peek::Fresh));
        assert_eq!((window.highest(), window.taken()), (Some(5), 2));
    }

    #[test]
    fn the_window_ends_2048_behind_the_highest() {
        let mut window = ReplayWindow::new();
        window.take(10_000);
        assert_eq!(window.peek(10_000 - 2047), Peek::Fresh);
        window.take(10_000 - 2047);
        assert_eq!(window.peek(10_000 - 2047), Peek::Replayed);
        assert_eq!(window.peek(10_000 - 2048), Peek::TooOld);
    }

    #[test]
    fn the_last_counter_of_all_is_taken_without_wrapping() {
        let mut window = ReplayWindow::new();
        window.take(u32::MAX);
        assert_eq!(window.peek(u32::MAX), Peek::Replayed);
        assert_eq!(window.peek(0), Peek::TooOld);
    }

    #[test]
    fn agrees_with_a_set_that_remembers_everything() {
        let seed = 0x5eed_0001_u64;
        std::println!("seed {seed:#x}");
        let mut state = seed;
        let mut window = ReplayWindow::new();
        let (mut seen, mut highest) = (BTreeSet::new(), None::<u32>);
        let mut base = 0u32;
        for _ in 0..200_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            base += u32::try_from(state % 7).unwrap() * u32::from(state.is_multiple_of(1013)) * 700
                + u32::from(state.is_multiple_of(3));
            let ctr = base.saturating_sub(u32::try_from(state >> 32 & 0xfff).unwrap() % 2500);
            let expected = match highest {
                Some(top) if ctr <= top && top - ctr >= WINDOW => Peek::TooOld,
                Some(top) if ctr <= top && seen.contains(&ctr) => Peek::Replayed,
                Some(top) if ctr <= top => Peek::Fresh,
                _ => Peek::Newest,
            };
            assert_eq!(window.peek(ctr), expected, "counter {ctr}, highest {highest:?}");
            if matches!(expected, Peek::Newest | Peek::Fresh) {
                window.take(ctr);
                seen.insert(ctr);
                highest = highest.max(Some(ctr));
            }
        }
        assert_eq!(window.taken(), u64::try_from(seen.len()).unwrap());
    }
}
