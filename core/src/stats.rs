//! Counters: what came, what went, and what was thrown away and why. Never sent to anyone.

use crate::discard::Discard;
use crate::frame::join::Joiner;

/// Counters of one side since it was made. They only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams given to `handle_datagram`.
    pub datagrams_in: u64,
    /// Datagrams that `poll` gave out.
    pub datagrams_out: u64,
    /// Bytes of them, UDP payload.
    pub bytes_out: u64,
    /// Frames sent whole (camera) or put together (display).
    pub frames: u64,
    /// Frames that a newer one replaced before they were begun (camera), or that were given up (display).
    pub frames_dropped: u64,
    /// RSA signatures verified.
    pub rsa_verified: u64,
    /// RSA private operations asked for (display) or signatures made (camera).
    pub rsa_private: u64,
    /// Events that were lost, since nobody fetched them.
    pub events_lost: u64,
    pub(crate) discarded: [u64; Discard::ALL.len()],
}

impl Stats {
    /// How many datagrams were thrown away for this reason.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        Discard::ALL
            .iter()
            .zip(&self.discarded)
            .find(|(which, _)| **which == reason)
            .map_or(0, |(_, count)| *count)
    }

    /// How many datagrams were thrown away in all.
    #[must_use]
    pub fn discarded_in_all(&self) -> u64 {
        self.discarded.iter().sum()
    }

    /// Each reason that occurred, and how often.
    pub fn discards(&self) -> impl Iterator<Item = (Discard, u64)> {
        Discard::ALL.iter().copied().zip(self.discarded).filter(|(_, count)| *count != 0)
    }

    pub(crate) fn discard(&mut self, reason: Discard) {
        if let Some((_, count)) =
            Discard::ALL.iter().zip(&mut self.discarded).find(|(which, _)| **which == reason)
        {
            *count += 1;
        }
    }

    /// Adds what a joiner counted since it was last reset.
    pub(crate) fn add_joined(&mut self, joiner: &Joiner<'_>) {
        let joined = joiner.stats();
        self.frames += joined.complete;
        self.frames_dropped += joined.abandoned;
    }

    pub(crate) fn sent(&mut self, datagrams: usize, bytes: usize) {
        self.datagrams_out += u64::try_from(datagrams).unwrap_or(0);
        self.bytes_out += u64::try_from(bytes).unwrap_or(0);
    }
}
