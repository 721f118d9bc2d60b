//! What is done to the bytes of a datagram: bits flipped, ends cut off or put on, parts of two put together.

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use sealcam_core::key::Fingerprint;

use crate::world::forge::sign_off;
use crate::world::network::below;

/// HELLO, COOKIE, KEY, ACCEPT, DATA (docs/protocol.md §2), and the lengths of the first four.
pub(super) const TYPES: [u8; 5] = [0x01, 0x02, 0x03, 0x04, 0x10];
const LENGTHS: [usize; 4] = [1200, 476, 932, 108];
/// Where a handshake has its fields (§3): the last ones stand closer together than bits flipped at random would fall.
const FIELDS: [usize; 10] = [0, 1, 3, 4, 36, 44, 76, 80, 496, 500];

/// One to three bits: in a field of a handshake, near either end, or anywhere.
pub(super) fn flip(datagram: &mut [u8], dice: &mut ChaCha20Rng) {
    for _ in 0..=below(dice, 3) {
        let len = datagram.len();
        let at = match below(dice, 4) {
            0 => FIELDS[below(dice, FIELDS.len())].min(len - 1),
            1 => below(dice, len.min(12)),
            2 => len - 1 - below(dice, len.min(16)),
            _ => below(dice, len),
        };
        datagram[at] ^= 1 << below(dice, 8);
    }
}

/// Some bytes fewer or more.
pub(super) fn cut(datagram: &mut Vec<u8>, dice: &mut ChaCha20Rng) {
    let len = match below(dice, 4) {
        0 => datagram.len() - 1,
        1 => datagram.len() + 1 + below(dice, 4),
        2 => datagram.len() + below(dice, 1400),
        _ => below(dice, datagram.len()),
    };
    datagram.resize(len, 0);
}

/// The MAC that whoever knows the display's fingerprint can put under HELLO, COOKIE and KEY.
pub(super) fn sign(datagram: &mut [u8], display: &Fingerprint) {
    let at = TYPES.iter().position(|kind| datagram.first() == Some(kind));
    if at.is_some_and(|at| at < 3 && datagram.len() == LENGTHS[at]) {
        sign_off(display, datagram);
    }
}

/// Puts what makes `host` belong to now into `datagram`, which does not: its CID, or its attempt and its cookie.
pub(super) fn transplant(datagram: &mut [u8], host: &[u8]) {
    let copy = |to: &mut [u8], at: usize, from: usize, len: usize| {
        if let (Some(to), Some(from)) = (to.get_mut(at..at + len), host.get(from..from + len)) {
            to.copy_from_slice(from);
        }
    };
    match (datagram.first(), host.first()) {
        (Some(0x10), Some(0x10)) => copy(datagram, 1, 1, 4),
        (Some(0x02), Some(0x01)) => copy(datagram, 4, 4, 32),
        (Some(0x03), Some(0x02)) => {
            copy(datagram, 4, 4, 32);
            copy(datagram, 44, 44, 32);
        }
        (Some(0x04), Some(0x03)) => copy(datagram, 4, 76, 4),
        _ => {}
    }
}

/// Noise of any length, which may look like a datagram of the protocol.
pub(super) fn noise(dice: &mut ChaCha20Rng) -> Vec<u8> {
    let kind = below(dice, TYPES.len() + 1);
    let len = match LENGTHS.get(kind) {
        Some(len) if below(dice, 4) > 0 => *len,
        _ => below(dice, 1300),
    };
    let mut datagram = vec![0; len];
    dice.fill_bytes(&mut datagram);
    if let (Some(first), Some(kind)) = (datagram.first_mut(), TYPES.get(kind)) {
        *first = *kind;
    }
    datagram
}
