//! The frames that the camera's program handed over, and which of them came out.

use std::time::Duration;

use sealcam_core::output::Frame;

use crate::world::picture::{NAMED, number_of, picture};

/// One that a client took: in which life of the camera and in which of its sessions, and when
/// it was captured.
#[derive(Clone, Copy)]
pub(super) struct Handed {
    life: usize,
    session: u32,
    number: u64,
    len: usize,
    pub(super) captured: Duration,
}

impl Handed {
    /// A shorter one could be another of the same bytes.
    pub(super) const fn is_named(&self) -> bool {
        self.len >= NAMED
    }
}

/// All of a round, in order.
#[derive(Default)]
pub(super) struct Album {
    handed: Vec<Handed>,
    /// The place behind the last one that came out.
    seen: usize,
}

impl Album {
    /// The next frame to hand over, of so many bytes; its number is one that no other life of the camera has.
    pub(super) fn next(&self, life: usize, len: usize) -> Vec<u8> {
        picture(life, self.next_number(), len)
    }

    pub(super) fn hand_over(&mut self, life: usize, session: u32, len: usize, captured: Duration) {
        let number = self.next_number();
        self.handed.push(Handed { life, session, number, len, captured });
    }

    /// The frame that came out in this session: it is one that was handed over in it, whole, and after the one before.
    pub(super) fn show(&mut self, frame: &Frame<'_>, session: u32) -> Handed {
        let named = number_of(frame.jpeg);
        let is_it = |handed: &Handed| {
            handed.session == session
                && handed.len == frame.jpeg.len()
                && named.is_none_or(|named| named == handed.number)
                && picture(handed.life, handed.number, handed.len) == frame.jpeg
        };
        let place = self.handed[self.seen..].iter().position(is_it);
        let place = place.unwrap_or_else(|| {
            let (id, len) = (frame.frame_id, frame.jpeg.len());
            let before = self.handed.iter().any(is_it);
            panic!(
                "frame {id} of {len} bytes, number {named:?}: none since the last one shown; before: {before}"
            )
        });
        self.seen += place + 1;
        self.handed[self.seen - 1]
    }

    fn next_number(&self) -> u64 {
        u64::try_from(self.handed.len()).unwrap()
    }
}
