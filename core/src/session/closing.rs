//! The end of a session: CLOSE is said three times, then the keys are erased (docs/protocol.md §11).

use core::time::Duration;

use crate::time::Instant;
use crate::wire::close::CloseReason;

const TIMES: u8 = 3;
/// The pause between two CLOSEs is one RTT, but no more than this.
const MAX_PAUSE: Duration = Duration::from_millis(250);

/// A session that says its last words; nothing is received any more.
pub(crate) struct Closing {
    pub(crate) reason: CloseReason,
    left: u8,
    pause: Duration,
    next: Instant,
}

/// What to do now.
pub(crate) enum Farewell {
    /// Send CLOSE.
    Say(CloseReason),
    /// Nothing until then.
    Wait(Instant),
    /// Erase the session.
    Over,
}

impl Closing {
    pub(crate) fn new(reason: CloseReason, rtt: Duration, now: Instant) -> Self {
        Self { reason, left: TIMES, pause: rtt.min(MAX_PAUSE), next: now }
    }

    pub(crate) fn poll(&mut self, now: Instant) -> Farewell {
        if self.left == 0 {
            return Farewell::Over;
        }
        if now < self.next {
            return Farewell::Wait(self.next);
        }
        self.left -= 1;
        self.next = now + self.pause;
        Farewell::Say(self.reason)
    }
}
