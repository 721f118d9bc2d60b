//! What a verified KEY can make the display keep: a place in a short memory, a token, one pending session
//! (docs/protocol.md §4 steps 3 and 8 to 11).
//!
//! All of it is of fixed size and belongs to one camera, or to the pairing window, so that none can fill another's. The
//! order of the checks is the responder's.

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};

use super::bucket::Bucket;
use super::schedule::{self, HandshakeSecret, Transcript};
use crate::discard::Discard;
use crate::key::{MODULUS_LEN, Secret};
use crate::random::{self, RandomFailed};
use crate::session::{Channel, Side};
use crate::time::Instant;
use crate::wire::accept::{self, Accept};
use crate::wire::message::Purpose;
use crate::wire::read::Writer;

/// How long a KEY is remembered: as long as its cookie may live.
const SEEN_LIFE: Duration = Duration::from_secs(20);
const SEEN: usize = 16;
/// A handshake that got no first packet is forgotten after this.
const PENDING_LIFE: Duration = Duration::from_secs(10);

/// One camera's, or the pairing window's.
pub(super) struct Slot {
    seen: [Option<([u8; 16], Instant)>; SEEN],
    seen_next: usize,
    handshakes: Bucket,
    pending: Option<Pending>,
}

struct Pending {
    since: Instant,
    stage: Stage,
}

enum Stage {
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
    pub(super) purpose: Purpose,
}

/// A session that waits for its first packet.
pub(crate) struct Ready {
    pub(crate) cid: u32,
    pub(crate) to: SocketAddr,
    pub(crate) channel: Channel,
    /// What the pairing run is bound to; no other session has one.
    pub(crate) exporter: Option<Secret>,
    accept: [u8; accept::LEN],
    hash: [u8; 16],
    send: bool,
}

impl Slot {
    pub(super) fn new() -> Self {
        Self {
            seen: [None; SEEN],
            seen_next: 0,
            handshakes: Bucket::new(3, Duration::from_secs(3)),
            pending: None,
        }
    }

    /// Whether this KEY was taken before; then its cached ACCEPT goes out again if it is still there. Nothing is
    /// computed.
    pub(super) fn repeat(&mut self, now: Instant, hash: &[u8; 16]) -> Option<Result<(), Discard>> {
        let seen = |(seen, at): &([u8; 16], Instant)| seen == hash && now.since(*at) < SEEN_LIFE;
        if !self.seen.iter().flatten().any(seen) {
            return None;
        }
        Some(match &mut self.pending {
            Some(Pending { stage: Stage::Accepted(ready), .. }) if ready.hash == *hash => {
                ready.send = true;
                Ok(())
            }
            Some(Pending { stage: Stage::Opening(opening), .. }) if opening.hash == *hash => Ok(()),
            _ => Err(Discard::KeyReplayed),
        })
    }

    /// Whether another handshake may begin. One private operation at a time: a newer KEY comes again, and finds this
    /// one done.
    pub(super) fn may_begin(&mut self, now: Instant) -> bool {
        !matches!(&self.pending, Some(Pending { stage: Stage::Opening(_), .. })) && self.handshakes.take(now)
    }

    /// Takes a verified KEY in, in the place of an older one.
    pub(super) fn begin(&mut self, now: Instant, opening: OpeningKey) {
        if let Some(place) = self.seen.get_mut(self.seen_next) {
            *place = Some((opening.hash, now));
        }
        self.seen_next = (self.seen_next + 1) % SEEN;
        self.pending = Some(Pending { since: now, stage: Stage::Opening(opening) });
    }

    /// The private operation that is owed, the first time that it is asked for.
    pub(super) fn ticket(&mut self) -> Option<&OpeningKey> {
        match &mut self.pending {
            Some(Pending { stage: Stage::Opening(opening), .. }) if !opening.handed_out => {
                opening.handed_out = true;
                Some(opening)
            }
            _ => None,
        }
    }

    /// Whether it waits for the result of this private operation.
    pub(super) fn waits_for(&self, serial: u32) -> bool {
        matches!(&self.pending, Some(Pending { stage: Stage::Opening(opening), .. }) if opening.serial == serial)
    }

    /// Step 10: the private operation is done. Nothing stays of a share of low order.
    pub(super) fn complete(
        &mut self,
        now: Instant,
        transported: Secret,
        cid: u32,
        rng: &mut impl TryCryptoRng,
    ) -> Result<(), RandomFailed> {
        let Some(Pending { since, stage: Stage::Opening(opening) }) = self.pending.take() else {
            return Ok(());
        };
        let ready = opening.accept(now, transported, cid, rng)?;
        self.pending = ready.map(|ready| Pending { since, stage: Stage::Accepted(ready) });
        Ok(())
    }

    /// The session that waits for its first packet.
    pub(super) fn ready(&self) -> Option<&Ready> {
        match &self.pending {
            Some(Pending { stage: Stage::Accepted(ready), .. }) => Some(ready),
            _ => None,
        }
    }

    pub(super) fn ready_mut(&mut self) -> Option<&mut Ready> {
        match &mut self.pending {
            Some(Pending { stage: Stage::Accepted(ready), .. }) => Some(ready),
            _ => None,
        }
    }

    /// The ACCEPT that is owed.
    pub(super) fn accept(&mut self) -> Option<(SocketAddr, &[u8; accept::LEN])> {
        let ready = self.ready_mut().filter(|ready| ready.send)?;
        ready.send = false;
        Some((ready.to, &ready.accept))
    }

    /// Takes the session out: it is active now.
    pub(super) fn promote(&mut self) -> Option<Ready> {
        match self.pending.take()?.stage {
            Stage::Accepted(ready) => Some(ready),
            Stage::Opening(_) => None,
        }
    }

    pub(super) fn forget_pending(&mut self) {
        self.pending = None;
    }

    /// Forgets a session that nobody came for.
    pub(super) fn expire(&mut self, now: Instant) {
        self.pending.take_if(|pending| now.since(pending.since) >= PENDING_LIFE);
    }

    /// When [`Slot::expire`] has something to do.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.pending.as_ref().map(|pending| pending.since + PENDING_LIFE)
    }
}

impl OpeningKey {
    /// `None` for a share of low order: the handshake ends here, silently.
    fn accept(
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
        let exporter = (self.purpose == Purpose::Pairing).then(|| secret.exporter(&th2));
        let channel = Channel::new(Side::Display, self.client_cid, secret.into_epoch(th2), now);
        let (to, hash) = (self.from, self.hash);
        Ok(Some(Ready { cid, to, channel, exporter, accept: datagram, hash, send: true }))
    }
}
