//! The display's reassembly: chunks in any order in, whole frames out, each newer than the one before it
//! (docs/protocol.md §9.1, and "give up" and `done_frame` of §9.2).
//!
//! ```text
//! store:  chunks of slot 0 │ chunks of slot 1 │ chunks of slot 2 │ bitmap 0 │ bitmap 1 │ bitmap 2
//! ids:    … complete or abandoned … done_frame │ held: at most SLOTS frames, all newer than done_frame …
//! ```
//!
//! Nothing is asked for again here, and nothing authenticated: the chunks that come in are authentic.

use core::time::Duration;

use crate::time::{Instant, is_newer};
use crate::wire::chunk::{Chunk, FrameShape, MAX_CHUNKS, PAYLOAD_LEN};

/// Frames that can be in the making at once (docs/protocol.md §9.1).
pub(crate) const SLOTS: usize = 3;

/// However slowly its chunks trickle in, a frame is given up this long after the first (docs/protocol.md §9.2).
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// [`MAX_CHUNKS`] as a length.
const MAX_SLOT_CHUNKS: usize = 4096;
const _: () = assert!(MAX_CHUNKS == 4096);

/// Bytes of store that one camera needs for frames of up to `frame_capacity` bytes.
///
/// That is three slots of whole chunks and their bitmaps. No frame of the protocol has more than 4 718 592
/// bytes (4096 chunks of 1152), so a larger capacity asks for no more store than that one.
#[must_use]
pub const fn join_store_len(frame_capacity: usize) -> usize {
    let chunks = frame_capacity.div_ceil(PAYLOAD_LEN);
    let chunks = if chunks == 0 { 1 } else { chunks };
    SLOTS * slot_len(if chunks > MAX_SLOT_CHUNKS { MAX_SLOT_CHUNKS } else { chunks })
}

/// Bytes of store that a slot of `chunks` chunks takes.
const fn slot_len(chunks: usize) -> usize {
    chunks * PAYLOAD_LEN + chunks.div_ceil(8)
}

/// Puts the frames of one session together.
pub(crate) struct Joiner<'b> {
    slots: [Slot<'b>; SLOTS],
    slot_chunks: u16,
    /// Every frame up to this one is complete or abandoned; all frames held are newer.
    done_frame: u32,
    /// Ids that `done_frame` has moved over: frames complete or abandoned.
    done: u64,
    complete: u64,
}

/// A frame that has just become complete: the key to its bytes, see [`Joiner::frame`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) slot: usize,
    pub(crate) shape: FrameShape,
}

/// Why a chunk was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkError {
    /// This chunk is here already.
    Duplicate,
    /// Its frame is complete or given up, or older than all held while no slot is free.
    Old,
    /// Its frame is larger than a slot.
    TooLarge,
    /// It contradicts an earlier chunk of its frame: `chunk_cnt`, `tail_len` or `capture_ts` differ.
    Mismatch,
}

/// What became of the session's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JoinStats {
    /// Frames that came whole.
    pub(crate) complete: u64,
    /// Frames that did not: those given up, and those of which nothing came before a newer one was done.
    pub(crate) abandoned: u64,
    /// `abandoned` mod 256: the budget-miss count of FEEDBACK (docs/protocol.md §9.2).
    pub(crate) missed: u8,
}

impl<'b> Joiner<'b> {
    /// Divides `store` into slots as large as it allows, see [`join_store_len`]; `None` if it is too small for
    /// frames of one chunk.
    pub(crate) fn new(store: &'b mut [u8]) -> Option<Self> {
        let share = (store.len() / SLOTS).min(slot_len(MAX_SLOT_CHUNKS));
        // The largest count whose slot_len is at most `share`: a chunk costs its payload and one bit.
        let chunks = share * 8 / (PAYLOAD_LEN * 8 + 1);
        let slot_chunks = u16::try_from(chunks).ok().filter(|chunks| *chunks != 0)?;
        let (payloads, bitmaps) = store.split_at_mut_checked(SLOTS * chunks * PAYLOAD_LEN)?;
        let (payloads, _) = payloads.as_chunks_mut();
        let mut payloads = payloads.chunks_exact_mut(chunks);
        let mut bitmaps = bitmaps.chunks_exact_mut(chunks.div_ceil(8));
        let mut slot =
            || Some(Slot { payloads: payloads.next()?, received: bitmaps.next()?, hold: Hold::Nothing });
        let slots = [slot()?, slot()?, slot()?];
        Some(Self { slots, slot_chunks, done_frame: 0, done: 0, complete: 0 })
    }

    /// Bytes that a frame may have.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> u32 {
        u32::try_from(usize::from(self.slot_chunks) * PAYLOAD_LEN).unwrap_or(u32::MAX)
    }

    /// A new session: everything is forgotten, the counters too.
    pub(crate) fn reset(&mut self) {
        for slot in &mut self.slots {
            slot.hold = Hold::Nothing;
        }
        (self.done_frame, self.done, self.complete) = (0, 0, 0);
    }

    /// Takes one chunk; says so when it completes its frame, which then is newer than all before it.
    ///
    /// Deadlines strike in [`expire`](Self::expire) only: a frame whose last chunks waited in a receive buffer
    /// while the program was held up is complete, not late, if they are inserted first.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        budget: Duration,
        chunk: &Chunk<'_>,
    ) -> Result<Option<Joined>, ChunkError> {
        let shape = chunk.shape;
        if !is_newer(shape.frame_id, self.done_frame) {
            return Err(ChunkError::Old);
        }
        let held = self.slots.iter().position(|slot| slot.held() == Some(shape.frame_id));
        let index = match held {
            Some(index) => index,
            None => self.begin(now, shape)?,
        };
        let slot = self.slots.get_mut(index).ok_or(ChunkError::Old)?;
        if !slot.take(now, budget, chunk)? {
            return Ok(None);
        }
        slot.hold = Hold::Whole(shape);
        self.complete = self.complete.saturating_add(1);
        self.advance(shape.frame_id);
        Ok(Some(Joined { slot: index, shape }))
    }

    /// The bytes of a complete frame, until the next `insert`, `expire` or `reset`.
    pub(crate) fn frame(&self, joined: Joined) -> Option<&[u8]> {
        let slot = self.slots.get(joined.slot)?;
        let full_chunks = usize::from(joined.shape.chunk_cnt).checked_sub(1)?;
        let len = full_chunks * PAYLOAD_LEN + usize::from(joined.shape.tail_len);
        if slot.hold == Hold::Whole(joined.shape) { slot.payloads.as_flattened().get(..len) } else { None }
    }

    /// Gives up every frame whose deadline has come.
    pub(crate) fn expire(&mut self, now: Instant) {
        for slot in &mut self.slots {
            if let Hold::Filling(Filling { shape, deadline, .. }) = slot.hold
                && deadline <= now
            {
                slot.hold = Hold::GivenUp(shape.frame_id);
            }
        }
        self.release_given_up();
    }

    /// When to call [`expire`](Self::expire) next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.slots
            .iter()
            .filter_map(|slot| match slot.hold {
                Hold::Filling(filling) => Some(filling.deadline),
                _ => None,
            })
            .min()
    }

    /// Every frame up to this one is complete or abandoned; 0: none yet.
    pub(crate) const fn done_frame(&self) -> u32 {
        self.done_frame
    }

    /// The counters since the session began.
    pub(crate) const fn stats(&self) -> JoinStats {
        let abandoned = self.done.saturating_sub(self.complete);
        let [missed, ..] = abandoned.to_le_bytes();
        JoinStats { complete: self.complete, abandoned, missed }
    }

    /// Finds a slot for a frame of which this is the first chunk.
    fn begin(&mut self, now: Instant, shape: FrameShape) -> Result<usize, ChunkError> {
        if shape.chunk_cnt > self.slot_chunks {
            return Err(ChunkError::TooLarge);
        }
        let is_free = |slot: &Slot<'_>| slot.held().is_none();
        if !self.slots.iter().any(is_free) {
            let newer_held = |slot: &Slot<'_>| slot.held().is_some_and(|held| is_newer(held, shape.frame_id));
            if self.slots.iter().any(newer_held) {
                return Err(ChunkError::Old);
            }
            if let Some(oldest) = self.oldest_held() {
                self.advance(oldest);
            }
        }
        let index = self.slots.iter().position(is_free).ok_or(ChunkError::Old)?;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.begin(now, shape);
        }
        Ok(index)
    }

    /// All frames held are less than 2³¹ newer than `done_frame`: their distance from it puts them in order.
    fn oldest_held(&self) -> Option<u32> {
        self.slots.iter().filter_map(Slot::held).min_by_key(|id| id.wrapping_sub(self.done_frame))
    }

    /// Moves `done_frame` on to `id`, which is newer, and lets go of the frames held up to it.
    fn advance(&mut self, id: u32) {
        self.pass(id);
        self.release_given_up();
    }

    /// A frame given up is passed over as soon as no older one is still in the making.
    fn release_given_up(&mut self) {
        let given_up = |slots: &[Slot<'_>], id| slots.iter().any(|slot| slot.hold == Hold::GivenUp(id));
        while let Some(oldest) = self.oldest_held().filter(|id| given_up(&self.slots, *id)) {
            self.pass(oldest);
        }
    }

    /// Ids grow by one for each frame that the camera begins: those passed over were all begun, and count as
    /// abandoned, unless complete, whether anything of them came or not.
    fn pass(&mut self, id: u32) {
        self.done = self.done.saturating_add(u64::from(id.wrapping_sub(self.done_frame)));
        self.done_frame = id;
        for slot in &mut self.slots {
            if slot.held().is_some_and(|held| !is_newer(held, id)) {
                slot.hold = Hold::Nothing;
            }
        }
    }
}

/// Room for one frame.
struct Slot<'b> {
    payloads: &'b mut [[u8; PAYLOAD_LEN]],
    /// Bit `i`, most significant first: chunk `i` is here.
    received: &'b mut [u8],
    hold: Hold,
}

/// What a slot is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Nothing,
    /// A frame in the making.
    Filling(Filling),
    /// This frame is past its deadline, but `done_frame` cannot pass it yet: an older one is still held.
    GivenUp(u32),
    /// A complete frame, readable until a newer one needs the slot.
    Whole(FrameShape),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Filling {
    shape: FrameShape,
    received_cnt: u16,
    first_arrival: Instant,
    /// The last chunk without the repair flag.
    last_fresh: Option<Instant>,
    deadline: Instant,
}

impl Filling {
    /// The later of the first arrival and a budget, and the last fresh arrival and half a budget: a slow link
    /// or a low frame rate spreads a frame over more than the budget (docs/protocol.md §9.2).
    fn set_deadline(&mut self, budget: Duration) {
        let since_first = self.first_arrival + budget;
        let since_fresh = self.last_fresh.map_or(since_first, |at| at + budget / 2);
        self.deadline = since_first.max(since_fresh).min(self.first_arrival + LONGEST_WAIT);
    }
}

impl Slot<'_> {
    /// The frame in the making or given up: one newer than `done_frame`.
    fn held(&self) -> Option<u32> {
        match self.hold {
            Hold::Filling(Filling { shape, .. }) => Some(shape.frame_id),
            Hold::GivenUp(id) => Some(id),
            Hold::Nothing | Hold::Whole(_) => None,
        }
    }

    fn begin(&mut self, now: Instant, shape: FrameShape) {
        self.received.fill(0);
        self.hold = Hold::Filling(Filling {
            shape,
            received_cnt: 0,
            first_arrival: now,
            last_fresh: None,
            deadline: now,
        });
    }

    /// Stores a chunk of the frame held; says whether it was the last one missing.
    fn take(&mut self, now: Instant, budget: Duration, chunk: &Chunk<'_>) -> Result<bool, ChunkError> {
        let Hold::Filling(filling) = &mut self.hold else { return Err(ChunkError::Old) };
        if filling.shape != chunk.shape || chunk.chunk_idx >= chunk.shape.chunk_cnt {
            return Err(ChunkError::Mismatch);
        }
        let index = usize::from(chunk.chunk_idx);
        let place = self.payloads.get_mut(index).ok_or(ChunkError::TooLarge)?;
        let received = self.received.get_mut(index / 8).ok_or(ChunkError::TooLarge)?;
        let bit = 0x80 >> (index % 8);
        if *received & bit != 0 {
            return Err(ChunkError::Duplicate);
        }
        *received |= bit;
        *place = *chunk.payload;
        filling.received_cnt = filling.received_cnt.saturating_add(1);
        if !chunk.repair {
            filling.last_fresh = Some(now);
        }
        filling.set_deadline(budget);
        Ok(filling.received_cnt == chunk.shape.chunk_cnt)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::frame::random::{XorShift, setting};
    use crate::time::Stamp;

    const BUDGET: Duration = Duration::from_millis(100);
    const CHUNKS: u16 = 10;

    fn ms(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn store() -> Vec<u8> {
        vec![0xAA; join_store_len(usize::from(CHUNKS) * PAYLOAD_LEN)]
    }

    /// A joiner in the midst of a session whose frames up to `done` are done.
    fn joiner_at(store: &mut [u8], done: u32) -> Joiner<'_> {
        let mut joiner = Joiner::new(store).unwrap();
        joiner.done_frame = done;
        joiner
    }

    fn shape(frame_id: u32, chunk_cnt: u16) -> FrameShape {
        let tail_len = 1 + u16::try_from(frame_id % 1152).unwrap();
        FrameShape { frame_id, chunk_cnt, tail_len, captured: Stamp(frame_id.wrapping_mul(33_333)) }
    }

    /// Different for every frame and chunk, and nowhere zero or as the store was.
    fn payload(frame_id: u32, chunk_idx: u16) -> [u8; PAYLOAD_LEN] {
        let mut state = XorShift::new(u64::from(frame_id) << 16 | u64::from(chunk_idx) | 1 << 63);
        core::array::from_fn(|_| 1 + u8::try_from(state.below(0xA0)).unwrap())
    }

    fn jpeg(shape: FrameShape) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..shape.chunk_cnt).flat_map(|idx| payload(shape.frame_id, idx)).collect();
        bytes.truncate(usize::from(shape.chunk_cnt - 1) * PAYLOAD_LEN + usize::from(shape.tail_len));
        bytes
    }

    /// Inserts a chunk as the camera sends it.
    fn insert(
        joiner: &mut Joiner<'_>,
        now: Instant,
        shape: FrameShape,
        chunk_idx: u16,
        repair: bool,
    ) -> Result<Option<Joined>, ChunkError> {
        let payload = payload(shape.frame_id, chunk_idx);
        let last = chunk_idx + 1 == shape.chunk_cnt;
        let chunk = Chunk { shape, chunk_idx, repair, last, sent: Stamp(0), payload: &payload };
        joiner.insert(now, BUDGET, &chunk)
    }

    /// Inserts a fresh chunk that must be taken and must not complete its frame.
    fn begin(joiner: &mut Joiner<'_>, now: Instant, shape: FrameShape, chunk_idx: u16) {
        assert_eq!(insert(joiner, now, shape, chunk_idx, false), Ok(None));
    }

    /// Inserts all of a frame, checks what comes out.
    fn whole(joiner: &mut Joiner<'_>, now: Instant, shape: FrameShape) {
        for idx in 0..shape.chunk_cnt - 1 {
            begin(joiner, now, shape, idx);
        }
        let joined = insert(joiner, now, shape, shape.chunk_cnt - 1, false).unwrap().unwrap();
        assert_eq!(joiner.frame(joined).unwrap(), jpeg(shape));
        assert_eq!(joiner.done_frame(), shape.frame_id);
    }

    fn stats(complete: u64, abandoned: u64) -> JoinStats {
        JoinStats { complete, abandoned, missed: u8::try_from(abandoned % 256).unwrap() }
    }

    #[test]
    fn store_is_divided_as_its_length_promises() {
        for frame_capacity in [0, 1, 1152, 1153, 9216, 9217, 1 << 20, 4096 * 1152, usize::MAX] {
            let mut store = vec![0; join_store_len(frame_capacity)];
            let capacity = usize::try_from(Joiner::new(&mut store).unwrap().capacity()).unwrap();
            let wanted = frame_capacity.clamp(1, 4096 * 1152);
            assert!(capacity >= wanted && capacity < wanted + PAYLOAD_LEN, "{frame_capacity}: {capacity}");
            let len = store.len();
            let smaller = Joiner::new(&mut store[..len - 1]).map_or(0, |joiner| joiner.capacity());
            assert!(usize::try_from(smaller).unwrap() < wanted, "a byte less must hold less");
        }
        assert!(Joiner::new(&mut []).is_none());
        let mut ample = vec![0; join_store_len(usize::MAX) + 100_000];
        assert_eq!(Joiner::new(&mut ample).unwrap().capacity(), 4096 * 1152);
    }

    #[test]
    fn chunks_in_any_order_make_the_frame() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        let shape = shape(1, CHUNKS);
        for idx in [9, 3, 0, 7, 1, 2, 8, 6, 4] {
            begin(&mut joiner, ms(0), shape, idx);
        }
        let joined = insert(&mut joiner, ms(1), shape, 5, true).unwrap().unwrap();
        assert_eq!(joined.shape, shape);
        assert_eq!(joiner.frame(joined).unwrap(), jpeg(shape));
        assert_eq!(joiner.stats(), stats(1, 0));
        assert_eq!(joiner.next_deadline(), None);
    }

    #[test]
    fn largest_frame_of_the_protocol_fits() {
        let mut store = vec![0; join_store_len(usize::MAX)];
        let mut joiner = Joiner::new(&mut store).unwrap();
        whole(&mut joiner, ms(0), FrameShape { tail_len: 1152, ..shape(1, MAX_CHUNKS) });
    }

    #[test]
    fn finished_frame_is_readable_until_its_slot_is_needed() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        let joined = insert(&mut joiner, ms(0), shape(1, 1), 0, false).unwrap().unwrap();
        assert_eq!(joiner.frame(joined).unwrap(), jpeg(shape(1, 1)));
        let newer = insert(&mut joiner, ms(0), shape(2, 1), 0, false).unwrap().unwrap();
        assert_eq!(newer.slot, joined.slot, "the first free slot is taken");
        assert_eq!(joiner.frame(joined), None);
        joiner.reset();
        assert_eq!(joiner.frame(newer), None);
    }

    #[test]
    fn duplicate_chunk_is_never_written() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        let shape = shape(1, 2);
        begin(&mut joiner, ms(0), shape, 0);
        let deadline = joiner.next_deadline();
        let forged = [0xEE; PAYLOAD_LEN];
        let chunk =
            Chunk { shape, chunk_idx: 0, repair: false, last: false, sent: Stamp(0), payload: &forged };
        assert_eq!(joiner.insert(ms(90), BUDGET, &chunk), Err(ChunkError::Duplicate));
        assert_eq!(joiner.next_deadline(), deadline);
        let joined = insert(&mut joiner, ms(1), shape, 1, false).unwrap().unwrap();
        assert_eq!(joiner.frame(joined).unwrap(), jpeg(shape));
    }

    #[test]
    fn contradicting_chunk_is_refused_and_harms_nothing() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        let good = shape(7, 3);
        begin(&mut joiner, ms(0), good, 0);
        for bad in [
            FrameShape { chunk_cnt: 4, ..good },
            FrameShape { chunk_cnt: 4096, ..good },
            FrameShape { tail_len: good.tail_len + 1, ..good },
            FrameShape { captured: Stamp(good.captured.0 + 1), ..good },
        ] {
            assert_eq!(insert(&mut joiner, ms(0), bad, 1, false), Err(ChunkError::Mismatch));
        }
        begin(&mut joiner, ms(0), good, 1);
        let joined = insert(&mut joiner, ms(0), good, 2, false).unwrap().unwrap();
        assert_eq!(joiner.frame(joined).unwrap(), jpeg(good));
    }

    #[test]
    fn a_chunk_writes_nowhere_but_in_its_place_of_its_own_frame() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        // All slots are filling, the last chunk of each frame being out.
        let held = [shape(10, 3), shape(11, CHUNKS), shape(12, 2)];
        for shape in held {
            (0..shape.chunk_cnt - 1).for_each(|idx| begin(&mut joiner, ms(0), shape, idx));
        }
        let forged = [0xEE; PAYLOAD_LEN];
        let mut tried = 0;
        for frame_id in [0, 9, 10, 11, 12, 10 + (1 << 31)] {
            for chunk_cnt in [0, 1, 2, 3, CHUNKS, CHUNKS + 1, MAX_CHUNKS, MAX_CHUNKS + 1, u16::MAX] {
                for chunk_idx in [0, 1, 2, 3, CHUNKS - 1, CHUNKS, MAX_CHUNKS - 1, u16::MAX] {
                    for tail_len in [0, 1, 1152, 1153, u16::MAX] {
                        let shape = FrameShape { chunk_cnt, tail_len, ..shape(frame_id, 1) };
                        let chunk = Chunk {
                            shape,
                            chunk_idx,
                            repair: false,
                            last: false,
                            sent: Stamp(0),
                            payload: &forged,
                        };
                        assert!(joiner.insert(ms(0), BUDGET, &chunk).is_err(), "{chunk:?}");
                        tried += 1;
                    }
                }
            }
        }
        assert_eq!(tried, 6 * 9 * 8 * 5);
        for shape in held {
            let joined = insert(&mut joiner, ms(0), shape, shape.chunk_cnt - 1, false).unwrap().unwrap();
            assert_eq!(joiner.frame(joined).unwrap(), jpeg(shape));
        }
    }

    #[test]
    fn frame_over_the_capacity_is_refused_and_takes_no_slot() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        assert_eq!(joiner.capacity(), u32::from(CHUNKS) * 1152);
        for chunk_cnt in [CHUNKS + 1, MAX_CHUNKS] {
            let shape = shape(1, chunk_cnt);
            assert_eq!(insert(&mut joiner, ms(0), shape, 0, false), Err(ChunkError::TooLarge));
        }
        assert_eq!(joiner.next_deadline(), None);
        assert_eq!(joiner.oldest_held(), None);
    }

    #[test]
    fn chunk_of_a_done_frame_is_old() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        whole(&mut joiner, ms(0), shape(5, 2));
        for id in [0, 1, 4, 5, 5 + (1 << 31)] {
            assert_eq!(insert(&mut joiner, ms(0), shape(id, 2), 0, false), Err(ChunkError::Old), "{id}");
        }
    }

    #[test]
    fn complete_frame_abandons_all_older_ones() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        begin(&mut joiner, ms(0), shape(1, 2), 0);
        begin(&mut joiner, ms(0), shape(4, 2), 0);
        whole(&mut joiner, ms(1), shape(3, 2));
        assert_eq!(joiner.stats(), stats(1, 2), "frame 1 came in part, frame 2 not at all");
        assert_eq!(insert(&mut joiner, ms(1), shape(1, 2), 1, false), Err(ChunkError::Old));
        assert_eq!(joiner.oldest_held(), Some(4), "the newer one goes on");
        assert!(insert(&mut joiner, ms(1), shape(4, 2), 1, false).unwrap().is_some());
    }

    #[test]
    fn newest_frame_takes_the_slot_of_the_oldest() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        for id in [2, 4, 5] {
            begin(&mut joiner, ms(0), shape(id, 2), 0);
        }
        assert_eq!(insert(&mut joiner, ms(0), shape(1, 2), 0, false), Err(ChunkError::Old));
        assert_eq!(insert(&mut joiner, ms(0), shape(3, 2), 0, false), Err(ChunkError::Old));
        assert_eq!(joiner.done_frame(), 0);
        begin(&mut joiner, ms(0), shape(6, 2), 0);
        assert_eq!(joiner.done_frame(), 2);
        assert_eq!(joiner.stats(), stats(0, 2));
        assert_eq!(insert(&mut joiner, ms(0), shape(2, 2), 1, false), Err(ChunkError::Old));
        for id in [4, 5, 6] {
            assert!(insert(&mut joiner, ms(0), shape(id, 2), 1, false).unwrap().is_some(), "{id}");
        }
        assert_eq!(joiner.stats(), stats(3, 3));
    }

    #[test]
    fn deadline_follows_first_and_last_fresh_arrival() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        let shape = shape(1, CHUNKS);
        let mut deadline_after = |at, idx, repair| {
            assert_eq!(insert(&mut joiner, ms(at), shape, idx, repair), Ok(None));
            joiner.next_deadline().unwrap()
        };
        assert_eq!(deadline_after(1000, 0, true), ms(1100), "first arrival + budget");
        assert_eq!(deadline_after(1040, 1, false), ms(1100));
        assert_eq!(deadline_after(1090, 2, false), ms(1140), "last fresh arrival + budget/2");
        assert_eq!(deadline_after(1135, 3, true), ms(1140), "a repair buys no time");
        assert_eq!(deadline_after(5990, 4, false), ms(6000), "5 s at most");
    }

    #[test]
    fn frame_is_abandoned_at_its_deadline_and_not_before() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        begin(&mut joiner, ms(0), shape(3, 2), 0);
        joiner.expire(ms(99));
        assert_eq!((joiner.done_frame(), joiner.next_deadline()), (0, Some(ms(100))));
        joiner.expire(ms(100));
        assert_eq!((joiner.done_frame(), joiner.next_deadline()), (3, None));
        assert_eq!(joiner.stats(), stats(0, 3));
        assert_eq!(insert(&mut joiner, ms(100), shape(3, 2), 1, false), Err(ChunkError::Old));
    }

    #[test]
    fn frame_given_up_before_an_older_one_is_passed_with_it() {
        for older_completes in [true, false] {
            let mut store = store();
            let mut joiner = Joiner::new(&mut store).unwrap();
            begin(&mut joiner, ms(0), shape(2, 2), 0);
            begin(&mut joiner, ms(10), shape(1, 3), 0);
            begin(&mut joiner, ms(80), shape(1, 3), 1);
            joiner.expire(ms(100));
            assert_eq!((joiner.done_frame(), joiner.next_deadline()), (0, Some(ms(130))));
            assert_eq!(insert(&mut joiner, ms(101), shape(2, 2), 1, false), Err(ChunkError::Old));
            if older_completes {
                assert!(insert(&mut joiner, ms(102), shape(1, 3), 2, false).unwrap().is_some());
            } else {
                joiner.expire(ms(130));
            }
            assert_eq!(joiner.done_frame(), 2);
            assert_eq!(joiner.stats(), if older_completes { stats(1, 1) } else { stats(0, 2) });
            whole(&mut joiner, ms(140), shape(3, 2));
        }
    }

    #[test]
    fn late_chunks_count_until_the_deadline_is_enforced() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        begin(&mut joiner, ms(0), shape(1, 2), 0);
        assert!(insert(&mut joiner, ms(500), shape(1, 2), 1, false).unwrap().is_some());
    }

    #[test]
    fn frames_alternating_without_end_never_stop_a_whole_one() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        for id in 1..1000 {
            begin(&mut joiner, ms(0), shape(id * 3, 2), 0);
            begin(&mut joiner, ms(0), shape(id * 3 + 1, 2), 0);
            assert!(joiner.slots.iter().filter(|slot| slot.held().is_some()).count() <= SLOTS);
            whole(&mut joiner, ms(0), shape(id * 3 + 2, 3));
        }
        assert_eq!(joiner.stats(), stats(999, 2000));
    }

    #[test]
    fn ids_wrap() {
        let mut store = store();
        let mut joiner = joiner_at(&mut store, u32::MAX - 3);
        whole(&mut joiner, ms(0), shape(u32::MAX - 2, 2));
        begin(&mut joiner, ms(0), shape(u32::MAX - 1, 2), 0);
        begin(&mut joiner, ms(0), shape(u32::MAX, 2), 0);
        begin(&mut joiner, ms(0), shape(0, 2), 0);
        assert_eq!(joiner.oldest_held(), Some(u32::MAX - 1));
        begin(&mut joiner, ms(0), shape(1, 2), 0);
        assert_eq!(joiner.done_frame(), u32::MAX - 1);
        assert!(insert(&mut joiner, ms(0), shape(0, 2), 1, false).unwrap().is_some());
        assert_eq!(insert(&mut joiner, ms(0), shape(u32::MAX, 2), 1, false), Err(ChunkError::Old));
        whole(&mut joiner, ms(0), shape(2, 1));
        assert_eq!(joiner.stats(), stats(3, 3));
    }

    #[test]
    fn reset_forgets_everything() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        whole(&mut joiner, ms(0), shape(9, 2));
        begin(&mut joiner, ms(0), shape(10, 2), 0);
        joiner.reset();
        assert_eq!((joiner.done_frame(), joiner.next_deadline()), (0, None));
        assert_eq!(joiner.stats(), stats(0, 0));
        whole(&mut joiner, ms(0), shape(1, 2));
    }

    #[test]
    fn missed_frames_are_counted_mod_256() {
        let mut store = store();
        let mut joiner = Joiner::new(&mut store).unwrap();
        whole(&mut joiner, ms(0), shape(301, 1));
        assert_eq!(joiner.stats(), JoinStats { complete: 1, abandoned: 300, missed: 44 });
    }

    fn newer_of(a: u32, b: u32) -> u32 {
        if is_newer(a, b) { a } else { b }
    }

    /// Chunks of some frames as a bad network delivers them: lost, duplicated, in another order.
    fn schedule(random: &mut XorShift, base: u32) -> Vec<(u64, FrameShape, u16, bool)> {
        let loss = random.below(30);
        let jitter_ms = 1 + random.below(80);
        let mut arrivals = Vec::new();
        for number in 1..=2 + random.below(6) {
            let shape = shape(base.wrapping_add(u32::try_from(number).unwrap()), 1 + random.below(4) as u16);
            for idx in 0..shape.chunk_cnt {
                let copies = if random.below(100) < loss { 0 } else { 1 + u64::from(random.below(8) == 0) };
                for _ in 0..copies {
                    arrivals.push((number * 33 + random.below(jitter_ms), shape, idx, random.below(4) == 0));
                }
            }
        }
        arrivals.sort_by_key(|(at, ..)| *at);
        arrivals
    }

    #[test]
    fn random_schedules_give_only_whole_unmixed_frames_in_order() {
        let schedules = setting("SCHEDULES", 20_000);
        let seed = setting("SEED", 0x5CA1_AB1E);
        std::println!("SEED={seed} SCHEDULES={schedules}");
        let mut store = store();
        let (mut complete, mut abandoned) = (0, 0);
        for number in 0..schedules {
            let mut random = XorShift::nth(seed, number);
            let base = if number % 2 == 0 { 0 } else { u32::MAX - random.below(8) as u32 };
            store.fill(0xAA); // a byte that no payload has, lest an earlier schedule fill a hole
            let mut joiner = joiner_at(&mut store, base);
            let (mut newest_out, mut done, mut last_id, mut out_cnt) = (base, base, base, 0);
            for (at, shape, idx, repair) in schedule(&mut random, base) {
                if random.below(3) != 0 {
                    joiner.expire(ms(at));
                    assert!(joiner.next_deadline().is_none_or(|deadline| deadline > ms(at)));
                }
                if let Ok(Some(joined)) = insert(&mut joiner, ms(at), shape, idx, repair) {
                    assert!(is_newer(shape.frame_id, newest_out), "schedule {number}");
                    assert_eq!(joiner.frame(joined).unwrap(), jpeg(shape), "schedule {number}");
                    assert_eq!(joiner.done_frame(), newer_of(shape.frame_id, joiner.done_frame()));
                    newest_out = shape.frame_id;
                    out_cnt += 1;
                }
                assert!(joiner.done_frame() == done || is_newer(joiner.done_frame(), done));
                done = joiner.done_frame();
                last_id = newer_of(shape.frame_id, last_id);
            }
            joiner.expire(ms(100_000));
            assert_eq!(joiner.done_frame(), last_id, "schedule {number}: neither done nor given up");
            let JoinStats { complete: came, abandoned: missed, .. } = joiner.stats();
            assert_eq!(came, out_cnt, "schedule {number}");
            assert_eq!(came + missed, u64::from(last_id.wrapping_sub(base)), "schedule {number}");
            (complete, abandoned) = (complete + came, abandoned + missed);
        }
        std::println!("{complete} frames complete, {abandoned} abandoned");
        assert!(complete > schedules && abandoned > schedules, "both must happen often to prove anything");
    }
}
