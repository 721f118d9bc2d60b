//! An enrolled camera at the display: everything that a KEY which names it can make the display keep
//! (docs/protocol.md §4).
//!
//! All of it is of fixed size and belongs to the camera that it names, so that none can fill another's. The order of
//! the checks is the responder's.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};

use super::bucket::Bucket;
use super::neighbourhood;
use super::schedule::{self, HandshakeSecret, Transcript};
use crate::discard::Discard;
use crate::key::{Fingerprint, MODULUS_LEN, Modulus, Secret};
use crate::random::{self, RandomFailed};
use crate::session::{Channel, Side};
use crate::time::Instant;
use crate::wire::accept::{self, Accept};
use crate::wire::read::Writer;

/// How long a KEY is remembered: as long as its cookie may live.
const SEEN_LIFE: Duration = Duration::from_secs(20);
const SEEN: usize = 16;

/// An enrolled camera and all that strangers can make the display keep for it.
pub(super) struct Enrolled {
    pub(super) id: Fingerprint,
    pub(super) modulus: Modulus,
    pub(super) seen: [Option<([u8; 16], Instant)>; SEEN],
    pub(super) seen_next: usize,
    /// For KEYs from where its last verified KEY came from, and for those from anywhere else.
    pub(super) verify_known: Bucket,
    pub(super) verify_other: Bucket,
    pub(super) known: Option<u128>,
    pub(super) handshakes: Bucket,
    pub(super) pending: Option<Pending>,
}

pub(super) struct Pending {
    pub(super) since: Instant,
    pub(super) stage: Stage,
}

pub(super) enum Stage {
    /// The private operation is owed; `handed_out` when a ticket is with the driver.
    Opening(OpeningKey),
    /// ACCEPT is made; it stays for repeated KEYs.
    Accepted(Ready),
}

pub(super) struct OpeningKey {
    pub(super) serial: u32,
    pub(super) handed_out: bool,
    pub(super) hash: [u8; 16],
    pub(super) from: SocketAddr,
    pub(super) version: u8,
    pub(super) client_cid: u32,
    pub(super) share: [u8; 32],
    pub(super) ciphertext: [u8; MODULUS_LEN],
    pub(super) auth: [u8; MODULUS_LEN],
    pub(super) th1: Transcript,
}

/// A session that waits for its first packet.
pub(crate) struct Ready {
    pub(crate) cid: u32,
    pub(crate) to: SocketAddr,
    pub(crate) channel: Channel,
    pub(super) accept: [u8; accept::LEN],
    pub(super) hash: [u8; 16],
    pub(super) send: bool,
}

impl Enrolled {
    pub(super) fn new(id: Fingerprint, modulus: Modulus) -> Self {
        let verify = Bucket::new(4, Duration::from_millis(500));
        Self {
            id,
            modulus,
            seen: [None; SEEN],
            seen_next: 0,
            verify_known: verify,
            verify_other: verify,
            known: None,
            handshakes: Bucket::new(3, Duration::from_secs(3)),
            pending: None,
        }
    }

    pub(super) fn has_seen(&self, now: Instant, hash: &[u8; 16]) -> bool {
        self.seen.iter().flatten().any(|(seen, at)| seen == hash && now.since(*at) < SEEN_LIFE)
    }

    pub(super) fn remember(&mut self, now: Instant, hash: [u8; 16]) {
        if let Some(place) = self.seen.get_mut(self.seen_next) {
            *place = Some((hash, now));
        }
        self.seen_next = (self.seen_next + 1) % SEEN;
    }

    /// Has the cached ACCEPT of this very KEY sent again; nothing is computed.
    pub(super) fn repeat(&mut self, hash: &[u8; 16]) -> Result<(), Discard> {
        match &mut self.pending {
            Some(Pending { stage: Stage::Accepted(ready), .. }) if ready.hash == *hash => {
                ready.send = true;
                Ok(())
            }
            Some(Pending { stage: Stage::Opening(opening), .. }) if opening.hash == *hash => Ok(()),
            _ => Err(Discard::KeyReplayed),
        }
    }

    pub(super) fn may_verify(&mut self, now: Instant, from: SocketAddr) -> bool {
        match self.known == Some(neighbourhood(from)) {
            true => self.verify_known.take(now),
            false => self.verify_other.take(now),
        }
    }

    pub(super) fn is_opening(&self) -> bool {
        matches!(&self.pending, Some(Pending { stage: Stage::Opening(_), .. }))
    }

    pub(super) fn ready_mut(&mut self) -> Option<&mut Ready> {
        match &mut self.pending {
            Some(Pending { stage: Stage::Accepted(ready), .. }) => Some(ready),
            _ => None,
        }
    }
}

impl OpeningKey {
    /// `None` for a share of low order: the handshake ends here, silently.
    pub(super) fn accept(
        &self,
        now: Instant,
        transported: Secret,
        cid: u32,
        rng: &mut impl TryCryptoRng,
    ) -> Result<Option<Ready>, RandomFailed> {
        let server_random: [u8; 32] = random::bytes(rng)?;
        let own = StaticSecret::from(random::bytes::<32>(rng)?);
        let shared = own.diffie_hellman(&PublicKey::from(self.share));
        if !shared.was_contributory() {
            return Ok(None);
        }
        let share = PublicKey::from(&own);
        let accept = Accept {
            version: self.version,
            client_cid: self.client_cid,
            server_cid: cid,
            server_random: &server_random,
            share: share.as_bytes(),
        };
        let mut datagram = [0; accept::LEN];
        let Some((bound, finished)) = datagram.split_first_chunk_mut::<{ accept::BOUND_LEN }>() else {
            return Ok(None);
        };
        if accept.emit(&mut Writer::new(bound)).is_none() {
            return Ok(None);
        }
        let th2 = schedule::th2(&self.th1, &self.auth, bound);
        let secret = HandshakeSecret::new(transported, shared.to_bytes(), &self.th1);
        finished.copy_from_slice(&secret.finished(&th2));
        let channel = Channel::new(Side::Display, self.client_cid, secret.into_epoch(th2), now);
        Ok(Some(Ready { cid, to: self.from, channel, accept: datagram, hash: self.hash, send: true }))
    }
}
