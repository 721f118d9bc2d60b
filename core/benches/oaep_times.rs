//! How long each OAEP decryption takes, for the Marvin toolkit (github.com/tomato42/marvin-toolkit), which makes
//! ciphertexts of many classes in random order and tells whether their times differ. docs/testing.md has what it found.
//!
//!     MARVIN=DIR cargo bench -p sealcam-core --bench oaep_times
//!
//! reads `DIR/ciphers.bin`, ciphertexts of 384 bytes for the tests' display key, and writes `DIR/raw_times.csv` in
//! nanoseconds. What is timed is the display's private operation as `Ticket::open` calls it: blinded, with whatever
//! became of it in a `Choice`. Never part of CI: a busy machine decides it too.
#![cfg(feature = "rsa")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a measurement, run by hand")]

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant as Clock;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use sealcam_core::key::{DisplayKey, MODULUS_LEN};
use sealcam_core::rsa::PrivateKey;

/// Operations before the first that counts, so that caches are warm and the processor is awake.
const WARM_UP: usize = 200;

fn main() {
    let Some(folder) = std::env::var_os("MARVIN").map(PathBuf::from) else {
        println!("oaep_times: MARVIN=DIR names the folder with ciphers.bin; nothing was done.");
        return;
    };
    let pem = include_bytes!("../tests/data/TEST-ONLY-display-key.pem");
    let mut key =
        PrivateKey::read_pem(pem.as_slice()).unwrap().into_display_key(ChaCha20Rng::seed_from_u64(1));
    let ciphers = fs::read(folder.join("ciphers.bin")).unwrap();
    let (ciphers, rest) = ciphers.as_chunks::<MODULUS_LEN>();
    assert!(!ciphers.is_empty() && rest.is_empty(), "ciphertexts of {MODULUS_LEN} bytes");
    let mut times = String::from("raw times\n");
    for ciphertext in ciphers.iter().take(WARM_UP) {
        black_box(key.oaep_decrypt(ciphertext, &mut [0; 32]));
    }
    for ciphertext in ciphers {
        let mut out = [0; 32];
        let began = Clock::now();
        let valid = black_box(key.oaep_decrypt(black_box(ciphertext), &mut out));
        let took = began.elapsed().as_nanos();
        black_box((valid, out));
        writeln!(times, "{took}").unwrap();
    }
    fs::write(folder.join("raw_times.csv"), times).unwrap();
    println!("{} decryptions: {}", ciphers.len(), folder.join("raw_times.csv").display());
}
