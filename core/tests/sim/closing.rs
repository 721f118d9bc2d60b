//! The end of a session (docs/protocol.md §11): CLOSE is said three times, its receiver is silent, nobody lingers.

use sealcam_core::CloseReason;
use sealcam_core::discard::Discard;
use sealcam_core::output::{Event, SessionEnd};

use crate::world::forge::hello;
use crate::world::keys::Pem;
use crate::world::network::{Captured, Heading};
use crate::world::{Who, World, ms, secs, seed};

/// Two live cameras, and an ear on the network from now on.
fn two_live_cameras(seed: u64) -> World {
    let mut world = World::new(seed);
    for pem in [Pem::Camera, Pem::Camera2] {
        let id = world.add(pem);
        world.stream(id, 10, 2000..=20_000);
        world.run_until_live(id, secs(2)).expect("a picture");
    }
    world.run(ms(500));
    world.network.tap = Some(Vec::new());
    world
}

/// What was sent that way since then.
fn sent(world: &World, heading: Heading) -> Vec<&Captured> {
    world.network.tap.iter().flatten().filter(|sent| sent.heading == heading).collect()
}

fn ended(world: &World, who: Who, id: usize, end: SessionEnd) -> usize {
    let camera = world.cameras[id].fingerprint();
    world.count(who, |event| *event == Event::Disconnected { camera, why: end })
}

#[test]
fn a_camera_that_closes_says_so_three_times_and_is_done() {
    let mut world = two_live_cameras(seed(3));
    world.cameras[0].pause();
    let now = world.cameras[0].clock.here(world.now());
    world.cameras[0].client().close(now);
    world.poll();
    world.run_until(secs(1), |world| world.cameras[0].is_closed()).expect("closed within a second");
    world.run(secs(2));
    let closes = world.network.tap.iter().flatten().filter(|sent| sent.from == world.cameras[0].address);
    let closes: Vec<_> = closes.collect();
    assert_eq!(closes.len(), 3, "{closes:?}");
    // Type, CID, config, up to 4 of CTR, 3 of CLOSE, tag: nothing else is that short.
    assert!(closes.iter().all(|sent| sent.bytes.len() <= 23));
    assert_eq!(ended(&world, Who::Display, 0, SessionEnd::ClosedByPeer(CloseReason::Normal)), 1);
    assert_eq!(ended(&world, Who::Camera(0), 0, SessionEnd::Closed(CloseReason::Normal)), 1);
    assert_eq!(world.display.server().connected().count(), 1);
    world.run_until_live(1, secs(1)).expect("the other camera goes on");
}

#[test]
fn a_camera_closes_in_the_midst_of_silence_without_spinning() {
    let mut world = two_live_cameras(seed(4));
    world.display.stop();
    world.run(ms(1800));
    let now = world.cameras[0].clock.here(world.now());
    world.cameras[0].client().close(now);
    world.poll();
    world.run_until(secs(1), |world| world.cameras[0].is_closed()).expect("closed within a second");
}

#[test]
fn a_display_that_closes_lets_nobody_in_any_more() {
    let mut world = two_live_cameras(seed(5));
    // A slow path keeps one session closing while the other camera would be back already.
    for path in world.paths(0) {
        path.delay = ms(200);
    }
    world.run(secs(3));
    world.network.tap = Some(Vec::new());
    let now = world.display.clock.here(world.now());
    world.display.server().close(now);
    world.poll();
    world.run_until(secs(2), |world| world.display.server.as_ref().unwrap().is_closed()).expect("closed");
    assert_eq!(sent(&world, Heading::Down).len(), 6, "three CLOSEs for each, and no COOKIE");
    for id in 0..2 {
        assert_eq!(ended(&world, Who::Camera(id), id, SessionEnd::ClosedByPeer(CloseReason::GoingAway)), 1);
        assert_eq!(ended(&world, Who::Display, id, SessionEnd::Closed(CloseReason::GoingAway)), 1);
    }
    let stranger = "198.51.100.7:7".parse().unwrap();
    let hello = hello(&world.cameras[0].config.display, &[7; 32], [1, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(world.at_display(stranger, &hello), Err(Discard::Closing));
    world.restart_display();
    for id in 0..2 {
        world.run_until_live(id, secs(10)).expect("back with the next display");
    }
}

#[test]
fn a_close_by_someone_without_the_keys_ends_nothing() {
    let mut world = two_live_cameras(seed(7));
    world.run(ms(300));
    let tap = world.network.tap.clone().unwrap();
    // Of the length of a CLOSE, under the CIDs of each live session and counters still to come.
    for sent in &tap {
        for kid in 0..8 {
            let head = [&sent.bytes[..5], &[kid << 4 | 0x0A, 1, 0, 0]].concat();
            for reason in 0..6 {
                let forged = [&head[..], &[0x0C, 0, reason], &[reason; 10]].concat();
                let why = match sent.heading {
                    Heading::Up => world.at_display(sent.from, &forged),
                    Heading::Down => world.at_camera(camera_at(&world, sent.to), sent.from, &forged),
                };
                assert!(matches!(why, Err(Discard::Tag | Discard::UnknownEpoch)), "{why:?}");
            }
        }
    }
    // Nor does one of a session that is over: the camera's last words, once it is connected anew.
    let now = world.cameras[0].clock.here(world.now());
    world.cameras[0].client().close(now);
    world.poll();
    world.run(secs(1));
    let tap = world.network.tap.clone().unwrap();
    let last = tap.iter().rfind(|sent| sent.from == world.cameras[0].address).unwrap().clone();
    world.restart_camera(0);
    world.run_until_live(0, secs(2)).expect("connected anew");
    let ended =
        |world: &World| world.count(Who::Display, |event| matches!(event, Event::Disconnected { .. }));
    let before = ended(&world);
    assert_eq!(world.at_display(last.from, &last.bytes), Err(Discard::UnknownCid));
    for id in 0..2 {
        world.run_until_live(id, secs(1)).expect("goes on");
    }
    assert_eq!(ended(&world), before);
    assert_eq!(world.count(Who::Camera(1), |event| matches!(event, Event::Disconnected { .. })), 0);
}

fn camera_at(world: &World, address: std::net::SocketAddr) -> usize {
    world.cameras.iter().position(|camera| camera.address == address).unwrap()
}

#[test]
fn counters_never_shrink_when_a_session_ends() {
    let mut world = two_live_cameras(seed(6));
    let before = world.display.server().stats();
    assert!(before.frames > 0);
    let now = world.cameras[0].clock.here(world.now());
    world.cameras[0].client().close(now);
    world.poll();
    world.run(secs(1));
    let after = world.display.server().stats();
    assert!(after.frames > before.frames, "{before:?} {after:?}");
    assert!(after.frames_dropped >= before.frames_dropped);
    assert_eq!(usize::try_from(after.frames).unwrap(), world.shown.len());
}
