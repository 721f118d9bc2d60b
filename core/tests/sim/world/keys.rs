//! Keys, randomness that can be made to fail, and RSA that is counted.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use sealcam_core::key::{DisplayKey, KeyError, MODULUS_LEN, Modulus, RsaPublic};
use sealcam_core::rsa::{PrivateKey, SoftwareDisplayKey, SoftwareRsa};
use subtle::Choice;

/// Which of the test keys; they are public and must never serve anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pem {
    Display,
    Camera,
    Camera2,
}

impl Pem {
    pub(crate) fn read(self) -> PrivateKey {
        let text: &[u8] = match self {
            Self::Display => include_bytes!("../../data/TEST-ONLY-display-key.pem"),
            Self::Camera => include_bytes!("../../data/TEST-ONLY-camera-key.pem"),
            Self::Camera2 => include_bytes!("../../data/TEST-ONLY-camera2-key.pem"),
        };
        PrivateKey::read_pem(text).unwrap()
    }
}

/// A generator of its own for one object.
pub(crate) fn rng(dice: &mut ChaCha20Rng) -> ChaCha20Rng {
    let mut seed = [0; 32];
    dice.fill_bytes(&mut seed);
    ChaCha20Rng::from_seed(seed)
}

/// What a [`Source`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    Failing,
    /// Always this byte.
    Constant(u8),
}

/// A source of randomness whose mood the test holds.
pub(crate) struct Source {
    inner: ChaCha20Rng,
    mood: Rc<Cell<Mood>>,
}

impl Source {
    pub(crate) fn new(dice: &mut ChaCha20Rng, mood: &Rc<Cell<Mood>>) -> Self {
        Self { inner: rng(dice), mood: Rc::clone(mood) }
    }
}

#[derive(Debug)]
pub(crate) struct SourceFailed;

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
        match self.mood.get() {
            Mood::Good => self.inner.fill_bytes(bytes),
            Mood::Failing => return Err(SourceFailed),
            Mood::Constant(byte) => bytes.fill(byte),
        }
        Ok(())
    }
}

impl TryCryptoRng for Source {}

/// The display's private operation, counted where it is done.
pub(crate) struct CountedDisplayKey {
    inner: SoftwareDisplayKey<ChaCha20Rng>,
    decrypted: u64,
}

impl CountedDisplayKey {
    pub(crate) fn new(dice: &mut ChaCha20Rng) -> Self {
        Self { inner: Pem::Display.read().into_display_key(rng(dice)), decrypted: 0 }
    }

    /// Private operations done.
    pub(crate) const fn decrypted(&self) -> u64 {
        self.decrypted
    }
}

impl DisplayKey for CountedDisplayKey {
    fn modulus(&self) -> &Modulus {
        self.inner.modulus()
    }

    fn oaep_decrypt(&mut self, ciphertext: &[u8; MODULUS_LEN], out: &mut [u8; 32]) -> Choice {
        self.decrypted += 1;
        self.inner.oaep_decrypt(ciphertext, out)
    }
}

/// The public-key operations, counted: all of them, though a display does no other than verify.
pub(crate) struct CountedRsa {
    inner: SoftwareRsa<ChaCha20Rng>,
    verified: Rc<Cell<u64>>,
}

impl CountedRsa {
    pub(crate) fn new(dice: &mut ChaCha20Rng, verified: &Rc<Cell<u64>>) -> Self {
        Self { inner: SoftwareRsa::new(rng(dice)), verified: Rc::clone(verified) }
    }
}

impl RsaPublic for CountedRsa {
    fn oaep_encrypt(
        &mut self,
        modulus: &Modulus,
        message: &[u8; 32],
        ciphertext: &mut [u8; MODULUS_LEN],
    ) -> Result<(), KeyError> {
        self.verified.set(self.verified.get() + 1);
        self.inner.oaep_encrypt(modulus, message, ciphertext)
    }

    fn pss_verify(&self, modulus: &Modulus, message: &[&[u8]], signature: &[u8; MODULUS_LEN]) -> bool {
        self.verified.set(self.verified.get() + 1);
        self.inner.pss_verify(modulus, message, signature)
    }
}
