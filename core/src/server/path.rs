//! Path validation: a camera that shows up at another address must prove that it is there (docs/protocol.md §11).
//!
//! Until then everything goes to the old address, and the new one gets at most three times what came from it.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;

use crate::hash;
use crate::random;
use crate::time::Instant;

/// Between two challenges, of whatever candidate: a path that flaps between two addresses gets no more.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);
/// How long the last challenge may take to be answered.
const LAST_PAUSE: Duration = Duration::from_secs(1);
const TRIES: u8 = 3;
const AMPLIFICATION: usize = 3;

/// One new address at a time.
pub(crate) struct Candidate {
    pub(crate) address: SocketAddr,
    token: [u8; 8],
    tries: u8,
    next: Instant,
    received: usize,
    sent: usize,
}

impl Candidate {
    /// `received` bytes came from `address` in an authentic packet with the highest counter so far. It is challenged
    /// no earlier than `earliest`.
    pub(crate) fn new(
        address: SocketAddr,
        received: usize,
        rng: &mut impl TryCryptoRng,
        earliest: Instant,
    ) -> Result<Self, random::RandomFailed> {
        Ok(Self { address, token: random::bytes(rng)?, tries: 0, next: earliest, received, sent: 0 })
    }

    /// More authentic bytes came from it.
    pub(crate) fn credit(&mut self, received: usize) {
        self.received = self.received.saturating_add(received);
    }

    /// Whether a response proves it.
    pub(crate) fn is_proven_by(&self, from: SocketAddr, token: &[u8; 8]) -> bool {
        from == self.address && hash::equal(&self.token, token).into()
    }

    /// The challenge that is due now, if its `len` bytes are within the limit.
    pub(crate) fn challenge(&mut self, now: Instant, len: usize) -> Option<[u8; 8]> {
        let within = self.sent.saturating_add(len) <= self.received.saturating_mul(AMPLIFICATION);
        if self.tries >= TRIES || now < self.next {
            return None;
        }
        self.tries += 1;
        self.next = now + if self.tries == TRIES { LAST_PAUSE } else { PAUSE };
        if !within {
            return None;
        }
        self.sent = self.sent.saturating_add(len);
        Some(self.token)
    }

    /// Whether its tries are used up and the last one had its time.
    pub(crate) fn has_failed(&self, now: Instant) -> bool {
        self.tries >= TRIES && now >= self.next
    }

    /// When there is something to do.
    pub(crate) const fn next(&self) -> Instant {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_candidate_gets_at_most_three_times_what_came_from_it() {
        // The shortest packet that a camera sends is a PING; three challenges of 31 bytes would be too much for it.
        for (received, answered) in [(17, 1), (25, 2), (31, 3), (1192, 3)] {
            let address = SocketAddr::from(([203, 0, 113, 9], 9));
            let mut rng = ChaCha20Rng::seed_from_u64(1);
            let mut candidate = Candidate::new(address, received, &mut rng, Instant::ZERO).unwrap();
            let mut now = Instant::ZERO;
            let mut sent = 0;
            while !candidate.has_failed(now) {
                sent += usize::from(candidate.challenge(now, 31).is_some());
                now += Duration::from_millis(10);
            }
            assert_eq!(sent, answered, "{received}");
            assert!(sent * 31 <= 3 * received);
        }
    }
}
