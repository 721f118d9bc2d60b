//! The painting thread: takes frames and words from the network loop and never makes it wait.
//!
//! ```text
//! network loop ── show ──▶ mailbox ──▶ decode ─▶ fit ─▶ sink      pixels: one frame waits, the newest wins
//!              ── status ▶         │   (a thread)
//!              ◀─ stats, end, wake └──────────────────▶ sink      frames: a short queue, every frame
//! ```
//! A frame that is not followed by another in time gives way to a statement (`painter/freshness.rs`): nothing old is
//! ever shown as live. This file is the handle and what both sides share; `painter/pixels.rs` and
//! `painter/frames.rs` are the work. Which camera is shown is the loop's decision.

mod decoding;
mod frames;
mod freshness;
mod latency;
mod mailbox;
mod pixels;
mod shared;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use sealcam_core::time::Instant;
use sealcam_linux::exit::{Exit, Failure, Result};

use self::decoding::{Decode, Decoding};
use self::latency::Latency;
use self::mailbox::Mailbox;
use self::shared::Shared;
use crate::decode::Undecodable;
use crate::sink::{Kind, Sink, SinkEnd, restore};
use crate::status::Situation;

/// How many frames may wait for a sink that wants them all.
const QUEUE: usize = 8;
/// How long a sink may take to finish at the end: a pipe that nobody reads or a stopped terminal takes for ever.
const PATIENCE: Duration = Duration::from_secs(2);

const UNANSWERED: &str = "Was asked to end while the sink was still being opened: the desktop, device or directory \
    behind it does not answer. Another can be named with --sink.";
/// How often it is asked whether the program should still wait for a sink to open.
const ASK: Duration = Duration::from_millis(50);

/// A frame to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownFrame<'a> {
    /// The camera's name.
    pub(crate) camera: &'a str,
    /// The frame's number in the camera's session; grows, may skip.
    pub(crate) number: u32,
    /// When the camera took it, on this machine's clock.
    pub(crate) captured_at: Instant,
    /// From when on it grows stale: when it was taken, or one round trip before it arrived if that is earlier. A
    /// delay that is the same for every packet shows in the round trip alone.
    pub(crate) fresh_from: Instant,
    /// The JPEG.
    pub(crate) jpeg: &'a [u8],
}

/// What became of the frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Shown, or handed on to a sink of frames.
    pub(crate) shown: u64,
    /// Replaced by a newer one before they could be shown, or pushed out of a full queue.
    pub(crate) replaced: u64,
    /// Too old to be shown when their turn came.
    pub(crate) late: u64,
    /// Not decodable.
    pub(crate) undecodable: u64,
    /// Why the last of those was not.
    pub(crate) why_undecodable: Option<Undecodable>,
    /// When the newest was shown: what "healthy" is judged by.
    pub(crate) last_shown_at: Option<Instant>,
    /// When the first was shown.
    pub(crate) first_shown_at: Option<Instant>,
    /// How long after the camera took it the newest was shown.
    pub(crate) last_latency: Duration,
    /// The same of all frames.
    pub(crate) latency: Latency,
    /// Whether a live picture is on the screen now. Always `false` for sinks of frames.
    pub(crate) live: bool,
}

impl Stats {
    /// Frames shown per second, from the first to the newest.
    pub(crate) fn rate(&self) -> f64 {
        let span =
            self.first_shown_at.zip(self.last_shown_at).map(|(first, last)| last.since(first).as_secs_f64());
        span.filter(|span| *span > 0.0).map_or(0.0, |span| (self.shown - 1) as f64 / span)
    }

    fn count_shown(&mut self, now: Instant, latency: Duration) {
        self.shown += 1;
        self.first_shown_at = self.first_shown_at.or(Some(now));
        self.last_shown_at = Some(now);
        self.last_latency = latency;
        self.latency.add(latency);
    }
}

/// The painting thread's handle. Dropping it ends the thread, closes the sink and restores what the sink changed.
pub(crate) struct Painter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    sink: Description,
}

/// What the thread tells of the sink that it opened.
struct Description {
    name: String,
    warnings: Vec<String>,
    covers_terminal: bool,
}

impl Painter {
    /// Starts the thread and opens the sink on it, with what `open` does there.
    ///
    /// `clock` is CLOCK_MONOTONIC. `wake` is called on the thread once, when it ends by itself: see
    /// [`Painter::end`] then. Opening may take for ever (an X server that does not answer): `give_up` is asked
    /// again and again meanwhile.
    pub(crate) fn start(
        open: impl FnOnce() -> Result<Sink> + Send + 'static,
        clock: impl Fn() -> Instant + Send + 'static,
        wake: impl Fn() + Send + 'static,
        give_up: impl Fn() -> bool,
    ) -> Result<Self> {
        Self::start_with(decoding::decoder(), open, clock, wake, give_up)
    }

    fn start_with(
        decode: Decode,
        open: impl FnOnce() -> Result<Sink> + Send + 'static,
        clock: impl Fn() -> Instant + Send + 'static,
        wake: impl Fn() + Send + 'static,
        give_up: impl Fn() -> bool,
    ) -> Result<Self> {
        restore::before_panic_messages();
        let shared = Arc::new(Shared::new());
        let (opened, opening) = sync_channel(1);
        let its_shared = Arc::clone(&shared);
        let body = move || {
            let end = catch_unwind(AssertUnwindSafe(|| run(open, decode, &clock, &its_shared, &opened)));
            let end = end.unwrap_or_else(|panic| Some(SinkEnd::Failed(fault(&*panic))));
            let wanted = its_shared.finish(end);
            // An `opened` that nobody used ends the wait in `start`.
            drop(opened);
            if !wanted {
                wake();
            }
        };
        let thread = Builder::new().name(restore::PAINTER_THREAD.to_owned()).spawn(body);
        let thread = thread.map_err(|error| no_thread(&error))?;
        let answer = loop {
            match opening.recv_timeout(ASK) {
                Ok(answer) => break answer,
                Err(RecvTimeoutError::Disconnected) => break Err(shared.failure()),
                Err(RecvTimeoutError::Timeout) if give_up() => {
                    restore::now();
                    break Err(Failure::new(Exit::Sink, UNANSWERED));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        };
        Ok(Self { shared, thread: Some(thread), sink: answer? })
    }

    /// Which sink was opened, in a person's words.
    pub(crate) fn sink_name(&self) -> &str {
        &self.sink.name
    }

    /// What the user should be told about it, once.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.sink.warnings
    }

    /// Whether the sink is drawn in the terminal, where lines of the log would tear it: give them to
    /// [`Painter::note`].
    pub(crate) fn covers_terminal(&self) -> bool {
        self.sink.covers_terminal
    }

    /// Hands over a frame; never waits for the sink, and allocates only while buffers still grow.
    pub(crate) fn show(&self, frame: &ShownFrame<'_>) {
        let mut parcel = self.shared.lock().mailbox.blank();
        // Copied without the lock, so that the painter can go on meanwhile.
        parcel.fill(frame);
        let mut state = self.shared.lock();
        if state.mailbox.post(parcel) {
            state.stats.replaced += 1;
        }
        drop(state);
        self.shared.work.notify_one();
    }

    /// Tells what is known apart from the frames. Shown whenever no live picture is there.
    pub(crate) fn status(&self, situation: Situation) {
        self.shared.lock().situation = Some(situation);
        self.shared.work.notify_one();
    }

    /// The last line of the log, for sinks that have a place for it.
    pub(crate) fn note(&self, line: &str) {
        self.shared.lock().note = Some(line.to_owned());
        self.shared.work.notify_one();
    }

    /// What became of the frames so far.
    pub(crate) fn stats(&self) -> Stats {
        self.shared.lock().stats.clone()
    }

    /// Why the sink takes no more, once it does not.
    pub(crate) fn end(&self) -> Option<SinkEnd> {
        self.shared.lock().end.clone()
    }
}

impl Painter {
    /// Ends the thread as dropping does, and says what became of the frames in all.
    pub(crate) fn finish(&mut self) -> Stats {
        self.stop();
        self.stats()
    }

    fn stop(&mut self) {
        // Once: whoever has been waited for in vain is not waited for again.
        let Some(thread) = self.thread.take() else { return };
        self.shared.lock().stop = true;
        self.shared.work.notify_one();
        let waiting = |state: &mut shared::State| !state.finished;
        let state = self.shared.lock();
        let waited = self.shared.finished.wait_timeout_while(state, PATIENCE, waiting);
        let finished = waited.unwrap_or_else(PoisonError::into_inner).0.finished;
        if finished {
            // Panics are caught on the thread, so there is no result to look at.
            let _ = thread.join();
        } else {
            // Its sink blocks and may do so for ever; the thread is left behind, the screen is not.
            restore::now();
        }
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread: opens the sink, tells so, and works until told to stop (`None`) or until the sink ends.
fn run(
    open: impl FnOnce() -> Result<Sink>,
    decode: Decode,
    clock: &dyn Fn() -> Instant,
    shared: &Arc<Shared>,
    opened: &SyncSender<Result<Description>>,
) -> Option<SinkEnd> {
    let Sink { kind, name, warnings, needs } = match open() {
        Ok(sink) => sink,
        Err(failure) => return Some(SinkEnd::Failed(failure)),
    };
    // What the kernel lacks for it, the loop tells of its own thread.
    let _entered = needs.enter();
    if let Kind::Frames(_) = kind {
        shared.lock().mailbox = Mailbox::new(QUEUE);
    }
    // The receiver waits for exactly this.
    let covers_terminal = matches!(&kind, Kind::Pixels(sink) if sink.writes_text());
    let _ = opened.send(Ok(Description { name, warnings, covers_terminal }));
    match kind {
        Kind::Pixels(sink) => match Decoding::start(decode, shared) {
            Ok(decoding) => pixels::PixelPainter::new(sink, decoding, clock, shared).run().err(),
            Err(error) => Some(SinkEnd::Failed(no_thread(&error))),
        },
        Kind::Frames(sink) => frames::run(sink, clock, shared).err(),
    }
}

fn no_thread(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Other, format!("Cannot start a thread to paint with: {error}."))
}

/// A panic on the thread, as a failure: told by the loop, once the screen can be read again.
fn fault(panic: &(dyn Any + Send)) -> Failure {
    let words = panic.downcast_ref::<&str>().map(ToString::to_string);
    let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Failure::new(
        Exit::Other,
        format!("The painting thread panicked: {words}. This is a fault of this program."),
    )
}

#[cfg(test)]
mod tests;
