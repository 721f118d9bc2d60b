//! RFC 9605 suite 0x0001, AES_128_CTR_HMAC_SHA256_80: one key's encryption and tag (docs/protocol.md §7).
//!
//! The only place where packets are encrypted; a second suite would stand beside this file. Counters, windows and
//! epochs are not known here.

use aes::Aes128;
use aes::cipher::inout::InOutBuf;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use ctr::Ctr32BE;
use hmac::Mac;
use subtle::Choice;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::hash::{self, KeyedMac};
use crate::key::Secret;
use crate::wire::data::TAG_LEN;

const SUITE_ID: u16 = 0x0001;
const NONCE_LEN: usize = 12;
/// `Nk` of the CTR suites: the AES key and the HMAC key in one (RFC 9605 §4.5.1).
const KEY_LEN: usize = 16 + 32;

/// The keys of one epoch and direction.
pub(crate) struct PacketKey {
    aes: Aes128,
    mac: KeyedMac,
    salt: Salt,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Salt([u8; NONCE_LEN]);

impl PacketKey {
    /// Derives key and salt from a `base_key` for `kid` (RFC 9605 §4.4.2).
    pub(crate) fn new(base_key: &Secret, kid: u8) -> Self {
        let context = kid_and_suite(kid);
        let secret = hash::extract(b"", base_key.as_bytes());
        let mut key: [u8; KEY_LEN] = hash::expand(secret.as_bytes(), &[b"SFrame 1.0 Secret key ", &context]);
        let salt = Salt(hash::expand(secret.as_bytes(), &[b"SFrame 1.0 Secret salt ", &context]));
        let (mut enc_key, mut auth_key) = ([0; 16], [0; 32]);
        for (to, from) in enc_key.iter_mut().chain(auth_key.iter_mut()).zip(&key) {
            *to = *from;
        }
        let packet_key = Self { aes: Aes128::new(&enc_key.into()), mac: hash::keyed_mac(&auth_key), salt };
        enc_key.zeroize();
        auth_key.zeroize();
        key.zeroize();
        packet_key
    }

    /// Encrypts `text` in place and returns the tag. The caller answers for never repeating `ctr`.
    pub(crate) fn seal(&self, ctr: u32, header: &[u8], metadata: &[u8], text: &mut [u8]) -> [u8; TAG_LEN] {
        let nonce = self.nonce(ctr);
        self.apply_keystream(&nonce, text);
        self.tag(&nonce, header, metadata, text)
    }

    /// Whether `tag` is right for the ciphertext `text`; nothing is decrypted.
    pub(crate) fn verify(&self, ctr: u32, header: &[u8], metadata: &[u8], text: &[u8], tag: &[u8]) -> Choice {
        hash::equal(&self.tag(&self.nonce(ctr), header, metadata, text), tag)
    }

    /// Decrypts `text` in place, once it was verified.
    pub(crate) fn decrypt(&self, ctr: u32, text: &mut [u8]) {
        self.apply_keystream(&self.nonce(ctr), text);
    }

    /// `salt ⊕ be96(ctr)`.
    fn nonce(&self, ctr: u32) -> [u8; NONCE_LEN] {
        let [a, b, c, d] = ctr.to_be_bytes();
        let mut nonce = [0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d];
        for (byte, salt) in nonce.iter_mut().zip(&self.salt.0) {
            *byte ^= salt;
        }
        nonce
    }

    /// The IV is the nonce and a zero block counter, which a packet's 75 blocks never wrap.
    fn apply_keystream(&self, nonce: &[u8; NONCE_LEN], text: &mut [u8]) {
        #[cfg(test)]
        crate::work::count(|work| work.keystreams += 1);
        let mut iv = [0; 16];
        for (to, from) in iv.iter_mut().zip(nonce) {
            *to = *from;
        }
        let core = ctr::CtrCore::<&Aes128, ctr::flavors::Ctr32BE>::inner_iv_init(&self.aes, &iv.into());
        let mut stream: Ctr32BE<&Aes128> = StreamCipherCoreWrapper::from_core(core);
        stream.apply_keystream_inout(InOutBuf::from(text));
    }

    /// HMAC over `u64(len aad) ‖ u64(len ct) ‖ u64(len tag) ‖ nonce ‖ aad ‖ ct`, aad = header ‖ metadata.
    fn tag(&self, nonce: &[u8; NONCE_LEN], header: &[u8], metadata: &[u8], text: &[u8]) -> [u8; TAG_LEN] {
        #[cfg(test)]
        crate::work::count(|work| work.tags += 1);
        let mut mac = self.mac.clone();
        mac.update(&be64(header.len() + metadata.len()));
        mac.update(&be64(text.len()));
        mac.update(&be64(TAG_LEN));
        mac.update(nonce);
        mac.update(header);
        mac.update(metadata);
        mac.update(text);
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        full.first_chunk().copied().unwrap_or([0; TAG_LEN])
    }
}

fn kid_and_suite(kid: u8) -> [u8; 10] {
    let [high, low] = SUITE_ID.to_be_bytes();
    [0, 0, 0, 0, 0, 0, 0, kid, high, low]
}

fn be64(len: usize) -> [u8; 8] {
    u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes()
}
