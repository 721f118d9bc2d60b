//! Events that wait for `poll` to hand them out. When nobody polls, the oldest are lost and counted.

use heapless::Deque;

use crate::output::Event;

const ROOM: usize = 16;

/// A short queue.
pub(crate) struct Events {
    queue: Deque<Event, ROOM>,
    pub(crate) lost: u64,
}

impl Events {
    pub(crate) const fn new() -> Self {
        Self { queue: Deque::new(), lost: 0 }
    }

    pub(crate) fn push(&mut self, event: Event) {
        if self.queue.is_full() {
            let _oldest = self.queue.pop_front();
            self.lost += 1;
        }
        let _pushed = self.queue.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }
}
