//! Between a source's thread and the program's loop: one frame that waits, the state, the counters.
//!
//! Three buffers go round, so no frame costs an allocation once they have grown: the source fills one, one waits,
//! one is with the loop. The lock is held for a swap of buffers, never for a copy.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::log;

use super::intake::{Skip, Stats, frame_len};
use super::pace::Pace;
use super::rate::Rate;
use super::stop::Stop;
use super::{State, Status};

/// The loop's side.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    board: Mutex<Board>,
    ended: Condvar,
}

#[derive(Debug)]
struct Board {
    /// When the frame in `waiting` was captured; `None`: no frame waits, and the buffer is free.
    waiting_since: Option<Instant>,
    waiting: Vec<u8>,
    status: Status,
    stats: Stats,
    rate: Rate,
    end: Option<Result<()>>,
}

impl Shared {
    /// Nothing captured yet.
    pub(super) fn new() -> Self {
        let board = Board {
            waiting_since: None,
            waiting: Vec::new(),
            status: Status { state: State::Starting, since: Clock.now(), text: String::new() },
            stats: Stats::default(),
            rate: Rate::new(),
            end: None,
        };
        Self { inner: Arc::new(Inner { board: Mutex::new(board), ended: Condvar::new() }) }
    }

    /// Puts the waiting frame into `into`, whose old buffer goes back to the source; says when it was captured.
    pub(super) fn take(&self, into: &mut Vec<u8>) -> Option<Instant> {
        let mut board = self.lock();
        let captured_at = board.waiting_since.take()?;
        mem::swap(&mut board.waiting, into);
        Some(captured_at)
    }

    /// The state now.
    pub(super) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    /// The counters now.
    pub(super) fn stats(&self) -> Stats {
        let board = self.lock();
        Stats { fps: board.rate.per_second(Clock.now()), ..board.stats }
    }

    /// How the source ended, if no frame waits any more.
    pub(super) fn finished(&self) -> Option<Result<()>> {
        let board = self.lock();
        if board.waiting_since.is_some() { None } else { board.end.clone() }
    }

    /// Waits until the source has ended; `false` if it takes longer than `limit`.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let waited = self.inner.ended.wait_timeout_while(self.lock(), limit, |board| board.end.is_none());
        waited.is_ok_and(|(board, _)| board.end.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        // Nothing panics while it holds the lock; if it did, the board would still be a valid one.
        self.inner.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The source's side. When it is dropped the source has ended.
pub(super) struct Outlet {
    shared: Shared,
    stop: Stop,
    wake: Box<dyn Fn() + Send>,
    spare: Vec<u8>,
    max_len: usize,
}

impl Outlet {
    /// An outlet whose frames are at most `max_len` bytes long.
    pub(super) fn new(shared: Shared, stop: Stop, wake: Box<dyn Fn() + Send>, max_len: usize) -> Self {
        Self { shared, stop, wake, spare: Vec::new(), max_len }
    }

    /// What the source sleeps on.
    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Sleeps until the next frame is due; says how many were missed, which are counted, or `None` if the source is
    /// to stop.
    ///
    /// # Errors
    /// Those of [`Stop::sleep_until`].
    pub(super) fn wait_for_slot(&self, pace: &mut Pace) -> io::Result<Option<u64>> {
        let slot = pace.next(Clock.now());
        if slot.missed > 0 {
            self.miss(slot.missed);
        }
        Ok(self.stop.sleep_until(slot.due)?.then_some(slot.missed))
    }

    /// The largest frame, bytes.
    pub(super) fn max_len(&self) -> usize {
        self.max_len
    }

    /// The length of the frame that `bytes` begin with, if it may be sent; else counts it as skipped.
    pub(super) fn check(&self, bytes: &[u8]) -> Option<usize> {
        frame_len(bytes, self.max_len).map_err(|why| self.skip(why, 1)).ok()
    }

    /// Hands on a frame that was checked: exactly these bytes. One copy.
    pub(super) fn hand_on(&mut self, captured_at: Instant, frame: &[u8]) {
        self.spare.clear();
        self.spare.extend_from_slice(frame);
        self.post(captured_at);
    }

    /// Lets `fill` put a frame's bytes into an empty buffer, checks it and hands it on. No copy. Says whether the
    /// frame was there and valid.
    pub(super) fn fill(
        &mut self,
        captured_at: Instant,
        fill: impl FnOnce(&mut Vec<u8>) -> std::result::Result<(), Skip>,
    ) -> bool {
        self.spare.clear();
        if let Err(why) = fill(&mut self.spare) {
            self.skip(why, 1);
            return false;
        }
        let Some(len) = self.check(&self.spare) else { return false };
        self.spare.truncate(len);
        self.post(captured_at);
        true
    }

    /// Counts frames that are not valid.
    pub(super) fn skip(&self, why: Skip, count: u64) {
        self.shared.lock().stats.skipped.count(why, count);
    }

    /// Counts frames that the source should have given and did not.
    pub(super) fn miss(&self, count: u64) {
        self.shared.lock().stats.missed += count;
    }

    /// Counts a valid frame that gave way to a newer one before it came here.
    pub(super) fn replaced(&self) {
        let mut board = self.shared.lock();
        board.stats.captured += 1;
        board.stats.replaced += 1;
    }

    /// Enters a state and tells it in the log. The same state with the same words again is nothing new.
    pub(super) fn state(&self, state: State, text: impl Into<String>) {
        let text = text.into();
        {
            let mut board = self.shared.lock();
            if board.status.state == state && board.status.text == text {
                return;
            }
            let since = if board.status.state == state { board.status.since } else { Clock.now() };
            board.status = Status { state, since, text: text.clone() };
        }
        log::say(format_args!("{text}"));
        (self.wake)();
    }

    /// The source has ended, and how.
    pub(super) fn end(self, how: Result<()>) {
        self.set_end(how);
    }

    /// Puts the frame in `spare` where the loop finds it; the frame that waited gives its buffer back.
    fn post(&mut self, captured_at: Instant) {
        {
            let mut board = self.shared.lock();
            board.stats.captured += 1;
            board.rate.note(captured_at);
            if board.waiting_since.replace(captured_at).is_some() {
                board.stats.replaced += 1;
            }
            mem::swap(&mut board.waiting, &mut self.spare);
        }
        (self.wake)();
    }

    fn set_end(&self, how: Result<()>) {
        self.shared.lock().end.get_or_insert(how);
        self.shared.inner.ended.notify_all();
        (self.wake)();
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        // Only a panic gets here without an end; `get_or_insert` keeps the one that was said.
        self.set_end(Err(Failure::new(
            Exit::Other,
            "The source of pictures stopped by a fault of this program.",
        )));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::super::intake::tiny_jpeg;
    use super::*;

    fn pair() -> (Shared, Outlet, Arc<AtomicU32>) {
        let shared = Shared::new();
        let woken = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&woken);
        let wake = Box::new(move || _ = count.fetch_add(1, Ordering::Relaxed));
        let outlet = Outlet::new(shared.clone(), Stop::new().unwrap(), wake, 1000);
        (shared, outlet, woken)
    }

    fn holding(bytes: Vec<u8>) -> impl FnOnce(&mut Vec<u8>) -> std::result::Result<(), Skip> {
        |buf| {
            *buf = bytes;
            Ok(())
        }
    }

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    #[test]
    fn newest_frame_wins_and_the_older_is_counted() {
        let (shared, mut outlet, woken) = pair();
        for n in 1..=3 {
            outlet.hand_on(at(u64::from(n)), &[n; 4]);
        }
        let mut frame = Vec::new();
        assert_eq!(shared.take(&mut frame), Some(at(3)));
        assert_eq!(frame, [3; 4]);
        assert_eq!(shared.take(&mut frame), None);
        let stats = shared.stats();
        assert_eq!((stats.captured, stats.replaced), (3, 2));
        assert_eq!(woken.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn buffers_go_round_without_new_ones() {
        let (shared, mut outlet, _) = pair();
        let mut frame = Vec::new();
        let mut seen = Vec::new();
        for n in 0..100 {
            outlet.hand_on(at(n), &[7; 500]);
            // A slow loop: it takes every third frame.
            if n % 3 == 0 {
                shared.take(&mut frame);
                seen.push(frame.as_ptr());
            }
        }
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() <= 3, "{} buffers", seen.len());
    }

    #[test]
    fn invalid_frame_does_not_replace_a_waiting_one() {
        let (shared, mut outlet, _) = pair();
        assert!(outlet.fill(at(1), holding(tiny_jpeg(1))));
        assert!(!outlet.fill(at(2), holding(vec![0; 10])));
        let mut frame = Vec::new();
        assert_eq!(shared.take(&mut frame), Some(at(1)));
        assert_eq!(frame, tiny_jpeg(1));
        let stats = shared.stats();
        assert_eq!((stats.captured, stats.skipped.no_start, stats.skipped.total()), (1, 1, 1));
    }

    #[test]
    fn bytes_after_the_picture_are_not_handed_on() {
        let (shared, mut outlet, _) = pair();
        outlet.fill(at(1), holding([tiny_jpeg(9), vec![0; 64]].concat()));
        let mut frame = Vec::new();
        shared.take(&mut frame);
        assert_eq!(frame, tiny_jpeg(9));
    }

    #[test]
    fn end_is_told_only_after_the_last_frame_was_taken() {
        let (shared, mut outlet, _) = pair();
        outlet.hand_on(at(1), &[1]);
        outlet.end(Ok(()));
        assert_eq!(shared.finished(), None);
        assert!(shared.take(&mut Vec::new()).is_some());
        assert_eq!(shared.finished(), Some(Ok(())));
    }

    #[test]
    fn panic_of_a_source_is_an_end() {
        let (shared, outlet, woken) = pair();
        let thread = thread::spawn(move || {
            let _outlet = outlet;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(shared.wait_for_end(Duration::ZERO));
        assert!(shared.finished().is_some_and(|end| end.is_err()));
        assert_eq!(woken.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn repeated_state_is_told_once_and_keeps_its_beginning() {
        let (shared, outlet, woken) = pair();
        outlet.state(State::NoCamera, "No camera.");
        let first = shared.status();
        outlet.state(State::NoCamera, "No camera.");
        assert_eq!(shared.status(), first);
        assert_eq!(woken.load(Ordering::Relaxed), 1);
        outlet.state(State::NoCamera, "Still none.");
        assert_eq!((shared.status().since, woken.load(Ordering::Relaxed)), (first.since, 2));
    }
}
