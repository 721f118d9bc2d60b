//! RSA in software: the key traits of [`crate::key`] over the `rsa` crate.
//!
//! The only part of this crate that allocates; a device with a secure element leaves the feature `rsa` out and
//! implements the traits itself. Keys as PEM text are in [`PrivateKey::read_pem`] and [`PrivateKey::write_pem`];
//! files, their modes and their names are not known here. Sources: docs/protocol.md §1 (parameters) and §13.
//!
//! What the `rsa` crate (0.10.0-rc.20) demands of whoever calls it, and gets here:
//!
//! * Without its feature `getrandom` (absent, so that nothing here asks an operating system) `decrypt` and `sign`
//!   do not blind. Only the calls that are given a generator are made: `decrypt_blinded`, `…_sign_…_with_rng`.
//! * Those calls take generators that cannot fail. Each operation therefore first draws 32 bytes from the
//!   caller's source, which may, and runs on a ChaCha20 generator seeded with them.
//! * `pss::VerifyingKey::new` demands a salt of exactly 32 bytes; `new_with_auto_salt_len` would take any.
//! * Intermediates of its CRT arithmetic and copies made while it parses, generates or encodes a key are not
//!   wiped by it, nor is a second copy of the prime p that it keeps beside qinv. What is wiped here is what is owned
//!   here: seeds, plaintexts, PEM text, DER, and the rest of the key.

mod pem;

use alloc::{boxed::Box, vec, vec::Vec};

use chacha20::ChaCha20Rng;
use rand_core::{SeedableRng, TryCryptoRng};
use rsa::{
    BoxedUint, Oaep, RsaPrivateKey, RsaPublicKey,
    pss::{Signature, SigningKey, VerifyingKey},
    signature::{DigestVerifier, RandomizedDigestSigner},
    traits::PublicKeyParts,
};
use sha2::{Digest, Sha256};
use subtle::Choice;
use zeroize::Zeroizing;

pub use self::pem::{PEM_MAX, PemError};
use crate::key::{CameraKey, DisplayKey, Fingerprint, KeyError, MODULUS_LEN, Modulus, OAEP_LABEL, RsaPublic};

/// Bits of every modulus, and the public exponent of every key (docs/protocol.md §1).
const MODULUS_BITS: u32 = 3072;
const EXPONENT: u64 = 65537;

/// A private RSA-3072 key with e = 65537 that has no role yet.
///
/// It becomes a display's or a camera's key by value, so that no key ever both decrypts and signs.
/// Wiped on drop, neither copied nor printed.
pub struct PrivateKey {
    key: RsaPrivateKey,
    modulus: Modulus,
}

impl PrivateKey {
    /// Makes a new key. Takes about a second on a desktop processor and many on a small one.
    ///
    /// # Errors
    /// [`KeyError::Random`] if `rng` failed; nothing was made.
    pub fn generate(rng: &mut impl TryCryptoRng) -> Result<Self, KeyError> {
        let mut rng = seeded(rng)?;
        let key = RsaPrivateKey::new_with_exp(&mut rng, MODULUS_LEN * 8, BoxedUint::from(EXPONENT))
            .map_err(|_| KeyError::Key)?;
        Self::from_valid(key)
    }

    /// The public modulus.
    #[must_use]
    pub const fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// Makes it a display's key. Each decryption draws 32 bytes from `rng` for its blinding.
    #[must_use]
    pub fn into_display_key<R: TryCryptoRng>(self, rng: R) -> SoftwareDisplayKey<R> {
        SoftwareDisplayKey { key: self.key, modulus: self.modulus, rng }
    }

    /// Makes it a camera's key. Each signature draws 32 bytes from `rng` for its salt and its blinding.
    #[must_use]
    pub fn into_camera_key<R: TryCryptoRng>(self, rng: R) -> SoftwareCameraKey<R> {
        SoftwareCameraKey { id: self.modulus.fingerprint(), key: SigningKey::new(self.key), rng }
    }

    /// Takes charge of a key that the `rsa` crate has found consistent, if it has the one size and exponent.
    fn from_valid(mut key: RsaPrivateKey) -> Result<Self, KeyError> {
        // Done already wherever it can be; without it the crate would silently fall back to the slow path.
        key.precompute().map_err(|_| KeyError::Key)?;
        let modulus = <&[u8; MODULUS_LEN]>::try_from(&*key.n_bytes())
            .ok()
            .and_then(Modulus::new)
            .ok_or(KeyError::Key)?;
        if *key.e() != BoxedUint::from(EXPONENT) {
            return Err(KeyError::Key);
        }
        Ok(Self { key, modulus })
    }
}

/// A display's private key in this machine's memory. Wiped on drop, neither copied nor printed.
pub struct SoftwareDisplayKey<R> {
    key: RsaPrivateKey,
    modulus: Modulus,
    rng: R,
}

impl<R: TryCryptoRng> DisplayKey for SoftwareDisplayKey<R> {
    fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// Also false, with nothing done, if the source of randomness failed: an unblinded operation is none.
    ///
    /// The same 32 bytes are allocated and copied whether or not the ciphertext opened. What remains visible to
    /// someone who can time this thread to the nanosecond: the crate returns its verdict by a branch, after the
    /// padding was checked without one. That is why this is only called on what an enrolled camera signed.
    fn oaep_decrypt(&mut self, ciphertext: &[u8; MODULUS_LEN], out: &mut [u8; 32]) -> Choice {
        let Ok(mut rng) = seeded(&mut self.rng) else { return Choice::from(0) };
        let opened =
            decrypt_oaep(&self.key, &mut rng, OAEP_LABEL, ciphertext).filter(|it| it.len() == out.len());
        let valid = Choice::from(u8::from(opened.is_some()));
        let plaintext = opened.unwrap_or_else(|| Zeroizing::new(vec![0; out.len()]));
        for (to, from) in out.iter_mut().zip(plaintext.iter()) {
            *to = *from;
        }
        valid
    }
}

/// A camera's private key in this machine's memory. Wiped on drop, neither copied nor printed.
pub struct SoftwareCameraKey<R> {
    key: SigningKey<Sha256>,
    id: Fingerprint,
    rng: R,
}

impl<R: TryCryptoRng> CameraKey for SoftwareCameraKey<R> {
    fn id(&self) -> Fingerprint {
        self.id
    }

    fn pss_sign(&mut self, message: &[&[u8]], signature: &mut [u8; MODULUS_LEN]) -> Result<(), KeyError> {
        let mut rng = seeded(&mut self.rng)?;
        let signed: Box<[u8]> = self
            .key
            .try_sign_digest_with_rng(&mut rng, |digest: &mut Sha256| {
                message.iter().for_each(|part| digest.update(part));
                Ok(())
            })
            .map_err(|_| KeyError::Key)?
            .into();
        *signature = <[u8; MODULUS_LEN]>::try_from(&*signed).map_err(|_| KeyError::Key)?;
        Ok(())
    }
}

/// The public-key operations in software. Each encryption draws 32 bytes from `rng` for its seed.
pub struct SoftwareRsa<R> {
    rng: R,
}

impl<R: TryCryptoRng> SoftwareRsa<R> {
    /// Takes the source of randomness for encryptions.
    #[must_use]
    pub const fn new(rng: R) -> Self {
        Self { rng }
    }
}

impl<R: TryCryptoRng> RsaPublic for SoftwareRsa<R> {
    fn oaep_encrypt(
        &mut self,
        modulus: &Modulus,
        message: &[u8; 32],
        ciphertext: &mut [u8; MODULUS_LEN],
    ) -> Result<(), KeyError> {
        let mut rng = seeded(&mut self.rng)?;
        let sealed = public_key(modulus)?
            .encrypt(&mut rng, Oaep::<Sha256>::new_with_label(OAEP_LABEL), message)
            .map_err(|_| KeyError::Key)?;
        *ciphertext = <[u8; MODULUS_LEN]>::try_from(&*sealed).map_err(|_| KeyError::Key)?;
        Ok(())
    }

    fn pss_verify(&self, modulus: &Modulus, message: &[&[u8]], signature: &[u8; MODULUS_LEN]) -> bool {
        let Ok(key) = public_key(modulus) else { return false };
        let Ok(signature) = Signature::try_from(signature.as_slice()) else { return false };
        VerifyingKey::<Sha256>::new(key)
            .verify_digest(
                |digest: &mut Sha256| {
                    message.iter().for_each(|part| digest.update(part));
                    Ok(())
                },
                &signature,
            )
            .is_ok()
    }
}

/// A generator that cannot fail, seeded from one that can. It wipes itself on drop.
fn seeded(rng: &mut impl TryCryptoRng) -> Result<ChaCha20Rng, KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.try_fill_bytes(seed.as_mut_slice()).map_err(|_| KeyError::Random)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

/// RSAES-OAEP-DECRYPT with SHA-256, MGF1-SHA-256, any label and any length of message (RFC 8017 §7.1.2).
fn decrypt_oaep(
    key: &RsaPrivateKey,
    rng: &mut ChaCha20Rng,
    label: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    key.decrypt_blinded(rng, Oaep::<Sha256>::new_with_label(label), ciphertext).ok().map(Zeroizing::new)
}

fn public_key(modulus: &Modulus) -> Result<RsaPublicKey, KeyError> {
    let modulus = BoxedUint::from_be_slice(modulus.as_bytes(), MODULUS_BITS).map_err(|_| KeyError::Key)?;
    RsaPublicKey::new(modulus, BoxedUint::from(EXPONENT)).map_err(|_| KeyError::Key)
}

#[cfg(test)]
mod tests;
