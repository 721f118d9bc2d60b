//! What the attacker does, read from the input: a first byte for the state in which it begins, the padding, and whether
//! the two are to be paired; then one step after another. `victim` is the side that gets what the attacker makes; the
//! other one is its honest peer, whose keys the attacker has for as long as there is a session.

use hmac::{Hmac, KeyInit, Mac};
use sealcam_core::CaptureState;
use sealcam_core::client::Capture;
use sealcam_core::config::Padding;
use sealcam_core::key::{CameraKey, Fingerprint, MODULUS_LEN};
use sha2::{Digest, Sha256};

use crate::input::Input;
use crate::keys::{CameraStandIn, modulus, signed};
use crate::pair::{CAMERA, DISPLAY, Pair, Role, STRANGER, Stores};

/// Steps of an input that are carried out, and rounds of honest delivery in all of them.
const MAX_STEPS: u32 = 64;
const MAX_ROUNDS: u32 = 200;
/// Where KEY's camera id begins, and its signature (docs/protocol.md §3.3).
const KEY_CAMERA: usize = 500;
const KEY_AUTH: usize = 532;
const KEY_LEN: usize = 932;

/// Runs one input against one side.
pub fn run(victim: Role, input: &[u8]) {
    let mut stores: Box<Stores> = Box::new(([0; _], [0; _]));
    let mut input = Input::new(input);
    let first = input.byte();
    let padding = [Padding::Chunk, Padding::Bucket, Padding::Constant][usize::from(first >> 4 & 7) % 3];
    let pair = Pair::new(&mut stores, padding, first & 0x80 != 0);
    let mut script = Script { pair, victim, rounds: MAX_ROUNDS };
    script.begin(first & 0x0F);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        script.step(&mut input);
    }
}

struct Script<'a> {
    pair: Pair<'a>,
    victim: Role,
    rounds: u32,
}

impl Script<'_> {
    /// So many rounds of a handshake and of what follows it; the last begin with a stream, or with keys due for change.
    fn begin(&mut self, state: u8) {
        self.pair.poll_both();
        self.go(u32::from(state.min(12)), 1000);
        if state >= 13 {
            self.pair.send_frame(5000);
            self.pair.poll_both();
        }
        match state {
            14 => self.go(2, 10_000),
            15 => self.go(160, 4_000_000),
            _ => {}
        }
    }

    /// So many rounds in which everything arrives, so far apart.
    fn go(&mut self, rounds: u32, micros: u64) {
        for _ in 0..rounds.min(self.rounds) {
            self.pair.deliver();
            self.pair.wait(micros);
            self.pair.poll_both();
        }
        self.rounds = self.rounds.saturating_sub(rounds);
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let victim = self.victim;
        match input.byte() % 16 {
            0 => {
                let (rounds, apart) = (input.byte(), input.byte());
                self.go(u32::from(rounds % 16) + 1, span(apart));
            }
            1 => {
                let (span, times) = (span(input.byte()), u64::from(input.byte()) + 1);
                self.pair.wait(span * times);
                self.pair.poll_both();
            }
            2 => {
                let from = self.address(input.byte());
                let len = input.word();
                let datagram = input.bytes(len).to_vec();
                self.pair.give(victim, from, datagram);
            }
            3 | 4 => self.sealed(input),
            5 | 6 => self.patched(input),
            7 => {
                let len = input.word() % 1300;
                if let Some(mut datagram) = self.pair.mail(victim).pop_front() {
                    datagram.resize(len, 0);
                    let from = self.address(0);
                    self.pair.give(victim, from, datagram);
                }
            }
            8 => self.next(|_| ()),
            9 => {
                let _lost = self.pair.mail(victim).pop_front();
            }
            10 => {
                let (at, from) = (usize::from(input.byte()), input.byte());
                let from = self.address(from);
                let datagram = self.pair.seen.iter().rev().nth(at).cloned();
                self.pair.give(victim, from, datagram.unwrap_or_default());
            }
            11 => {
                let to = if input.byte() & 1 == 0 { Role::Camera } else { Role::Display };
                let mail = self.pair.mail(to);
                let by = usize::from(input.byte()).min(mail.len());
                mail.rotate_left(by);
            }
            12 => {
                self.pair.send_frame(input.word() % 10_000);
                self.pair.poll_both();
            }
            13 => self.pair.work(),
            14 => self.call(input),
            _ => self.pair.deliver(),
        }
    }

    /// The next datagram for the victim arrives, as `change` leaves it.
    fn next(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(mut datagram) = self.pair.mail(self.victim).pop_front() {
            change(&mut datagram);
            let from = self.address(0);
            self.pair.give(self.victim, from, datagram);
        }
    }

    /// The peer says something that it would never say, under its own keys.
    fn sealed(&mut self, input: &mut Input<'_>) {
        let (how, len) = (input.byte(), input.word() % 1200);
        let mut plaintext = input.bytes(len.min(usize::from(u8::MAX))).to_vec();
        if how & 1 != 0 {
            plaintext.resize(plaintext.len().max(len), 0);
        }
        let (now, mut packet) = (self.pair.now(), [0; 1200]);
        let sealed = match self.victim {
            Role::Display => self.pair.camera.seal_anything(now, &plaintext, &mut packet),
            Role::Camera => self.pair.display.seal_anything(now, &plaintext, &mut packet),
        };
        let Some(len) = sealed else { return };
        self.pair.camera_is_taken |= self.victim == Role::Display;
        let from = self.address(how >> 1 & 1);
        self.pair.give(self.victim, from, packet[..len].to_vec());
    }

    /// The next datagram has some bytes changed; a handshake's may be given the right MAC, and a signature.
    fn patched(&mut self, input: &mut Input<'_>) {
        let (how, at, len) = (input.byte(), input.word(), usize::from(input.byte()) % 48 + 1);
        let bytes = input.bytes(len);
        self.next(|datagram| {
            let at = at % datagram.len().max(1);
            datagram.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to ^= from);
            if how & 1 != 0 && datagram.len() == KEY_LEN {
                sign(datagram);
            }
            if how & 2 != 0 {
                add_mac1(datagram);
            }
        });
    }

    /// What the programs call besides.
    fn call(&mut self, input: &mut Input<'_>) {
        let now = self.pair.now();
        let camera = CameraStandIn(modulus(2)).id();
        let Pair { camera: client, display: server, random_fails, .. } = &mut self.pair;
        match input.byte() % 15 {
            0 => random_fails.set(!random_fails.get()),
            1 => client.close(now),
            2 => server.close(now),
            3 => client.slept(now),
            4 => server.slept(),
            5 => server.strike(now, &camera),
            6 => {
                let _full = server.enrol(&modulus(input.byte()));
            }
            7 => client.set_display_address(now, STRANGER),
            8 => client.set_display_address(now, DISPLAY),
            9 => client.set_display(now, modulus(input.byte() % 4).fingerprint(), Some(DISPLAY)),
            10 => {
                let state =
                    if input.byte() & 1 == 0 { CaptureState::Capturing } else { CaptureState::NoCamera };
                client
                    .set_capture(now, Capture { state, fps_x10: 300, frames_captured: 1, frames_skipped: 0 });
            }
            11 => {
                let _nobody = server.accept_pairing(now);
            }
            12 => server.close_pairing(now),
            13 => {
                let _busy = server.open_pairing(now);
            }
            _ => {
                let _looked =
                    (client.stats(), server.stats(), server.connected().count(), server.pairing_camera());
            }
        }
        self.pair.poll_both();
    }

    /// Where a datagram for the victim comes from: its peer, or a stranger.
    const fn address(&self, how: u8) -> std::net::SocketAddr {
        match (how & 1, self.victim) {
            (0, Role::Camera) => DISPLAY,
            (0, Role::Display) => CAMERA,
            _ => STRANGER,
        }
    }
}

/// Microseconds.
fn span(byte: u8) -> u64 {
    [1000, 5, 10_000, 33_000, 250_000, 1_000_000, 4_000_000, 60_000_000][usize::from(byte % 8)]
}

/// The right `mac1` for whatever stands before it: the attacker knows the display's fingerprint.
fn add_mac1(datagram: &mut [u8]) {
    let Some((covered, mac1)) = datagram.split_last_chunk_mut::<16>() else { return };
    let key = hmac(&display().0, b"scl1 mac1");
    mac1.copy_from_slice(&hmac(&key, covered)[..16]);
}

/// The signature of whichever camera a KEY names, if it is one that the display knows.
fn sign(key: &mut [u8]) {
    let named: Option<[u8; 32]> = key.get(KEY_CAMERA..KEY_AUTH).and_then(|id| id.try_into().ok());
    let other = modulus(3);
    let camera = if named == Some(other.fingerprint().0) { other } else { modulus(2) };
    let covered = key.get(..KEY_AUTH).unwrap_or_default();
    // docs/protocol.md §6: `th1`, and what a camera signs of it.
    let th1 = Sha256::new().chain_update(b"scl1 th1").chain_update(display().0).chain_update(covered);
    let th1: [u8; 32] = th1.finalize().into();
    let signature = signed(&camera, &[b"scl1 client auth v1\0", &th1]);
    if let Some(place) = key.get_mut(KEY_AUTH..KEY_AUTH + MODULUS_LEN) {
        place.copy_from_slice(&signature);
    }
}

fn display() -> Fingerprint {
    modulus(1).fingerprint()
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
