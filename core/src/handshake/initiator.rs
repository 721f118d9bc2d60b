//! The camera's half of one handshake: two states, each consumed by the message that ends it.
//!
//! ```text
//! AwaitingCookie ──COOKIE──▶ AwaitingAccept ──ACCEPT──▶ Established
//! ```
//! How many attempts run side by side and when a new one begins is the dialer's business ([`crate::client::dial`]).

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};

use super::DisplayIdentity;
use super::schedule::{self, HandshakeSecret, Transcript};
use crate::discard::Discard;
use crate::hash;
use crate::key::{CameraKey, Fingerprint, MODULUS_LEN, Modulus, RsaPublic, Secret};
use crate::pairing::PairKey;
use crate::random;
use crate::session::{Channel, Side};
use crate::time::Instant;
use crate::wire::accept::{self, Accept};
use crate::wire::cookie::{self, Cookie};
use crate::wire::hello::{self, Hello};
use crate::wire::key::{self, Auth, Unsigned};
use crate::wire::message::Purpose;
use crate::wire::read::Writer;
use crate::wire::versions::Versions;

/// HELLO is sent again after this, doubling.
const HELLO_INTERVAL: Duration = Duration::from_millis(250);
/// An attempt whose KEY got no ACCEPT for this long has failed.
pub(crate) const ACCEPT_TIMEOUT: Duration = Duration::from_secs(8);

/// What a camera does its handshakes with.
pub(crate) struct Tools<'a, R, K, P> {
    pub(crate) rng: &'a mut R,
    pub(crate) key: &'a mut K,
    pub(crate) rsa: &'a mut P,
    pub(crate) display: &'a DisplayIdentity,
    /// Set when the camera wants to be paired: then this stands for its signature.
    pub(crate) pair_key: Option<&'a PairKey>,
}

impl<R, K, P> Tools<'_, R, K, P> {
    /// What the session will be for.
    pub(crate) fn purpose(&self) -> Purpose {
        self.pair_key.map_or(Purpose::Pictures, |_| Purpose::Pairing)
    }
}

/// HELLO is out.
pub(crate) struct AwaitingCookie {
    pub(crate) to: SocketAddr,
    client_random: [u8; 32],
    pub(crate) next_send: Instant,
    interval: Duration,
    pub(crate) mismatch_told: bool,
}

/// KEY is out.
pub(crate) struct AwaitingAccept {
    pub(crate) to: SocketAddr,
    datagram: [u8; key::LEN],
    th1: Transcript,
    transported: Secret,
    secret: StaticSecret,
    client_cid: u32,
    purpose: Purpose,
    pub(crate) cookie_at: Instant,
    pub(crate) next_send: Instant,
    sent: u32,
}

/// The handshake is done.
pub(crate) struct Established {
    pub(crate) to: SocketAddr,
    pub(crate) cid: u32,
    pub(crate) channel: Channel,
    /// What the pairing run is bound to; no other session has one.
    pub(crate) exporter: Option<Secret>,
}

/// What a COOKIE came to.
pub(crate) enum Cookied {
    /// Drop it and keep waiting.
    Waiting(AwaitingCookie, Discard),
    /// It shows another key than the pinned one.
    Mismatch(AwaitingCookie, Fingerprint),
    /// Randomness or the key failed; keep waiting for another COOKIE.
    Failed(AwaitingCookie),
    /// KEY is ready to be sent. The display says whether a pairing window is open.
    Keyed(AwaitingAccept, bool),
}

impl AwaitingCookie {
    pub(crate) fn new(
        to: SocketAddr,
        rng: &mut impl TryCryptoRng,
        now: Instant,
    ) -> Result<Self, random::RandomFailed> {
        let client_random = random::bytes(rng)?;
        Ok(Self { to, client_random, next_send: now, interval: HELLO_INTERVAL, mismatch_told: false })
    }

    /// Writes HELLO; always the same bytes. The next one is due after an interval that doubles up to `longest`.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        (display, purpose): (&DisplayIdentity, Purpose),
        longest: Duration,
        jitter: impl FnOnce(Duration) -> Duration,
        buf: &mut [u8],
    ) -> Option<usize> {
        let datagram: &mut [u8; hello::LEN] = buf.first_chunk_mut()?;
        let flags = match purpose {
            Purpose::Pictures => 0,
            Purpose::Pairing => hello::FLAG_PAIRING,
        };
        let hello = Hello { flags, client_random: &self.client_random, offered: Versions::OURS };
        emit_with_mac1(datagram, hello::MAC_OFFSET, &display.mac1_key, |out| hello.emit(out))?;
        self.next_send = now + jitter(self.interval);
        self.interval = (self.interval * 2).min(longest);
        Some(hello::LEN)
    }

    /// Takes a COOKIE.
    pub(crate) fn handle<R: TryCryptoRng, K: CameraKey, P: RsaPublic>(
        self,
        now: Instant,
        datagram: &[u8; cookie::LEN],
        tools: &mut Tools<'_, R, K, P>,
    ) -> Cookied {
        let Some(cookie) = Cookie::parse(datagram) else { return Cookied::Waiting(self, Discard::Malformed) };
        if cookie.client_random != &self.client_random {
            return Cookied::Waiting(self, Discard::Unexpected);
        }
        let Some((covered, mac1)) = datagram.split_last_chunk() else {
            return Cookied::Waiting(self, Discard::Malformed);
        };
        if !tools.display.has_mac1(covered, mac1) {
            return Cookied::Waiting(self, Discard::Mac1);
        }
        let Some(modulus) = Modulus::new(cookie.modulus) else {
            return Cookied::Waiting(self, Discard::Malformed);
        };
        if modulus.fingerprint() != tools.display.fingerprint {
            return Cookied::Mismatch(self, modulus.fingerprint());
        }
        let Some(version) = Versions::OURS.best_common(&cookie.versions) else {
            return Cookied::Waiting(self, Discard::Version);
        };
        match self.key(now, version, &cookie, &modulus, tools) {
            Some(next) => Cookied::Keyed(next, cookie.pairing_open),
            None => Cookied::Failed(self),
        }
    }

    /// One OAEP and one PSS (or MAC) per attempt: the datagram is kept and sent again as it is.
    fn key<R: TryCryptoRng, K: CameraKey, P: RsaPublic>(
        &self,
        now: Instant,
        version: u8,
        cookie: &Cookie<'_>,
        modulus: &Modulus,
        tools: &mut Tools<'_, R, K, P>,
    ) -> Option<AwaitingAccept> {
        let transported = Secret::new(random::bytes(tools.rng).ok()?);
        let secret = StaticSecret::from(random::bytes::<32>(tools.rng).ok()?);
        let client_cid = random::number(tools.rng).ok()?;
        let mut ciphertext = [0; MODULUS_LEN];
        tools.rsa.oaep_encrypt(modulus, transported.as_bytes(), &mut ciphertext).ok()?;
        let share = PublicKey::from(&secret);
        let id = tools.key.id();
        let auth = tools.pair_key.map_or(Auth::Signature { camera_id: &id.0 }, |_| Auth::Pairing);
        let unsigned = Unsigned {
            version,
            client_random: &self.client_random,
            offered: Versions::OURS,
            cookie: cookie.cookie,
            client_cid,
            share: share.as_bytes(),
            ciphertext: &ciphertext,
            auth,
        };
        let mut signed = [0; key::SIGNED_LEN];
        unsigned.emit(&mut Writer::new(&mut signed))?;
        let th1 = schedule::th1(&tools.display.fingerprint, &signed);
        let mut auth_bytes = [0; MODULUS_LEN];
        match tools.pair_key {
            Some(key) => *auth_bytes.first_chunk_mut()? = key.auth(&th1),
            None => tools.key.pss_sign(&[schedule::CLIENT_AUTH, &th1], &mut auth_bytes).ok()?,
        }
        let mut datagram = [0; key::LEN];
        emit_with_mac1(&mut datagram, key::MAC_OFFSET, &tools.display.mac1_key, |out| {
            out.put(&signed)?;
            out.put(&auth_bytes)
        })?;
        let to = self.to;
        Some(AwaitingAccept {
            to,
            datagram,
            th1,
            transported,
            secret,
            client_cid,
            purpose: tools.purpose(),
            cookie_at: now,
            next_send: now,
            sent: 0,
        })
    }
}

impl AwaitingAccept {
    /// When KEY went out first.
    pub(crate) const fn keyed_at(&self) -> Instant {
        self.cookie_at
    }

    /// Whether the display has had its time.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now.since(self.cookie_at) >= ACCEPT_TIMEOUT
    }

    /// Writes KEY; always the same bytes. It is due again at 250 and 500 ms and then once a second.
    pub(crate) fn send(&mut self, now: Instant, buf: &mut [u8]) -> Option<usize> {
        let place: &mut [u8; key::LEN] = buf.first_chunk_mut()?;
        *place = self.datagram;
        self.sent += 1;
        self.next_send = now + Duration::from_millis(if self.sent <= 2 { 250 } else { 1000 });
        Some(key::LEN)
    }

    /// Whether an ACCEPT with this `client_cid` is meant for this attempt.
    pub(crate) const fn has_cid(&self, client_cid: u32) -> bool {
        self.client_cid == client_cid
    }

    /// Takes an ACCEPT. What fails any check is dropped, and the attempt goes on.
    pub(crate) fn handle(
        self,
        now: Instant,
        datagram: &[u8; accept::LEN],
    ) -> Result<Established, (Self, Discard)> {
        let Some((accept, bound, finished)) = Accept::parse(datagram) else {
            return Err((self, Discard::Malformed));
        };
        let (signed_version, auth) = match (self.datagram.get(1), self.auth()) {
            (Some(version), Some(auth)) => (*version, auth),
            _ => return Err((self, Discard::Malformed)),
        };
        if accept.client_cid != self.client_cid || accept.version != signed_version {
            return Err((self, Discard::Finished));
        }
        let shared = self.secret.diffie_hellman(&PublicKey::from(*accept.share));
        if !shared.was_contributory() {
            return Err((self, Discard::WeakShare));
        }
        let th2 = schedule::th2(&self.th1, auth, bound);
        // K_t is needed again should this ACCEPT be a forgery, so the schedule works on a copy that it wipes.
        let secret =
            HandshakeSecret::new(Secret::new(*self.transported.as_bytes()), shared.to_bytes(), &self.th1);
        if !bool::from(hash::equal(&secret.finished(&th2), finished)) {
            return Err((self, Discard::Finished));
        }
        let exporter = (self.purpose == Purpose::Pairing).then(|| secret.exporter(&th2));
        let channel = Channel::new(Side::Camera, accept.server_cid, secret.into_epoch(th2), now);
        Ok(Established { to: self.to, cid: self.client_cid, channel, exporter })
    }

    fn auth(&self) -> Option<&[u8; MODULUS_LEN]> {
        self.datagram.get(key::SIGNED_LEN..)?.first_chunk()
    }
}

/// Writes a handshake datagram and the `mac1` at its end.
pub(crate) fn emit_with_mac1<const N: usize>(
    datagram: &mut [u8; N],
    mac_offset: usize,
    mac1_key: &[u8; 32],
    emit: impl FnOnce(&mut Writer<'_>) -> Option<()>,
) -> Option<()> {
    let (covered, mac1) = datagram.split_at_mut_checked(mac_offset)?;
    let mut out = Writer::new(covered);
    emit(&mut out)?;
    if out.room() != 0 {
        return None;
    }
    *mac1.first_chunk_mut()? = schedule::mac1(mac1_key, covered);
    Some(())
}
