//! Frames on their way from the network to the painter: a few places, and the newest frame always gets one.
//!
//! One place makes a latest-wins mailbox, a few make a short queue. The buffers go round and round, so that in the
//! steady state nothing is allocated. This file knows no threads; `painter.rs` puts a lock around it.

use std::collections::VecDeque;

use sealcam_core::time::Instant;

use super::ShownFrame;

/// A frame in a buffer of its own.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) camera: String,
    pub(super) number: u32,
    pub(super) captured_at: Instant,
    pub(super) fresh_from: Instant,
    pub(super) jpeg: Vec<u8>,
}

impl Parcel {
    const fn new() -> Self {
        Self {
            camera: String::new(),
            number: 0,
            captured_at: Instant::ZERO,
            fresh_from: Instant::ZERO,
            jpeg: Vec::new(),
        }
    }

    /// Copies a frame in place of what was here.
    pub(super) fn fill(&mut self, frame: &ShownFrame<'_>) {
        self.camera.clear();
        self.camera.push_str(frame.camera);
        self.number = frame.number;
        self.captured_at = frame.captured_at;
        self.fresh_from = frame.fresh_from;
        self.jpeg.clear();
        self.jpeg.extend_from_slice(frame.jpeg);
    }
}

/// The places.
#[derive(Debug)]
pub(super) struct Mailbox {
    places: usize,
    waiting: VecDeque<Parcel>,
    empty: Vec<Parcel>,
}

impl Mailbox {
    /// So many frames may wait, at least one.
    pub(super) fn new(places: usize) -> Self {
        let places = places.max(1);
        // One more is being filled and one more is being shown.
        let empty = std::iter::repeat_with(Parcel::new).take(places + 2).collect();
        Self { places, waiting: VecDeque::with_capacity(places + 1), empty }
    }

    /// A parcel to fill, to be handed to [`Mailbox::post`].
    pub(super) fn blank(&mut self) -> Parcel {
        self.empty.pop().unwrap_or_else(Parcel::new)
    }

    /// Lets this frame wait. Where all places are taken the oldest gives way, and `true` comes back.
    pub(super) fn post(&mut self, parcel: Parcel) -> bool {
        let full = self.waiting.len() >= self.places;
        if full && let Some(oldest) = self.waiting.pop_front() {
            self.empty.push(oldest);
        }
        self.waiting.push_back(parcel);
        full
    }

    /// The frame that has waited longest, to be handed back to [`Mailbox::give_back`].
    pub(super) fn take(&mut self) -> Option<Parcel> {
        self.waiting.pop_front()
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes back a parcel that was worked off.
    pub(super) fn give_back(&mut self, parcel: Parcel) {
        self.empty.push(parcel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(mailbox: &mut Mailbox, number: u32) -> bool {
        let mut parcel = mailbox.blank();
        let (captured_at, fresh_from) = (Instant::ZERO, Instant::ZERO);
        parcel.fill(&ShownFrame { camera: "porch", number, captured_at, fresh_from, jpeg: &[7; 5000] });
        mailbox.post(parcel)
    }

    #[test]
    fn with_one_place_the_newest_wins_and_the_loser_is_told() {
        let mut mailbox = Mailbox::new(1);
        assert!(!post(&mut mailbox, 1));
        assert!(post(&mut mailbox, 2));
        assert!(post(&mut mailbox, 3));
        assert_eq!(mailbox.take().map(|parcel| parcel.number), Some(3));
        assert!(mailbox.is_empty());
    }

    #[test]
    fn a_queue_keeps_the_order_and_drops_the_oldest() {
        let mut mailbox = Mailbox::new(3);
        let dropped = (1..=5).filter(|&number| post(&mut mailbox, number)).count();
        assert_eq!(dropped, 2);
        let taken: Vec<u32> = std::iter::from_fn(|| mailbox.take()).map(|parcel| parcel.number).collect();
        assert_eq!(taken, [3, 4, 5]);
    }

    #[test]
    fn buffers_go_round_without_new_allocations() {
        let mut mailbox = Mailbox::new(1);
        let mut addresses = std::collections::BTreeSet::new();
        for number in 0..100 {
            post(&mut mailbox, number);
            if number % 3 == 0 {
                let parcel = mailbox.take().unwrap();
                addresses.insert(parcel.jpeg.as_ptr());
                mailbox.give_back(parcel);
            }
        }
        assert!(addresses.len() <= 3, "{} buffers for one waiting frame", addresses.len());
        assert_eq!(mailbox.empty.len() + mailbox.waiting.len(), 3);
    }
}
