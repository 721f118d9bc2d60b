//! The known answers of docs/protocol.md §18: layouts, key schedule and packets, byte for byte.
//!
//! They were computed from the text by a program in another language before any of this was written, with stand-in
//! values for RSA, X25519 and ML-KEM. A unit test, since it looks at what no caller may see.

extern crate std;

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::handshake::cookie::{Bound, CookieJar};
use crate::handshake::schedule::{self, HandshakeSecret};
use crate::handshake::{DisplayIdentity, initiator};
use crate::hash;
use crate::key::{MODULUS_LEN, Modulus, Secret};
use crate::pairing::{PairKey, PairSecret, SixDigits};
use crate::session::suite::PacketKey;
use crate::time::Instant;
use crate::wire::accept::{self, Accept};
use crate::wire::cookie::{self, Cookie};
use crate::wire::data::{Header, METADATA_LEN};
use crate::wire::hello::{self, Hello};
use crate::wire::key::{self, Auth, Key, Unsigned};
use crate::wire::read::Writer;
use crate::wire::versions::Versions;

const RANDOM: [u8; 32] = [0xA1; 32];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn modulus(filler: u8) -> Modulus {
    let mut bytes = [filler; MODULUS_LEN];
    bytes[0] = 0x80;
    bytes[MODULUS_LEN - 1] = 1;
    Modulus::new(&bytes).unwrap()
}

fn cookie_bytes() -> [u8; 32] {
    let jar = CookieJar::new([0xCC; 32], Instant::ZERO);
    let address = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 40_000));
    let bound = Bound { address, flags: 0, client_random: &RANDOM, offered: &Versions::OURS };
    jar.make(Instant::from_micros(75_000_000), &bound)
}

fn key_datagram(display: &DisplayIdentity) -> [u8; key::LEN] {
    let unsigned = Unsigned {
        version: 1,
        client_random: &RANDOM,
        offered: Versions::OURS,
        cookie: &cookie_bytes(),
        client_cid: 0xC0C0_C0C0,
        share: &[0xC1; 32],
        ciphertext: &[0xC7; MODULUS_LEN],
        auth: Auth::Signature { camera_id: &modulus(0x22).fingerprint().0 },
    };
    let mut datagram = [0; key::LEN];
    initiator::emit_with_mac1(&mut datagram, key::MAC_OFFSET, &display.mac1_key, |out| {
        unsigned.emit(out)?;
        out.put(&[0x51; MODULUS_LEN])
    })
    .unwrap();
    datagram
}

#[test]
fn fingerprints_and_mac1_key_are_as_published() {
    let display = DisplayIdentity::of(&modulus(0x11));
    assert_eq!(
        hex(&display.fingerprint.0),
        "b3414cc48618fec1bbeda94c3ecd8fccef8d8685cdbb7d2b6ea08165cab803a5"
    );
    assert_eq!(
        hex(&modulus(0x22).fingerprint().0),
        "d5753cc100f10b247f1fbfe761189fcfca2b4c8b427f5008ff088266eec47e05"
    );
    assert_eq!(hex(&display.mac1_key), "a262793ecdd40fbce9b165146f763862a74c892e4aa060fd7d3cc8fa2e93dc76");
}

#[test]
fn hello_and_cookie_are_as_published() {
    let display = DisplayIdentity::of(&modulus(0x11));
    let hello = Hello { flags: 0, client_random: &RANDOM, offered: Versions::OURS };
    let mut datagram = [0; hello::LEN];
    initiator::emit_with_mac1(&mut datagram, hello::MAC_OFFSET, &display.mac1_key, |out| hello.emit(out))
        .unwrap();
    assert_eq!(
        hex(&hash::sha256(&[&datagram])),
        "19c7184b807bef6a54070534b046b5dc30b3af5be9cc01e5683f8e56acc6822d"
    );
    assert_eq!(Hello::parse(&datagram), Some(hello));
    assert_eq!(hex(&cookie_bytes()), "07e17837ba3ff6636b806874e94d6c76ab017f68c2760ac93814ea215db93a53");

    let display_modulus = modulus(0x11);
    let bytes = cookie_bytes();
    let cookie = Cookie {
        pairing_open: false,
        client_random: &RANDOM,
        versions: Versions::OURS,
        cookie: &bytes,
        modulus: display_modulus.as_bytes(),
    };
    let mut datagram = [0; cookie::LEN];
    initiator::emit_with_mac1(&mut datagram, cookie::MAC_OFFSET, &display.mac1_key, |out| cookie.emit(out))
        .unwrap();
    assert_eq!(
        hex(&hash::sha256(&[&datagram])),
        "2f32eb2d4323bd78d3558f447659101596fe333ffa05820aafd7d92b1fb73220"
    );
    assert_eq!(Cookie::parse(&datagram), Some(cookie));
}

#[test]
fn key_accept_and_the_key_schedule_are_as_published() {
    let display = DisplayIdentity::of(&modulus(0x11));
    let datagram = key_datagram(&display);
    assert_eq!(
        hex(&hash::sha256(&[&datagram])),
        "71c5ac118cbbd40622384a234c78f62e31578c88dbe95aa0f2189253bc24a1ca"
    );
    let parsed = Key::parse(&datagram).unwrap();
    let th1 = schedule::th1(&display.fingerprint, parsed.signed);
    assert_eq!(hex(&th1), "37f45f4646b15dd4fac593779ccf071d7d7dfe99bf3b36d3c41335e058803c7e");

    let accept = Accept {
        version: 1,
        client_cid: 0xC0C0_C0C0,
        server_cid: 0x5050_5050,
        server_random: &[0x5A; 32],
        share: &[0xC2; 32],
    };
    let mut bytes = [0; accept::LEN];
    accept.emit(&mut Writer::new(&mut bytes)).unwrap();
    let th2 = schedule::th2(&th1, parsed.auth_bytes, bytes.first_chunk().unwrap());
    assert_eq!(hex(&th2), "9ecafad48a2e38740cd252003d457b46780da5b59822d9d6ed8a42756a4db862");

    let secret = HandshakeSecret::new(Secret::new([0x4B; 32]), [0x25; 32], &th1);
    let finished = secret.finished(&th2);
    assert_eq!(hex(&finished), "762133cb280727526256b3c70bf506cdffd88fe50221b2c1dd88d80aae68fd11");
    bytes[accept::BOUND_LEN..].copy_from_slice(&finished);
    assert_eq!(
        hex(&hash::sha256(&[&bytes])),
        "707732ad7bbb02532bfd35df8fbb0ba9820ce7b9a3d1cb568167d865c1ffced7"
    );
    assert_eq!(Accept::parse(&bytes).unwrap().0, accept);

    let exporter = secret.exporter(&th2);
    let keys = |base: &Secret| hex(base.as_bytes());
    assert_eq!(keys(&exporter), "11bfa39feb0a9c783769197736fdded96ef4f1a7b4688177b857019c48096c9e");
    assert_eq!(SixDigits::of(&exporter).to_string(), "793558");
    let pair_key = PairKey::new(&display.fingerprint, &PairSecret::new([0x5E; 16]));
    assert_eq!(hex(pair_key.as_bytes()), "ffcedbadabd87ddfd1c35cf0cf7839a47f4db049646ad538020041b731f6e5aa");
    assert_eq!(hex(&pair_key.auth(&th1)), "1d77b32c2e35b26a17a4ca92a3c0bbe24a3f44bc026299b780edf1e40b8b1f24");

    let epoch = secret.into_epoch(th2);
    assert_eq!(keys(&epoch.base_c2s()), "478be35f47b7bb567a733d44c889686158a9e6af2773cf250188cf74fe62ced3");
    assert_eq!(keys(&epoch.base_s2c()), "70942250e8df217ba30966a8cb3b40ee5b9dd472d1a88d9233bc5f7a72ef81cf");
    let mut exchanged = [0x68; 64];
    exchanged[32..].fill(0x26);
    let next = epoch.next(&[0xE1; 1216], &[0xE2; 1120], &exchanged);
    assert_eq!(next.number(), 1);
    assert_eq!(keys(&next.base_c2s()), "270dab7e7340db81ee2ee7bb53dac4a6b2f6887dc65044c604513ee65a236fdd");
    assert_eq!(keys(&next.base_s2c()), "283f7f1060342910ea585f1c5ccea21b58ef67dcbf6ce292a6a00489a6df727f");
}

const TEXT: &[u8] = b"hello mjpeg chunk";
const KID: u8 = 5;
const PACKETS: [(u32, &str); 8] = [
    (0, "504a1785b13edd17d8a3b8dc9cfc6df0a3e235b87bbefc4574ef28ad"),
    (7, "572f6cf3c060592166d23347d4978f38419eeb5757dafdb525d0ddc2"),
    (8, "58082a326c5ddfbad838b425dcbc77d65f28a19c4a227a7d5d7186a4ad"),
    (0xff, "58ff7c436f4ae28ad525774f9ac8dd0e069a10f1971e5a67da5788bdc3"),
    (0x100, "590100c0552c8b6f04812448ca968dd3cbfcd8e1993ff6ec252a9176fadf"),
    (0xffff, "59ffffa0e659d5d0b520033432a6597f157bdaeb9b69d095e71bc86d4ca3"),
    (0x1_0000, "5a010000fbbe0dc792af9fc532385f3eeb4fce2079e7a0a0409adcb67eeda2"),
    (u32::MAX, "5bffffffff709dd1f4b90e104cee78cb805dd8b9daef920a86aa19da47466081"),
];

fn base_key() -> [u8; 32] {
    core::array::from_fn(|i| u8::try_from(i).unwrap())
}

/// A whole DATA packet under [`base_key`] for the CID of the published metadata, `10deadbeef`.
fn packet(ctr: u32) -> Vec<u8> {
    let key = PacketKey::new(&Secret::new(base_key()), KID);
    let header = Header { cid: 0xdead_beef, kid: KID, ctr };
    let mut bytes = std::vec![0; header.len()];
    header.emit(&mut Writer::new(&mut bytes)).unwrap();
    let mut text = TEXT.to_vec();
    let (metadata, sframe_header) = bytes.split_at(METADATA_LEN);
    let tag = key.seal(ctr, sframe_header, metadata, &mut text);
    [&bytes[..], &text, &tag].concat()
}

#[test]
fn packets_are_as_published() {
    for (ctr, published) in PACKETS {
        let packet = packet(ctr);
        assert_eq!(hex(&packet[..METADATA_LEN]), "10deadbeef");
        assert_eq!(hex(&packet[METADATA_LEN..]), published, "counter {ctr:#x}");
    }
}

#[test]
fn an_independent_sframe_opens_what_we_seal() {
    let suite = sframe::CipherSuite::AesCtr128HmacSha256_80;
    let peer = sframe::key::DecryptionKey::derive_from(suite, u64::from(KID), base_key()).unwrap();
    for (ctr, _) in PACKETS {
        let packet = packet(ctr);
        let (metadata, sealed) = packet.split_at(METADATA_LEN);
        let frame = sframe::frame::EncryptedFrameView::try_with_meta_data(sealed, metadata).unwrap();
        let opened = frame.decrypt(&peer).unwrap();
        assert_eq!(opened.payload(), TEXT, "counter {ctr:#x}");
        let altered = [0x10, 0xde, 0xad, 0xbe, 0xee];
        let frame =
            sframe::frame::EncryptedFrameView::try_with_meta_data(sealed, altered.as_slice()).unwrap();
        assert!(frame.decrypt(&peer).is_err(), "counter {ctr:#x} with altered metadata");
    }
}

#[test]
fn we_open_what_an_independent_sframe_seals() {
    let suite = sframe::CipherSuite::AesCtr128HmacSha256_80;
    let peer = sframe::key::EncryptionKey::derive_from(suite, u64::from(KID), base_key()).unwrap();
    let key = PacketKey::new(&Secret::new(base_key()), KID);
    let metadata = [0x10, 0xde, 0xad, 0xbe, 0xef];
    for (ctr, _) in PACKETS {
        let mut counter = sframe::frame::SingleUseCounter::new(u64::from(ctr));
        let view = sframe::frame::MediaFrameView::try_with_meta_data(&mut counter, TEXT, metadata.as_slice())
            .unwrap();
        let sealed = view.encrypt(&peer).unwrap();
        let datagram: &[u8] = sealed.as_ref();
        let (header, len) = Header::parse(datagram).unwrap();
        assert_eq!((header.kid, header.ctr), (KID, ctr));
        let (head, body) = datagram.split_at(len);
        let (text, tag) = body.split_at(body.len() - 10);
        assert!(bool::from(key.verify(ctr, &head[METADATA_LEN..], &metadata, text, tag)), "counter {ctr:#x}");
        let mut text = text.to_vec();
        key.decrypt(ctr, &mut text);
        assert_eq!(text, TEXT);
    }
}
