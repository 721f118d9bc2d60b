//! Stand-ins for RSA that take no time, and randomness that is the same in every run and fails when told to.
//!
//! An RSA operation takes milliseconds and its arithmetic is another crate's; a run of a target takes less than one.
//! What is "signed" with a stand-in everybody can forge, and the script does so on purpose. `core/tests/sim/hostile.rs`
//! has this file too.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use sealcam_core::key::{CameraKey, DisplayKey, Fingerprint, KeyError, MODULUS_LEN, Modulus, RsaPublic};
use sha2::{Digest, Sha256};
use subtle::Choice;

/// A number of the right form that is nobody's modulus.
pub fn modulus(number: u8) -> Modulus {
    let mut bytes = [number; MODULUS_LEN];
    bytes[0] |= 0x80;
    bytes[MODULUS_LEN - 1] |= 1;
    Modulus::new(&bytes).expect("the right form")
}

/// Ends in a hash of what is in front, so that only a KEY that was made for it opens.
pub struct DisplayStandIn(pub Modulus);

impl DisplayKey for DisplayStandIn {
    fn modulus(&self) -> &Modulus {
        &self.0
    }

    fn oaep_decrypt(&mut self, ciphertext: &[u8; MODULUS_LEN], out: &mut [u8; 32]) -> Choice {
        out.copy_from_slice(&ciphertext[..32]);
        Choice::from(u8::from(*ciphertext == encrypted(&self.0, out)))
    }
}

/// Signs with a hash.
pub struct CameraStandIn(pub Modulus);

impl CameraKey for CameraStandIn {
    fn id(&self) -> Fingerprint {
        self.0.fingerprint()
    }

    fn pss_sign(&mut self, message: &[&[u8]], signature: &mut [u8; MODULUS_LEN]) -> Result<(), KeyError> {
        *signature = signed(&self.0, message);
        Ok(())
    }
}

/// Verifies and encrypts with the same.
pub struct PublicStandIn;

impl RsaPublic for PublicStandIn {
    fn oaep_encrypt(
        &mut self,
        modulus: &Modulus,
        message: &[u8; 32],
        ciphertext: &mut [u8; MODULUS_LEN],
    ) -> Result<(), KeyError> {
        *ciphertext = encrypted(modulus, message);
        Ok(())
    }

    fn pss_verify(&self, modulus: &Modulus, message: &[&[u8]], signature: &[u8; MODULUS_LEN]) -> bool {
        *signature == signed(modulus, message)
    }
}

fn encrypted(modulus: &Modulus, message: &[u8; 32]) -> [u8; MODULUS_LEN] {
    let mut out = [0; MODULUS_LEN];
    out[..32].copy_from_slice(message);
    out[32..64].copy_from_slice(&hash(modulus, &[message]));
    out
}

/// The stand-in's signature.
pub fn signed(modulus: &Modulus, message: &[&[u8]]) -> [u8; MODULUS_LEN] {
    let mut out = [0; MODULUS_LEN];
    out[..32].copy_from_slice(&hash(modulus, message));
    out
}

fn hash(modulus: &Modulus, message: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(modulus.as_bytes());
    message.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// A source of randomness.
pub struct Source {
    inner: ChaCha20Rng,
    fails: Rc<Cell<bool>>,
}

impl Source {
    /// One that gives the same in every run, and fails while `fails`.
    pub fn new(seed: u64, fails: &Rc<Cell<bool>>) -> Self {
        Self { inner: ChaCha20Rng::seed_from_u64(seed), fails: Rc::clone(fails) }
    }
}

/// It fails as told.
#[derive(Debug)]
pub struct SourceFailed;

impl fmt::Display for SourceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no randomness, as told")
    }
}

impl std::error::Error for SourceFailed {}

impl TryRng for Source {
    type Error = SourceFailed;

    fn try_next_u32(&mut self) -> Result<u32, SourceFailed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, SourceFailed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), SourceFailed> {
        if self.fails.get() {
            return Err(SourceFailed);
        }
        self.inner.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Source {}
