//! The pairing run (§5): who has the code may ask, once; the owner decides; nothing else changes for anybody.

use std::net::SocketAddr;

use sealcam_core::CloseReason;
use sealcam_core::discard::Discard;
use sealcam_core::key::{MODULUS_LEN, Modulus};
use sealcam_core::output::{Event, SessionEnd};
use sealcam_core::pairing::{NotAccepted, PairSecret, PairingEnd, PairingNotOpened, TurnedAway};

use crate::world::forge::{KEY_LEN, Key, ONLY_VERSION_1, cookie_in, hello, pair_key};
use crate::world::keys::Pem;
use crate::world::network::Heading;
use crate::world::{Setup, Who, World, ms, secs, seed};

fn stranger() -> SocketAddr {
    "198.51.100.7:777".parse().unwrap()
}

/// Runs until the owner is asked.
fn run_until_asked<const SEATS: usize>(world: &mut World<SEATS>) {
    world.run_until(secs(30), |world| world.digits(Who::Display).is_some()).expect("the owner is asked");
}

fn count<const SEATS: usize>(world: &World<SEATS>, who: Who, event: Event) -> usize {
    world.count(who, |told| *told == event)
}

/// A KEY by hand from a proven address, with the MAC of this secret.
fn forged_key(world: &mut World, secret: &[u8; 16]) -> Vec<u8> {
    let modulus = world.display.config().modulus;
    let display = modulus.fingerprint();
    let mut hello = hello(&display, &[5; 32], ONLY_VERSION_1);
    hello[3] = 1;
    crate::world::forge::sign_off(&display, &mut hello);
    let answers = world.ask_display(stranger(), &hello);
    let key = Key::new(&modulus, [5; 32], cookie_in(&answers[0]), &mut world.dice);
    key.with_pairing_mac(&display, &pair_key(&display, secret))
}

#[test]
fn pairing_leads_from_nothing_to_a_picture_on_any_network_that_lets_something_through() {
    for round in 0..12 {
        let mut world = World::new(seed(100) + round);
        let secret = world.open_pairing();
        let id = world.add_pairing(Pem::Camera, &secret);
        let lossy = round > 0;
        for path in world.paths(id).filter(|_| lossy) {
            path.loss = 0.25;
            path.burst = ms(round % 4 * 100);
            (path.delay, path.jitter, path.in_order) = (ms(30), ms(60), false);
            (path.duplicate, path.corrupt) = (0.2, 0.1);
        }
        run_until_asked(&mut world);
        world
            .run_until(secs(1), |world| world.digits(Who::Camera(id)).is_some())
            .expect("the camera shows them");
        assert_eq!(world.digits(Who::Display), world.digits(Who::Camera(id)));
        world.run(secs(3));
        assert_eq!(count(&world, Who::Camera(id), Event::Paired), 0, "nobody has answered yet");
        world.answer_pairing(true);
        world
            .run_until(secs(30), |world| count(world, Who::Camera(id), Event::Paired) == 1)
            .unwrap_or_else(|| panic!("not paired with seed offset {round}"));
        world.run_until(secs(30), |world| !world.pairing_ends().is_empty()).expect("the run ends");
        let ends = world.pairing_ends();
        // The three CLOSEs may all be lost.
        let confirmed = ends == [PairingEnd::Paired] || lossy && ends == [PairingEnd::Unconfirmed];
        assert!(confirmed, "{ends:?}");
        world.run_until(secs(5), |world| world.cameras[id].is_closed()).expect("its work is done");
        world.restart_camera(id);
        world.stream(id, 30, 1000..=5000);
        world.run_until_live(id, secs(20)).expect("a picture, with nothing but the keys");
    }
}

#[test]
fn a_quiet_pairing_costs_one_private_operation_at_each_end_and_one_verification() {
    let mut world = World::new(seed(101));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.run(secs(60));
    assert_eq!((world.display.opened, world.display.verified.get()), (1, 1), "however often ENROL comes");
    assert_eq!(world.cameras[id].client().stats().rsa_private, 1);
    world.answer_pairing(true);
    world.run(secs(5));
    assert_eq!(world.pairing_ends(), [PairingEnd::Paired]);
    assert_eq!((world.display.opened, world.display.verified.get()), (1, 1));
    let told = |event: &Event| matches!(event, Event::Connected { .. } | Event::Disconnected { .. });
    assert_eq!(world.count(Who::Display, told), 0, "it was never a camera's session");
}

#[test]
fn a_lost_enrol_ok_is_asked_for_again() {
    let mut world = World::new(seed(102));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.run(ms(500));
    let mut left = 3;
    world.network.meddler = Some(Box::new(move |heading, bytes| {
        // One byte of plaintext and at most one of counter: nothing else is so short.
        let enrol_ok = heading == Heading::Down && bytes[0] == 0x10 && bytes.len() <= 18;
        let lost = enrol_ok && left > 0;
        left -= i32::from(lost);
        !lost
    }));
    world.answer_pairing(true);
    let took = world.run_until(secs(10), |world| count(world, Who::Camera(id), Event::Paired) == 1);
    let took = took.expect("paired in the end");
    assert!((ms(3000)..ms(4500)).contains(&took), "three were lost, one a second: {took:?}");
    world.run(secs(1));
    assert_eq!(world.pairing_ends(), [PairingEnd::Paired]);
}

#[test]
fn a_camera_that_never_hears_the_answer_is_told_of_as_unconfirmed() {
    let mut world = World::new(seed(103));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.network.routes[id].down.cut = true;
    world.answer_pairing(true);
    world.run(secs(12));
    assert_eq!(world.pairing_ends(), [PairingEnd::Unconfirmed]);
    assert_eq!(count(&world, Who::Camera(id), Event::PairingFailed(SessionEnd::Silent)), 1);
    assert!(world.cameras[id].is_closed());
    // The same camera pairs again: it is on the list, and stays there once.
    world.network.routes[id].down.cut = false;
    let secret = world.open_pairing();
    world.pair(id, &secret);
    let before = world.told.len();
    let asked = |world: &World| {
        world.told[before..].iter().any(|told| matches!(told.event, Event::PairingAsked { .. }))
    };
    world.run_until(secs(5), asked).expect("asked again");
    world.answer_pairing(true);
    world.run(secs(3));
    assert_eq!(world.pairing_ends(), [PairingEnd::Unconfirmed, PairingEnd::Paired]);
}

#[test]
fn a_wrong_secret_is_told_at_both_ends_and_does_not_end_the_run() {
    let mut world = World::new(seed(104));
    let secret = world.open_pairing();
    let mut wrong = *secret.as_bytes();
    wrong[15] ^= 1;
    let id = world.add_pairing(Pem::Camera2, &PairSecret::new(wrong));
    world.run(secs(10));
    let away = Event::PairingTurnedAway { from: world.cameras[id].address, why: TurnedAway::WrongSecret };
    assert!(count(&world, Who::Display, away) >= 1);
    assert!(count(&world, Who::Camera(id), Event::NotAccepted) >= 1);
    assert_eq!(count(&world, Who::Camera(id), Event::PairingShut), 0, "the window is open");
    assert_eq!((world.display.opened, world.display.verified.get()), (0, 0), "no RSA for a wrong MAC");
    let right = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.answer_pairing(true);
    world.run(secs(3));
    assert_eq!(count(&world, Who::Camera(right), Event::Paired), 1);
    assert_eq!(world.pairing_ends(), [PairingEnd::Paired]);
}

#[test]
fn a_thousand_bad_macs_do_not_stop_the_good_one_after_them() {
    let mut world = World::new(seed(105));
    let secret = world.open_pairing();
    for round in 0..1000_u16 {
        let [high, low] = round.to_be_bytes();
        let mut guess = *secret.as_bytes();
        guess[0] ^= 0x80 | high;
        guess[1] ^= low;
        let datagram = forged_key(&mut world, &guess);
        assert_eq!(world.at_display(stranger(), &datagram), Err(Discard::PairingMac));
        world.network.stray.clear();
        world.run(ms(10));
    }
    assert_eq!(world.display.server().stats().discarded(Discard::PairingMac), 1000);
    assert_eq!((world.display.opened, world.display.verified.get()), (0, 0));
    let told = world.count(Who::Display, |event| matches!(event, Event::PairingTurnedAway { .. }));
    assert!((1..=11).contains(&told), "told once a second, not {told} times in ten seconds");
    let id = world.add_pairing(Pem::Camera, &secret);
    let took = world.run_until(secs(5), |world| world.digits(Who::Display).is_some()).expect("let in");
    assert!(took < secs(1), "{took:?}");
    world.answer_pairing(true);
    world.run(secs(2));
    assert_eq!(count(&world, Who::Camera(id), Event::Paired), 1);
}

#[test]
fn whoever_has_the_code_has_one_private_operation_at_a_time_three_at_once_and_then_one_in_three_seconds() {
    let mut world = World::new(seed(99));
    let secret = world.open_pairing();
    let began = world.now();
    let knock = |world: &mut World| {
        let datagram = forged_key(world, secret.as_bytes());
        world.at_display(stranger(), &datagram)
    };
    assert_eq!(knock(&mut world), Ok(()));
    // Not beside the first one's private operation, which takes 100 ms; and that costs no token.
    assert_eq!(knock(&mut world), Err(Discard::HandshakeLimit));
    assert_eq!(world.display.opened, 1);
    for opened in 2..=3 {
        world.run(ms(200));
        assert_eq!(knock(&mut world), Ok(()));
        assert_eq!(world.display.opened, opened);
    }
    world.run(ms(200));
    assert_eq!(knock(&mut world), Err(Discard::HandshakeLimit));
    let until = began + secs(3) - world.now();
    world.run(until - ms(1));
    assert_eq!(knock(&mut world), Err(Discard::HandshakeLimit));
    world.run(ms(1));
    assert_eq!(knock(&mut world), Ok(()));
    world.run(ms(200));
    assert_eq!(knock(&mut world), Err(Discard::HandshakeLimit));
    assert_eq!(world.display.opened, 4);
}

#[test]
fn a_mac_made_by_hand_is_what_the_display_expects_and_only_from_its_own_fingerprint() {
    let mut world = World::new(seed(106));
    let secret = world.open_pairing();
    let datagram = forged_key(&mut world, secret.as_bytes());
    assert_eq!(datagram.len(), KEY_LEN);
    // The same secret, meant for another display: its fingerprint is in the key and in th1.
    let (here, other) = (world.display.config().modulus.fingerprint(), *Pem::Camera2.read().modulus());
    let key = Key::taken_from(&datagram);
    for (display, salt) in [(other.fingerprint(), here), (here, other.fingerprint())] {
        let mut foreign = key.with_pairing_mac(&display, &pair_key(&salt, secret.as_bytes()));
        crate::world::forge::sign_off(&here, &mut foreign);
        assert_eq!(world.at_display(stranger(), &foreign), Err(Discard::PairingMac));
    }
    // PAIRING goes with auth_type 2 alone.
    for (byte, value) in [(3, 0), (496, 1), (500, 1), (564, 1), (915, 1)] {
        let mut altered = datagram.clone();
        altered[byte] = value;
        crate::world::forge::sign_off(&here, &mut altered);
        assert!(matches!(world.at_display(stranger(), &altered), Err(Discard::Malformed | Discard::Cookie)));
    }
    assert_eq!(world.display.opened, 0);
    assert_eq!(world.at_display(stranger(), &datagram), Ok(()));
    assert_eq!(world.display.opened, 1);
    world.run(ms(200));
    assert_eq!(world.at_display(stranger(), &datagram), Ok(()), "the same KEY again has the same ACCEPT");
    assert_eq!(world.display.opened, 1);
    // A knock is no success: the code is good until a session is active.
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    assert!(world.digits(Who::Camera(id)).is_some());
}

#[test]
fn a_code_is_good_for_one_session_and_no_other() {
    let mut world = World::new(seed(107));
    let secret = world.open_pairing();
    let first = world.add_pairing(Pem::Camera, &secret);
    world.network.tap = Some(Vec::new());
    run_until_asked(&mut world);
    let key = world.network.tap.iter().flatten().find(|sent| sent.bytes.len() == KEY_LEN).unwrap().clone();
    assert_eq!(world.at_display(key.from, &key.bytes), Err(Discard::NoWindow), "nor for the same one again");
    let second = world.add_pairing(Pem::Camera2, &secret);
    world.run(secs(10));
    assert!(count(&world, Who::Camera(second), Event::PairingShut) >= 1);
    let away = Event::PairingTurnedAway { from: world.cameras[second].address, why: TurnedAway::NoWindow };
    assert!(count(&world, Who::Display, away) >= 1);
    assert_eq!(world.display.opened, 1);
    world.answer_pairing(true);
    world.run(secs(3));
    assert_eq!(count(&world, Who::Camera(first), Event::Paired), 1);
    // Neither after the success, nor in the next window.
    world.run(secs(20));
    let _other = world.open_pairing();
    world.run(secs(20));
    assert_eq!(world.display.opened, 1);
    assert_eq!(world.digits(Who::Camera(second)), None);
}

#[test]
fn a_window_ends_after_two_minutes_or_when_it_is_closed() {
    let mut world = World::new(seed(108));
    let secret = world.open_pairing();
    world.run(secs(119));
    assert_eq!(world.pairing_ends(), []);
    world.run(secs(2));
    assert_eq!(world.pairing_ends(), [PairingEnd::Expired]);
    let id = world.add_pairing(Pem::Camera, &secret);
    world.run(secs(2));
    assert!(count(&world, Who::Camera(id), Event::PairingShut) >= 1);
    let secret = world.open_pairing();
    world.answer_pairing(false);
    assert_eq!(world.pairing_ends(), [PairingEnd::Expired, PairingEnd::Refused]);
    world.pair(id, &secret);
    world.run(secs(30));
    assert_eq!(world.display.opened, 0);
    assert_eq!(world.digits(Who::Camera(id)), None);
}

#[test]
fn a_key_just_before_the_end_of_the_window_does_not_outlast_it() {
    let mut world = World::new(seed(109));
    let secret = world.open_pairing();
    world.run(secs(119) + ms(950));
    let datagram = forged_key(&mut world, secret.as_bytes());
    assert_eq!(world.at_display(stranger(), &datagram), Ok(()));
    world.run(secs(1));
    assert_eq!(world.pairing_ends(), [PairingEnd::Expired]);
    assert_eq!(world.at_display(stranger(), &datagram), Err(Discard::NoWindow));
    assert!(world.network.stray.iter().all(|(_, bytes)| bytes.len() != 108), "its ACCEPT never left");
}

#[test]
fn only_an_open_window_shows_in_the_cookie() {
    let mut world = World::new(seed(110));
    let flags = |world: &mut World| {
        let display = world.display.config().modulus.fingerprint();
        let answers = world.ask_display(stranger(), &hello(&display, &[7; 32], ONLY_VERSION_1));
        let flags = u16::from_be_bytes([answers[0][2], answers[0][3]]);
        world.network.stray.clear();
        flags
    };
    assert_eq!(flags(&mut world), 0);
    let secret = world.open_pairing();
    assert_eq!(flags(&mut world), 1);
    let _camera = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    assert_eq!(flags(&mut world), 0, "the code is used up");
}

#[test]
fn a_refused_camera_is_told_and_does_not_come_back() {
    let mut world = World::new(seed(111));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.answer_pairing(false);
    world.run(secs(1));
    let refused = SessionEnd::ClosedByPeer(CloseReason::Revoked);
    assert_eq!(count(&world, Who::Camera(id), Event::PairingFailed(refused)), 1);
    assert_eq!(world.pairing_ends(), [PairingEnd::Refused]);
    world.network.tap = Some(Vec::new());
    world.run(secs(120));
    assert_eq!(world.network.tap.iter().flatten().count(), 0, "neither says anything any more");
    assert!(world.cameras[id].is_closed());
    world.restart_camera(id);
    world.run(secs(3));
    let stranger = |event: &Event| matches!(event, Event::UnknownCamera { .. });
    assert!(world.count(Who::Display, stranger) >= 1, "it is not on the list");
}

#[test]
fn a_camera_that_nobody_answers_is_closed_after_two_minutes() {
    let mut world = World::new(seed(112));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.run(secs(119));
    assert_eq!(world.pairing_ends(), []);
    assert!(!world.cameras[id].is_closed());
    world.run(secs(2));
    assert_eq!(world.pairing_ends(), [PairingEnd::NotAnswered]);
    let revoked = SessionEnd::ClosedByPeer(CloseReason::Revoked);
    assert_eq!(count(&world, Who::Camera(id), Event::PairingFailed(revoked)), 1);
    let here = world.display.clock.here(world.now());
    assert_eq!(world.display.server().accept_pairing(here), Err(NotAccepted::NobodyAsks), "too late");
}

#[test]
fn a_camera_that_goes_before_it_is_answered_ends_the_run() {
    for killed in [false, true] {
        let mut world = World::new(seed(113));
        let secret = world.open_pairing();
        let id = world.add_pairing(Pem::Camera, &secret);
        run_until_asked(&mut world);
        if killed {
            world.cameras[id].stop();
        } else {
            let here = world.cameras[id].clock.here(world.now());
            world.cameras[id].client().close(here);
            world.poll();
        }
        world.run(secs(6));
        let why = if killed { SessionEnd::Silent } else { SessionEnd::ClosedByPeer(CloseReason::GoingAway) };
        assert_eq!(world.pairing_ends(), [PairingEnd::CameraGone(why)]);
        let here = world.display.clock.here(world.now());
        assert_eq!(world.display.server().accept_pairing(here), Err(NotAccepted::NobodyAsks));
    }
}

#[test]
fn a_display_that_restarts_ends_the_run_at_the_camera() {
    let mut world = World::new(seed(114));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.restart_display();
    world.run(secs(7));
    assert_eq!(count(&world, Who::Camera(id), Event::PairingFailed(SessionEnd::Silent)), 1);
    assert!(world.cameras[id].is_closed());
}

#[test]
fn pairing_takes_no_streaming_cameras_place_and_costs_it_no_frame() {
    let mut world = World::<1>::with(seed(115), Setup::default());
    let streaming = world.add(Pem::Camera);
    world.stream(streaming, 30, 1000..=30_000);
    world.run_until_live(streaming, secs(2)).expect("a picture");
    let (shown, taken) = (world.frames(streaming).count(), world.cameras[streaming].taken());
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera2, &secret);
    run_until_asked(&mut world);
    world.answer_pairing(true);
    world.run(secs(3));
    assert_eq!(count(&world, Who::Camera(id), Event::Paired), 1);
    let (shown, taken) = (world.frames(streaming).count() - shown, world.cameras[streaming].taken() - taken);
    assert!(shown + 2 >= taken, "{shown} of {taken}");
    let gone = |event: &Event| matches!(event, Event::Disconnected { .. });
    assert_eq!(world.count(Who::Camera(streaming), gone), 0);
}

#[test]
fn a_full_list_is_told_and_the_camera_can_still_be_refused() {
    let mut world = World::new(seed(116));
    for number in 1..=16_u8 {
        let mut bytes = [number; MODULUS_LEN];
        (bytes[0], bytes[MODULUS_LEN - 1]) = (0x80, 1);
        world.display.enrol(&Modulus::new(&bytes).unwrap());
    }
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    let here = world.display.clock.here(world.now());
    assert_eq!(world.display.server().accept_pairing(here), Err(NotAccepted::ListFull));
    world.run(secs(3));
    assert_eq!(count(&world, Who::Camera(id), Event::Paired), 0);
    world.answer_pairing(false);
    world.run(secs(1));
    assert!(world.cameras[id].is_closed());
}

#[test]
fn there_is_one_run_at_a_time_and_none_at_a_display_that_closes() {
    let mut world = World::new(seed(117));
    let secret = world.open_pairing();
    let here = world.display.clock.here(world.now());
    assert!(matches!(world.display.server().open_pairing(here), Err(PairingNotOpened::Busy)));
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    let here = world.display.clock.here(world.now());
    assert!(matches!(world.display.server().open_pairing(here), Err(PairingNotOpened::Busy)));
    world.display.server().close(here);
    assert!(matches!(world.display.server().open_pairing(here), Err(PairingNotOpened::Closing)));
    world.poll();
    world.run(secs(1));
    let leaving = SessionEnd::ClosedByPeer(CloseReason::GoingAway);
    assert_eq!(count(&world, Who::Camera(id), Event::PairingFailed(leaving)), 1);
    assert!(world.display.server().is_closed());
}

#[test]
fn a_session_that_the_display_never_heard_of_leaves_the_code_good() {
    let mut world = World::new(seed(118));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    // ACCEPT comes, and not one packet of the session gets through.
    world.network.meddler = Some(Box::new(|heading, bytes| heading == Heading::Down || bytes[0] != 0x10));
    world.run(secs(12));
    world.network.meddler = None;
    run_until_asked(&mut world);
    world.answer_pairing(true);
    world.run(secs(3));
    assert_eq!(count(&world, Who::Camera(id), Event::Paired), 1);
}

#[test]
fn a_machine_that_slept_ends_the_run_at_either_end() {
    let mut world = World::new(seed(119));
    let secret = world.open_pairing();
    world.display.server().slept();
    world.poll();
    assert_eq!(world.pairing_ends(), [PairingEnd::Expired], "how much of its time is over nobody knows");
    let id = world.add_pairing(Pem::Camera, &secret);
    world.run(secs(2));
    assert_eq!(world.digits(Who::Display), None);
    let secret = world.open_pairing();
    world.pair(id, &secret);
    run_until_asked(&mut world);
    world.display.server().slept();
    world.poll();
    let gone = PairingEnd::CameraGone(SessionEnd::Slept);
    assert_eq!(world.pairing_ends(), [PairingEnd::Expired, gone]);
    world.run(secs(10));

    let mut world = World::new(seed(120));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.run(ms(100));
    let here = world.cameras[id].clock.here(world.now());
    world.cameras[id].client().slept(here);
    world.poll();
    assert_eq!(count(&world, Who::Camera(id), Event::PairingFailed(SessionEnd::Slept)), 1);
    assert!(world.cameras[id].is_closed());
}

#[test]
fn a_display_that_stops_after_its_owner_has_accepted_does_not_say_refused() {
    let mut world = World::new(seed(190));
    let secret = world.open_pairing();
    let id = world.add_pairing(Pem::Camera, &secret);
    run_until_asked(&mut world);
    world.network.routes[id].down.cut = true;
    world.answer_pairing(true);
    let here = world.display.clock.here(world.now());
    world.display.server().close(here);
    world.poll();
    assert_eq!(world.pairing_ends(), [PairingEnd::Unconfirmed]);
}
