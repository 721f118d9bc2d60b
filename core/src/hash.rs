//! SHA-256, HMAC-SHA-256 and HKDF in the shapes that the protocol uses; no choice of primitive lies anywhere else.
//!
//! Source: docs/protocol.md §1 and §6; RFC 2104, RFC 5869, RFC 8446 §7.1 (label framing).

use hkdf::Hkdf;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

use crate::key::Secret;

/// A keyed HMAC-SHA-256 that has seen no message yet: clone it per message.
pub(crate) type KeyedMac = Hmac<Sha256>;

/// SHA-256 of the concatenation of `parts`.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    #[cfg(test)]
    crate::work::count(|work| work.hashes += 1);
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HMAC-SHA-256 keyed with 32 bytes.
pub(crate) fn keyed_mac(key: &[u8; 32]) -> KeyedMac {
    #[cfg(test)]
    crate::work::count(|work| work.macs += 1);
    // A key shorter than the hash's block is filled up with zeros (RFC 2104 §2).
    let mut block = Key::<KeyedMac>::default();
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mac = KeyedMac::new(&block);
    block.zeroize();
    mac
}

/// HMAC-SHA-256 of the concatenation of `parts`.
pub(crate) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed_mac(key);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The first `N` ≤ 32 bytes of the HMAC, for the places where the wire carries fewer.
pub(crate) fn hmac_prefix<const N: usize>(key: &[u8; 32], parts: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= 32, "an HMAC-SHA-256 has 32 bytes") };
    let full = hmac(key, parts);
    full.first_chunk().copied().unwrap_or([0; N])
}

/// Whether two byte strings are equal, in a time that depends on their lengths alone.
pub(crate) fn equal(a: &[u8], b: &[u8]) -> Choice {
    a.ct_eq(b)
}

/// HKDF-Extract (RFC 5869 §2.2).
pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Secret {
    #[cfg(test)]
    crate::work::count(|work| work.macs += 1);
    let (mut prk, _) = Hkdf::<Sha256>::extract(Some(salt), ikm);
    let secret = Secret::new(prk.into());
    prk.zeroize();
    secret
}

/// HKDF-Expand (RFC 5869 §2.3) of the concatenation of `info`.
pub(crate) fn expand<const N: usize>(prk: &[u8; 32], info: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= 255 * 32, "HKDF-SHA-256 gives at most 255 blocks") };
    #[cfg(test)]
    crate::work::count(|work| work.macs += 1);
    let mut okm = [0; N];
    let Ok(hkdf) = Hkdf::<Sha256>::from_prk(prk) else { unreachable!("32 bytes are a key") };
    let Ok(()) = hkdf.expand_multi_info(info, &mut okm) else { unreachable!("checked when compiled") };
    okm
}

/// `XL` of docs/protocol.md §6: HKDF-Expand with TLS 1.3's label framing and the prefix `scl1 `.
pub(crate) fn expand_label<const N: usize>(secret: &Secret, label: &[u8], context: &[u8]) -> [u8; N] {
    expand_framed(secret, b"scl1 ", label, context)
}

/// [`expand_label`] as a new secret.
pub(crate) fn derive(secret: &Secret, label: &[u8], context: &[u8]) -> Secret {
    Secret::new(expand_label(secret, label, context))
}

fn expand_framed<const N: usize>(secret: &Secret, prefix: &[u8], label: &[u8], context: &[u8]) -> [u8; N] {
    let len = u16::try_from(N).unwrap_or(u16::MAX).to_be_bytes();
    let label_len = u8::try_from(prefix.len() + label.len()).unwrap_or(u8::MAX);
    let context_len = u8::try_from(context.len()).unwrap_or(u8::MAX);
    expand(secret.as_bytes(), &[&len, &[label_len], prefix, label, &[context_len], context])
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::String;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn label_framing_is_that_of_tls_1_3() {
        // RFC 8448 §3: the early secret without a PSK, and "derived" of it over the empty transcript.
        let early = extract(&[0; 32], &[0; 32]);
        assert!(hex(early.as_bytes()).starts_with("33ad0a1c607ec03b09e6cd9893680ce2"));
        let derived: [u8; 32] = expand_framed(&early, b"tls13 ", b"derived", &sha256(&[]));
        assert!(hex(&derived).starts_with("6f2615a108c702c5678f54fc9dbab697"));
    }

    #[test]
    fn hmac_agrees_with_rfc_4231_case_2() {
        // Its key, "Jefe", is filled up with zeros, as HMAC itself does.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mac = hmac(&key, &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
