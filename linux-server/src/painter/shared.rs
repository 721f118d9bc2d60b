//! What the loop, the painting thread and the decoding thread share, under one lock.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sealcam_linux::exit::{Exit, Failure};

use super::Stats;
use super::decoding::Decoded;
use super::mailbox::{Mailbox, Parcel};
use crate::sink::SinkEnd;
use crate::status::Situation;

/// What they share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Told when there is something to do.
    pub(super) work: Condvar,
    /// Told when the thread has finished.
    pub(super) finished: Condvar,
}

/// The state of the painter.
pub(super) struct State {
    pub(super) mailbox: Mailbox,
    /// A frame that is back from the decoder.
    pub(super) decoded: Option<Decoded>,
    pub(super) situation: Option<Situation>,
    pub(super) note: Option<String>,
    pub(super) stop: bool,
    pub(super) stats: Stats,
    pub(super) end: Option<SinkEnd>,
    pub(super) finished: bool,
}

/// What the thread has to do next; nothing of it, when it was woken by time.
#[derive(Default)]
pub(super) struct Work {
    pub(super) frame: Option<Parcel>,
    pub(super) decoded: Option<Decoded>,
    pub(super) situation: Option<Situation>,
    pub(super) note: Option<String>,
    /// Show the frame that comes with this or is being decoded, and no more.
    pub(super) stop: bool,
}

/// Which frames the thread takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appetite {
    /// The next one, whenever it comes.
    Any,
    /// None now, unless it is the last: the sink wants few.
    Last,
    /// None until the one that is being decoded is back.
    Busy,
}

impl Shared {
    pub(super) fn new() -> Self {
        let state = State {
            mailbox: Mailbox::new(1),
            decoded: None,
            situation: None,
            note: None,
            stop: false,
            stats: Stats::default(),
            end: None,
            finished: false,
        };
        Self { state: Mutex::new(state), work: Condvar::new(), finished: Condvar::new() }
    }

    /// No one panics while holding the lock, and if so, the state is whole after every statement.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do, for `patience` at most.
    pub(super) fn next(&self, patience: Duration, appetite: Appetite) -> Work {
        let takes = |state: &State| match appetite {
            Appetite::Any => true,
            Appetite::Last => state.stop,
            Appetite::Busy => state.decoded.is_some(),
        };
        let idle = |state: &mut State| {
            let stop = state.stop && appetite != Appetite::Busy;
            let news = stop || state.decoded.is_some() || state.situation.is_some() || state.note.is_some();
            !news && (!takes(state) || state.mailbox.is_empty())
        };
        let waited = self.work.wait_timeout_while(self.lock(), patience, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        Work {
            frame: if takes(&state) { state.mailbox.take() } else { None },
            decoded: state.decoded.take(),
            situation: state.situation.take(),
            note: state.note.take(),
            stop: state.stop,
        }
    }

    /// A frame is back from the decoder.
    pub(super) fn decoded(&self, decoded: Decoded) {
        self.lock().decoded = Some(decoded);
        self.work.notify_one();
    }

    /// Marks the thread as finished; says whether it was told to.
    pub(super) fn finish(&self, end: Option<SinkEnd>) -> bool {
        let mut state = self.lock();
        state.stats.live = false;
        state.end = end;
        state.finished = true;
        self.finished.notify_all();
        state.stop
    }

    pub(super) fn failure(&self) -> Failure {
        match self.lock().end.take() {
            Some(SinkEnd::Failed(failure)) => failure,
            _ => Failure::new(Exit::Sink, "The sink could not be opened."),
        }
    }
}
