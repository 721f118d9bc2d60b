//! How old a frame may be believed to be (docs/protocol.md §9.5): what its packets took longer than the fastest of the last
//! seconds counts in full, and an old one never passes for live, whatever all of them took.

use std::collections::VecDeque;
use std::time::Duration;

use crate::world::secs;

/// The display forgets what was fastest second by second, ten of them back.
const MEMORY: Duration = secs(9);
/// What the programs take for live: up to this age and this round trip.
const LIVE: Duration = secs(1);
/// What is in truth so old must not be. In between an even delay is seen by half.
const OLD: Duration = secs(2);

pub(super) fn is_old(age: Duration) -> bool {
    age >= OLD
}

pub(super) fn passes_for_live(believed: Duration, rtt: Duration) -> bool {
    believed.max(rtt) < LIVE
}

/// The ways of a session's chunks: when each came, and what it took.
#[derive(Default)]
pub(super) struct Ages {
    session: u32,
    ways: VecDeque<(Duration, Duration)>,
}

impl Ages {
    /// A chunk was taken.
    pub(super) fn chunk(&mut self, session: u32, sent: Duration, now: Duration) {
        if session != self.session {
            (self.session, self.ways) = (session, VecDeque::new());
        }
        self.ways.push_back((now, now - sent));
    }

    /// A frame of this session that was captured so long ago is believed to be this old, and its round trip to be this long.
    pub(super) fn judge(&mut self, now: Duration, age: Duration, believed: Duration, rtt: Duration) {
        while self.ways.front().is_some_and(|(came, _)| *came + MEMORY < now) {
            self.ways.pop_front();
        }
        let fastest = self.ways.iter().map(|(_, way)| *way).min().unwrap_or(age);
        let (least, most) = (age.saturating_sub(fastest), age + rtt / 2);
        assert!(least <= believed && believed <= most, "{believed:?} old, and not {least:?} to {most:?}");
        let passes = is_old(age) && passes_for_live(believed, rtt);
        assert!(!passes, "{age:?} old, and passes for live: {believed:?}, with a round trip of {rtt:?}");
    }
}
