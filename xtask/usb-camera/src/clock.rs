//! The one place where this program reads time. It imports none of the project's crates, so it has a clock of its own.

use std::time::{Duration, Instant};

/// Started when made.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    /// Starts.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool that imports no crate of the project has its own clock.rs"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start: what is called `now` everywhere else.
    #[must_use]
    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}
