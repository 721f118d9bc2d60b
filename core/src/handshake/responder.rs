//! The display's half of all handshakes: who may come in, in the normative order of docs/protocol.md §4.
//!
//! Nothing is kept for a stranger: COOKIE is stateless, and what a KEY may occupy belongs to the enrolled camera
//! that it names and proves. Sessions that were promoted are the server's business.

use core::net::SocketAddr;
use core::time::Duration;

use heapless::Vec;
use rand_core::TryCryptoRng;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use super::cookie::{Bound, CookieJar};
use super::enrolled::{Enrolled, OpeningKey, Pending, Ready, Stage};
use super::initiator::emit_with_mac1;
use super::schedule;
use super::{DisplayIdentity, neighbourhood};
use crate::discard::Discard;
use crate::hash;
use crate::key::{Fingerprint, Modulus, RsaPublic, Secret};
use crate::output::{Opened, Ticket};
use crate::random::{self, RandomFailed};
use crate::time::Instant;
use crate::wire::accept;
use crate::wire::cookie::{self, Cookie};
use crate::wire::hello::{self, Hello};
use crate::wire::key::{self, Auth, Key};
use crate::wire::versions::Versions;

/// Cameras that may be enrolled at once (docs/protocol.md §4).
pub const MAX_CAMERAS: usize = 16;

/// A handshake that got no first packet is forgotten after this.
const PENDING_LIFE: Duration = Duration::from_secs(10);

/// A COOKIE that is owed: everything that it is made from.
#[derive(Clone, Copy)]
pub(crate) struct CookieRequest {
    to: SocketAddr,
    flags: u16,
    client_random: [u8; 32],
    offered: Versions,
}

/// The display's long-term state for handshakes.
pub(crate) struct Responder {
    modulus: Modulus,
    identity: DisplayIdentity,
    jar: CookieJar,
    /// Takes the place of `K_t` where decryption fails; random per start.
    reject_key: Secret,
    cameras: Vec<Enrolled, MAX_CAMERAS>,
    serial: u32,
}

/// What a verified KEY needs to know of the sessions.
pub(crate) enum Place {
    /// One is free, or this camera has one.
    Free,
    Taken,
}

impl Responder {
    pub(crate) fn new(
        modulus: Modulus,
        rng: &mut impl TryCryptoRng,
        now: Instant,
    ) -> Result<Self, RandomFailed> {
        Ok(Self {
            modulus,
            identity: DisplayIdentity::of(&modulus),
            jar: CookieJar::new(random::bytes(rng)?, now),
            reject_key: Secret::new(random::bytes(rng)?),
            cameras: Vec::new(),
            serial: 0,
        })
    }

    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint
    }

    /// Enrols a camera; false when all places on the list are taken.
    pub(crate) fn enrol(&mut self, modulus: &Modulus) -> bool {
        let id = modulus.fingerprint();
        self.is_enrolled(&id) || self.cameras.push(Enrolled::new(id, *modulus)).is_ok()
    }

    /// Forgets a camera and whatever was pending for it.
    pub(crate) fn strike(&mut self, id: &Fingerprint) {
        self.cameras.retain(|camera| camera.id != *id);
    }

    pub(crate) fn is_enrolled(&self, id: &Fingerprint) -> bool {
        self.cameras.iter().any(|camera| camera.id == *id)
    }

    /// Judges a HELLO.
    pub(crate) fn hello(
        &self,
        from: SocketAddr,
        datagram: &[u8; hello::LEN],
    ) -> Result<CookieRequest, Discard> {
        let hello = Hello::parse(datagram).ok_or(Discard::Malformed)?;
        let (covered, mac1) = datagram.split_last_chunk().ok_or(Discard::Malformed)?;
        if !self.identity.has_mac1(covered, mac1) {
            return Err(Discard::Mac1);
        }
        Ok(CookieRequest {
            to: from,
            flags: hello.flags,
            client_random: *hello.client_random,
            offered: hello.offered,
        })
    }

    /// Writes the COOKIE that was asked for.
    pub(crate) fn cookie(
        &self,
        now: Instant,
        request: &CookieRequest,
        buf: &mut [u8],
    ) -> Option<(SocketAddr, usize)> {
        let bound = Bound {
            address: request.to,
            flags: request.flags,
            client_random: &request.client_random,
            offered: &request.offered,
        };
        let cookie = Cookie {
            client_random: &request.client_random,
            versions: Versions::OURS,
            cookie: &self.jar.make(now, &bound),
            modulus: self.modulus.as_bytes(),
        };
        let datagram: &mut [u8; cookie::LEN] = buf.first_chunk_mut()?;
        emit_with_mac1(datagram, cookie::MAC_OFFSET, &self.identity.mac1_key, |out| cookie.emit(out))?;
        Some((request.to, cookie::LEN))
    }

    /// Judges a KEY: steps 1 to 9 of docs/protocol.md §4, in that order.
    ///
    /// An unknown camera is named in the error, so that the display's user can be told.
    pub(crate) fn key(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8; key::LEN],
        rsa: &impl RsaPublic,
        verified: &mut u64,
        place: impl FnOnce(&Fingerprint) -> Place,
    ) -> Result<(), (Discard, Option<Fingerprint>)> {
        let anonymous = |why| (why, None);
        let key = Key::parse(datagram).ok_or(anonymous(Discard::Malformed))?;
        self.check_stateless(now, from, datagram, &key).map_err(anonymous)?;
        let Auth::Signature { camera_id } = key.auth else { return Err(anonymous(Discard::UnknownCamera)) };
        let id = Fingerprint(*camera_id);
        let hash = key_hash(datagram);
        let th1 = schedule::th1(&self.identity.fingerprint, key.signed);
        let camera = self.cameras.iter_mut().find(|camera| camera.id == id);
        let camera = camera.ok_or((Discard::UnknownCamera, Some(id)))?;
        if camera.has_seen(now, &hash) {
            return camera.repeat(&hash).map_err(anonymous);
        }
        if Versions::OURS.best_common(&key.offered) != Some(key.version) {
            return Err(anonymous(Discard::Version));
        }
        if !camera.may_verify(now, from) {
            return Err(anonymous(Discard::VerifyLimit));
        }
        *verified += 1;
        if !rsa.pss_verify(&camera.modulus, &[schedule::CLIENT_AUTH, &th1], key.auth_bytes) {
            return Err(anonymous(Discard::Signature));
        }
        camera.known = Some(neighbourhood(from));
        // One private operation at a time for each camera: a newer KEY comes again, and finds this one done.
        if camera.is_opening() || !camera.handshakes.take(now) {
            return Err(anonymous(Discard::HandshakeLimit));
        }
        if matches!(place(&id), Place::Taken) {
            return Err((Discard::NoPlace, Some(id)));
        }
        camera.remember(now, hash);
        self.serial = self.serial.wrapping_add(1);
        let opening = OpeningKey {
            serial: self.serial,
            handed_out: false,
            hash,
            from,
            version: key.version,
            client_cid: key.client_cid,
            share: *key.share,
            ciphertext: *key.ciphertext,
            auth: *key.auth_bytes,
            th1,
        };
        camera.pending = Some(Pending { since: now, stage: Stage::Opening(opening) });
        Ok(())
    }

    /// The next private operation that is owed.
    pub(crate) fn ticket(&mut self) -> Option<Ticket> {
        self.cameras.iter_mut().find_map(|camera| {
            let Some(Pending { stage: Stage::Opening(opening), .. }) = &mut camera.pending else {
                return None;
            };
            if core::mem::replace(&mut opening.handed_out, true) {
                return None;
            }
            Some(Ticket { serial: opening.serial, ciphertext: opening.ciphertext })
        })
    }

    /// Step 10: makes ACCEPT. The result for a slot that is gone is dropped.
    pub(crate) fn complete(
        &mut self,
        now: Instant,
        opened: Opened,
        rng: &mut impl TryCryptoRng,
        cid_is_free: impl Fn(u32) -> bool,
    ) -> Result<(), RandomFailed> {
        let rejected = Zeroizing::new(hash::hmac(self.reject_key.as_bytes(), &[&opened.ciphertext]));
        let transported = select(opened.valid, &opened.secret, &rejected);
        let taken: Vec<u32, MAX_CAMERAS> = self.ready().map(|ready| ready.cid).collect();
        for camera in &mut self.cameras {
            match camera.pending.take() {
                Some(Pending { since, stage: Stage::Opening(opening) })
                    if opening.serial == opened.serial =>
                {
                    let cid = free_cid(rng, |cid| cid_is_free(cid) && !taken.contains(&cid))?;
                    let ready = opening.accept(now, transported, cid, rng)?;
                    camera.pending = ready.map(|ready| Pending { since, stage: Stage::Accepted(ready) });
                    break;
                }
                other => camera.pending = other,
            }
        }
        Ok(())
    }

    /// Writes the next ACCEPT that is owed.
    pub(crate) fn accept(&mut self, buf: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let ready = self.cameras.iter_mut().filter_map(Enrolled::ready_mut).find(|ready| ready.send)?;
        let place: &mut [u8; accept::LEN] = buf.first_chunk_mut()?;
        *place = ready.accept;
        ready.send = false;
        Some((ready.to, accept::LEN))
    }

    /// The session with this CID that waits for its first packet.
    pub(crate) fn pending(&mut self, cid: u32) -> Option<(Fingerprint, &mut Ready)> {
        self.cameras.iter_mut().find_map(|camera| {
            let id = camera.id;
            camera.ready_mut().filter(|ready| ready.cid == cid).map(|ready| (id, ready))
        })
    }

    /// Takes that session out: it is active now.
    pub(crate) fn promote(&mut self, id: &Fingerprint) -> Option<Ready> {
        let camera = self.cameras.iter_mut().find(|camera| camera.id == *id)?;
        match camera.pending.take()?.stage {
            Stage::Accepted(ready) => Some(ready),
            Stage::Opening(_) => None,
        }
    }

    /// Forgets every handshake that is under way.
    pub(crate) fn forget_pending(&mut self) {
        self.cameras.iter_mut().for_each(|camera| camera.pending = None);
    }

    /// Forgets what nobody came for.
    pub(crate) fn expire(&mut self, now: Instant) {
        for camera in &mut self.cameras {
            if camera.pending.as_ref().is_some_and(|pending| now.since(pending.since) >= PENDING_LIFE) {
                camera.pending = None;
            }
        }
    }

    /// When [`Responder::expire`] has something to do.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.cameras.iter().filter_map(|camera| camera.pending.as_ref()).map(|p| p.since + PENDING_LIFE).min()
    }

    /// Steps 1 and 2: everything that needs no state.
    fn check_stateless(
        &self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8; key::LEN],
        key: &Key<'_>,
    ) -> Result<(), Discard> {
        if !Versions::OURS.has(key.version) {
            return Err(Discard::Version);
        }
        let (covered, mac1) = datagram.split_last_chunk().ok_or(Discard::Malformed)?;
        if !self.identity.has_mac1(covered, mac1) {
            return Err(Discard::Mac1);
        }
        let bound = Bound {
            address: from,
            flags: key.flags,
            client_random: key.client_random,
            offered: &key.offered,
        };
        if !self.jar.check(now, &bound, key.cookie) {
            return Err(Discard::Cookie);
        }
        Ok(())
    }

    fn ready(&self) -> impl Iterator<Item = &Ready> {
        self.cameras.iter().filter_map(|camera| match &camera.pending {
            Some(Pending { stage: Stage::Accepted(ready), .. }) => Some(ready),
            _ => None,
        })
    }
}

fn key_hash(datagram: &[u8; key::LEN]) -> [u8; 16] {
    hash::sha256(&[datagram]).first_chunk().copied().unwrap_or([0; 16])
}

/// Rule 9's choice between the decrypted secret and the rejected one, without a branch.
fn select(valid: Choice, decrypted: &Secret, rejected: &[u8; 32]) -> Secret {
    let mut chosen = [0; 32];
    for ((to, yes), no) in chosen.iter_mut().zip(decrypted.as_bytes()).zip(rejected) {
        *to = u8::conditional_select(no, yes, valid);
    }
    let secret = Secret::new(chosen);
    chosen.zeroize();
    secret
}

/// Draws a CID that nobody has; with at most 20 in use the first draw is nearly always free.
fn free_cid(rng: &mut impl TryCryptoRng, is_free: impl Fn(u32) -> bool) -> Result<u32, RandomFailed> {
    for _ in 0..16 {
        let cid = random::number(rng)?;
        if is_free(cid) {
            return Ok(cid);
        }
    }
    Err(RandomFailed)
}
