//! Whoever saw everything that both ends sent, and judges what they take: nothing but what the other end has sent, as it
//! sent it, from where it is, and once (docs/protocol.md §4, §7, §8, §11).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use sealcam_core::CloseReason;
use sealcam_core::discard::Discard;
use sealcam_core::key::MODULUS_LEN;
use sealcam_core::output::{Event, SessionEnd};

use super::DISPLAY_KEY;
use super::attacker::{DISPLAY, is_nobody};
use super::counters::Counters;
use super::keys::modulus;
use crate::world::forge::sign_off;
use crate::world::network::{Captured, Heading};
use crate::world::secs;

/// Where KEY has its ciphertext (§3.3).
const CIPHERTEXT: usize = 112;
/// Where COOKIE has the display's key (§3.2).
const COOKIE_KEY: usize = 76;
/// Where HELLO and COOKIE have the attempt's random.
const RANDOM: usize = 4;
/// Packets of an epoch are taken for so long at most after the first of the next one (§8).
const GRACE: Duration = secs(3);

/// What was sent, and what became of it.
#[derive(Default)]
pub(super) struct Witness {
    /// What the camera sent, and what the display did.
    up: HashMap<Vec<u8>, Sent>,
    down: HashMap<Vec<u8>, Sent>,
    counters: Counters,
    /// The newest epoch that was opened of each direction and CID, and since when.
    opened: BTreeMap<(Heading, u32), (u64, Duration)>,
    /// The randoms of the camera's attempts.
    attempts: Vec<[u8; 32]>,
    /// What KEYs carried, and whether the display's private key was used on it.
    transported: HashMap<[u8; MODULUS_LEN], bool>,
    pub(super) most_epochs: u64,
    /// ACCEPTs that the camera took, in all of its lives: the number of the session that stands.
    pub(super) session: u32,
}

/// One datagram.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    pub(super) at: Duration,
    /// The camera's session at that time.
    pub(super) session: u32,
    taken: bool,
    /// A packet's CID and epoch.
    packet: Option<(u32, u64)>,
}

impl Witness {
    /// An end sends a datagram: the display or the camera, as its program was started for the so-many-eth time.
    pub(super) fn sent(&mut self, sent: &Captured, start: u32) {
        let packet = (sent.bytes[0] == 0x10).then(|| self.counters.sealed(sent.heading, start, &sent.bytes));
        if let Some((_, epoch)) = packet {
            self.most_epochs = self.most_epochs.max(epoch);
        }
        if sent.bytes[0] == 0x01 {
            let random = *sent.bytes[RANDOM..].first_chunk().unwrap();
            if !self.attempts.contains(&random) {
                self.attempts.push(random);
            }
        }
        if sent.bytes[0] == 0x03 {
            let ciphertext = *sent.bytes[CIPHERTEXT..].first_chunk().unwrap();
            self.transported.entry(ciphertext).or_default();
        }
        let new = Sent { at: sent.at, session: self.session, taken: false, packet };
        let all = self.of(sent.heading);
        if !all.contains_key(&sent.bytes) {
            all.insert(sent.bytes.clone(), new);
        }
    }

    /// An end was given a datagram and says what it did with it. How it was sent, if it was taken.
    pub(super) fn given(&mut self, arrived: &Captured, verdict: Result<(), Discard>) -> Option<Sent> {
        use Discard::{ChunkMismatch, DuplicateChunk, FrameTooLarge, OldFrame, Violation};
        let Captured { at: now, heading, from, ref bytes, .. } = *arrived;
        match verdict {
            Ok(()) | Err(DuplicateChunk | OldFrame) => {}
            Err(why @ (ChunkMismatch | FrameTooLarge | Violation)) => {
                panic!("{heading:?}: {why:?}, and both ends are honest")
            }
            Err(_) => return None,
        }
        assert!(heading == Heading::Up || from == DISPLAY, "a camera takes something from {from}");
        if matches!(bytes[0], 0x01 | 0x02) {
            self.asked_or_answered(bytes);
            return None;
        }
        let head = &bytes[..bytes.len().min(16)];
        let known = self.of(heading).get_mut(bytes);
        let sent = known.unwrap_or_else(|| panic!("{heading:?}: taken, and nobody sent it: {head:02x?}"));
        // A KEY is taken again, and has the same ACCEPT for an answer (§4 step 3).
        assert!(!sent.taken || bytes[0] == 0x03, "{heading:?}: taken twice: {head:02x?}");
        sent.taken = true;
        let sent = *sent;
        if let Some((cid, epoch)) = sent.packet {
            self.opened(now, heading, cid, epoch);
        }
        self.session += u32::from(bytes[0] == 0x04);
        Some(sent)
    }

    /// A HELLO or a COOKIE was taken. Whoever knows the display's fingerprint may ask, and may answer with a cookie that is
    /// good for nothing.
    fn asked_or_answered(&self, datagram: &[u8]) {
        let key = modulus(DISPLAY_KEY);
        let mut signed = datagram.to_vec();
        sign_off(&key.fingerprint(), &mut signed);
        assert_eq!(signed, datagram, "taken without a right MAC");
        if datagram[0] == 0x02 {
            assert_eq!(datagram[COOKIE_KEY..][..MODULUS_LEN], *key.as_bytes(), "a COOKIE with another key");
            // At most two attempts run side by side.
            let mut attempts = self.attempts.iter().rev().take(2);
            assert!(
                attempts.any(|random| datagram[RANDOM..][..32] == *random),
                "a COOKIE of another attempt"
            );
        }
    }

    /// A packet was opened: of an epoch that is not over.
    fn opened(&mut self, now: Duration, heading: Heading, cid: u32, epoch: u64) {
        let (newest, since) = self.opened.entry((heading, cid)).or_insert((epoch, now));
        if epoch > *newest {
            (*newest, *since) = (epoch, now);
        }
        let in_time = epoch == *newest || epoch + 1 == *newest && now < *since + GRACE;
        assert!(in_time, "{heading:?}: epoch {epoch} opened at {now:?}, {newest} began at {since:?}");
    }

    /// The display's private key was used: on what a camera sent and signed, and once.
    pub(super) fn decrypted(&mut self, ciphertext: &[u8; MODULUS_LEN]) {
        let before = self.transported.insert(*ciphertext, true);
        assert_eq!(before, Some(false), "decrypted before (true), or never sent (none)");
    }

    /// An end tells its user. No session ends as if the other end, which is honest, had broken the protocol, and nobody's
    /// address is taken for the camera's. Whether a session ended.
    pub(super) fn told(event: &Event) -> bool {
        use SessionEnd::{Closed, ClosedByPeer, KeysExpired, Replaced, Silent};
        match *event {
            Event::Moved { to: peer, .. } | Event::Connected { peer, .. } => {
                assert!(!is_nobody(peer), "believed to be at {peer}");
                false
            }
            Event::Disconnected { why, .. } => {
                // An end without randomness goes away.
                let going = CloseReason::GoingAway;
                let honest = [Silent, Replaced, KeysExpired, Closed(going), ClosedByPeer(going)];
                assert!(honest.contains(&why), "{why:?}");
                true
            }
            _ => false,
        }
    }

    fn of(&mut self, heading: Heading) -> &mut HashMap<Vec<u8>, Sent> {
        match heading {
            Heading::Up => &mut self.up,
            Heading::Down => &mut self.down,
        }
    }
}
