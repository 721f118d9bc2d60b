//! Frames on their way out: fixed slots in the store that the caller lends, cut into chunks as they leave
//! (docs/protocol.md §9.1, §9.2 "newest wins").
//!
//! A frame that is begun is finished; at most one waits behind it, and a newer one takes its place.

use core::time::Duration;

use heapless::Vec;

use super::pacer::Pacer;
use crate::time::{Instant, is_newer};
use crate::wire::chunk::{FrameShape, MAX_CHUNKS, PAYLOAD_LEN};

/// Slots at most; more would only keep pictures that are too old to be repaired.
const MAX_SLOTS: usize = 8;

/// The longest frame of the protocol (docs/protocol.md §9.1).
const MAX_FRAME: usize = 4096 * PAYLOAD_LEN;
const _: () = assert!(MAX_CHUNKS == 4096);

/// What became of a frame that was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It will leave as soon as the pacer lets it.
    Queued,
    /// It took the place of an older one that had not begun.
    ReplacedOlder,
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// No display is connected, or it has not said yet what it can take.
    NotConnected,
    /// Longer than this camera's or the display's limit, in bytes.
    TooLarge {
        /// The limit that it exceeds.
        limit: u32,
    },
    /// No bytes at all.
    Empty,
}

/// Frames that leave, or have left and could be asked for again.
pub(crate) struct Splitter<'b> {
    store: &'b mut [u8],
    capacity: usize,
    slots: Vec<Slot, MAX_SLOTS>,
    next_frame_id: u32,
    interval: Interval,
    pacer: Pacer,
}

#[derive(Clone, Copy)]
struct Slot {
    stage: Stage,
    len: usize,
    captured_at: Instant,
}

#[derive(Clone, Copy)]
enum Stage {
    Free,
    Waiting,
    Leaving { shape: FrameShape, next: u16 },
    Gone { frame_id: u32 },
}

/// One chunk that may leave now.
pub(crate) struct Leaving<'s> {
    pub(crate) shape: FrameShape,
    pub(crate) chunk_idx: u16,
    pub(crate) payload: &'s [u8],
}

impl<'b> Splitter<'b> {
    /// `None` if the store has no room for two frames: one that leaves and one that waits.
    pub(crate) fn new(store: &'b mut [u8], capacity: u32, interval: Duration) -> Option<Self> {
        let capacity = usize::try_from(capacity).ok()?.min(usize::from(MAX_CHUNKS) * PAYLOAD_LEN);
        let count = store.len().checked_div(capacity)?.min(MAX_SLOTS);
        let free = Slot { stage: Stage::Free, len: 0, captured_at: Instant::ZERO };
        let slots: Vec<Slot, MAX_SLOTS> = core::iter::repeat_n(free, count).collect();
        (count >= 2).then_some(Self {
            store,
            capacity,
            slots,
            next_frame_id: 1,
            interval: Interval::new(interval),
            pacer: Pacer::new(),
        })
    }

    /// Bytes that a frame may have: what a slot holds, but no more than the chunks of a frame.
    pub(crate) fn capacity(&self) -> u32 {
        u32::try_from(self.capacity.min(MAX_FRAME)).unwrap_or(u32::MAX)
    }

    /// A new session: frames are numbered from 1 again and nothing of before leaves.
    pub(crate) fn reset(&mut self) {
        self.next_frame_id = 1;
        self.pacer = Pacer::new();
        for slot in &mut self.slots {
            slot.stage = Stage::Free;
        }
    }

    /// Copies a frame into a slot.
    pub(crate) fn push(&mut self, now: Instant, captured_at: Instant, jpeg: &[u8]) -> Option<Sent> {
        self.interval.frame(now);
        let waiting = self.find(|slot| matches!(slot.stage, Stage::Waiting));
        let index = waiting
            .or_else(|| self.find(|slot| matches!(slot.stage, Stage::Free)))
            .or_else(|| self.oldest())?;
        let start = index.checked_mul(self.capacity)?;
        self.store.get_mut(start..start.checked_add(jpeg.len())?)?.copy_from_slice(jpeg);
        *self.slots.get_mut(index)? = Slot { stage: Stage::Waiting, len: jpeg.len(), captured_at };
        Some(if waiting.is_some() { Sent::ReplacedOlder } else { Sent::Queued })
    }

    /// How many chunks may leave now. Begins the waiting frame when none is leaving.
    pub(crate) fn release(&mut self, now: Instant, receive_buffer: u32) -> u16 {
        if self.leaving().is_none() {
            self.begin(now, receive_buffer);
        }
        match self.leaving() {
            Some(Stage::Leaving { next, .. }) => {
                let sent = *next;
                self.pacer.release(now, sent)
            }
            _ => 0,
        }
    }

    /// The next chunk; `whole` frames are counted by the caller when this was the last.
    pub(crate) fn next_chunk(&mut self, now: Instant) -> Option<(Leaving<'_>, bool)> {
        let index = self.find(|slot| matches!(slot.stage, Stage::Leaving { .. }))?;
        let slot = self.slots.get_mut(index)?;
        let Stage::Leaving { shape, next } = &mut slot.stage else { return None };
        self.pacer.took(now);
        let (shape, chunk_idx) = (*shape, *next);
        *next += 1;
        let last = *next == shape.chunk_cnt;
        let start = index.checked_mul(self.capacity)?.checked_add(usize::from(chunk_idx) * PAYLOAD_LEN)?;
        let len = if last { usize::from(shape.tail_len) } else { PAYLOAD_LEN };
        if last {
            slot.stage = Stage::Gone { frame_id: shape.frame_id };
        }
        let payload = self.store.get(start..start.checked_add(len)?)?;
        Some((Leaving { shape, chunk_idx, payload }, last))
    }

    /// When there is something to release.
    pub(crate) fn next_release(&self) -> Option<Instant> {
        self.slots.iter().find_map(|slot| match &slot.stage {
            Stage::Leaving { next, .. } => Some(self.pacer.next_release(*next)),
            _ => None,
        })
    }

    /// Whether a frame waits and none is leaving.
    pub(crate) fn is_ready(&self) -> bool {
        let leaving = self.slots.iter().any(|slot| matches!(slot.stage, Stage::Leaving { .. }));
        !leaving && self.slots.iter().any(|slot| matches!(slot.stage, Stage::Waiting))
    }

    /// Gives up the frame that is leaving: it would arrive too late to be live. Says whether there was one.
    pub(crate) fn abandon(&mut self) -> bool {
        match self.leaving() {
            Some(stage) => {
                *stage = Stage::Free;
                true
            }
            None => false,
        }
    }

    /// Frees every frame that the display is done with.
    pub(crate) fn free(&mut self, done_frame: u32) {
        for slot in &mut self.slots {
            if let Stage::Gone { frame_id } = slot.stage
                && done_frame != 0
                && !is_newer(frame_id, done_frame)
            {
                slot.stage = Stage::Free;
            }
        }
    }

    fn begin(&mut self, now: Instant, receive_buffer: u32) {
        let frame_id = self.next_frame_id;
        let interval = self.interval.mean;
        let Some(slot) = self.slots.iter_mut().find(|slot| matches!(slot.stage, Stage::Waiting)) else {
            return;
        };
        let Some(shape) = shape(frame_id, slot.len, slot.captured_at) else {
            slot.stage = Stage::Free;
            return;
        };
        self.pacer.begin(now, shape.chunk_cnt, interval, receive_buffer);
        slot.stage = Stage::Leaving { shape, next: 0 };
        self.next_frame_id = self.next_frame_id.wrapping_add(1);
    }

    fn leaving(&mut self) -> Option<&mut Stage> {
        self.slots.iter_mut().map(|slot| &mut slot.stage).find(|stage| matches!(stage, Stage::Leaving { .. }))
    }

    fn find(&self, is: impl Fn(&Slot) -> bool) -> Option<usize> {
        self.slots.iter().position(is)
    }

    /// The slot of the oldest frame that has left whole.
    fn oldest(&self) -> Option<usize> {
        let gone = self.slots.iter().zip(0..).filter_map(|(slot, index)| match slot.stage {
            Stage::Gone { frame_id } => Some((frame_id, index)),
            _ => None,
        });
        gone.reduce(|a, b| if is_newer(a.0, b.0) { b } else { a }).map(|(_, index)| index)
    }
}

/// `None` for no bytes or too many.
fn shape(frame_id: u32, len: usize, captured_at: Instant) -> Option<FrameShape> {
    let chunk_cnt =
        u16::try_from(len.div_ceil(PAYLOAD_LEN)).ok().filter(|count| (1..=MAX_CHUNKS).contains(count))?;
    let before_tail = (usize::from(chunk_cnt) - 1) * PAYLOAD_LEN;
    let tail_len = u16::try_from(len.checked_sub(before_tail)?).ok()?;
    Some(FrameShape { frame_id, chunk_cnt, tail_len, captured: captured_at.stamp() })
}

/// The mean time between frames.
#[derive(Clone, Copy)]
struct Interval {
    mean: Duration,
    last: Option<Instant>,
}

impl Interval {
    const fn new(expected: Duration) -> Self {
        Self { mean: expected, last: None }
    }

    fn frame(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let since = now.since(last).min(Duration::from_secs(2));
            self.mean = self.mean * 7 / 8 + since / 8;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn drain(splitter: &mut Splitter<'_>, now: Instant) -> Vec<(u32, u16, usize)> {
        let mut all = Vec::new();
        let mut now = now;
        for _ in 0..1000 {
            for _ in 0..splitter.release(now, 1 << 20) {
                let (chunk, _) = splitter.next_chunk(now).unwrap();
                all.push((chunk.shape.frame_id, chunk.chunk_idx, chunk.payload.len()));
            }
            let Some(next) = splitter.next_release().or(splitter.is_ready().then_some(now)) else { break };
            now = next.max(now);
        }
        all
    }

    #[test]
    fn a_frame_leaves_as_chunks_in_order() {
        let mut store = vec![0; 8192];
        let mut splitter = Splitter::new(&mut store, 4096, Duration::from_millis(33)).unwrap();
        let now = Instant::from_micros(1);
        assert_eq!(splitter.push(now, now, &[7; 2500]), Some(Sent::Queued));
        assert_eq!(drain(&mut splitter, now), [(1, 0, 1152), (1, 1, 1152), (1, 2, 196)]);
        assert_eq!(splitter.push(now, now, &[7; 1152]), Some(Sent::Queued));
        assert_eq!(drain(&mut splitter, now), [(2, 0, 1152)]);
    }

    #[test]
    fn a_begun_frame_is_finished_and_only_the_newest_waits() {
        let mut store = vec![0; 8192];
        let mut splitter = Splitter::new(&mut store, 4096, Duration::from_millis(33)).unwrap();
        let now = Instant::from_micros(1);
        splitter.push(now, now, &[1; 3000]);
        assert_eq!(splitter.release(now, 1 << 20), 1);
        let _ = splitter.next_chunk(now).unwrap();
        assert_eq!(splitter.push(now, now, &[2; 100]), Some(Sent::Queued));
        assert_eq!(splitter.push(now, now, &[3; 200]), Some(Sent::ReplacedOlder));
        assert_eq!(drain(&mut splitter, now), [(1, 1, 1152), (1, 2, 696), (2, 0, 200)]);
    }

    #[test]
    fn a_store_for_one_frame_is_refused() {
        let mut store = vec![0; 8191];
        assert!(Splitter::new(&mut store, 4096, Duration::ZERO).is_none());
    }
}
