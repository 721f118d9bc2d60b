//! A V4L2 camera: its thread, from open to unplug and open again.
//!
//! ```text
//!           ┌──────────── wait 250 ms … 2 s ────────────┐
//!           ▼                                           │
//!  open, agree on format ── stream ── gone, silent, or broken
//!           └─ not there, busy, … ──────────────────────┘
//! ```
//!
//! The thread never waits for a frame without a deadline and never dequeues without looking first, so an unplugged
//! or stuck camera cannot hold it. After every failure the device is closed and opened from scratch.

mod choose;
mod device;
pub(crate) mod list;
mod nodes;
#[expect(unsafe_code, reason = "V4L2's ioctls and mapped buffers cannot be had without")]
mod sys;
mod trouble;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::poll::PollFlags;
use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;
use sealcam_linux::exit::{Exit, Failure, Result};

use device::{About, Running};
use sys::Filled;
use trouble::Trouble;

use super::intake::Skip;
use super::outlet::Outlet;
use super::request::Request;
use super::stop::Woken;
use super::{Run, State};

/// A camera that gives no valid frame for so long is opened anew.
const SILENCE: Duration = Duration::from_secs(3);

/// A camera that was unplugged stays open for so long. Linux 6.1 takes its driver down meanwhile, and to close a device just
/// then can hit a NULL pointer in the kernel (`__media_device_unregister_entity`), which takes the closing thread with it.
const LINGER: Duration = Duration::from_millis(500);

/// How long to wait before a camera is tried again: the first time, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// Jumps of the driver's count that are believed; a larger one is a count that began anew.
const MAX_GAP: u32 = 1000;

/// Starts the camera at `path`, or the first that can be started.
///
/// # Errors
/// [`Exit::Source`]: the camera is there and cannot be used. A camera that is not there is waited for.
pub(super) fn open(path: Option<PathBuf>, request: &Request, outlet: &mut Outlet) -> Result<Run> {
    let first = match device::start(path.as_deref(), request) {
        Ok(running) => Some(running),
        Err(trouble @ Trouble::Absent(_)) => {
            outlet.state(trouble.state(), waiting(&trouble));
            None
        }
        Err(trouble) => return Err(trouble.into()),
    };
    let request = request.clone();
    Ok(Box::new(move |outlet| {
        live(first, &path, &request, outlet)
            .map_err(|e| Failure::new(Exit::Other, format!("Cannot wait for the camera: {e}.")))
    }))
}

/// How a stream ended.
#[derive(Debug)]
enum End {
    /// The source is to stop.
    Stopped,
    /// No valid frame came for [`SILENCE`].
    Silent,
    /// The device is gone or broken.
    Lost(io::Error),
}

/// Streams, and opens the camera again whenever it stops, until the source is to stop.
fn live(
    mut camera: Option<Running>,
    path: &Option<PathBuf>,
    request: &Request,
    outlet: &mut Outlet,
) -> io::Result<()> {
    let mut retry = Retry::new();
    loop {
        if let Some(running) = camera.take() {
            let mut frames = Frames::new();
            match frames.pump(&running, outlet)? {
                End::Stopped => return Ok(()),
                // Told first: closing a camera that hangs may take its driver many seconds.
                End::Silent => outlet.state(State::CameraError, silence(&running.about)),
                End::Lost(e) => {
                    outlet.state(State::CameraError, loss(&running.about, &e));
                    if !outlet.stop().sleep_until(Clock.now() + LINGER)? {
                        return Ok(());
                    }
                }
            }
            // Closed before it is opened again.
            drop(running);
            if frames.any {
                retry = Retry::new();
            }
        }
        if !outlet.stop().sleep_until(Clock.now() + retry.next())? {
            return Ok(());
        }
        match device::start(path.as_deref(), request) {
            Ok(running) => camera = Some(running),
            Err(trouble) => retry.tell(trouble, outlet),
        }
    }
}

fn silence(camera: &About) -> String {
    format!("{} gave no valid picture for {} s; it is opened again.", camera.name(), SILENCE.as_secs())
}

fn loss(camera: &About, error: &io::Error) -> String {
    format!(
        "{} stopped ({}), as when it is unplugged; it is opened again.",
        camera.name(),
        trouble::words(error)
    )
}

fn waiting(trouble: &Trouble) -> String {
    format!("{} A camera is taken up as soon as it is plugged in.", trouble.text())
}

/// Waiting times that double, and what was told meanwhile.
struct Retry {
    next: Duration,
    last: Option<Trouble>,
}

impl Retry {
    fn new() -> Self {
        Self { next: RETRY.0, last: None }
    }

    /// How long to wait now.
    fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(RETRY.1);
        now
    }

    /// Tells what is wrong. What is there and in the way is told only when met twice in a row: while a camera comes
    /// up, its device file belongs to root for a moment.
    fn tell(&mut self, trouble: Trouble, outlet: &Outlet) {
        match &trouble {
            Trouble::Absent(_) => outlet.state(trouble.state(), waiting(&trouble)),
            Trouble::Denied(text) | Trouble::Present(text) if self.last.as_ref() == Some(&trouble) => {
                outlet.state(trouble.state(), format!("{text} It is tried again."));
            }
            Trouble::Denied(_) | Trouble::Present(_) => {}
        }
        self.last = Some(trouble);
    }
}

/// The frames of one stream, from its start to its end.
struct Frames {
    /// Whether a valid one came.
    any: bool,
    last_sequence: Option<u32>,
}

impl Frames {
    fn new() -> Self {
        Self { any: false, last_sequence: None }
    }

    /// Hands on frames until the stream ends.
    fn pump(&mut self, running: &Running, outlet: &mut Outlet) -> io::Result<End> {
        let mut deadline = Clock.now() + SILENCE;
        loop {
            let flags = match outlet.stop().wait_readable(running.stream.fd(), Some(deadline))? {
                Woken::Stopped => return Ok(End::Stopped),
                Woken::Deadline => return Ok(End::Silent),
                Woken::Ready(flags) => flags,
            };
            match self.take_newest(running, outlet) {
                Ok(Taken::Valid) => deadline = Clock.now() + SILENCE,
                // A flag other than POLLIN and nothing to read: the device is gone, and would be "ready" for ever.
                Ok(Taken::Nothing) if flags != PollFlags::POLLIN => {
                    return Ok(End::Lost(io::Error::other("the device reports an error")));
                }
                Ok(Taken::Nothing | Taken::Invalid) => {}
                Err(e) => return Ok(End::Lost(e)),
            }
            // Invalid frames do not move the deadline, but they must not keep it from being noticed either.
            if Clock.now() >= deadline {
                return Ok(End::Silent);
            }
        }
    }

    /// Empties the driver's queue: hands on the newest valid frame, gives all buffers back.
    fn take_newest(&mut self, running: &Running, outlet: &mut Outlet) -> io::Result<Taken> {
        let stream = &running.stream;
        let mut newest: Option<(Filled, usize)> = None;
        let mut taken = Taken::Nothing;
        while let Some(filled) = stream.filled()? {
            self.count_gap(filled.sequence, outlet);
            let len = if filled.is_damaged {
                outlet.skip(Skip::Flagged, 1);
                None
            } else {
                outlet.check(stream.bytes(&filled))
            };
            let Some(len) = len else {
                stream.give_back(filled)?;
                taken = taken.max(Taken::Invalid);
                continue;
            };
            taken = Taken::Valid;
            if let Some((older, _)) = newest.replace((filled, len)) {
                outlet.replaced();
                stream.give_back(older)?;
            }
        }
        if let Some((filled, len)) = newest {
            if !self.any {
                self.any = true;
                outlet.state(State::Capturing, running.about.to_string());
            }
            let bytes = stream.bytes(&filled);
            outlet.hand_on(captured_at(&filled, Clock.now()), bytes.get(..len).unwrap_or(bytes));
            stream.give_back(filled)?;
        }
        Ok(taken)
    }

    fn count_gap(&mut self, sequence: u32, outlet: &Outlet) {
        let step = self.last_sequence.map_or(1, |last| sequence.wrapping_sub(last));
        self.last_sequence = Some(sequence);
        if (2..MAX_GAP).contains(&step) {
            outlet.miss(u64::from(step - 1));
        }
    }
}

/// What was in the driver's queue, the best of it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Taken {
    Nothing,
    Invalid,
    Valid,
}

/// When a frame was taken: as the driver says, unless it says nonsense.
fn captured_at(filled: &Filled, now: Instant) -> Instant {
    filled
        .timestamp
        .map(|time| Clock.from_timeval(time.tv_sec(), time.tv_usec()))
        .filter(|&time| time > Instant::ZERO && time <= now)
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::super::outlet::Shared;
    use super::super::stop::Stop;
    use super::*;

    fn outlet() -> (Shared, Outlet) {
        let shared = Shared::new();
        let outlet = Outlet::new(shared.clone(), Stop::new().unwrap(), Box::new(|| {}), 1 << 20);
        (shared, outlet)
    }

    #[test]
    fn waiting_times_double_up_to_two_seconds() {
        let mut retry = Retry::new();
        let waits: Vec<u128> = (0..6).map(|_| retry.next().as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 2000, 2000]);
    }

    #[test]
    fn absence_is_told_at_once_and_other_trouble_when_it_lasts() {
        let (shared, outlet) = outlet();
        let mut retry = Retry::new();
        retry.tell(Trouble::Present("Busy.".into()), &outlet);
        assert_eq!(shared.status().state, State::Starting);
        retry.tell(Trouble::Present("Busy.".into()), &outlet);
        assert_eq!(shared.status().state, State::CameraError);
        retry.tell(Trouble::Absent("None.".into()), &outlet);
        assert_eq!(shared.status().state, State::NoCamera);
    }

    #[test]
    fn frames_lost_by_the_driver_are_counted() {
        let (shared, outlet) = outlet();
        let mut frames = Frames::new();
        for sequence in [7, 8, 11, 12, u32::MAX, 0, 2] {
            frames.count_gap(sequence, &outlet);
        }
        // 9 and 10, then 1; the jump to the end of the count is none.
        assert_eq!(shared.stats().missed, 3);
    }

    #[test]
    fn missing_camera_is_waited_for_and_stop_ends_the_wait() {
        let request = Request {
            kind: crate::source::Kind::Camera(Some("/dev/v4l/by-path/none".into())),
            size: None,
            fps: None,
            repeat: false,
            max_len: 1 << 20,
        };
        let source = crate::source::Source::start(&request, || {}).unwrap();
        let status = source.status();
        assert_eq!(status.state, State::NoCamera);
        assert!(status.text.contains("/dev/v4l/by-path/none"), "{}", status.text);
        assert_eq!(source.finished(), None);
        let shared = source.shared.clone();
        drop(source);
        assert_eq!(shared.finished(), Some(Ok(())));
    }
}
