//! Does what an attacker could time depend on a secret? Two classes of input in random order, and Welch's t of their
//! times (Reparaz, Balasch, Verbauwhede: "Dude, is my code constant time?", 2017). docs/testing.md has the results.
//!
//!     cargo bench -p sealcam-core --bench equal_time
//!     EQUAL_TIME=tag:1 valgrind --tool=callgrind BENCH         one class alone, for counting instructions
//!
//! |t| above 4.5 says that the classes differ, below it that so many measurements have not shown it. Never part of CI:
//! a busy machine decides it too. That the same operations are counted is tested (`client/link/tests/equal_work.rs`).
#![cfg(feature = "rsa")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement, run by hand"
)]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant as Clock};

use chacha20::ChaCha20Rng;
use hmac::{Hmac, KeyInit, Mac};
use rand_core::{Rng, SeedableRng};
use sealcam_core::client::Client;
use sealcam_core::config::{ClientConfig, Padding, ServerConfig};
use sealcam_core::key::{CameraKey, DisplayKey, Fingerprint, KeyError, MODULUS_LEN, Modulus, RsaPublic};
use sealcam_core::output::{Opened, Output};
use sealcam_core::rsa::PrivateKey;
use sealcam_core::server::Server;
use sealcam_core::time::Instant;
use sha2::Sha256;
use subtle::Choice;

/// RSA that costs nothing and says yes: it is not what is measured here.
struct NoRsa(Modulus, bool);

impl CameraKey for NoRsa {
    fn id(&self) -> Fingerprint {
        self.0.fingerprint()
    }

    fn pss_sign(&mut self, _message: &[&[u8]], signature: &mut [u8; MODULUS_LEN]) -> Result<(), KeyError> {
        signature.fill(1);
        Ok(())
    }
}

impl DisplayKey for NoRsa {
    fn modulus(&self) -> &Modulus {
        &self.0
    }

    fn oaep_decrypt(&mut self, ciphertext: &[u8; MODULUS_LEN], out: &mut [u8; 32]) -> Choice {
        out.copy_from_slice(&ciphertext[..32]);
        Choice::from(u8::from(self.1))
    }
}

impl RsaPublic for NoRsa {
    fn oaep_encrypt(
        &mut self,
        _modulus: &Modulus,
        message: &[u8; 32],
        ciphertext: &mut [u8; MODULUS_LEN],
    ) -> Result<(), KeyError> {
        ciphertext[..32].copy_from_slice(message);
        Ok(())
    }

    fn pss_verify(&self, _modulus: &Modulus, _message: &[&[u8]], _signature: &[u8; MODULUS_LEN]) -> bool {
        true
    }
}

type Display = Server<'static, ChaCha20Rng, NoRsa, 1>;
type Camera = Client<'static, ChaCha20Rng, NoRsa, NoRsa>;

const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 40_000);
const TO: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5000);

/// A camera and a display, and the point that they have come to.
struct Pair {
    now: Instant,
    display: Display,
    camera: Camera,
    moduli: [Modulus; 2],
    /// Datagrams of this type do not reach the camera.
    deaf_for: Option<u8>,
}

fn modulus(pem: &[u8]) -> Modulus {
    *PrivateKey::read_pem(pem).unwrap().modulus()
}

impl Pair {
    fn new(seed: u64, moduli: [Modulus; 2]) -> Self {
        let [of_display, of_camera] = moduli;
        let config = ServerConfig {
            modulus: of_display,
            frame_capacity: 1152,
            receive_buffer: 0,
            budget: Duration::ZERO,
            padding: Padding::Chunk,
        };
        let rng = |salt| ChaCha20Rng::seed_from_u64(seed * 2 + salt);
        let rsa = || NoRsa(of_camera, true);
        // Lent for good: few pairs are made.
        let store = vec![0; Display::store_len(1152)].leak();
        let mut display = Server::new(config, store, rng(0), rsa(), Instant::ZERO).unwrap();
        assert!(display.enrol(&of_camera));
        let config = ClientConfig {
            display: of_display.fingerprint(),
            address: Some(TO),
            frame_capacity: 1152,
            frame_interval: Duration::ZERO,
            padding: Padding::Chunk,
            constant_size: 0,
        };
        let store = vec![0; 2 * 1152].leak();
        let camera = Client::new(config, store, rng(1), rsa(), rsa(), Instant::ZERO).unwrap();
        Self { now: Instant::ZERO, display, camera, moduli, deaf_for: None }
    }

    /// What the camera says next, until it waits.
    fn said(&mut self) -> Vec<Vec<u8>> {
        let (mut said, mut buf) = (Vec::new(), [0; 1200]);
        loop {
            match self.camera.poll(self.now, &mut buf) {
                Output::Transmit(sent) => said.push(buf[..sent.len].to_vec()),
                Output::Wait(_) => return said,
                _ => {}
            }
        }
    }

    /// Up to the camera's first datagram of this kind, which the display has not seen.
    fn up_to(&mut self, kind: u8) -> Vec<u8> {
        for _ in 0..10 {
            for mut datagram in self.said() {
                if datagram[0] == kind {
                    return datagram;
                }
                self.display.handle_datagram(self.now, FROM, &mut datagram).unwrap();
            }
            if let Some(opened) = self.answered(true) {
                self.display.complete(self.now, opened);
            }
        }
        panic!("nothing of kind {kind:#x}");
    }

    /// Lets the display answer; the private operation's result, if one was asked for, which finds this.
    fn answered(&mut self, valid: bool) -> Option<Opened> {
        let (mut opened, mut buf) = (None, [0; 1200]);
        loop {
            match self.display.poll(self.now, &mut buf) {
                Output::Transmit(_) if self.deaf_for == Some(buf[0]) => {}
                Output::Transmit(sent) => {
                    let _dropped = self.camera.handle_datagram(self.now, TO, &mut buf[..sent.len]);
                }
                Output::Decrypt(ticket) => opened = Some(ticket.open(&mut NoRsa(self.moduli[0], valid))),
                Output::Event(_) => {}
                Output::Wait(_) if opened.is_none() => return None,
                Output::Wait(_) => return opened,
            }
        }
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().into()
}

/// One kind of thing to time: prepares an input of a class and returns how long it took, in nanoseconds.
type Subject = Box<dyn FnMut(bool) -> f64>;

/// How such a thing is made.
type Make = fn([Modulus; 2]) -> Subject;

fn timed<T>(act: impl FnOnce() -> T) -> f64 {
    let began = Clock::now();
    let result = black_box(act());
    let took = began.elapsed();
    drop(black_box(result));
    took.as_nanos() as f64
}

/// A tag that is wrong in its first byte or in its last.
fn tag(moduli: [Modulus; 2]) -> Subject {
    let mut pair = Pair::new(1, moduli);
    let packet = pair.up_to(0x10);
    let len = packet.len();
    Box::new(move |last| {
        let mut forged = packet.clone();
        forged[len - if last { 1 } else { 10 }] ^= 1;
        timed(|| pair.display.handle_datagram(pair.now, FROM, &mut forged).err())
    })
}

/// A cookie that is wrong in its first byte (behind the window's) or in its last.
fn cookie(moduli: [Modulus; 2]) -> Subject {
    let mut pair = Pair::new(2, moduli);
    let key = pair.up_to(0x03);
    let mac1_key = hmac(&moduli[0].fingerprint().0, b"scl1 mac1");
    let wrong = [45, 75].map(|byte| {
        let mut key = key.clone();
        key[byte] ^= 1;
        let mac1 = hmac(&mac1_key, &key[..916]);
        key[916..].copy_from_slice(&mac1[..16]);
        key
    });
    Box::new(move |last| {
        let mut key = wrong[usize::from(last)].clone();
        timed(|| pair.display.handle_datagram(pair.now, FROM, &mut key).err())
    })
}

/// A key transport that opened or one that did not: rule 9's choice, and all that follows up to ACCEPT.
fn rejection(moduli: [Modulus; 2]) -> Subject {
    let mut pair = Pair { deaf_for: Some(0x04), ..Pair::new(3, moduli) };
    Box::new(move |valid| {
        // The handshake is let go and begun anew: one in three seconds is allowed, and none is kept for ten.
        pair.now += Duration::from_secs(4);
        loop {
            for mut datagram in pair.said() {
                let _dropped = pair.display.handle_datagram(pair.now, FROM, &mut datagram);
            }
            if let Some(opened) = pair.answered(valid) {
                return timed(|| pair.display.complete(pair.now, opened));
            }
            pair.now += Duration::from_millis(500);
        }
    })
}

/// Welch's t of two classes, each given as count, mean and sum of squared differences (Welford 1962).
#[derive(Default, Clone, Copy)]
struct Class {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Class {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.squares += off * (value - self.mean);
    }

    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

fn measure(name: &str, mut subject: Subject, rounds: usize) {
    let mut dice = ChaCha20Rng::seed_from_u64(9);
    let mut times: Vec<(bool, f64)> = Vec::with_capacity(rounds);
    for round in 0..rounds + rounds / 10 {
        let class = dice.next_u32() & 1 == 1;
        let took = subject(class);
        // The first tenth warms caches up.
        if round >= rounds / 10 {
            times.push((class, took));
        }
    }
    // What an interrupt fell into says nothing: also without the slowest tenth, as dudect crops.
    let mut sorted: Vec<f64> = times.iter().map(|(_, took)| *took).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    for (what, share) in [("all", 1.0), ("90 %", 0.9), ("50 %", 0.5)] {
        let limit = sorted[((sorted.len() - 1) as f64 * share) as usize];
        let mut classes = [Class::default(); 2];
        let kept = times.iter().filter(|(_, took)| *took <= limit);
        kept.for_each(|(class, took)| classes[usize::from(*class)].add(*took));
        let [a, b] = classes;
        let t = (a.mean - b.mean) / (a.error() + b.error()).sqrt();
        println!("{name:10} {what:5} {:9.1} and {:9.1} ns, t = {t:6.2}", a.mean, b.mean);
    }
}

fn main() {
    let moduli = [
        modulus(include_bytes!("../tests/data/TEST-ONLY-display-key.pem")),
        modulus(include_bytes!("../tests/data/TEST-ONLY-camera-key.pem")),
    ];
    let subjects: [(&str, Make, usize); 3] =
        [("tag", tag, 1_000_000), ("cookie", cookie, 1_000_000), ("rejection", rejection, 100_000)];
    // One class alone, so often: what is around it costs the same in both.
    if let Ok(wanted) = std::env::var("EQUAL_TIME") {
        let (wanted, class) = wanted.split_once(':').unwrap();
        let (_, subject, _) = subjects.iter().find(|(name, ..)| *name == wanted).unwrap();
        let mut subject = subject(moduli);
        for _ in 0..200 {
            black_box(subject(class == "1"));
        }
        return;
    }
    let divisor = std::env::var("EQUAL_TIME_DIVISOR").map_or(1, |value| value.parse().unwrap());
    for (name, subject, rounds) in subjects {
        println!("{name}: {} measurements", rounds / divisor);
        measure(name, subject(moduli), rounds / divisor);
    }
}
