//! A table of points in time, one for each variant of an enum of timers.

use crate::time::Instant;

/// An enum whose variants are timers.
pub(crate) trait Timer: Copy + PartialEq + 'static {
    /// All variants.
    const ALL: &'static [Self];
}

/// When each timer is due; `N` is the number of variants.
#[derive(Debug)]
pub(crate) struct Timers<T, const N: usize> {
    due: [Option<Instant>; N],
    _timer: core::marker::PhantomData<T>,
}

impl<T: Timer, const N: usize> Timers<T, N> {
    pub(crate) const fn new() -> Self {
        const { assert!(T::ALL.len() == N, "one place for each timer") };
        Self { due: [None; N], _timer: core::marker::PhantomData }
    }

    pub(crate) fn set(&mut self, timer: T, at: Instant) {
        if let Some(due) = self.place(timer) {
            *due = Some(at);
        }
    }

    /// Sets it unless it is due earlier already.
    pub(crate) fn set_by(&mut self, timer: T, at: Instant) {
        if let Some(due) = self.place(timer) {
            *due = Some(due.map_or(at, |earlier| earlier.min(at)));
        }
    }

    pub(crate) fn stop(&mut self, timer: T) {
        if let Some(due) = self.place(timer) {
            *due = None;
        }
    }

    pub(crate) fn is_due(&self, timer: T, now: Instant) -> bool {
        let due = T::ALL.iter().zip(&self.due).find(|(which, _)| **which == timer);
        due.is_some_and(|(_, due)| due.is_some_and(|at| at <= now))
    }

    /// The earliest of all.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.iter().flatten().min().copied()
    }

    fn place(&mut self, timer: T) -> Option<&mut Option<Instant>> {
        T::ALL.iter().zip(&mut self.due).find(|(which, _)| **which == timer).map(|(_, due)| due)
    }
}

/// The earlier of two points that may not exist.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    [a, b].into_iter().flatten().min()
}
