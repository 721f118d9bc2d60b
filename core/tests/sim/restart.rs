//! Either side is killed and comes back with its keys and nothing else: a picture is there again within 5 s.

use std::net::SocketAddr;

use sealcam_core::CloseReason;
use sealcam_core::output::{Event, SessionEnd};

use crate::world::keys::Pem;
use crate::world::{Who, World, ms, secs, seed};

fn live(seed: u64) -> (World, usize) {
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 1000..=30_000);
    world.run_until_live(id, secs(2)).expect("a picture");
    world.run(ms(700));
    (world, id)
}

#[test]
fn a_restarted_camera_is_back_at_once_and_its_old_session_ends() {
    let (mut world, id) = live(seed(20));
    let camera = world.cameras[id].fingerprint();
    for _ in 0..3 {
        world.restart_camera(id);
        let took = world.run_until_live(id, secs(2)).expect("back");
        println!("back after {took:?}");
        world.run(secs(4));
    }
    let replaced = Event::Disconnected { camera, why: SessionEnd::Replaced };
    assert_eq!(world.count(Who::Display, |event| *event == replaced), 3);
    assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Disconnected { .. })), 0);
    assert_eq!(world.display.server().connected().count(), 1);
}

#[test]
fn a_restarted_display_has_a_picture_again_within_five_seconds() {
    let (mut world, id) = live(seed(21));
    for off in [ms(0), ms(300), secs(2), secs(7), secs(20)] {
        world.display.stop();
        world.run(off);
        world.restart_display();
        let took = world.run_until_live(id, secs(5)).expect("back within 5 s");
        println!("off for {off:?}, back after {took:?}");
        world.run(secs(1));
    }
}

#[test]
fn a_display_that_moved_is_found_when_its_name_is_looked_up_again() {
    let (mut world, id) = live(seed(22));
    let moved: SocketAddr = "192.0.2.77:5001".parse().unwrap();
    world.display.stop();
    world.display.address = moved;
    world.restart_display();
    // As a camera's program does: it looks the name up again whenever it is told that dialling begins.
    let dialled = |world: &World| world.count(Who::Camera(id), |event| *event == Event::Connecting);
    let before = dialled(&world);
    world.run_until(secs(3), |world| dialled(world) > before).expect("dials after the silence");
    let now = world.cameras[id].clock.here(world.now());
    world.cameras[id].client().set_display_address(now, moved);
    world.poll();
    world.run_until_live(id, secs(2)).expect("found");
}

#[test]
fn two_cameras_with_one_key_do_not_supersede_each_other_for_ever() {
    let (mut world, first) = live(seed(23));
    // Another device with a copy of the key. It is the display that cannot tell them apart.
    let twin = world.add_unknown(Pem::Camera);
    let camera = world.cameras[first].fingerprint();
    let superseded = Event::Disconnected { camera, why: SessionEnd::ClosedByPeer(CloseReason::Superseded) };
    world.run_until(secs(2), |world| world.count(Who::Camera(first), |event| *event == superseded) == 1);
    assert_eq!(world.count(Who::Camera(first), |event| *event == superseded), 1);
    let at = world.now();
    world.run(secs(55));
    let dialled = world
        .told
        .iter()
        .filter(|t| t.at > at && t.who == Who::Camera(first) && t.event == Event::Connecting);
    assert_eq!(dialled.count(), 0, "waits for a minute");
    assert_eq!(world.count(Who::Camera(twin), |event| matches!(event, Event::Disconnected { .. })), 0);
    world.run(secs(10));
    assert_eq!(world.count(Who::Camera(twin), |event| *event == superseded), 1, "and then has its turn");
}

#[test]
fn a_camera_that_trusts_another_display_from_now_on_leaves_the_old_one() {
    let (mut world, id) = live(seed(24));
    let now = world.cameras[id].clock.here(world.now());
    let other = world.cameras[id].fingerprint();
    world.cameras[id].client().set_display(now, other, None);
    world.poll();
    world.run(secs(1));
    let camera = world.cameras[id].fingerprint();
    let left = Event::Disconnected { camera, why: SessionEnd::ClosedByPeer(CloseReason::GoingAway) };
    assert_eq!(world.count(Who::Display, |event| *event == left), 1);
    // The display knows nothing of that other key, so it stays silent.
    world.run(secs(10));
    assert_eq!(world.count(Who::Camera(id), |event| *event == Event::DisplayAnswered), 1);
    assert!(world.count(Who::Camera(id), |event| *event == Event::NoAnswer) >= 1);
    let pin = world.display.config().modulus.fingerprint();
    let now = world.cameras[id].clock.here(world.now());
    world.cameras[id].client().set_display(now, pin, None);
    world.poll();
    world.run_until_live(id, secs(2)).expect("back to the first one");
}

#[test]
fn a_display_that_restarts_between_cookie_and_key_again_and_again_is_back_within_five_seconds() {
    for times in 1..=5 {
        let mut world = World::new(seed(25));
        let id = world.add(Pem::Camera);
        world.stream(id, 30, 1000..=5000);
        for _ in 0..times {
            let answered = world.count(Who::Camera(id), |event| *event == Event::DisplayAnswered);
            let again = |world: &World| {
                world.count(Who::Camera(id), |event| *event == Event::DisplayAnswered) > answered
            };
            world.run_until(secs(10), again).expect("a cookie");
            // KEY is on its way: the display that it reaches knows nothing of its cookie.
            world.restart_display();
        }
        let took = world.run_until_live(id, secs(5)).expect("back within 5 s");
        println!("{times} restarts: back after {took:?}");
    }
}
