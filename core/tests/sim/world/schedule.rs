//! What is going to happen, in order of time; what happens at the same time, in the order in which it was planned.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use sealcam_core::output::Opened;

use super::network::Heading;

/// What happens at a point in time.
pub(crate) enum Happening {
    /// A datagram arrives.
    Datagram { heading: Heading, from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    /// The display's worker has done a private operation that this start of the display asked for.
    Opened { instance: u32, opened: Box<Opened> },
}

/// A queue by time.
#[derive(Default)]
pub(crate) struct Schedule {
    heap: BinaryHeap<Reverse<Planned>>,
    order: u64,
}

impl Schedule {
    pub(crate) fn plan(&mut self, at: Duration, what: Happening) {
        self.order += 1;
        self.heap.push(Reverse(Planned { at, order: self.order, what }));
    }

    /// What is on its way is lost.
    pub(crate) fn lose_datagrams(&mut self) {
        self.heap.retain(|Reverse(planned)| !matches!(planned.what, Happening::Datagram { .. }));
    }

    /// When the next thing happens.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse(first)| first.at)
    }

    /// The next thing that has happened by `now`.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<Happening> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(first)| first.what)
    }
}

struct Planned {
    at: Duration,
    order: u64,
    what: Happening,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
