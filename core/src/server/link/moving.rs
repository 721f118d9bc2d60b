//! A camera whose packets come from another address: proving it and following it (docs/protocol.md §11).

use core::net::SocketAddr;

use rand_core::TryCryptoRng;

use super::super::path::{self, Candidate};
use super::{Around, CHALLENGE_LEN, Link, LinkOutput};
use crate::events::Events;
use crate::handshake::Whose;
use crate::output::Event;
use crate::session::Opened;
use crate::time::Instant;
use crate::wire::message;

impl Link {
    pub(super) fn watch_path<R: TryCryptoRng>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        received: usize,
        opened: &Opened<'_>,
        around: &mut Around<'_, '_, R>,
    ) {
        match &mut self.candidate {
            Some(candidate) if candidate.address == from => candidate.credit(received),
            Some(_) if opened.newest && from == self.to => self.candidate = None,
            None if opened.newest && from != self.to => {
                let earliest = self.challenged_at.map_or(now, |at| now.max(at + path::PAUSE));
                match Candidate::new(from, received, around.rng, earliest) {
                    Ok(candidate) => self.candidate = Some(candidate),
                    Err(_failed) => around.events.push(Event::RandomFailed),
                }
            }
            _ => {}
        }
    }

    /// The camera's answer to a challenge: if it proves the candidate, that is where the camera is.
    pub(super) fn path_response(&mut self, from: SocketAddr, token: &[u8; 8], events: &mut Events) {
        if self.candidate.take_if(|candidate| candidate.is_proven_by(from, token)).is_some() {
            self.to = from;
            // The estimates of the clock and of the round trip stay: were they begun anew, whoever holds packets back
            // and moves them to another address could make old ones their measure. A longer path looks queued for
            // ten seconds.
            if let Whose::Camera(camera) = self.whose {
                events.push(Event::Moved { camera, to: from });
            }
        }
    }

    pub(super) fn poll_path(&mut self, now: Instant, buf: &mut [u8]) -> Option<LinkOutput> {
        self.candidate.take_if(|candidate| candidate.has_failed(now));
        let candidate = self.candidate.as_mut()?;
        let address = candidate.address;
        let token = candidate.challenge(now, CHALLENGE_LEN)?;
        self.challenged_at = Some(now);
        Some(match self.seal(now, buf, |out| message::emit_path_challenge(out, &token)) {
            LinkOutput::Transmit { len, .. } => LinkOutput::Transmit { to: address, len },
            other => other,
        })
    }
}
