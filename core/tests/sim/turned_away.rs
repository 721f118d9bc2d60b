//! Cameras that the display does not take: struck off its list, one too many, or never on it (docs/protocol.md §5, §16).

use sealcam_core::CloseReason;
use sealcam_core::discard::Discard;
use sealcam_core::output::{Event, SessionEnd};

use crate::world::keys::Pem;
use crate::world::network::Heading;
use crate::world::{Setup, Who, World, ms, secs, seed};

#[test]
fn a_camera_struck_off_the_list_is_closed_as_revoked_and_keeps_silent_for_a_minute() {
    let mut world = World::new(seed(30));
    let ids = [world.add(Pem::Camera), world.add(Pem::Camera2)];
    for id in ids {
        world.stream(id, 30, 1000..=30_000);
        world.run_until_live(id, secs(2)).expect("a picture");
    }
    world.run(secs(1));
    let camera = world.cameras[0].fingerprint();
    world.strike(0);
    let shown = world.frames(0).count();
    world.network.tap = Some(Vec::new());
    world.run(ms(500));
    let revoked = Event::Disconnected { camera, why: SessionEnd::ClosedByPeer(CloseReason::Revoked) };
    assert_eq!(world.count(Who::Camera(0), |event| *event == revoked), 1);
    world.network.tap = Some(Vec::new());
    world.run(secs(58));
    let said = world.network.tap.iter().flatten().filter(|sent| sent.from == world.cameras[0].address);
    assert_eq!(said.count(), 0, "silent");
    assert_eq!(world.frames(0).count(), shown, "nothing of it is shown any more");
    world.run(secs(5));
    let stranger =
        |event: &Event| matches!(event, Event::UnknownCamera { camera: knocks, .. } if *knocks == camera);
    assert!(world.count(Who::Display, stranger) >= 1, "then it knocks, and the display says who");
    world.run_until_live(1, secs(1)).expect("the other camera is unharmed");
    assert_eq!(world.count(Who::Camera(1), |event| matches!(event, Event::Disconnected { .. })), 0);
}

#[test]
fn nothing_of_a_camera_struck_off_the_list_is_taken_any_more() {
    let mut world = World::new(seed(34));
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 1000..=30_000);
    world.run_until_live(id, secs(2)).expect("a picture");
    // It goes on streaming into a network that keeps everything back.
    world.network.tap = Some(Vec::new());
    world.network.meddler = Some(Box::new(|heading, _| heading == Heading::Down));
    world.run(ms(200));
    let kept: Vec<_> = world.network.tap.take().unwrap();
    let kept: Vec<_> = kept.into_iter().filter(|sent| sent.heading == Heading::Up).collect();
    world.network.routes[id].down.cut = true;
    let shown = world.shown.len();
    world.strike(id);
    for (count, sent) in kept.iter().enumerate() {
        // While CLOSE 3 is said three times, and when the session is erased.
        let why = if count < 5 { Discard::Closing } else { Discard::UnknownCid };
        assert_eq!(world.at_display(sent.from, &sent.bytes), Err(why), "{count}");
        if count == 4 {
            world.run(secs(1));
        }
    }
    assert!(kept.len() > 10);
    assert_eq!(world.shown.len(), shown);
    let camera = world.cameras[id].fingerprint();
    let revoked = Event::Disconnected { camera, why: SessionEnd::Closed(CloseReason::Revoked) };
    assert_eq!(world.count(Who::Display, |event| *event == revoked), 1);
}

#[test]
fn striking_one_camera_does_not_lose_the_handshake_of_another() {
    let mut world = World::new(seed(31));
    let first = world.add(Pem::Camera);
    world.stream(first, 30, 1000..=2000);
    world.run_until_live(first, secs(2)).expect("a picture");
    let second = world.add(Pem::Camera2);
    world.stream(second, 30, 1000..=2000);
    world.run_until(secs(1), |world| world.display.opened == 2).expect("its private operation is under way");
    world.strike(first);
    let took = world.run_until_live(second, secs(5)).expect("a picture");
    assert!(took < ms(500), "{took:?}");
}

#[test]
fn a_camera_that_finds_the_house_full_is_named_and_the_others_go_on() {
    let mut world = World::<1>::with(seed(32), Setup::default());
    let first = world.add(Pem::Camera);
    world.stream(first, 30, 1000..=30_000);
    world.run_until_live(first, secs(2)).expect("a picture");
    let second = world.add(Pem::Camera2);
    let named = Event::NoPlace { camera: world.cameras[second].fingerprint() };
    world.run(secs(20));
    assert!(world.count(Who::Display, |event| *event == named) >= 1);
    assert!(world.count(Who::Camera(second), |event| *event == Event::NotAccepted) >= 1);
    assert_eq!(world.count(Who::Camera(second), |event| matches!(event, Event::Connected { .. })), 0);
    assert_eq!(world.display.opened, 1, "no private operation for a camera that has no place");
    assert_eq!(world.count(Who::Camera(first), |event| matches!(event, Event::Disconnected { .. })), 0);
    let shown = world.frames(first).count();
    assert!(shown + 2 >= world.cameras[first].taken(), "{shown} of {}", world.cameras[first].taken());
    // When the first one leaves, the second has its place.
    world.cameras[first].stop();
    world.stream(second, 30, 1000..=30_000);
    world.run_until_live(second, secs(20)).expect("its turn");
}

#[test]
fn an_unknown_camera_is_named_and_costs_no_rsa_at_all() {
    let mut world = World::new(seed(33));
    let known = world.add(Pem::Camera);
    world.stream(known, 5, 1000..=3000);
    world.run_until_live(known, secs(2)).expect("a picture");
    let (verified, opened) = (world.display.verified.get(), world.display.opened);
    let stranger = world.add_unknown(Pem::Camera2);
    world.network.tap = Some(Vec::new());
    world.run(secs(120));
    let (camera, from) = (world.cameras[stranger].fingerprint(), world.cameras[stranger].address);
    let knocks = world.count(Who::Display, |event| *event == Event::UnknownCamera { camera, from });
    assert!((1..=121).contains(&knocks), "{knocks}");
    assert_eq!((world.display.verified.get(), world.display.opened), (verified, opened));
    assert!(world.display.server().stats().discarded(Discard::UnknownCamera) >= 1);
    assert!(world.count(Who::Camera(stranger), |event| *event == Event::NotAccepted) >= 1);
    // It tries ever more rarely: by now a pause of 6 to 10 s follows each 8 s of trying.
    let half = world.now() - secs(30);
    let keys = world.network.tap.iter().flatten().filter(|sent| {
        sent.heading == Heading::Up && sent.from == from && sent.bytes.len() == 932 && sent.at > half
    });
    let keys = keys.count();
    assert!((5..=60).contains(&keys), "{keys} KEYs in 30 s");
    // And is let in as soon as it is on the list.
    let modulus = world.cameras[stranger].modulus;
    world.display.enrol(&modulus);
    world.stream(stranger, 30, 1000..=30_000);
    world.run_until_live(stranger, secs(20)).expect("let in");
}
