//! What the attacker has recorded: datagrams of all sessions of this round, and some of rounds before it.

use chacha20::ChaCha20Rng;

use crate::world::network::{Captured, below};

/// Datagrams of this round that are kept, and of earlier ones; a newer one takes the place of any.
const OWN: usize = 512;
const HANDSHAKES: usize = 64;
const EARLIER: usize = 512;
/// How many of a round are kept when it is over.
const KEPT: usize = 64;
/// The last so many are "just now".
const RECENT: usize = 16;

/// Datagrams as they were sent.
#[derive(Default)]
pub(super) struct Recordings {
    own: Vec<Captured>,
    /// Those of handshakes, which would be lost among so many packets.
    handshakes: Vec<Captured>,
    earlier: Vec<Captured>,
    last: Vec<Captured>,
}

impl Recordings {
    pub(super) fn keep(&mut self, sent: &Captured, dice: &mut ChaCha20Rng) {
        if sent.bytes[0] != 0x10 {
            put(&mut self.handshakes, HANDSHAKES, sent.clone(), dice);
        }
        if self.last.len() == RECENT {
            let oldest = self.last.remove(0);
            put(&mut self.own, OWN, oldest, dice);
        }
        self.last.push(sent.clone());
    }

    /// One of this round: just now, or in any session of it.
    pub(super) fn own(&self, dice: &mut ChaCha20Rng) -> Option<&Captured> {
        let shelf = match below(dice, 3) {
            0 if !self.handshakes.is_empty() => &self.handshakes,
            1 if !self.own.is_empty() => &self.own,
            _ => &self.last,
        };
        any(shelf, dice)
    }

    /// One of a round that is over: the same keys of both, and nothing else in common.
    pub(super) fn earlier(&self, dice: &mut ChaCha20Rng) -> Option<&Captured> {
        any(&self.earlier, dice)
    }

    pub(super) fn end_round(&mut self, dice: &mut ChaCha20Rng) {
        self.own.append(&mut self.last);
        for _ in 0..KEPT.min(self.own.len()) {
            let kept = self.own.swap_remove(below(dice, self.own.len()));
            put(&mut self.earlier, EARLIER, kept, dice);
        }
        self.own.clear();
        self.handshakes.clear();
    }
}

fn put(shelf: &mut Vec<Captured>, room: usize, one: Captured, dice: &mut ChaCha20Rng) {
    if shelf.len() < room {
        shelf.push(one);
    } else {
        shelf[below(dice, room)] = one;
    }
}

fn any<'a>(shelf: &'a [Captured], dice: &mut ChaCha20Rng) -> Option<&'a Captured> {
    if shelf.is_empty() { None } else { shelf.get(below(dice, shelf.len())) }
}
