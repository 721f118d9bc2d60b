//! What the display program tells its user: events in words, and one line of figures every ten seconds.
//!
//! State changes are always told; what strangers can cause is told once in ten seconds at most.

use std::time::Duration;

use sealcam_core::key::Fingerprint;
use sealcam_core::output::{Event, SessionEnd};
use sealcam_core::pairing::{PairingEnd, TurnedAway};
use sealcam_core::stats::Stats;
use sealcam_core::time::Instant;
use sealcam_core::{CaptureState, CloseReason};
use sealcam_linux::log::Limiter;
use sealcam_linux::refused;
use sealcam_linux::trust::AuthorizedCameras;

use crate::painter;

const SUMMARY: Duration = Duration::from_secs(10);
const STRANGERS: Duration = Duration::from_secs(10);
const REPEAT: Duration = Duration::from_secs(10);
/// So many refused datagrams are worth a line.
const NOTABLE: u64 = 10;

/// Words for events and figures; where they go is the loop's decision.
pub(crate) struct Report {
    strangers: Limiter,
    crowd: Limiter,
    drops: Limiter,
    undecodable: Limiter,
    refusals: Limiter,
    refused_before: Stats,
    next_summary: Instant,
    last: Option<Figures>,
    kernel_drops: u64,
}

/// What the summary is made from.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    pub(crate) at: Instant,
    pub(crate) link: Stats,
    pub(crate) painted: painter::Stats,
    pub(crate) kernel_drops: u64,
}

impl Report {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            strangers: Limiter::new(STRANGERS),
            crowd: Limiter::new(STRANGERS),
            drops: Limiter::new(REPEAT),
            undecodable: Limiter::new(REPEAT),
            refusals: Limiter::new(REPEAT),
            refused_before: Stats::default(),
            next_summary: now + SUMMARY,
            last: None,
            kernel_drops: 0,
        }
    }

    /// An event in words, if it is to be told; `name` knows the cameras.
    pub(crate) fn event(
        &mut self,
        now: Instant,
        event: &Event,
        name: impl Fn(&Fingerprint) -> String,
    ) -> Option<String> {
        Some(match event {
            Event::Connected { camera, peer } => format!("Camera {} is connected from {peer}.", name(camera)),
            Event::Disconnected { camera, why: SessionEnd::Replaced } => {
                format!("Camera {} begins a new session.", name(camera))
            }
            Event::Disconnected { camera, why } => format!("Camera {} is gone: {}.", name(camera), end(*why)),
            Event::Moved { camera, to } => format!("Camera {} is now at {to}.", name(camera)),
            Event::CameraState { camera, state } => format!("Camera {}: {}.", name(camera), capture(*state)),
            Event::UnknownCamera { camera, from } => {
                self.strangers.pass(now)?;
                format!(
                    "A camera that is not authorized knocks from {from}: {camera}. If it is yours, run \
                     `sealcam-client identity` there and paste here what it prints."
                )
            }
            Event::NoPlace { camera } => {
                self.crowd.pass(now)?;
                format!("Camera {} was turned away: all places are taken by other cameras.", name(camera))
            }
            Event::PairingAsked { camera, from, digits } => format!(
                "A camera asks to be paired, from {from}: {camera}, six digits {digits}. The answer is given at \
                 sealcam-server pair."
            ),
            Event::PairingTurnedAway { from, why } => {
                self.strangers.pass(now)?;
                match why {
                    TurnedAway::WrongSecret => {
                        format!("Somebody at {from} wants to be paired and has a wrong code.")
                    }
                    TurnedAway::NoWindow => format!(
                        "Somebody at {from} wants to be paired, but no window is open: the code's two minutes are \
                         over, or it was used. For a new one: sealcam-server pair"
                    ),
                }
            }
            Event::PairingEnded(end) => pairing_end(*end),
            Event::RandomFailed => "The system's source of randomness failed; nothing was sent.".to_owned(),
            _ => return None,
        })
    }

    /// The figures, when their time has come and there is something to tell.
    pub(crate) fn figures(&mut self, figures: Figures) -> Option<String> {
        if figures.at < self.next_summary {
            return None;
        }
        self.next_summary = figures.at + SUMMARY;
        let before = self.last.replace(figures.clone());
        let (since, before) = match before {
            Some(before) => (before.at, before),
            None => (
                figures.at.before(SUMMARY),
                Figures {
                    link: Stats::default(),
                    painted: painter::Stats::default(),
                    kernel_drops: 0,
                    ..figures
                },
            ),
        };
        let seconds = figures.at.since(since).as_secs_f64();
        let received = figures.link.frames - before.link.frames;
        let given_up = figures.link.frames_dropped - before.link.frames_dropped;
        if seconds <= 0.0 || received + given_up == 0 {
            return None;
        }
        let shown = figures.painted.shown - before.painted.shown;
        Some(format!(
            "received {:.1} fps, shown {:.1} fps; {given_up} frames lost on the way; {} datagrams dropped by the \
             kernel in all; latency {:.0} ms",
            received as f64 / seconds,
            shown as f64 / seconds,
            figures.kernel_drops,
            figures.painted.last_latency.as_secs_f64() * 1e3
        ))
    }

    /// Tells of refused datagrams, as often as the figures at most; not of the few that every good-bye leaves behind.
    pub(crate) fn refused(&mut self, now: Instant, link: Stats) -> Option<String> {
        if link.discarded_in_all() - self.refused_before.discarded_in_all() < NOTABLE {
            return None;
        }
        let said = refused::between(&self.refused_before, &link)?;
        self.refusals.pass(now)?;
        self.refused_before = link;
        Some(format!("Refused datagrams: {said}."))
    }

    /// Tells of datagrams that the kernel dropped since the receive buffer was full, once they are more.
    pub(crate) fn kernel_drops(&mut self, now: Instant, drops: u64, advice: Option<&str>) -> Option<String> {
        if drops <= self.kernel_drops {
            return None;
        }
        self.drops.pass(now)?;
        let more = drops - std::mem::replace(&mut self.kernel_drops, drops);
        let advice = advice.unwrap_or("This machine does not keep up with what it receives.");
        Some(format!("The kernel dropped {more} datagrams since the receive buffer was full. {advice}"))
    }

    /// Tells of frames that arrived whole and could not be decoded.
    pub(crate) fn undecodable(&mut self, now: Instant, painted: &painter::Stats) -> Option<String> {
        let before = self.last.as_ref().map_or(0, |last| last.painted.undecodable);
        if painted.undecodable <= before {
            return None;
        }
        self.undecodable.pass(now)?;
        let why = painted.why_undecodable.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        Some(format!("{} frames could not be decoded{why}; they are skipped.", painted.undecodable))
    }

    /// What was shown in all, for the end.
    pub(crate) fn total(&self, painted: &painter::Stats, link: Stats, kernel_drops: u64) -> String {
        let millis = |span: Option<Duration>| span.map_or(0.0, |span| span.as_secs_f64() * 1e3);
        let (p50, p95) = (painted.latency.quantile(0.5), painted.latency.quantile(0.95));
        format!(
            "shown: {} frames, {:.1} fps, latency p50 {:.1} ms, p95 {:.1} ms; received: {} frames whole, {} given \
             up, {} too late to be shown, {} not to be decoded; {kernel_drops} datagrams dropped by the kernel; \
             refused: {}",
            painted.shown,
            painted.rate(),
            millis(p50),
            millis(p95),
            link.frames,
            link.frames_dropped,
            painted.late,
            painted.undecodable,
            refused::between(&Stats::default(), &link).unwrap_or_else(|| "none".to_owned())
        )
    }
}

/// A camera's name, or its fingerprint if it is not in the list any more.
pub(crate) fn camera_name(cameras: &AuthorizedCameras, camera: Fingerprint) -> String {
    cameras.find(camera).map_or_else(|| camera.to_string(), |known| known.name.to_string())
}

fn pairing_end(end: PairingEnd) -> String {
    match end {
        PairingEnd::Paired => "Pairing: done, and the camera knows it.".to_owned(),
        PairingEnd::Unconfirmed => {
            "Pairing: the camera was accepted, and went before it had said that it knows.".to_owned()
        }
        PairingEnd::Expired => "Pairing: nobody came with the code in its two minutes.".to_owned(),
        PairingEnd::Refused => "Pairing: ended here; nothing was changed.".to_owned(),
        PairingEnd::NotAnswered => {
            "Pairing: nobody answered the camera for two minutes; it was sent away.".to_owned()
        }
        PairingEnd::CameraGone(why) => {
            format!("Pairing: the camera is gone, unanswered: {}.", pairing_gone(why))
        }
    }
}

/// Why the session of a camera that was being paired ended, as a clause.
pub(crate) fn pairing_gone(why: SessionEnd) -> &'static str {
    match why {
        SessionEnd::ClosedByPeer(CloseReason::GoingAway) => "it was told to stop",
        _ => end(why),
    }
}

/// Why a session ended, as a clause.
pub(crate) fn end(why: SessionEnd) -> &'static str {
    match why {
        SessionEnd::ClosedByPeer(CloseReason::Normal) => "it ended its stream",
        SessionEnd::ClosedByPeer(CloseReason::GoingAway) => "it now sends to another display",
        SessionEnd::ClosedByPeer(CloseReason::Protocol) => {
            "it says that this display broke the protocol (different versions of the programs?)"
        }
        SessionEnd::ClosedByPeer(_) => "it closed the session",
        SessionEnd::Closed(CloseReason::Revoked) => "it is no longer authorized",
        SessionEnd::Closed(CloseReason::Protocol) => {
            "it broke the protocol (different versions of the programs?)"
        }
        SessionEnd::Closed(_) => "closed here",
        SessionEnd::Silent => "nothing has come from it for 5 s",
        SessionEnd::KeysExpired => "the session's keys were too old to go on",
        SessionEnd::Slept => "this machine was asleep",
        SessionEnd::Replaced => "it connected anew",
    }
}

fn capture(state: CaptureState) -> &'static str {
    match state {
        CaptureState::Starting => "starting",
        CaptureState::Capturing => "taking pictures",
        CaptureState::NoCamera => "its camera is unplugged",
        CaptureState::CameraError => "its camera gives no pictures",
        CaptureState::Paused => "paused",
    }
}
