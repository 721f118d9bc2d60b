//! Handshake datagrams made by hand: what a stranger, a forger or a bad camera could send.
//!
//! Written from docs/protocol.md §3 and §6 with the bare primitives, not with the core's own code, so that it also
//! stands for an independent reading of the layouts.

use chacha20::ChaCha20Rng;
use hmac::{Hmac, KeyInit, Mac};
use rand_core::Rng;
use sealcam_core::key::{CameraKey, Fingerprint, MODULUS_LEN, Modulus, RsaPublic};
use sealcam_core::rsa::SoftwareRsa;
use sha2::{Digest, Sha256};

use super::keys::{Pem, rng};

pub(crate) const HELLO_LEN: usize = 1200;
pub(crate) const COOKIE_LEN: usize = 476;
pub(crate) const KEY_LEN: usize = 932;
pub(crate) const ACCEPT_LEN: usize = 108;

/// Offsets of KEY (§3.3).
const KEY_RANDOM: usize = 4;
const KEY_OFFERED: usize = 36;
const KEY_COOKIE: usize = 44;
pub(crate) const KEY_CID: usize = 76;
const KEY_SHARE: usize = 80;
const KEY_CIPHERTEXT: usize = 112;
pub(crate) const KEY_AUTH_TYPE: usize = 496;
pub(crate) const KEY_CAMERA: usize = 500;
pub(crate) const KEY_AUTH: usize = 532;
pub(crate) const KEY_MAC1: usize = 916;

pub(crate) const ONLY_VERSION_1: [u8; 8] = [1, 1, 0, 0, 0, 0, 0, 0];

pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Puts the right `mac1` at the end of a handshake datagram: all that it takes is the display's fingerprint.
pub(crate) fn sign_off(display: &Fingerprint, datagram: &mut [u8]) {
    let key = hmac(&display.0, b"scl1 mac1");
    let (covered, mac1) = datagram.split_last_chunk_mut::<16>().unwrap();
    mac1.copy_from_slice(&hmac(&key, covered)[..16]);
}

/// A HELLO as a camera sends it.
pub(crate) fn hello(display: &Fingerprint, client_random: &[u8; 32], offered: [u8; 8]) -> Vec<u8> {
    let mut datagram = vec![0; HELLO_LEN];
    datagram[..2].copy_from_slice(&[0x01, 1]);
    datagram[4..36].copy_from_slice(client_random);
    datagram[36..44].copy_from_slice(&offered);
    sign_off(display, &mut datagram);
    datagram
}

/// Everything that a KEY is made of.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) version: u8,
    pub(crate) client_random: [u8; 32],
    pub(crate) offered: [u8; 8],
    pub(crate) cookie: [u8; 32],
    pub(crate) client_cid: u32,
    pub(crate) share: [u8; 32],
    pub(crate) ciphertext: [u8; MODULUS_LEN],
}

impl Key {
    /// One that is good, but for the secrets: the forger has thrown them away.
    pub(crate) fn new(
        display: &Modulus,
        client_random: [u8; 32],
        cookie: [u8; 32],
        dice: &mut ChaCha20Rng,
    ) -> Self {
        let (mut share, mut transported) = ([0; 32], [0; 32]);
        dice.fill_bytes(&mut share);
        dice.fill_bytes(&mut transported);
        let mut ciphertext = [0; MODULUS_LEN];
        SoftwareRsa::new(rng(dice)).oaep_encrypt(display, &transported, &mut ciphertext).unwrap();
        let client_cid = dice.next_u32();
        Self { version: 1, client_random, offered: ONLY_VERSION_1, cookie, client_cid, share, ciphertext }
    }

    /// One that no two `number`s have alike, made cheaply: its ciphertext is none.
    pub(crate) fn new_with(
        display: &Modulus,
        client_random: [u8; 32],
        cookie: [u8; 32],
        number: usize,
    ) -> Self {
        let client_cid = u32::try_from(number).unwrap();
        let mut ciphertext = *display.as_bytes();
        ciphertext[..8].copy_from_slice(&u64::from(client_cid).to_be_bytes());
        Self {
            version: 1,
            client_random,
            offered: ONLY_VERSION_1,
            cookie,
            client_cid,
            share: [9; 32],
            ciphertext,
        }
    }

    /// What stands in a KEY that somebody else made.
    pub(crate) fn taken_from(datagram: &[u8]) -> Self {
        fn field<const N: usize>(datagram: &[u8], at: usize) -> [u8; N] {
            *datagram[at..].first_chunk().unwrap()
        }
        Self {
            version: datagram[1],
            client_random: field(datagram, KEY_RANDOM),
            offered: field(datagram, KEY_OFFERED),
            cookie: field(datagram, KEY_COOKIE),
            client_cid: u32::from_be_bytes(field(datagram, KEY_CID)),
            share: field(datagram, KEY_SHARE),
            ciphertext: field(datagram, KEY_CIPHERTEXT),
        }
    }

    /// The signed part.
    fn covered(&self, camera: &Fingerprint) -> Vec<u8> {
        let mut bytes = vec![0x03, self.version, 0, 0];
        bytes.extend(self.client_random);
        bytes.extend(self.offered);
        bytes.extend(self.cookie);
        bytes.extend(self.client_cid.to_be_bytes());
        bytes.extend(self.share);
        bytes.extend(self.ciphertext);
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(camera.0);
        assert_eq!(bytes.len(), KEY_AUTH);
        bytes
    }

    /// The datagram, signed with this camera's key.
    pub(crate) fn signed(&self, display: &Fingerprint, camera: Pem, dice: &mut ChaCha20Rng) -> Vec<u8> {
        let mut camera = camera.read().into_camera_key(rng(dice));
        let mut datagram = self.covered(&camera.id());
        let mut signature = [0; MODULUS_LEN];
        camera.pss_sign(&[b"scl1 client auth v1\0", &th1(display, &datagram)], &mut signature).unwrap();
        datagram.extend(signature);
        datagram.extend([0; 16]);
        sign_off(display, &mut datagram);
        assert_eq!(datagram.len(), KEY_LEN);
        datagram
    }

    /// The datagram of somebody who wants to be paired and knows this pairing key, or believes to.
    pub(crate) fn with_pairing_mac(&self, display: &Fingerprint, pair_key: &[u8; 32]) -> Vec<u8> {
        let mut datagram = self.covered(&Fingerprint([0; 32]));
        (datagram[3], datagram[KEY_AUTH_TYPE]) = (1, 2);
        let mac = hmac(pair_key, &[&b"scl1 pair auth v1\0"[..], &th1(display, &datagram)].concat());
        datagram.extend(mac);
        datagram.resize(KEY_LEN, 0);
        sign_off(display, &mut datagram);
        datagram
    }

    /// The same in the camera's name, but without its key: the signature is a number and no more.
    pub(crate) fn signed_badly(&self, display: &Fingerprint, camera: Pem) -> Vec<u8> {
        let mut datagram = self.covered(&camera.read().modulus().fingerprint());
        datagram.extend([0x5A; MODULUS_LEN]);
        datagram.extend([0; 16]);
        sign_off(display, &mut datagram);
        datagram
    }
}

/// The key that a pairing code leads to (§5): HKDF by its definition (RFC 5869).
pub(crate) fn pair_key(display: &Fingerprint, secret: &[u8; 16]) -> [u8; 32] {
    hmac(&hmac(&display.0, secret), b"scl1 pair key\x01")
}

/// `th1`: what the camera's signature covers (§6).
fn th1(display: &Fingerprint, signed: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(b"scl1 th1").chain_update(display.0).chain_update(signed).finalize().into()
}

/// `XL` of §6 for secrets of 32 bytes: a single round of HKDF-Expand.
fn expand_label(secret: &[u8; 32], label: &[u8], context: &[u8]) -> [u8; 32] {
    let label_len = u8::try_from(5 + label.len()).unwrap();
    let context_len = u8::try_from(context.len()).unwrap();
    let info = [&[0, 32, label_len][..], b"scl1 ", label, &[context_len], context, &[1]].concat();
    hmac(secret, &info)
}

/// The `finished` that an ACCEPT has if the display took `transported` for `K_t` (§3.4, §6).
pub(crate) fn finished(
    display: &Fingerprint,
    key: &[u8],
    accept: &[u8],
    transported: &[u8; 32],
    shared: &[u8; 32],
) -> [u8; 32] {
    let th1 = th1(display, &key[..KEY_AUTH]);
    let th2: [u8; 32] = Sha256::new()
        .chain_update(b"scl1 th2")
        .chain_update(th1)
        .chain_update(&key[KEY_AUTH..KEY_MAC1])
        .chain_update(&accept[..76])
        .finalize()
        .into();
    let suite = b"scl1 RSA3072-OAEP-SHA256 PSS-SHA256 X25519 MLKEM768 HKDF-SHA256 SFRAME-0001";
    let early = hmac(&Sha256::digest(suite), transported);
    let secret = hmac(&expand_label(&early, b"derived", &th1), shared);
    hmac(&expand_label(&secret, b"s finished", b""), &th2)
}

/// The cookie that stands in a COOKIE.
pub(crate) fn cookie_in(datagram: &[u8]) -> [u8; 32] {
    assert_eq!((datagram.len(), datagram[0]), (COOKIE_LEN, 0x02));
    *datagram[44..].first_chunk().unwrap()
}
