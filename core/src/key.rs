//! Long-term RSA keys as the protocol sees them: traits, fingerprints, nothing of the arithmetic.
//!
//! The traits are `no_std` and allocation-free so that a microcontroller can put a secure element behind
//! them. The implementation with the `rsa` crate is [`crate::rsa`] (feature `rsa`).
//! Sources: docs/protocol.md §1 (parameters, fingerprint) and §13 (the trait boundary).

use core::fmt;

use sha2::{Digest, Sha256};
use subtle::Choice;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of an RSA-3072 modulus, ciphertext or signature.
pub const MODULUS_LEN: usize = 384;

/// The label of RSAES-OAEP (docs/protocol.md §1).
pub const OAEP_LABEL: &[u8] = b"scl1 key transport v1";

/// SubjectPublicKeyInfo of any RSA-3072 key with e = 65537, before and after the modulus (docs/protocol.md §1).
const SPKI_HEAD: [u8; 33] = [
    0x30, 0x82, 0x01, 0xa2, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00, 0x03, 0x82, 0x01, 0x8f, 0x00, 0x30, 0x82, 0x01, 0x8a, 0x02, 0x82, 0x01, 0x81, 0x00,
];
const SPKI_TAIL: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];

/// The modulus of an RSA-3072 key with e = 65537: 384 bytes, big-endian, top bit and low bit set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Modulus([u8; MODULUS_LEN]);

impl Modulus {
    /// Takes `bytes` as a modulus, if its length is exactly 3072 bits and it is odd.
    #[must_use]
    pub fn new(bytes: &[u8; MODULUS_LEN]) -> Option<Self> {
        let top = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        let odd = bytes.last().is_some_and(|byte| byte & 1 != 0);
        (top && odd).then_some(Self(*bytes))
    }

    /// The modulus, big-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; MODULUS_LEN] {
        &self.0
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo in DER, as OpenSSL computes it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(
            Sha256::new()
                .chain_update(SPKI_HEAD)
                .chain_update(self.0)
                .chain_update(SPKI_TAIL)
                .finalize()
                .into(),
        )
    }
}

impl fmt::Debug for Modulus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modulus({})", self.fingerprint())
    }
}

/// SHA-256 of a public key; the camera's is its identity (`camera_id`).
///
/// Shown as `SHA256:` and 43 characters of unpadded base64, as ssh-keygen does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        f.write_str("SHA256:")?;
        for group in self.0.chunks(3) {
            let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
            let bits = at(0) << 16 | at(1) << 8 | at(2);
            for shift in [18, 12, 6, 0].into_iter().take(group.len() + 1) {
                let index = usize::try_from(bits >> shift & 63).unwrap_or(0);
                fmt::Write::write_char(f, char::from(ALPHABET.get(index).copied().unwrap_or(b'?')))?;
            }
        }
        Ok(())
    }
}

/// The display's private key: decrypts what cameras encrypt to it, and does nothing else.
pub trait DisplayKey {
    /// The public modulus.
    fn modulus(&self) -> &Modulus;

    /// RSAES-OAEP decryption with SHA-256, MGF1-SHA-256 and [`OAEP_LABEL`] (RFC 8017 §7.1.2).
    ///
    /// Must take the same time whatever the plaintext; `out` is unspecified when the result is false.
    fn oaep_decrypt(&mut self, ciphertext: &[u8; MODULUS_LEN], out: &mut [u8; 32]) -> Choice;
}

/// The camera's private key: signs the key exchange, and does nothing else.
pub trait CameraKey {
    /// The fingerprint of the public key: the `camera_id` of the wire.
    fn id(&self) -> Fingerprint;

    /// RSASSA-PSS with SHA-256, MGF1-SHA-256 and a 32-byte salt over the concatenation of `message`
    /// (RFC 8017 §8.1.1).
    ///
    /// # Errors
    /// [`KeyError`] if randomness or the key's hardware failed.
    fn pss_sign(&mut self, message: &[&[u8]], signature: &mut [u8; MODULUS_LEN]) -> Result<(), KeyError>;
}

/// The two public-key operations, which need no key of one's own.
pub trait RsaPublic {
    /// RSAES-OAEP encryption with SHA-256, MGF1-SHA-256 and [`OAEP_LABEL`] (RFC 8017 §7.1.1).
    ///
    /// # Errors
    /// [`KeyError`] if randomness failed or `modulus` is not an RSA modulus.
    fn oaep_encrypt(
        &mut self,
        modulus: &Modulus,
        message: &[u8; 32],
        ciphertext: &mut [u8; MODULUS_LEN],
    ) -> Result<(), KeyError>;

    /// RSASSA-PSS verification; demands a salt of exactly 32 bytes and a signature below the modulus
    /// (RFC 8017 §8.1.2).
    #[must_use]
    fn pss_verify(&self, modulus: &Modulus, message: &[&[u8]], signature: &[u8; MODULUS_LEN]) -> bool;
}

/// Why a key operation gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// The source of randomness failed.
    Random,
    /// The key is not an RSA-3072 key with e = 65537, or its hardware refused.
    Key,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "the source of randomness failed",
            Self::Key => "not an RSA-3072 key with public exponent 65537",
        })
    }
}

impl core::error::Error for KeyError {}

/// 32 secret bytes: wiped on drop, neither copied nor printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes charge of `bytes`; the caller wipes its own copy.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) const fn as_mut_bytes(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn fingerprint_is_printed_as_ssh_keygen_prints_it() {
        // printf '\0…\0' (32 zero bytes) | base64, without its padding.
        assert_eq!(Fingerprint([0; 32]).to_string(), "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Fingerprint([0xff; 32]).to_string(), "SHA256://////////////////////////////////////////8");
    }

    #[test]
    fn modulus_must_have_exactly_3072_bits_and_be_odd() {
        let mut bytes = [0x11; MODULUS_LEN];
        assert!(Modulus::new(&bytes).is_none());
        bytes[0] = 0x80;
        assert!(Modulus::new(&bytes).is_some());
        bytes[MODULUS_LEN - 1] = 0x10;
        assert!(Modulus::new(&bytes).is_none());
    }
}
