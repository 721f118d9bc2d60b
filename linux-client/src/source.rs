//! Where the pictures come from: a camera, a synthetic pattern, a byte stream, a folder of JPEGs.
//!
//! ```text
//!            a thread of its own                         the program's loop
//!  camera ┐
//!  pattern├─ frame ─ checked, cut at EOI ─ [one waits] ─ Source::newest
//!  stream │          else skipped, counted    │ the newest wins,
//!  folder ┘                                   └ the older is counted and its buffer used again
//! ```
//!
//! Nothing here blocks the loop and nothing here touches the network. Frames are not altered: what follows EOI is
//! cut, and a frame that is broken or too large is never handed on. State changes are told in the log by the source
//! itself, since it knows the words; the loop only passes [`State`] on to the display.

mod camera;
mod folder;
mod intake;
mod outlet;
mod pace;
mod pattern;
mod rate;
mod request;
mod stop;
mod stream;

use std::thread::{self, JoinHandle};
use std::time::Duration;

use sealcam_core::time::Instant;
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};

pub(crate) use camera::list::print as print_cameras;
pub(crate) use intake::Stats;
pub(crate) use request::{Kind, Request, Size};

use outlet::{Outlet, Shared};
use stop::Stop;

/// How long a source may take to end when it is dropped. A driver that hangs for longer is left behind.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// A running source of frames. Dropping it stops it: the camera is off and its device closed before `drop` returns,
/// unless the driver hangs.
pub(crate) struct Source {
    shared: Shared,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
    /// The frame handed out last: its buffer goes back to the source with the next.
    current: Vec<u8>,
}

/// A frame as [`Source::newest`] hands it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CapturedFrame<'a> {
    /// When the camera took it (the driver's timestamp where it is on CLOCK_MONOTONIC), or when the source had it whole.
    pub(crate) captured_at: Instant,
    /// The picture, SOI to EOI, as the source gave it.
    pub(crate) jpeg: &'a [u8],
}

/// What a source is doing; the states of STATUS (docs/protocol.md §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No frame yet.
    Starting,
    /// Frames come.
    Capturing,
    /// No camera is there; it is taken up when one comes.
    NoCamera,
    /// A camera is there and gives no pictures; it is tried again and again.
    CameraError,
}

/// A state, since when, and the sentence that was logged when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// The state.
    pub(crate) state: State,
    /// When it began.
    pub(crate) since: Instant,
    /// For a person.
    pub(crate) text: String,
}

/// Checks what can be known of a request without opening anything.
///
/// # Errors
/// [`Exit::Usage`]: an option that this source cannot follow.
pub(crate) fn check(request: &Request) -> Result<()> {
    request.check()?;
    match (&request.kind, request.size) {
        (Kind::Pattern, Some(size)) => pattern::check_size(size),
        _ => Ok(()),
    }
}

impl Source {
    /// Opens what was asked for and starts to take frames from it. `wake` is called, on the source's thread, after
    /// each new frame, each change of state, and at the end; it must not block.
    ///
    /// A camera that is not there is no error: it is waited for. Recordings (files and folders) are opened, but
    /// begin only with [`Source::play`], so that no frame is lost before anyone can take it.
    ///
    /// # Errors
    /// [`Exit::Source`]: the device, file or folder is there and cannot be used; [`Exit::Usage`]: the request makes
    /// no sense.
    pub(crate) fn start(request: &Request, wake: impl Fn() + Send + 'static) -> Result<Self> {
        let stop = Stop::new()?;
        let shared = Shared::new();
        let mut outlet = Outlet::new(shared.clone(), stop.clone(), Box::new(wake), request.max_len);
        let run = open(request, &mut outlet)?;
        let confinement = confinement(&request.kind);
        let thread = thread::Builder::new()
            .name("source".into())
            .spawn(move || {
                // What the kernel lacks for it, the loop tells of its own thread.
                let _entered = confinement.enter();
                let end = run(&mut outlet);
                outlet.end(end);
            })
            .map_err(|e| Failure::new(Exit::Other, format!("Cannot start a thread for the source: {e}.")))?;
        Ok(Self { shared, stop, thread: Some(thread), current: Vec::new() })
    }

    /// The newest frame that was not handed out yet, if there is one.
    pub(crate) fn newest(&mut self) -> Option<CapturedFrame<'_>> {
        let captured_at = self.shared.take(&mut self.current)?;
        Some(CapturedFrame { captured_at, jpeg: &self.current })
    }

    /// What the source is doing.
    pub(crate) fn status(&self) -> Status {
        self.shared.status()
    }

    /// What it counted, and the rate over the last two seconds.
    pub(crate) fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Lets a recording begin (again: no effect). Call it when frames can be sent. Live sources do not wait for it.
    pub(crate) fn play(&self) {
        self.stop.play();
    }

    /// How the source ended, once it has and its last frame was taken: `Ok` at the end of a stream or recording.
    pub(crate) fn finished(&self) -> Option<Result<()>> {
        self.shared.finished()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.stop.stop();
        if self.shared.wait_for_end(STOP_WITHIN)
            && let Some(thread) = self.thread.take()
        {
            // A panic of the thread was told when it happened.
            let _ = thread.join();
        }
    }
}

/// The rest of a source's life, on its own thread.
type Run = Box<dyn FnOnce(&mut Outlet) -> Result<()> + Send>;

/// What a source needs once it is open. A camera that is plugged in again is another file under /dev.
fn confinement(kind: &Kind) -> Confinement {
    match kind {
        Kind::Camera(_) => Confinement::new().opens_devices("/dev"),
        Kind::Pattern | Kind::Stdin => Confinement::new(),
        Kind::Path(path) => Confinement::new().reads(path),
    }
}

fn open(request: &Request, outlet: &mut Outlet) -> Result<Run> {
    match &request.kind {
        Kind::Camera(path) => camera::open(path.clone(), request, outlet),
        Kind::Pattern => pattern::open(request),
        Kind::Stdin => stream::open_stdin(request),
        Kind::Path(path) if path.is_dir() => folder::open(path, request),
        Kind::Path(path) => stream::open_path(path, request),
    }
}
