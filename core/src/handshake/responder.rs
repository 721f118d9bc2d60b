//! The display's half of all handshakes: who may come in, in the normative order of docs/protocol.md §4.
//!
//! Nothing is kept for a stranger: COOKIE is stateless, and what a KEY may occupy belongs to the enrolled camera
//! that it names and proves. Sessions that were promoted are the server's business.

use core::net::SocketAddr;

use heapless::Vec;
use rand_core::TryCryptoRng;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use super::cookie::{Bound, CookieJar};
use super::enrolled::Enrolled;
use super::initiator::emit_with_mac1;
use super::schedule::{self, Transcript};
use super::slot::{OpeningKey, Ready, Slot};
use super::window::Window;
use super::{DisplayIdentity, Whose};
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
use crate::wire::message::Purpose;
use crate::wire::versions::Versions;

/// Cameras that may be enrolled at once (docs/protocol.md §4).
pub const MAX_CAMERAS: usize = 16;

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
    pub(super) identity: DisplayIdentity,
    jar: CookieJar,
    /// Takes the place of `K_t` where decryption fails; random per start.
    reject_key: Secret,
    cameras: Vec<Enrolled, MAX_CAMERAS>,
    pub(super) window: Option<Window>,
    pub(super) serial: u32,
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
            window: None,
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
            pairing_open: self.window.as_ref().is_some_and(|window| now < window.closes),
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
        let Auth::Signature { camera_id } = key.auth else {
            return self.pairing_key(now, from, datagram, &key).map_err(anonymous);
        };
        let id = Fingerprint(*camera_id);
        let (hash, th1) = self.digests(datagram, &key);
        let camera = self.cameras.iter_mut().find(|camera| camera.id == id);
        let camera = camera.ok_or((Discard::UnknownCamera, Some(id)))?;
        if let Some(repeated) = camera.slot.repeat(now, &hash) {
            return repeated.map_err(anonymous);
        }
        check_version(&key).map_err(anonymous)?;
        if !camera.may_verify(now, from) {
            return Err(anonymous(Discard::VerifyLimit));
        }
        *verified += 1;
        if !rsa.pss_verify(&camera.modulus, &[schedule::CLIENT_AUTH, &th1], key.auth_bytes) {
            return Err(anonymous(Discard::Signature));
        }
        camera.is_known_at(from);
        if !camera.slot.may_begin(now) {
            return Err(anonymous(Discard::HandshakeLimit));
        }
        if matches!(place(&id), Place::Taken) {
            return Err((Discard::NoPlace, Some(id)));
        }
        self.serial = self.serial.wrapping_add(1);
        camera.slot.begin(now, opening(&key, self.serial, hash, th1, from));
        Ok(())
    }

    /// The next private operation that is owed.
    pub(crate) fn ticket(&mut self) -> Option<Ticket> {
        let opening = self.slots_mut().find_map(Slot::ticket)?;
        Some(Ticket { serial: opening.serial, ciphertext: opening.ciphertext })
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
        let taken: Vec<u32, { MAX_CAMERAS + 1 }> =
            self.slots().filter_map(Slot::ready).map(|ready| ready.cid).collect();
        let Some(slot) = self.slots_mut().find(|slot| slot.waits_for(opened.serial)) else { return Ok(()) };
        let cid = match free_cid(rng, |cid| cid_is_free(cid) && !taken.contains(&cid)) {
            Ok(cid) => cid,
            Err(failed) => {
                slot.forget_pending();
                return Err(failed);
            }
        };
        slot.complete(now, transported, cid, rng)
    }

    /// Writes the next ACCEPT that is owed.
    pub(crate) fn accept(&mut self, buf: &mut [u8]) -> Option<(SocketAddr, usize)> {
        let place: &mut [u8; accept::LEN] = buf.first_chunk_mut()?;
        let (to, accept) = self.slots_mut().find_map(Slot::accept)?;
        *place = *accept;
        Some((to, accept::LEN))
    }

    /// The session with this CID that waits for its first packet.
    pub(crate) fn pending(&mut self, cid: u32) -> Option<(Whose, &mut Ready)> {
        let window = self.window.iter_mut().map(|window| (Whose::Pairing, &mut window.slot));
        let cameras = self.cameras.iter_mut().map(|camera| (Whose::Camera(camera.id), &mut camera.slot));
        let mut all = cameras.chain(window).filter_map(|(whose, slot)| Some((whose, slot.ready_mut()?)));
        all.find(|(_, ready)| ready.cid == cid)
    }

    /// Takes that session out: it is active now. That uses a pairing code up, and shuts its window.
    pub(crate) fn promote(&mut self, whose: Whose) -> Option<Ready> {
        match whose {
            Whose::Camera(id) => self.cameras.iter_mut().find(|camera| camera.id == id)?.slot.promote(),
            Whose::Pairing => self.window.take()?.slot.promote(),
        }
    }

    /// Forgets every handshake that is under way.
    pub(crate) fn forget_pending(&mut self) {
        self.slots_mut().for_each(Slot::forget_pending);
    }

    /// Forgets what nobody came for.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.window.take_if(|window| window.closes <= now);
        self.slots_mut().for_each(|slot| slot.expire(now));
    }

    /// When [`Responder::expire`] has something to do.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        let closes = self.window.as_ref().map(|window| window.closes);
        self.slots().filter_map(Slot::next_expiry).chain(closes).min()
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

    /// What a KEY is remembered by, and `th1`.
    pub(super) fn digests(&self, datagram: &[u8; key::LEN], key: &Key<'_>) -> ([u8; 16], Transcript) {
        (key_hash(datagram), schedule::th1(&self.identity.fingerprint, key.signed))
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        let window = self.window.iter().map(|window| &window.slot);
        self.cameras.iter().map(|camera| &camera.slot).chain(window)
    }

    fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        let window = self.window.iter_mut().map(|window| &mut window.slot);
        self.cameras.iter_mut().map(|camera| &mut camera.slot).chain(window)
    }
}

/// Step 4.
pub(super) fn check_version(key: &Key<'_>) -> Result<(), Discard> {
    let best = Versions::OURS.best_common(&key.offered);
    if best == Some(key.version) { Ok(()) } else { Err(Discard::Version) }
}

/// What step 10 needs of a KEY.
pub(super) fn opening(
    key: &Key<'_>,
    serial: u32,
    hash: [u8; 16],
    th1: Transcript,
    from: SocketAddr,
) -> OpeningKey {
    OpeningKey {
        serial,
        handed_out: false,
        hash,
        from,
        version: key.version,
        client_cid: key.client_cid,
        share: *key.share,
        ciphertext: *key.ciphertext,
        auth: *key.auth_bytes,
        th1,
        purpose: match key.auth {
            Auth::Signature { .. } => Purpose::Pictures,
            Auth::Pairing => Purpose::Pairing,
        },
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
