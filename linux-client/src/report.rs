//! What the camera program tells its user: events in words, and one line of figures every ten seconds.
//!
//! State changes are always told; what repeats while nothing changes is told seldom.

use std::time::Duration;

use sealcam_core::CloseReason;
use sealcam_core::output::{Event, SessionEnd};
use sealcam_core::stats::Stats;
use sealcam_core::time::Instant;
use sealcam_linux::log::{self, Limiter};
use sealcam_linux::refused;
use sealcam_linux::trust::DisplayConf;
use sealcam_linux::udp::SendTrouble;

use crate::source;

const SUMMARY: Duration = Duration::from_secs(10);
const REPEAT: Duration = Duration::from_secs(30);

/// Tells events and figures.
pub(crate) struct Report {
    /// The command that lets this camera in, for when it is not let in.
    authorize: String,
    no_answer: Limiter,
    not_accepted: Limiter,
    mismatch: Limiter,
    trouble: Limiter,
    too_large: Limiter,
    connected: bool,
    next_summary: Instant,
    last: Option<(Instant, Stats)>,
}

impl Report {
    pub(crate) fn new(authorize: String, now: Instant) -> Self {
        let limiter = || Limiter::new(REPEAT);
        Self {
            authorize,
            no_answer: limiter(),
            not_accepted: limiter(),
            mismatch: limiter(),
            trouble: Limiter::new(Duration::from_secs(10)),
            too_large: Limiter::new(Duration::from_secs(10)),
            connected: false,
            next_summary: now + SUMMARY,
            last: None,
        }
    }

    /// When [`Report::figures`] has something to tell.
    pub(crate) fn next(&self) -> Instant {
        self.next_summary
    }

    /// Tells an event of the link.
    pub(crate) fn event(&mut self, now: Instant, event: &Event, display: &DisplayConf) {
        match event {
            Event::Connected { peer, .. } => {
                self.connected = true;
                self.no_answer = Limiter::new(REPEAT);
                self.not_accepted = Limiter::new(REPEAT);
                log::say(format_args!("Connected to the display at {peer}."));
            }
            Event::Disconnected { why, .. } => {
                self.connected = false;
                log::say(format_args!("Disconnected from the display: {}.", end(*why)));
            }
            Event::NoAnswer if !self.connected && self.no_answer.pass(now).is_some() => {
                log::say(format_args!(
                    "No answer from the display {}. It is off, or the address or port is wrong, or a firewall \
                     drops UDP, or its key is no longer {}: then its owner must say why before you run the \
                     `sealcam-client trust … --replace` that `sealcam-server identity` prints there. Trying on.",
                    display.place, display.fingerprint
                ));
            }
            Event::NotAccepted if !self.connected && self.not_accepted.pass(now).is_some() => {
                log::say(format_args!(
                    "The display {} answers but does not let this camera in: it is not authorized there, or all \
                     places are taken. To authorize it, run this on the display:\n  {}\nTrying on.",
                    display.place, self.authorize
                ));
            }
            Event::PinMismatch { shown } if self.mismatch.pass(now).is_some() => {
                log::say(format_args!(
                    "WARNING: something at {} shows the key {shown} instead of the trusted {}. It cannot be that \
                     display, and nothing is sent to it. Waiting for the right one.",
                    display.place, display.fingerprint
                ));
            }
            Event::MediaPaused(true) => {
                log::say(format_args!(
                    "The display has gone quiet: pictures are held back until it answers."
                ));
            }
            Event::MediaPaused(false) => log::say(format_args!("The display answers again: pictures go on.")),
            Event::RandomFailed => {
                log::say(format_args!(
                    "The system's source of randomness failed; nothing was sent. Trying on."
                ));
            }
            _ => {}
        }
    }

    /// Tells that datagrams could not be sent.
    pub(crate) fn not_sent(&mut self, now: Instant, datagrams: usize, why: &SendTrouble) {
        if let Some(held_back) = self.trouble.pass(now) {
            let more =
                if held_back == 0 { String::new() } else { format!(" ({held_back} times more before)") };
            log::say(format_args!("{datagrams} datagrams were not sent: {why}{more}."));
        }
    }

    /// Tells that a frame of `len` bytes was not sent.
    pub(crate) fn too_large(&mut self, now: Instant, len: usize, limit: u32) {
        if let Some(held_back) = self.too_large.pass(now) {
            let more = if held_back == 0 { String::new() } else { format!(" (and {held_back} before it)") };
            log::say(format_args!(
                "A picture of {len} bytes was not sent{more}: {limit} is the most that the display takes or, with \
                 constant padding, that --constant-size allows. Ask the camera for a smaller --size, or raise it."
            ));
        }
    }

    /// Tells the figures when their time has come.
    pub(crate) fn figures(
        &mut self,
        now: Instant,
        link: Stats,
        source: source::Stats,
        rtt: Option<Duration>,
    ) {
        if now < self.next_summary {
            return;
        }
        self.next_summary = now + SUMMARY;
        let (since, before) =
            self.last.replace((now, link)).unwrap_or((now.before(SUMMARY), Stats::default()));
        let seconds = now.since(since).as_secs_f64();
        let (Some(rtt), true) = (rtt, seconds > 0.0) else { return };
        let fps = (link.frames - before.frames) as f64 / seconds;
        let mbit = (link.bytes_out - before.bytes_out) as f64 * 8e-6 / seconds;
        let replaced = link.frames_dropped - before.frames_dropped;
        log::say(format_args!(
            "sent {fps:.1} fps, {mbit:.2} Mbit/s; source {:.1} fps; {replaced} frames not sent; {} not usable in \
             all; round trip {:.1} ms",
            source.fps,
            source.skipped.total(),
            rtt.as_secs_f64() * 1e3
        ));
    }

    /// Tells what was done in all, at the end.
    pub(crate) fn total(&self, link: Stats, source: source::Stats) {
        let taken = link.frames + link.frames_dropped + source.replaced;
        log::say(format_args!(
            "sent: {} frames of {} captured; {} let go while no display took them, {} replaced by newer ones; {} not \
             usable; datagrams refused: {}",
            link.frames,
            source.captured,
            source.captured.saturating_sub(taken),
            source.replaced + link.frames_dropped,
            source.skipped.total(),
            refused::between(&Stats::default(), &link).unwrap_or_else(|| "none".to_owned())
        ));
    }
}

/// Why a session ended, as a clause.
pub(crate) fn end(why: SessionEnd) -> &'static str {
    match why {
        SessionEnd::ClosedByPeer(CloseReason::Revoked) => {
            "the display no longer authorizes this camera; it is tried again in a minute"
        }
        SessionEnd::ClosedByPeer(CloseReason::Superseded) => {
            "another device with this camera's key took its place (is the state directory copied to two \
             devices?); it is tried again in a minute"
        }
        SessionEnd::ClosedByPeer(CloseReason::GoingAway) => "the display's program is stopping",
        SessionEnd::ClosedByPeer(CloseReason::Protocol) => {
            "the display says that this camera broke the protocol (different versions of the programs?)"
        }
        SessionEnd::ClosedByPeer(_) => "the display closed the session",
        SessionEnd::Closed(CloseReason::Protocol) => {
            "it broke the protocol (different versions of the programs?)"
        }
        SessionEnd::Closed(_) => "closed here",
        SessionEnd::Silent => "nothing has come from it for 5 s",
        SessionEnd::KeysExpired => "the session's keys were too old to go on",
        SessionEnd::Slept => "this machine was asleep",
        SessionEnd::Replaced => "a new session took its place",
    }
}
