//! Strangers (docs/protocol.md §3, §3.1, §4): no state, no RSA, no answer longer than 0.40 of what they sent, and mostly
//! no answer at all.

use std::net::SocketAddr;

use rand_core::Rng;
use sealcam_core::discard::Discard;
use sealcam_core::key::Fingerprint;

use crate::world::forge::{
    ACCEPT_LEN, COOKIE_LEN, HELLO_LEN, KEY_AUTH, KEY_AUTH_TYPE, KEY_CAMERA, KEY_CID, KEY_LEN, KEY_MAC1, Key,
    ONLY_VERSION_1, cookie_in, hello, sign_off,
};
use crate::world::keys::Pem;
use crate::world::network::{Heading, below};
use crate::world::{World, secs, seed, setting};

const STRANGER: &str = "198.51.100.7:777";

fn stranger() -> SocketAddr {
    STRANGER.parse().unwrap()
}

/// A display with one camera enrolled, which is off, and its fingerprint.
fn display(seed: u64) -> (World, Fingerprint) {
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.cameras[id].stop();
    let fingerprint = world.display.config().modulus.fingerprint();
    (world, fingerprint)
}

/// A cookie for this address and this random.
fn cookie(world: &mut World, display: &Fingerprint, from: SocketAddr, random: &[u8; 32]) -> [u8; 32] {
    let answers = world.ask_display(from, &hello(display, random, ONLY_VERSION_1));
    assert_eq!(answers.len(), 1);
    cookie_in(&answers[0])
}

#[test]
fn a_handmade_hello_and_key_are_answered_as_a_cameras_are() {
    let (mut world, display) = display(seed(60));
    let random = [5; 32];
    let cookie = cookie(&mut world, &display, stranger(), &random);
    let modulus = world.display.config().modulus;
    let key = Key::new(&modulus, random, cookie, &mut world.dice);
    let datagram = key.signed(&display, Pem::Camera, &mut world.dice);
    world.at_display(stranger(), &datagram).unwrap();
    world.run(secs(1));
    let (to, accept) = world.network.stray.last().unwrap();
    assert_eq!((*to, accept.len()), (stranger(), ACCEPT_LEN));
}

#[test]
fn every_reply_to_a_handshake_is_at_most_two_fifths_of_its_request() {
    let (mut world, display) = display(seed(61));
    let hello = hello(&display, &[5; 32], ONLY_VERSION_1);
    let cookies = world.ask_display(stranger(), &hello);
    let modulus = world.display.config().modulus;
    let key = Key::new(&modulus, [5; 32], cookie_in(&cookies[0]), &mut world.dice);
    let key = key.signed(&display, Pem::Camera, &mut world.dice);
    world.network.stray.clear();
    world.at_display(stranger(), &key).unwrap();
    world.run(secs(5));
    let accepts: Vec<_> = world.network.stray.iter().map(|(_, bytes)| bytes).collect();
    let lens = |all: &[&Vec<u8>]| all.iter().map(|bytes| bytes.len()).collect::<Vec<_>>();
    assert_eq!(lens(&cookies.iter().collect::<Vec<_>>()), [COOKIE_LEN]);
    assert_eq!(lens(&accepts), [ACCEPT_LEN]);
    assert!(cookies[0].len() * 10 <= hello.len() * 4 && accepts[0].len() * 10 <= key.len() * 4);
}

#[test]
fn no_request_of_a_handshake_has_more_than_one_reply() {
    // However the network treats it.
    let mut world = World::new(seed(61));
    let id = world.add(Pem::Camera);
    for path in world.paths(id) {
        (path.loss, path.duplicate) = (0.4, 0.3);
    }
    world.network.tap = Some(Vec::new());
    for _ in 0..10 {
        world.restart_camera(id);
        world.run(secs(2));
    }
    let tap = world.network.tap.as_ref().unwrap();
    let sent = |heading, kind: u8| {
        tap.iter().filter(|sent| sent.heading == heading && sent.bytes[0] == kind).count()
    };
    let handled = world.display.server().stats();
    assert!(sent(Heading::Down, 0x02) > 0 && sent(Heading::Down, 0x04) > 0);
    assert!(handled.datagrams_in > 0);
    // Each of the camera's datagrams arrives twice at most.
    assert!(sent(Heading::Down, 0x02) <= 2 * sent(Heading::Up, 0x01));
    assert!(sent(Heading::Down, 0x04) <= 2 * sent(Heading::Up, 0x03));
}

/// A good HELLO, and the same with a byte altered under a right mac1.
fn altered(display: &Fingerprint, at: usize, byte: u8) -> Vec<u8> {
    let mut datagram = hello(display, &[5; 32], ONLY_VERSION_1);
    datagram[at] = byte;
    sign_off(display, &mut datagram);
    datagram
}

#[test]
fn a_hello_of_another_length_gets_no_reply() {
    let (mut world, display) = display(seed(62));
    let good = hello(&display, &[5; 32], ONLY_VERSION_1);
    let longer = [&good[..], &[0; 200]].concat();
    for len in (0..=1400).filter(|len| *len != HELLO_LEN) {
        let mut datagram = longer[..len].to_vec();
        assert!(world.ask_display(stranger(), &datagram).is_empty(), "{len}");
        // With a mac1 of its own at its end.
        if len > 16 {
            sign_off(&display, &mut datagram);
            assert!(world.ask_display(stranger(), &datagram).is_empty(), "{len}");
        }
    }
    assert_eq!(world.ask_display(stranger(), &good).len(), 1);
}

#[test]
fn a_hello_with_a_wrong_mac1_or_for_another_display_gets_no_reply() {
    let (mut world, display) = display(seed(56));
    let good = hello(&display, &[5; 32], ONLY_VERSION_1);
    for bit in 0..128 {
        let mut datagram = good.clone();
        datagram[1184 + bit / 8] ^= 1 << (bit % 8);
        assert!(world.ask_display(stranger(), &datagram).is_empty(), "bit {bit}");
    }
    let other = hello(&world.cameras[0].fingerprint(), &[5; 32], ONLY_VERSION_1);
    assert!(world.ask_display(stranger(), &other).is_empty());
    assert_eq!(world.display.server().stats().discarded(Discard::Mac1), 129);
}

#[test]
fn a_hello_with_padding_flags_or_lists_that_mean_nothing_gets_no_reply() {
    let (mut world, display) = display(seed(57));
    for at in 44..1184 {
        for byte in [1, 0x80] {
            assert!(world.ask_display(stranger(), &altered(&display, at, byte)).is_empty(), "padding {at}");
        }
    }
    for bit in 1..16 {
        let datagram = altered(&display, 3 - bit / 8, 1 << (bit % 8));
        assert!(world.ask_display(stranger(), &datagram).is_empty(), "flag {bit}");
    }
    // Another layout, and impossible lists.
    for (at, byte) in [(1, 0), (1, 2), (36, 0), (36, 8), (37, 0), (38, 1), (43, 1)] {
        assert!(world.ask_display(stranger(), &altered(&display, at, byte)).is_empty(), "{at}: {byte}");
    }
    // PAIRING is a flag that is known: it is answered, and leads nowhere.
    assert_eq!(world.ask_display(stranger(), &altered(&display, 3, 1)).len(), 1);
}

#[test]
fn a_hello_that_offers_only_versions_unknown_here_is_answered() {
    let (mut world, display) = display(seed(63));
    let answers = world.ask_display(stranger(), &hello(&display, &[5; 32], [2, 7, 9, 0, 0, 0, 0, 0]));
    assert_eq!(answers[0][36..44], ONLY_VERSION_1, "the display says what it speaks");
}

#[test]
fn a_flood_of_hellos_leaves_nothing_behind() {
    let seed = seed(64);
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.stream(id, 10, 1000..=20_000);
    world.run_until_live(id, secs(2)).expect("a picture");
    let display = world.display.config().modulus.fingerprint();
    let before = world.display.server().stats();
    // With random content, and well-formed from random addresses.
    let mut datagram = vec![0; HELLO_LEN];
    let random = setting("SIM_HELLOS", 100_000);
    for count in 0..random {
        world.dice.fill_bytes(&mut datagram[..64]);
        datagram[0] = 0x01;
        let _ = world.at_display(stranger(), &datagram);
        if count.is_multiple_of(1000) {
            world.run(secs(1) / 100);
        }
    }
    assert_eq!(world.network.stray.len(), 0);
    let formed = random / 10;
    for count in 0..formed {
        let mut client_random = [0; 32];
        world.dice.fill_bytes(&mut client_random);
        let host: [u8; 4] = world.dice.next_u32().to_be_bytes();
        let from = SocketAddr::from(([198, host[1], host[2], host[3]], 1024 + u16::from(host[0])));
        let answers = world.ask_display(from, &hello(&display, &client_random, ONLY_VERSION_1));
        assert!(answers.iter().all(|answer| answer.len() == COOKIE_LEN));
        assert_eq!(answers.len(), 1);
        world.network.stray.clear();
        if count.is_multiple_of(100) {
            world.run(secs(1) / 100);
        }
    }
    let after = world.display.server().stats();
    assert_eq!((after.rsa_verified, after.rsa_private), (before.rsa_verified, before.rsa_private));
    world.run_until_live(id, secs(1)).expect("the stream goes on");
    let second = world.add(Pem::Camera2);
    world.stream(second, 10, 1000..=20_000);
    let took = world.run_until_live(second, secs(2)).expect("and the next handshake works");
    assert!(took < secs(1), "{took:?}");
}

#[test]
fn a_cookie_serves_nobody_but_whom_it_was_made_for_and_not_for_long() {
    let (mut world, display) = display(seed(65));
    let random = [5; 32];
    let modulus = world.display.config().modulus;
    let other: [SocketAddr; 3] = [
        "198.51.100.7:778".parse().unwrap(),
        "198.51.100.8:777".parse().unwrap(),
        "[::1]:777".parse().unwrap(),
    ];
    let cookie_here = cookie(&mut world, &display, stranger(), &random);
    let key = Key::new(&modulus, random, cookie_here, &mut world.dice);
    let good = key.signed(&display, Pem::Camera, &mut world.dice);
    for from in other {
        assert_eq!(world.at_display(from, &good), Err(Discard::Cookie));
    }
    let mut altered = key.clone();
    altered.client_random[0] ^= 1;
    let datagram = altered.signed(&display, Pem::Camera, &mut world.dice);
    assert_eq!(world.at_display(stranger(), &datagram), Err(Discard::Cookie));
    let altered = Key { offered: [2, 1, 2, 0, 0, 0, 0, 0], ..key.clone() };
    let datagram = altered.signed(&display, Pem::Camera, &mut world.dice);
    assert_eq!(world.at_display(stranger(), &datagram), Err(Discard::Cookie));
    // With the flag PAIRING, which its HELLO had not; and without it, where its HELLO had it.
    let mut pairing = good.clone();
    (pairing[3], pairing[KEY_AUTH_TYPE]) = (1, 2);
    pairing[KEY_CAMERA..KEY_AUTH].fill(0);
    pairing[KEY_AUTH + 32..KEY_MAC1].fill(0);
    sign_off(&display, &mut pairing);
    assert_eq!(world.at_display(stranger(), &pairing), Err(Discard::Cookie));
    let mut asked = hello(&display, &random, ONLY_VERSION_1);
    asked[3] = 1;
    sign_off(&display, &mut asked);
    let cookie_for_pairing = cookie_in(&world.ask_display(stranger(), &asked)[0]);
    let altered = Key { cookie: cookie_for_pairing, ..key.clone() };
    let datagram = altered.signed(&display, Pem::Camera, &mut world.dice);
    assert_eq!(world.at_display(stranger(), &datagram), Err(Discard::Cookie));
    // It lives for its window of ten seconds and the next one.
    world.run(secs(20));
    assert_eq!(world.at_display(stranger(), &good), Err(Discard::Cookie));
    assert_eq!(world.display.verified.get(), 0);
    let cookie_now = cookie(&mut world, &display, stranger(), &random);
    let key = Key { cookie: cookie_now, ..key };
    let good = key.signed(&display, Pem::Camera, &mut world.dice);
    world.run(secs(9));
    assert_eq!(world.at_display(stranger(), &good), Ok(()));
}

#[test]
fn a_good_key_with_any_bit_flipped_reaches_no_private_operation() {
    let (mut world, display) = display(seed(66));
    let random = [5; 32];
    let modulus = world.display.config().modulus;
    let step = usize::try_from(setting("SIM_BIT_STEP", 3)).unwrap();
    let first = below(&mut world.dice, step);
    let mut good = Vec::new();
    for (count, bit) in (first..KEY_LEN * 8).step_by(step).enumerate() {
        // A cookie lives ten seconds at least, and a flip takes half a second.
        if count % 19 == 0 {
            let cookie = cookie(&mut world, &display, stranger(), &random);
            let key = Key::new(&modulus, random, cookie, &mut world.dice);
            good = key.signed(&display, Pem::Camera, &mut world.dice);
        }
        let mut datagram = good.clone();
        datagram[bit / 8] ^= 1 << (bit % 8);
        // As it is, and with the mac1 that anybody can put under it who knows the fingerprint.
        assert!(world.at_display(stranger(), &datagram).is_err());
        if bit / 8 < KEY_LEN - 16 {
            sign_off(&display, &mut datagram);
            assert!(world.at_display(stranger(), &datagram).is_err());
        }
        // The bucket for signatures fills again, so that the next flip is judged by its signature.
        world.run(secs(1) / 2);
    }
    assert!(world.display.verified.get() > 500, "{}", world.display.verified.get());
    assert_eq!(world.display.server().stats().discarded(Discard::VerifyLimit), 0);
    assert_eq!(world.display.opened, 0);
    assert_eq!(world.at_display(stranger(), &good), Ok(()));
    assert_eq!(world.display.opened, 1, "whereas the good one does");
}

#[test]
fn a_wrong_signature_reaches_no_private_operation() {
    let (mut world, display) = display(seed(58));
    let random = [5; 32];
    let modulus = world.display.config().modulus;
    let cookie = cookie(&mut world, &display, stranger(), &random);
    let key = Key::new(&modulus, random, cookie, &mut world.dice);
    // A number, the signature of another camera, that of another KEY, and none.
    let number = key.signed_badly(&display, Pem::Camera);
    let mut others = key.signed(&display, Pem::Camera2, &mut world.dice);
    others[KEY_CAMERA..KEY_AUTH].copy_from_slice(&world.cameras[0].fingerprint().0);
    let mut of_another_key = key.signed(&display, Pem::Camera, &mut world.dice);
    of_another_key[KEY_CID] ^= 1;
    let mut none = key.signed(&display, Pem::Camera, &mut world.dice);
    none[KEY_AUTH..KEY_MAC1].fill(0);
    for (count, mut datagram) in (1..).zip([number, others, of_another_key, none]) {
        sign_off(&display, &mut datagram);
        assert_eq!(world.at_display(stranger(), &datagram), Err(Discard::Signature));
        world.run(secs(1) / 2);
        assert_eq!((world.display.verified.get(), world.display.opened), (count, 0));
    }
    assert!(world.network.stray.iter().all(|(_, bytes)| bytes.len() == COOKIE_LEN));
}

#[test]
fn forged_signatures_cost_the_named_camera_and_the_others_nothing() {
    let mut world = World::new(seed(67));
    let ids = [world.add(Pem::Camera), world.add(Pem::Camera2)];
    for id in ids {
        world.stream(id, 10, 1000..=3000);
        world.run_until_live(id, secs(2)).expect("a picture");
    }
    world.run(secs(10));
    let display = world.display.config().modulus.fingerprint();
    let modulus = world.display.config().modulus;
    let random = [5; 32];
    let verified = world.display.verified.get();
    // A hundred forgeries a second, all in the name of the first camera, while both restart.
    let mut forgeries = 0;
    for round in 0..10 {
        if round == 3 {
            for id in ids {
                world.restart_camera(id);
            }
        }
        let cookie = cookie(&mut world, &display, stranger(), &random);
        for _ in 0..100 {
            let key = Key::new_with(&modulus, random, cookie, forgeries);
            let datagram = key.signed_badly(&display, Pem::Camera);
            let why = world.at_display(stranger(), &datagram);
            assert!(matches!(why, Err(Discard::Signature | Discard::VerifyLimit)), "{why:?}");
            forgeries += 1;
            world.run(secs(1) / 100);
        }
        if round == 3 {
            for id in ids {
                assert!(world.frames(id).last().unwrap().at > world.now() - secs(1), "camera {id} is back");
            }
        }
    }
    let spent = world.display.verified.get() - verified;
    assert!(spent <= 30, "{spent} signatures verified in 10 s for {forgeries} forgeries");
}

#[test]
fn forged_signatures_from_many_places_do_not_change_where_a_camera_is_known_to_be() {
    let (mut world, display) = display(seed(55));
    let modulus = world.display.config().modulus;
    let home: SocketAddr = "192.0.2.200:40000".parse().unwrap();
    let good = |world: &mut World| {
        let cookie = cookie(world, &display, home, &[5; 32]);
        let key = Key::new(&modulus, [5; 32], cookie, &mut world.dice);
        key.signed(&display, Pem::Camera, &mut world.dice)
    };
    let datagram = good(&mut world);
    assert_eq!(world.at_display(home, &datagram), Ok(()));
    world.run(secs(1));
    let datagram = good(&mut world);
    // Two of them in turn: were the last one's place taken for the camera's, they would use up either bucket.
    let others = [stranger(), "198.51.100.8:777".parse().unwrap()];
    let cookies = others.map(|from| cookie(&mut world, &display, from, &[5; 32]));
    for number in 0..20 {
        let key = Key::new_with(&modulus, [5; 32], cookies[number % 2], number);
        let why = world.at_display(others[number % 2], &key.signed_badly(&display, Pem::Camera));
        let bucket = if number < 4 { Discard::Signature } else { Discard::VerifyLimit };
        assert_eq!(why, Err(bucket), "{number}");
    }
    assert_eq!(world.at_display(home, &datagram), Ok(()));
}

#[test]
fn nonsense_of_any_length_is_dropped_by_both_sides() {
    let mut world = World::new(seed(68));
    let id = world.add(Pem::Camera);
    world.stream(id, 10, 1000..=3000);
    world.run_until_live(id, secs(2)).expect("a picture");
    let (there, here) = (world.display.address, world.cameras[id].address);
    for count in 0..20_000 {
        let len = below(&mut world.dice, 1500);
        let mut datagram = vec![0; len];
        world.dice.fill_bytes(&mut datagram);
        // The right type and length, as often as not.
        let (kind, len) = [(1, 1200), (2, 476), (3, 932), (4, 108), (0x10, 60)][count % 5];
        if count % 2 == 0 {
            datagram.resize(len, 7);
            datagram[0] = kind;
        }
        assert!(world.at_display(here, &datagram).is_err());
        assert!(world.at_camera(id, there, &datagram).is_err());
        if count % 100 == 0 {
            world.run(secs(1) / 50);
        }
    }
    world.run_until_live(id, secs(1)).expect("the stream goes on");
    assert_eq!(world.display.opened, 1);
}
