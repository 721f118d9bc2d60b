//! The display's end of media: chunks into frames, the camera's clock, and FEEDBACK (docs/protocol.md §9.1, §9.2, §9.5).

use core::time::Duration;

use super::{Around, Due, FEEDBACK_BUSY, Heard, Link};
use crate::discard::Discard;
use crate::events::Events;
use crate::frame::join::{ChunkError, Joiner};
use crate::handshake::Whose;
use crate::output::Event;
use crate::session::rekey;
use crate::time::{Instant, Stamp, is_newer, micros};
use crate::wire::chunk::Chunk;
use crate::wire::close::CloseReason;
use crate::wire::feedback::{Feedback, NO_SAMPLE};
use crate::wire::status::Status;

/// Chunks that disagree with their frame before the session is closed.
const MAX_MISMATCHES: u8 = 3;

/// Timestamps wrap after 71 minutes. Of two packets that came further apart than this, the later one is newer.
const COMPARABLE: Duration = Duration::from_secs(1800);

fn are_near(now: Instant, came: Instant) -> bool {
    now.since(came) < COMPARABLE
}

impl Link {
    pub(super) fn chunk<R>(
        &mut self,
        now: Instant,
        chunk: &Chunk<'_>,
        around: &mut Around<'_, '_, R>,
    ) -> Result<Heard, Discard> {
        let Some(joiner) = around.joiner.as_deref_mut() else { return Err(Discard::Violation) };
        self.stamp(now, chunk.sent);
        self.media_came(now);
        match joiner.insert(now, around.budget, chunk) {
            Ok(None) => Ok(Heard::Nothing),
            Ok(Some(joined)) => {
                let age = self.offset.age(now, joined.shape.captured, self.rtt.smoothed() / 2);
                Ok(Heard::Frame(joined, age))
            }
            Err(ChunkError::Duplicate) => Err(Discard::DuplicateChunk),
            Err(ChunkError::Old) => Err(Discard::OldFrame),
            Err(ChunkError::TooLarge) => Err(Discard::FrameTooLarge),
            Err(ChunkError::Mismatch) => {
                self.mismatches = self.mismatches.saturating_add(1);
                if self.mismatches > MAX_MISMATCHES {
                    self.close(CloseReason::Protocol, now);
                }
                Err(Discard::ChunkMismatch)
            }
        }
    }

    /// FEEDBACK is owed soon, but in a pairing session, which has none.
    pub(super) fn media_came(&mut self, now: Instant) {
        if self.whose != Whose::Pairing {
            self.timers.set_by(Due::Feedback, now + FEEDBACK_BUSY);
        }
    }

    pub(super) fn status(&mut self, now: Instant, status: &Status, events: &mut Events) {
        self.stamp(now, status.clock);
        // One that was overtaken on the way says what was, not what is.
        if self
            .status_at
            .is_some_and(|(newest, came)| are_near(now, came) && is_newer(newest.0, status.clock.0))
        {
            return;
        }
        self.status_at = Some((status.clock, now));
        if self.rtt.told(status.srtt, status.rttvar) {
            self.rtt_at = Some((status.clock, now));
        }
        if self.capture.replace(status.state) != Some(status.state)
            && let Whose::Camera(camera) = self.whose
        {
            events.push(Event::CameraState { camera, state: status.state });
        }
    }

    /// A packet left the camera at `sent` on its clock.
    pub(super) fn stamp(&mut self, now: Instant, sent: Stamp) {
        self.offset.sample(now, sent);
        if self.rtt_at.is_none() {
            self.rtt_at = Some((sent, now));
            // Nothing with a timestamp is sent before KEX_RESP is there. A path that holds back the first of all looks
            // as long as it is; held back no more, what follows looks queued.
            if let Some(answered) = self.answered_at {
                self.rtt.sample(now.since(answered));
            }
        }
        if self.echo.is_none_or(|(newest, came)| !are_near(now, came) || is_newer(sent.0, newest.0)) {
            self.echo = Some((sent, now));
        }
    }

    pub(super) fn feedback(&self, now: Instant, joiner: &Joiner<'_>) -> Feedback {
        let (highest_ctr, received) = self.channel.received();
        let (echo, hold) = match self.echo {
            Some((stamp, came)) => (stamp, u16::try_from(micros(now.since(came)) / 10).unwrap_or(NO_SAMPLE)),
            None => (Stamp(0), NO_SAMPLE),
        };
        Feedback {
            epoch: rekey::wire_epoch(self.channel.epoch()),
            highest_ctr,
            received,
            lost: highest_ctr.saturating_add(1).saturating_sub(received),
            echo,
            hold,
            queue_delay: u16::try_from(micros(self.offset.queue_delay(now)) / 100).unwrap_or(u16::MAX),
            done_frame: joiner.done_frame(),
            missed: joiner.stats().missed,
        }
    }
}
