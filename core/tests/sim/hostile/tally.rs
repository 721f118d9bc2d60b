//! What happened in a run: shown with the result, and the proof that the run was not an empty one.

use std::fmt;
use std::time::Duration;

use sealcam_core::discard::Discard;

use super::attacker::Mischief;

/// Lines of defence that no run leaves in peace.
const REACHED: [Discard; 16] = [
    Discard::Cookie,
    Discard::Finished,
    Discard::KeyReplayed,
    Discard::Mac1,
    Discard::Malformed,
    Discard::OldFrame,
    Discard::PinMismatch,
    Discard::Replayed,
    Discard::Signature,
    Discard::Tag,
    Discard::TooOld,
    Discard::Unexpected,
    Discard::UnknownCid,
    Discard::UnknownEpoch,
    Discard::VerifyLimit,
    Discard::WrongAddress,
];

/// Counts of all rounds together.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) rounds: u64,
    pub(super) sent: u64,
    pub(super) lost: u64,
    pub(super) held: u64,
    pub(super) delayed: u64,
    pub(super) mischief: [u64; Mischief::ALL.len()],
    pub(super) frames_taken: u64,
    pub(super) frames_shown: u64,
    /// Those that were too old to pass for live.
    pub(super) frames_old: u64,
    pub(super) sessions: u64,
    pub(super) rekeys: u64,
    pub(super) most_rekeys: u64,
    pub(super) moves: u64,
    pub(super) camera_restarts: u64,
    pub(super) display_restarts: u64,
    pub(super) rebinds: u64,
    pub(super) random_failures: u64,
    pub(super) ends: u64,
    pub(super) to_strangers: u64,
    pub(super) noises: u64,
    pub(super) slow: u64,
    pub(super) discards: [u64; Discard::ALL.len()],
    /// How long a picture was away at most: with pauses that the camera had earned by failures, and without.
    pub(super) slowest: Duration,
    pub(super) slowest_at_once: Duration,
}

impl Tally {
    pub(super) fn mischief(&mut self, which: Mischief) {
        let places = Mischief::ALL.iter().zip(&mut self.mischief);
        places.filter(|(other, _)| **other == which).for_each(|(_, count)| *count += 1);
    }

    pub(super) fn discard(&mut self, why: Discard) {
        let places = Discard::ALL.iter().zip(&mut self.discards);
        places.filter(|(other, _)| **other == why).for_each(|(_, count)| *count += 1);
    }

    fn discarded(&self, why: Discard) -> u64 {
        Discard::ALL.iter().zip(self.discards).find(|(other, _)| **other == why).map_or(0, |(_, count)| count)
    }

    /// Every mischief happened, every line of defence was reached, and yet there was a life to disturb.
    pub(super) fn assert_eventful(&self) {
        for (mischief, count) in Mischief::ALL.iter().zip(self.mischief) {
            assert!(count > self.rounds, "{mischief:?}: {count} in {} rounds", self.rounds);
        }
        let life = [
            ("lost", self.lost, self.rounds),
            ("held back", self.held, self.rounds),
            ("delayed", self.delayed, 10 * self.rounds),
            ("old frames shown", self.frames_old, self.rounds),
            ("frames shown", self.frames_shown, 5 * self.rounds),
            ("sessions", self.sessions, self.rounds),
            ("sessions ended", self.ends, self.rounds / 4),
            ("rekeys", self.rekeys, self.rounds / 10),
            ("epochs in one session, over seven", self.most_rekeys, 7),
            ("moves", self.moves, self.rounds / 10),
            ("rebinds", self.rebinds, self.rounds / 10),
            ("restarts of a camera", self.camera_restarts, self.rounds / 10),
            ("restarts of a display", self.display_restarts, self.rounds / 10),
            ("failures of randomness", self.random_failures, self.rounds / 100),
            ("datagrams to strangers", self.to_strangers, self.rounds),
            ("stretches of noise", self.noises, self.rounds / 4),
        ];
        for (what, count, least) in life {
            assert!(count > least, "{what}: {count} in {} rounds", self.rounds);
        }
        for why in REACHED {
            assert!(self.discarded(why) > 0, "nothing was ever refused as {why:?}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} rounds: {} sessions, {} rekeys (at most {} in one), {} moves, {} restarts of the camera and {} of the \
             display, {} rebinds, {} failures of randomness, {} ends",
            self.rounds,
            self.sessions,
            self.rekeys,
            self.most_rekeys,
            self.moves,
            self.camera_restarts,
            self.display_restarts,
            self.rebinds,
            self.random_failures,
            self.ends,
        )?;
        writeln!(
            f,
            "frames: {} taken, {} shown, {} old",
            self.frames_taken, self.frames_shown, self.frames_old
        )?;
        let Self { sent, lost, held, delayed, .. } = self;
        write!(f, "datagrams: {sent} sent, {lost} lost, {held} held back, {delayed} delayed")?;
        for (mischief, count) in Mischief::ALL.iter().zip(self.mischief) {
            write!(f, ", {mischief:?} {count}")?;
        }
        writeln!(f, "; {} sent to strangers", self.to_strangers)?;
        write!(f, "refused:")?;
        for (why, count) in Discard::ALL.iter().zip(self.discards).filter(|(_, count)| *count > 0) {
            write!(f, " {why:?} {count},")?;
        }
        writeln!(f)?;
        write!(
            f,
            "stretches of noise: {}, of delay: {}; a picture was back after {:?} at most, and {:?} where pauses were owed",
            self.noises, self.slow, self.slowest_at_once, self.slowest
        )
    }
}
