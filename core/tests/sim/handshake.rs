//! The handshake (docs/protocol.md §3.2, §3.3, §3.4, §4) on bad networks and under attack: it costs time, never trust.

use std::net::SocketAddr;
use std::time::Duration;

use rsa::{BoxedUint, Oaep, RsaPublicKey};
use sealcam_core::discard::Discard;
use sealcam_core::key::{MODULUS_LEN, OAEP_LABEL};
use sealcam_core::output::Event;
use sha2::{Sha256, Sha512};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::world::forge::{
    ACCEPT_LEN, COOKIE_LEN, HELLO_LEN, KEY_AUTH, KEY_AUTH_TYPE, KEY_CAMERA, KEY_LEN, KEY_MAC1, Key,
    ONLY_VERSION_1, cookie_in, finished, hello, hmac, sign_off,
};
use crate::world::keys::{Mood, Pem, rng};
use crate::world::network::{Captured, Heading, Meddler};
use crate::world::{Who, World, ms, secs, seed};

/// X25519 points of small order and their unreduced forms, and zero (RFC 7748 §7; Wycheproof's list).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Each as it is, and with the bit set that X25519 ignores.
fn low_order() -> impl Iterator<Item = [u8; 32]> {
    LOW_ORDER.iter().flat_map(|hex| {
        let byte = |i: usize| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
        let point: [u8; 32] = std::array::from_fn(byte);
        let mut masked = point;
        masked[31] |= 0x80;
        [point, masked]
    })
}

/// A camera that is about to dial, and everything that is sent in the tap.
fn dialling(seed: u64) -> (World, usize) {
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 1000..=5000);
    world.network.tap = Some(Vec::new());
    (world, id)
}

fn sent(world: &World, kind: u8) -> Vec<Captured> {
    world.network.tap.iter().flatten().filter(|sent| sent.bytes[0] == kind).cloned().collect()
}

/// Runs until a datagram of this kind was sent, which the network drops; later ones pass again.
fn intercept(world: &mut World, kind: u8) -> Vec<u8> {
    world.network.meddler = Some(Box::new(move |_, bytes| bytes[0] != kind));
    world.run_until(secs(3), |world| !sent(world, kind).is_empty()).expect("it is sent");
    world.network.meddler = None;
    sent(world, kind)[0].bytes.clone()
}

/// Alters the first COOKIE that comes by, and gives it a right mac1.
fn first_cookie(world: &World, alter: impl Fn(&mut [u8]) + 'static) -> Option<Meddler> {
    let pin = world.display.config().modulus.fingerprint();
    let mut met = false;
    Some(Box::new(move |_, bytes| {
        if bytes[0] == 0x02 && bytes.len() == COOKIE_LEN && !std::mem::replace(&mut met, true) {
            alter(bytes);
            sign_off(&pin, bytes);
        }
        true
    }))
}

#[test]
fn a_quiet_network_needs_three_round_trips_and_the_private_operation() {
    let (mut world, id) = dialling(seed(70));
    let took = world.run_until(secs(1), |world| world.cameras[id].is_ready()).expect("a session");
    // HELLO-COOKIE, KEY-ACCEPT, KEX_INIT-KEX_RESP, a first packet and CONFIG: eight ways of 1 ms, and RSA's 100 ms.
    assert_eq!(took, ms(108));
    let kinds = [(0x01, HELLO_LEN), (0x02, COOKIE_LEN), (0x03, KEY_LEN), (0x04, ACCEPT_LEN)];
    for (kind, len) in kinds {
        let all = sent(&world, kind);
        assert_eq!((all.len(), all[0].bytes.len()), (1, len), "{kind:#x}");
    }
}

#[test]
fn a_handshake_succeeds_on_any_network_that_lets_something_through() {
    let mut slowest = Duration::ZERO;
    for round in 0..30 {
        let (mut world, id) = dialling(seed(71) + round);
        for path in world.paths(id) {
            path.loss = 0.3;
            path.burst = ms(round % 4 * 100);
            (path.delay, path.jitter, path.in_order) = (ms(30), ms(60), false);
            (path.duplicate, path.corrupt) = (0.2, 0.1);
        }
        let took = world.run_until(secs(20), |world| world.cameras[id].is_ready());
        slowest = slowest.max(took.unwrap_or_else(|| panic!("no session with seed offset {round}")));
    }
    println!("slowest of 30: {slowest:?}");
}

#[test]
fn a_slow_processor_is_waited_for() {
    for rsa_time in [ms(300), ms(1300), ms(3000)] {
        let (mut world, id) = dialling(seed(72));
        world.display.rsa_time = rsa_time;
        let took = world.run_until_live(id, secs(15)).expect("a picture");
        println!("{rsa_time:?} per private operation: {took:?}");
        assert_eq!(world.display.opened, 1, "no second operation begins beside the first");
        assert!(took < rsa_time + ms(100));
    }
}

#[test]
fn a_cookie_that_shows_another_key_is_told_once_and_the_true_one_still_works() {
    let (mut world, id) = dialling(seed(73));
    let other = *Pem::Camera2.read().modulus();
    let shown = other.fingerprint();
    world.network.meddler =
        first_cookie(&world, move |bytes| bytes[76..460].copy_from_slice(other.as_bytes()));
    let took = world.run_until_live(id, secs(2)).expect("a picture all the same");
    assert!(took < ms(700), "{took:?}");
    assert_eq!(world.count(Who::Camera(id), |event| *event == Event::PinMismatch { shown }), 1);
    // Again and again in one attempt: told once.
    let forged = {
        world.restart_camera(id);
        world.network.meddler = Some(Box::new(|_, bytes| bytes[0] != 0x02));
        world.run(ms(100));
        let mut bytes = sent(&world, 0x02).last().unwrap().bytes.clone();
        bytes[76..460].copy_from_slice(other.as_bytes());
        sign_off(&world.display.config().modulus.fingerprint(), &mut bytes);
        bytes
    };
    let from = world.display.address;
    for _ in 0..5 {
        assert_eq!(world.at_camera(id, from, &forged), Err(Discard::PinMismatch));
    }
    assert_eq!(world.count(Who::Camera(id), |event| *event == Event::PinMismatch { shown }), 2);
}

#[test]
fn a_cookie_that_was_raced_costs_about_a_second() {
    let (mut world, id) = dialling(seed(74));
    world.network.meddler = first_cookie(&world, |bytes| bytes[50] ^= 1);
    let took = world.run_until_live(id, secs(3)).expect("a picture");
    assert!((ms(1000)..=ms(1500)).contains(&took), "{took:?}");
}

#[test]
fn a_cookie_for_another_hello_is_ignored() {
    let (mut world, id) = dialling(seed(75));
    let cookie = intercept(&mut world, 0x02);
    let (pin, from) = (world.display.config().modulus.fingerprint(), world.display.address);
    for byte in [4, 20, 35] {
        let mut other = cookie.clone();
        other[byte] ^= 0x10;
        sign_off(&pin, &mut other);
        assert_eq!(world.at_camera(id, from, &other), Err(Discard::Unexpected));
    }
    for bit in 0..COOKIE_LEN * 8 {
        let mut other = cookie.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(world.at_camera(id, from, &other).is_err(), "bit {bit}");
    }
    assert_eq!(world.at_camera(id, "192.0.2.1:5001".parse().unwrap(), &cookie), Err(Discard::WrongAddress));
    assert_eq!(world.at_camera(id, from, &cookie), Ok(()));
    assert_eq!(world.at_camera(id, from, &cookie), Err(Discard::Unexpected), "one COOKIE is enough");
    world.run_until_live(id, secs(1)).expect("a picture");
}

#[test]
fn an_accept_with_any_bit_flipped_leaves_the_camera_waiting() {
    let (mut world, id) = dialling(seed(76));
    let accept = intercept(&mut world, 0x04);
    let from = world.display.address;
    for bit in 0..ACCEPT_LEN * 8 {
        let mut other = accept.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(world.at_camera(id, from, &other).is_err(), "bit {bit}");
    }
    assert_eq!(world.at_camera(id, from, &accept), Ok(()));
    world.run_until_live(id, secs(1)).expect("a picture");
    assert_eq!(world.at_camera(id, from, &accept), Err(Discard::Unexpected), "nobody waits for it now");
}

#[test]
fn an_accept_with_a_share_of_low_order_leaves_the_camera_waiting() {
    let (mut world, id) = dialling(seed(88));
    let accept = intercept(&mut world, 0x04);
    let from = world.display.address;
    for share in low_order() {
        let mut other = accept.clone();
        other[44..76].copy_from_slice(&share);
        assert_eq!(world.at_camera(id, from, &other), Err(Discard::WeakShare), "{share:02x?}");
    }
    assert_eq!(world.at_camera(id, from, &accept), Ok(()));
    world.run_until_live(id, secs(1)).expect("a picture");
}

#[test]
fn an_accept_of_an_earlier_attempt_is_ignored() {
    let (mut world, id) = dialling(seed(77));
    let accept = intercept(&mut world, 0x04);
    world.restart_camera(id);
    let from = world.display.address;
    assert_eq!(world.at_camera(id, from, &accept), Err(Discard::Unexpected));
    world.network.tap = Some(Vec::new());
    let _second = intercept(&mut world, 0x04);
    assert_eq!(world.at_camera(id, from, &accept), Err(Discard::Unexpected));
    world.run_until_live(id, secs(2)).expect("a picture");
}

#[test]
fn a_key_that_comes_again_has_the_same_accept_and_costs_nothing() {
    let (mut world, id) = dialling(seed(78));
    let accept = intercept(&mut world, 0x04);
    let key = sent(&world, 0x03)[0].clone();
    let costs = |world: &World| (world.display.verified.get(), world.display.opened);
    assert_eq!(costs(&world), (1, 1));
    world.network.tap = Some(Vec::new());
    world.network.meddler = Some(Box::new(|_, bytes| bytes[0] != 0x04));
    assert_eq!(world.at_display(key.from, &key.bytes), Ok(()));
    assert_eq!(sent(&world, 0x04).iter().map(|sent| &sent.bytes).collect::<Vec<_>>(), [&accept]);
    let elsewhere: SocketAddr = "203.0.113.9:9".parse().unwrap();
    assert_eq!(world.at_display(elsewhere, &key.bytes), Err(Discard::Cookie));
    world.network.meddler = None;
    world.run_until_live(id, secs(2)).expect("a picture");
    // Its session is up: the same KEY has nothing to say any more, now and for as long as its cookie lives.
    for _ in 0..5 {
        assert_eq!(world.at_display(key.from, &key.bytes), Err(Discard::KeyReplayed));
        world.run(secs(1));
    }
    world.run(secs(20));
    assert_eq!(world.at_display(key.from, &key.bytes), Err(Discard::Cookie));
    assert_eq!(costs(&world), (1, 1));
    assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Disconnected { .. })), 0);
}

#[test]
fn a_key_that_comes_again_after_its_pending_session_died_is_met_with_silence() {
    let (mut world, from, key) = by_hand(seed(89));
    let display = world.display.config().modulus.fingerprint();
    let datagram = key.signed(&display, Pem::Camera, &mut world.dice);
    assert_eq!(world.at_display(from, &datagram), Ok(()));
    world.run(secs(1));
    let (_, first) = world.network.stray.last().cloned().unwrap();
    for _ in 0..8 {
        assert_eq!(world.ask_display(from, &datagram), std::slice::from_ref(&first));
        world.run(secs(1));
    }
    world.run(secs(1));
    // Ten seconds after it came first, while its cookie lives on.
    for _ in 0..5 {
        assert!(world.ask_display(from, &datagram).is_empty());
        assert_eq!(world.at_display(from, &datagram), Err(Discard::KeyReplayed));
        world.run(secs(1));
    }
    assert_eq!((world.display.verified.get(), world.display.opened), (1, 1));
}

#[test]
fn a_key_recorded_in_a_session_is_dropped_from_any_other_address() {
    let (mut world, id) = dialling(seed(59));
    world.run_until_live(id, secs(2)).expect("a picture");
    let key = sent(&world, 0x03)[0].clone();
    let mut port = key.from;
    port.set_port(key.from.port() + 1);
    let other_host: SocketAddr = "203.0.113.9:40000".parse().unwrap();
    world.network.tap = None;
    for from in [port, other_host, "[2001:db8::1]:40000".parse().unwrap()] {
        assert_eq!(world.at_display(from, &key.bytes), Err(Discard::Cookie), "{from}");
        assert!(world.ask_display(from, &key.bytes).is_empty());
    }
    // From the address itself it is no better at a display that has been started anew.
    world.restart_display();
    assert_eq!(world.at_display(key.from, &key.bytes), Err(Discard::Cookie));
    assert_eq!((world.display.verified.get(), world.display.opened), (1, 1));
}

#[test]
fn a_list_of_versions_altered_on_the_whole_way_fails_the_signature() {
    let (mut world, id) = dialling(seed(69));
    let pin = world.display.config().modulus.fingerprint();
    // The same in HELLO and in KEY, so that the cookie fits, and version 1 is still the best that both speak.
    world.network.meddler = Some(Box::new(move |_, bytes| {
        if matches!(bytes[0], 0x01 | 0x03) {
            bytes[36..44].copy_from_slice(&[2, 1, 2, 0, 0, 0, 0, 0]);
            sign_off(&pin, bytes);
        }
        true
    }));
    world.run(secs(5));
    assert!(world.display.server().stats().discarded(Discard::Signature) >= 1);
    assert_eq!(world.count(Who::Display, |event| matches!(event, Event::Connected { .. })), 0);
    assert_eq!(world.display.opened, 0);
    world.network.meddler = None;
    world.run_until_live(id, secs(10)).expect("a picture when the tampering ends");
}

#[test]
fn lists_of_versions_that_were_tampered_with_lead_to_no_session() {
    for tampered in [0x01, 0x02] {
        let (mut world, id) = dialling(seed(79));
        let pin = world.display.config().modulus.fingerprint();
        world.network.meddler = Some(Box::new(move |_, bytes| {
            if bytes[0] == tampered {
                bytes[36..44].copy_from_slice(&[1, 7, 0, 0, 0, 0, 0, 0]);
                sign_off(&pin, bytes);
            }
            true
        }));
        world.run(secs(12));
        assert_eq!(world.count(Who::Display, |event| matches!(event, Event::Connected { .. })), 0);
        assert_eq!((world.display.verified.get(), world.display.opened), (0, 0));
        world.network.meddler = None;
        // An attempt that had a COOKIE has 8 s for its ACCEPT; the next one is honest.
        world.run_until_live(id, secs(10)).expect("a picture when the tampering ends");
    }
}

/// A display where the camera's key is used by hand, its own program being off; and a cookie that is good.
fn by_hand(seed: u64) -> (World, SocketAddr, Key) {
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.cameras[id].stop();
    let from = "198.51.100.7:777".parse().unwrap();
    let key = fresh_key(&mut world, from);
    (world, from, key)
}

fn fresh_key(world: &mut World, from: SocketAddr) -> Key {
    let modulus = world.display.config().modulus;
    let answers = world.ask_display(from, &hello(&modulus.fingerprint(), &[5; 32], ONLY_VERSION_1));
    Key::new(&modulus, [5; 32], cookie_in(&answers[0]), &mut world.dice)
}

/// What the display answers to this KEY, signed by the enrolled camera, in the next second.
fn answers(world: &mut World, from: SocketAddr, key: &Key) -> (Result<(), Discard>, Vec<usize>) {
    let display = world.display.config().modulus.fingerprint();
    let datagram = key.signed(&display, Pem::Camera, &mut world.dice);
    world.network.stray.clear();
    let taken = world.at_display(from, &datagram);
    world.run(secs(1));
    (taken, world.network.stray.iter().map(|(_, bytes)| bytes.len()).collect())
}

/// Each of these is decrypted once and answered with an ACCEPT, and none leads to a session.
fn each_is_answered_like_any_other(world: &mut World, from: SocketAddr, garbage: &[[u8; MODULUS_LEN]]) {
    for ciphertext in garbage {
        let key = Key { ciphertext: *ciphertext, ..fresh_key(world, from) };
        let before = world.display.opened;
        assert_eq!(answers(world, from, &key), (Ok(()), vec![ACCEPT_LEN]));
        assert_eq!(world.display.opened, before + 1);
        world.run(secs(3));
    }
    assert_eq!(world.display.server().connected().count(), 0);
}

#[test]
fn garbage_in_place_of_the_key_transport_is_answered_like_any_other() {
    let (mut world, from, _) = by_hand(seed(80));
    let n = *world.display.config().modulus.as_bytes();
    let below_n = {
        let mut bytes = n;
        bytes[MODULUS_LEN - 1] -= 1;
        bytes
    };
    let one = std::array::from_fn(|i| u8::from(i == MODULUS_LEN - 1));
    let garbage = [[0; MODULUS_LEN], one, below_n, n, [0xFF; MODULUS_LEN], [0x42; MODULUS_LEN]];
    each_is_answered_like_any_other(&mut world, from, &garbage);
}

#[test]
fn a_key_transport_of_another_label_hash_or_length_is_answered_like_any_other() {
    let (mut world, from, _) = by_hand(seed(80));
    let modulus = BoxedUint::from_be_slice(world.display.config().modulus.as_bytes(), 3072).unwrap();
    let public = RsaPublicKey::new(modulus, BoxedUint::from(65537_u32)).unwrap();
    let mut generator = rng(&mut world.dice);
    let mut encrypt = |scheme: Oaep<Sha256>, len: usize| {
        *public.encrypt(&mut generator, scheme, &vec![1; len]).unwrap().first_chunk::<MODULUS_LEN>().unwrap()
    };
    let ours = || Oaep::<Sha256>::new_with_label(OAEP_LABEL);
    let mut garbage = vec![
        encrypt(Oaep::new_with_label(&b"scl1 key transport v2"[..]), 32),
        encrypt(Oaep::new(), 32),
        encrypt(ours(), 31),
        encrypt(ours(), 33),
        encrypt(ours(), 0),
    ];
    let mut generator = rng(&mut world.dice);
    let of_sha512 = Oaep::<Sha512>::new_with_label(OAEP_LABEL);
    garbage.push(*public.encrypt(&mut generator, of_sha512, &[1; 32]).unwrap().first_chunk().unwrap());
    each_is_answered_like_any_other(&mut world, from, &garbage);
}

#[test]
fn garbage_in_place_of_the_key_transport_gives_a_key_of_its_own_that_is_always_the_same() {
    let (mut world, from, _) = by_hand(seed(98));
    // The display's first draws, its reject_key among them, are known to the test, the rest is not.
    world.display.mood.set(Mood::Constant(0x5A));
    world.restart_display();
    world.display.mood.set(Mood::Good);
    let display = world.display.config().modulus.fingerprint();
    let rejected = |ciphertext: &[u8; MODULUS_LEN]| hmac(&[0x5A; 32], ciphertext);
    let own = StaticSecret::from([7; 32]);
    let (one, other) = ([0x42; MODULUS_LEN], [0x43; MODULUS_LEN]);
    assert_ne!(rejected(&one), rejected(&other));
    for ciphertext in [one, one, other] {
        let share = PublicKey::from(&own).to_bytes();
        let key = Key { ciphertext, share, ..fresh_key(&mut world, from) };
        let datagram = key.signed(&display, Pem::Camera, &mut world.dice);
        world.network.stray.clear();
        assert_eq!(world.at_display(from, &datagram), Ok(()));
        world.run(secs(4));
        let (_, accept) = world.network.stray.last().unwrap();
        assert_eq!(accept.len(), ACCEPT_LEN);
        let theirs: [u8; 32] = *accept[44..].first_chunk().unwrap();
        let shared = own.diffie_hellman(&PublicKey::from(theirs)).to_bytes();
        let leads_there = |transported: &[u8; 32]| {
            finished(&display, &datagram, accept, transported, &shared) == accept[76..]
        };
        assert!(leads_there(&rejected(&ciphertext)));
        let not_its_own = if ciphertext == one { other } else { one };
        assert!(!leads_there(&rejected(&not_its_own)) && !leads_there(&[0; 32]));
    }
}

#[test]
fn an_accept_after_a_garbled_key_transport_is_accepted_by_nobody() {
    // The camera's own KEY with another ciphertext, signed again by whoever has its key: what A8 can do.
    let (mut world, id) = dialling(seed(81));
    let key = intercept(&mut world, 0x03);
    let display = world.display.config().modulus.fingerprint();
    let from = world.cameras[id].address;
    let mut garbled = Key::taken_from(&key);
    garbled.ciphertext[9] ^= 1;
    let datagram = garbled.signed(&display, Pem::Camera, &mut world.dice);
    // The camera's own KEY, sent again, finds its place taken by that one and takes it back.
    assert_eq!(world.at_display(from, &datagram), Ok(()));
    world.run_until(secs(1), |world| !sent(world, 0x04).is_empty()).expect("answered");
    let accept = sent(&world, 0x04)[0].bytes.clone();
    let there = world.display.address;
    assert_eq!(world.at_camera(id, there, &accept), Err(Discard::Finished));
    world.run_until_live(id, secs(3)).expect("a picture");
}

#[test]
fn a_share_of_low_order_is_not_answered() {
    let (mut world, from, _) = by_hand(seed(82));
    for share in low_order() {
        let key = Key { share, ..fresh_key(&mut world, from) };
        assert_eq!(answers(&mut world, from, &key), (Ok(()), vec![]), "{share:02x?}");
        world.run(secs(3));
    }
}

#[test]
fn a_camera_starts_three_handshakes_at_once_and_then_one_in_three_seconds() {
    let (mut world, from, _) = by_hand(seed(83));
    let mut taken = Vec::new();
    for _ in 0..12 {
        let key = fresh_key(&mut world, from);
        taken.push(answers(&mut world, from, &key).0);
    }
    let allowed = taken.iter().filter(|result| result.is_ok()).count();
    assert!((6..=7).contains(&allowed), "{taken:?}");
    assert!(taken[..3].iter().all(Result::is_ok));
    assert!(taken.contains(&Err(Discard::HandshakeLimit)));
}

#[test]
fn a_key_made_for_another_display_is_refused() {
    let (mut world, from, key) = by_hand(seed(84));
    let (here, other) = (world.display.config().modulus.fingerprint(), world.cameras[0].fingerprint());
    let mut datagram = key.signed(&other, Pem::Camera, &mut world.dice);
    assert_eq!(world.at_display(from, &datagram), Err(Discard::Mac1));
    sign_off(&here, &mut datagram);
    assert_eq!(world.at_display(from, &datagram), Err(Discard::Signature));
}

#[test]
fn a_key_of_another_version_or_for_pairing_leads_nowhere() {
    let (mut world, from, key) = by_hand(seed(85));
    let display = world.display.config().modulus.fingerprint();
    for version in [0, 2, 255] {
        let datagram = Key { version, ..key.clone() }.signed(&display, Pem::Camera, &mut world.dice);
        assert_eq!(world.at_display(from, &datagram), Err(Discard::Version));
    }
    let mut pairing = key.signed(&display, Pem::Camera, &mut world.dice);
    pairing[3] = 1;
    pairing[KEY_AUTH_TYPE] = 2;
    pairing[KEY_CAMERA..KEY_AUTH].fill(0);
    pairing[KEY_AUTH + 32..KEY_MAC1].fill(0);
    sign_off(&display, &mut pairing);
    assert!(world.at_display(from, &pairing).is_err());
    assert_eq!((world.display.verified.get(), world.display.opened), (0, 0));
}

#[test]
fn only_the_first_packet_of_a_new_session_ends_the_one_before() {
    let (mut world, id) = dialling(seed(99));
    world.run_until_live(id, secs(2)).expect("a picture");
    // Packets of the session that stands, kept back.
    world.network.tap = Some(Vec::new());
    world.network.meddler = Some(Box::new(|heading, bytes| heading == Heading::Down || bytes[0] != 0x10));
    world.run(ms(200));
    let kept: Vec<_> = sent(&world, 0x10).into_iter().filter(|sent| sent.heading == Heading::Up).collect();
    let from = world.cameras[id].address;
    // Its program starts anew, and all of the handshake gets through but the first packet of epoch 0.
    world.restart_camera(id);
    world.network.tap = Some(Vec::new());
    world.run_until(secs(1), |world| !sent(world, 0x04).is_empty()).expect("an ACCEPT");
    world.run(ms(100));
    let ended =
        |world: &World| world.count(Who::Display, |event| matches!(event, Event::Disconnected { .. }));
    assert_eq!(ended(&world), 0);
    let authentic = |result| matches!(result, Ok(()) | Err(Discard::OldFrame));
    assert!(authentic(world.at_display(from, &kept[0].bytes)), "the old session goes on");
    world.network.meddler = None;
    world.run_until_live(id, secs(2)).expect("a picture");
    assert_eq!(ended(&world), 1);
    assert_eq!(world.at_display(from, &kept[1].bytes), Err(Discard::UnknownCid));
}

#[test]
fn a_verified_key_alone_does_not_touch_the_session_that_stands() {
    let (mut world, id) = dialling(seed(86));
    world.run_until_live(id, secs(2)).expect("a picture");
    let from = "198.51.100.7:777".parse().unwrap();
    for _ in 0..5 {
        let key = fresh_key(&mut world, from);
        let _maybe_limited = answers(&mut world, from, &key);
        world.run(secs(2));
    }
    assert!(world.display.opened >= 4);
    assert_eq!(world.count(Who::Display, |event| matches!(event, Event::Disconnected { .. })), 0);
    let late = world.shown.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
    assert!(late <= ms(100), "the picture stood still for {late:?}");
    assert!(sent(&world, 0x01).iter().all(|sent| sent.heading == Heading::Up));
}
