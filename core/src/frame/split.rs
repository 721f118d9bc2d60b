//! Frames on their way out: fixed slots in the store that the caller lends, cut into chunks as they leave
//! (docs/protocol.md §9.1, §9.2 "newest wins"), with padding behind them (§10).
//!
//! A frame that is begun is finished; at most one waits behind it, and a newer one takes its place.

use core::time::Duration;

use heapless::Vec;

use super::pacer::Pacer;
use super::padding::Padder;
use crate::config::Padding;
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
    padder: Padder,
    train: Option<Train>,
}

/// Packets that leave as one frame: the chunks of the slot that is leaving, if one is, and then padding.
#[derive(Clone, Copy)]
struct Train {
    packets: u16,
    sent: u16,
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
    Leaving { shape: FrameShape },
    Gone { frame_id: u32 },
}

/// One packet that may leave now.
pub(crate) enum Leaving<'s> {
    Chunk {
        shape: FrameShape,
        chunk_idx: u16,
        payload: &'s [u8],
        /// The frame's last.
        is_last: bool,
    },
    /// One that looks like a chunk.
    Padding,
}

impl<'b> Splitter<'b> {
    /// `None` if the store has no room for two frames: one that leaves and one that waits.
    pub(crate) fn new(
        store: &'b mut [u8],
        capacity: u32,
        interval: Duration,
        padder: Padder,
    ) -> Option<Self> {
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
            padder,
            train: None,
        })
    }

    /// One that takes no frame.
    pub(crate) fn without_store() -> Self {
        Self {
            store: &mut [],
            capacity: 0,
            slots: Vec::new(),
            next_frame_id: 1,
            interval: Interval::new(Duration::ZERO),
            pacer: Pacer::new(),
            padder: Padder::new(Padding::Chunk, 0, Duration::ZERO),
            train: None,
        }
    }

    /// Bytes that a frame may have: what a slot holds, but no more than the chunks of a frame.
    pub(crate) fn capacity(&self) -> u32 {
        let chunks = self.padder.most().map_or(MAX_FRAME, |packets| usize::from(packets) * PAYLOAD_LEN);
        u32::try_from(self.capacity.min(chunks)).unwrap_or(u32::MAX)
    }

    /// Whether packets leave at fixed times, whatever there is to send.
    pub(crate) fn is_constant(&self) -> bool {
        self.padder.most().is_some()
    }

    /// The display's wish. A frame that waits under a milder rule might not fit, and is dropped.
    pub(crate) fn pad(&mut self, wish: Padding) {
        if self.padder.wish(wish)
            && let Some(slot) = self.slots.iter_mut().find(|slot| matches!(slot.stage, Stage::Waiting))
        {
            slot.stage = Stage::Free;
        }
    }

    /// A new session: frames are numbered from 1 again and nothing of before leaves.
    pub(crate) fn reset(&mut self) {
        self.next_frame_id = 1;
        self.pacer = Pacer::new();
        self.padder.reset();
        self.train = None;
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

    /// How many packets may leave now. Begins the waiting frame when none is leaving.
    pub(crate) fn release(&mut self, now: Instant, receive_buffer: u32) -> u16 {
        if self.train.is_none() {
            self.begin(now, receive_buffer);
        }
        self.train.map_or(0, |train| self.pacer.release(now, train.sent))
    }

    /// The next packet of those released.
    pub(crate) fn next_packet(&mut self, now: Instant) -> Option<Leaving<'_>> {
        let train = self.train.as_mut()?;
        let chunk_idx = train.sent;
        train.sent += 1;
        if train.sent >= train.packets {
            self.train = None;
        }
        self.pacer.took(now);
        let Some(index) = self.find(|slot| matches!(slot.stage, Stage::Leaving { .. })) else {
            return Some(Leaving::Padding);
        };
        let slot = self.slots.get_mut(index)?;
        let Stage::Leaving { shape } = slot.stage else { return None };
        let is_last = chunk_idx + 1 == shape.chunk_cnt;
        let start = index.checked_mul(self.capacity)?.checked_add(usize::from(chunk_idx) * PAYLOAD_LEN)?;
        let len = if is_last { usize::from(shape.tail_len) } else { PAYLOAD_LEN };
        if is_last {
            slot.stage = Stage::Gone { frame_id: shape.frame_id };
        }
        let payload = self.store.get(start..start.checked_add(len)?)?;
        Some(Leaving::Chunk { shape, chunk_idx, payload, is_last })
    }

    /// When there is something to release.
    pub(crate) fn next_release(&self) -> Option<Instant> {
        match self.train {
            Some(train) => Some(self.pacer.next_release(train.sent)),
            None => self.padder.next_frame(),
        }
    }

    /// Whether something may begin to leave at once.
    pub(crate) fn is_ready(&self) -> bool {
        let waits = self.slots.iter().any(|slot| matches!(slot.stage, Stage::Waiting));
        self.train.is_none() && self.padder.is_ready(waits)
    }

    /// Whether every frame that was taken has left.
    pub(crate) fn is_drained(&self) -> bool {
        let stays = |slot: &Slot| matches!(slot.stage, Stage::Waiting | Stage::Leaving { .. });
        self.train.is_none() && !self.slots.iter().any(stays)
    }

    /// Gives up the frame that is leaving: it would arrive too late to be live. Says whether there was one.
    pub(crate) fn abandon(&mut self) -> bool {
        self.train = None;
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
        if !self.padder.may_begin(now) {
            return;
        }
        let frame_id = self.next_frame_id;
        let waiting = self.slots.iter_mut().find(|slot| matches!(slot.stage, Stage::Waiting));
        let chunks = waiting.map_or(0, |slot| match shape(frame_id, slot.len, slot.captured_at) {
            Some(shape) => {
                slot.stage = Stage::Leaving { shape };
                shape.chunk_cnt
            }
            None => {
                slot.stage = Stage::Free;
                0
            }
        });
        if chunks != 0 {
            self.next_frame_id = self.next_frame_id.wrapping_add(1);
        }
        if let Some((packets, interval)) = self.padder.begin(now, chunks, self.interval.mean) {
            self.pacer.begin(now, packets, interval, receive_buffer);
            self.train = Some(Train { packets, sent: 0 });
        }
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

    fn splitter(store: &mut [u8], padding: Padding) -> Splitter<'_> {
        let interval = Duration::from_millis(33);
        Splitter::new(store, 4096, interval, Padder::new(padding, 3 * 1152, interval)).unwrap()
    }

    /// (frame, chunk, bytes) of each packet that leaves, zeros for padding; under a fixed clock, of one frame.
    fn drain(splitter: &mut Splitter<'_>, now: Instant) -> Vec<(u32, u16, usize)> {
        let mut all = Vec::new();
        let mut now = now;
        for _ in 0..1000 {
            for _ in 0..splitter.release(now, 1 << 20) {
                all.push(match splitter.next_packet(now).unwrap() {
                    Leaving::Chunk { shape, chunk_idx, payload, .. } => {
                        (shape.frame_id, chunk_idx, payload.len())
                    }
                    Leaving::Padding => (0, 0, 0),
                });
            }
            let Some(next) = splitter.next_release().or(splitter.is_ready().then_some(now)) else { break };
            now = next.max(now);
        }
        all
    }

    #[test]
    fn a_frame_leaves_as_chunks_in_order() {
        let mut store = vec![0; 8192];
        let mut splitter = splitter(&mut store, Padding::Chunk);
        let now = Instant::from_micros(1);
        assert_eq!(splitter.push(now, now, &[7; 2500]), Some(Sent::Queued));
        assert_eq!(drain(&mut splitter, now), [(1, 0, 1152), (1, 1, 1152), (1, 2, 196)]);
        assert_eq!(splitter.push(now, now, &[7; 1152]), Some(Sent::Queued));
        assert_eq!(drain(&mut splitter, now), [(2, 0, 1152)]);
    }

    #[test]
    fn a_begun_frame_is_finished_and_only_the_newest_waits() {
        let mut store = vec![0; 8192];
        let mut splitter = splitter(&mut store, Padding::Chunk);
        let now = Instant::from_micros(1);
        splitter.push(now, now, &[1; 3000]);
        assert_eq!(splitter.release(now, 1 << 20), 1);
        let _ = splitter.next_packet(now).unwrap();
        assert_eq!(splitter.push(now, now, &[2; 100]), Some(Sent::Queued));
        assert_eq!(splitter.push(now, now, &[3; 200]), Some(Sent::ReplacedOlder));
        assert_eq!(drain(&mut splitter, now), [(1, 1, 1152), (1, 2, 696), (2, 0, 200)]);
    }

    #[test]
    fn a_store_for_one_frame_is_refused() {
        let mut store = vec![0; 8191];
        let padder = Padder::new(Padding::Chunk, 1, Duration::ZERO);
        assert!(Splitter::new(&mut store, 4096, Duration::ZERO, padder).is_none());
    }

    #[test]
    fn in_buckets_padding_follows_the_last_chunk() {
        let mut store = vec![0; 2 * 73 * 1152];
        let mut splitter = Splitter::new(
            &mut store,
            73 * 1152,
            Duration::ZERO,
            Padder::new(Padding::Bucket, 1, Duration::ZERO),
        )
        .unwrap();
        let now = Instant::from_micros(1);
        splitter.push(now, now, &[7; 73 * 1152]);
        let all = drain(&mut splitter, now);
        assert_eq!((all.len(), all[72], &all[73..]), (80, (1, 72, 1152), [(0, 0, 0); 7].as_slice()));
        assert!(splitter.is_drained());
    }

    #[test]
    fn a_constant_train_leaves_at_every_beat_with_a_frame_or_without() {
        let mut store = vec![0; 8192];
        let mut splitter = splitter(&mut store, Padding::Constant);
        let (start, beat) = (Instant::from_micros(1), Duration::from_millis(33));
        assert_eq!(
            (splitter.capacity(), splitter.is_ready(), splitter.next_release()),
            (3 * 1152, true, None)
        );
        let mut train = |frame: Option<usize>, beats: u32| {
            let now = start + beat * beats;
            if let Some(len) = frame {
                splitter.push(now, now, &vec![7; len]);
                assert!(!splitter.is_drained());
            }
            let (mut all, mut at) = (Vec::new(), now);
            while at < start + beat * (beats + 1) {
                for _ in 0..splitter.release(at, 1 << 20) {
                    all.push((at, matches!(splitter.next_packet(at), Some(Leaving::Chunk { .. }))));
                }
                at = splitter.next_release().unwrap();
            }
            assert!(splitter.is_drained());
            (
                all.iter().map(|(at, _)| at.since(now)).collect::<Vec<_>>(),
                all.iter().filter(|one| one.1).count(),
            )
        };
        let (times, chunks) = train(None, 0);
        assert_eq!((times.len(), chunks), (3, 0));
        assert_eq!(train(Some(1), 1), (times.clone(), 1));
        assert_eq!(train(Some(3 * 1152), 2), (times.clone(), 3));
        assert_eq!(train(None, 3), (times, 0));
    }

    #[test]
    fn a_frame_that_waits_when_the_rule_becomes_stricter_does_not_leave() {
        let mut store = vec![0; 8192];
        let mut splitter = splitter(&mut store, Padding::Chunk);
        let now = Instant::from_micros(1);
        splitter.push(now, now, &[7; 4000]);
        splitter.pad(Padding::Chunk);
        assert!(!splitter.is_drained());
        splitter.pad(Padding::Constant);
        assert!(splitter.is_drained() && splitter.capacity() == 3 * 1152);
    }
}
