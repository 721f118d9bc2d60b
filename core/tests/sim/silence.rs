//! What happens when nothing is heard (docs/protocol.md §11): doubt after 1.5 s, death after 5 s, the circuit breaker
//! after 0.5 s.

use std::time::Duration;

use sealcam_core::discard::Discard;
use sealcam_core::output::{Event, SessionEnd};

use crate::world::keys::Pem;
use crate::world::network::{Captured, Heading};
use crate::world::{Who, World, ms, secs, seed};

fn live(seed: u64, fps: u32) -> (World, usize) {
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.stream(id, fps, 1000..=30_000);
    world.run_until_live(id, secs(3)).expect("a picture");
    world.run(secs(2));
    (world, id)
}

/// How long after `since` an event came for the first time.
fn told_after(world: &World, since: Duration, who: Who, event: Event) -> Option<Duration> {
    let told = world.told.iter().find(|told| told.at >= since && told.who == who && told.event == event);
    told.map(|told| told.at - since)
}

#[test]
fn five_seconds_of_silence_end_the_session_at_both_ends() {
    let (mut world, id) = live(seed(40), 30);
    let camera = world.cameras[id].fingerprint();
    for path in world.paths(id) {
        path.cut = true;
    }
    let since = world.now();
    world.run(secs(6));
    let silent = Event::Disconnected { camera, why: SessionEnd::Silent };
    for who in [Who::Display, Who::Camera(id)] {
        let after = told_after(&world, since, who, silent).expect("dead");
        assert!((ms(4700)..=ms(5001)).contains(&after), "{who:?}: {after:?}");
    }
    assert_eq!(world.display.server().connected().count(), 0);
    for path in world.paths(id) {
        path.cut = false;
    }
    let took = world.run_until_live(id, secs(5)).expect("live again");
    println!("live again after {took:?}");
}

#[test]
fn doubt_starts_a_handshake_beside_the_session_and_an_authentic_packet_ends_it() {
    let (mut world, id) = live(seed(41), 30);
    world.network.routes[id].down.cut = true;
    let since = world.now();
    world.run(ms(2500));
    let after = told_after(&world, since, Who::Camera(id), Event::Connecting).expect("dials");
    assert!((ms(1200)..=ms(1501)).contains(&after), "{after:?}");
    world.network.tap = Some(Vec::new());
    world.network.routes[id].down.cut = false;
    world.run_until_live(id, secs(1)).expect("live again");
    world.run(secs(3));
    let hellos = world.network.tap.iter().flatten().filter(|sent| sent.bytes[0] == 0x01);
    assert!(hellos.count() <= 1, "dialling ends");
    assert_eq!(world.display.opened, 1, "and the session goes on");
    assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Disconnected { .. })), 0);
}

#[test]
fn media_stops_after_half_a_second_without_feedback_and_goes_on_with_the_next() {
    let (mut world, id) = live(seed(42), 30);
    world.network.tap = Some(Vec::new());
    world.network.routes[id].down.cut = true;
    let since = world.now();
    world.run(ms(1400));
    let after = told_after(&world, since, Who::Camera(id), Event::MediaPaused(true)).expect("paused");
    assert!((ms(450)..=ms(600)).contains(&after), "{after:?}");
    let tap = world.network.tap.as_ref().unwrap();
    let sent = |from: Duration| tap.iter().filter(move |sent| sent.heading == Heading::Up && sent.at > from);
    let paused_at = since + after;
    assert_eq!(sent(paused_at).filter(|sent| sent.bytes.len() == 1192).count(), 0, "no media");
    let control: Vec<_> = sent(paused_at).filter(|sent| sent.bytes.len() < 100).map(|sent| sent.at).collect();
    assert!(control.windows(2).all(|pair| pair[1] - pair[0] <= ms(250)), "PING every 250 ms: {control:?}");
    world.network.routes[id].down.cut = false;
    let healed = world.now();
    world.run_until_live(id, ms(500)).expect("goes on");
    told_after(&world, healed, Who::Camera(id), Event::MediaPaused(false)).expect("says so");
}

#[test]
fn at_one_frame_a_second_the_breaker_does_not_trip() {
    for delay in [ms(1), ms(150)] {
        let (mut world, id) = live(seed(43), 1);
        for path in world.paths(id) {
            path.delay = delay;
        }
        world.run(secs(30));
        assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::MediaPaused(_))), 0);
        assert!(world.frames(id).count() >= 28);
    }
}

#[test]
fn a_session_without_frames_stays_alive() {
    let mut world = World::new(seed(44));
    let id = world.add(Pem::Camera);
    world.run_until(secs(2), |world| world.cameras[id].is_ready()).expect("a session");
    world.run(secs(120));
    assert_eq!(world.display.opened, 1);
    assert_eq!(world.display.server().connected().count(), 1);
    world.stream(id, 30, 100..=100);
    world.run_until_live(id, ms(200)).expect("a picture at once");
}

#[test]
fn a_path_of_many_seconds_of_delay_is_no_reason_to_spin() {
    let mut world = World::new(seed(45));
    let id = world.add(Pem::Camera);
    for path in world.paths(id) {
        path.delay = secs(9);
    }
    world.stream(id, 5, 100..=5000);
    world.run(secs(120));
}

#[test]
fn a_display_that_is_not_there_is_reported_and_asked_ever_more_rarely() {
    let mut world = World::new(seed(46));
    let id = world.add(Pem::Camera);
    world.display.stop();
    world.network.tap = Some(Vec::new());
    world.run(secs(180));
    let tap = world.network.tap.as_ref().unwrap();
    let between =
        |from: u64, to: u64| tap.iter().filter(|sent| (secs(from)..secs(to)).contains(&sent.at)).count();
    assert!((50..=85).contains(&between(0, 60)), "{}", between(0, 60));
    assert!((10..=22).contains(&between(120, 180)), "{}", between(120, 180));
    assert!((30..=37).contains(&world.count(Who::Camera(id), |event| *event == Event::NoAnswer)));
    assert!(tap.iter().all(|sent| sent.bytes == tap[0].bytes), "always the same HELLO");
    world.restart_display();
    world.stream(id, 30, 1000..=1000);
    world.run_until_live(id, secs(6)).expect("found");
}

#[test]
fn a_camera_whose_machine_slept_dials_anew_at_once_and_nothing_of_before_counts() {
    let (mut world, id) = live(seed(45), 30);
    world.network.tap = Some(Vec::new());
    world.run(ms(200));
    let recorded = world.network.tap.take().unwrap();
    let (since, now) = (world.now(), world.cameras[id].clock.here(world.now()));
    world.cameras[id].client().slept(now);
    world.poll();
    let took = world.run_until_live(id, secs(2)).expect("live again");
    println!("live again after {took:?}");
    let camera = world.cameras[id].fingerprint();
    let slept = Event::Disconnected { camera, why: SessionEnd::Slept };
    assert_eq!(told_after(&world, since, Who::Camera(id), slept), Some(Duration::ZERO));
    for sent in recorded {
        let why = match sent.heading {
            Heading::Up => world.at_display(sent.from, &sent.bytes),
            Heading::Down => world.at_camera(id, sent.from, &sent.bytes),
        };
        assert_eq!(why, Err(Discard::UnknownCid));
    }
}

#[test]
fn a_display_whose_machine_slept_forgets_the_handshakes_that_were_under_way() {
    let dialling = || {
        let mut world = World::new(seed(47));
        let id = world.add(Pem::Camera);
        world.network.tap = Some(Vec::new());
        world.network.meddler = Some(Box::new(|heading, bytes| heading == Heading::Down || bytes[0] != 0x10));
        (world, id)
    };
    let sent = |world: &World, kind| -> Vec<Captured> {
        world.network.tap.iter().flatten().filter(|sent| sent.bytes[0] == kind).cloned().collect()
    };
    // During its private operation.
    let (mut world, id) = dialling();
    world.run_until(secs(1), |world| world.display.opened == 1).expect("a KEY is taken");
    world.display.server().slept();
    world.poll();
    world.cameras[id].stop();
    world.run(secs(1));
    assert!(sent(&world, 0x04).is_empty(), "no answer to what came before");
    // And while it waits for the first packet.
    let (mut world, id) = dialling();
    world.run_until(secs(1), |world| !sent(world, 0x10).is_empty()).expect("a first packet");
    let first = sent(&world, 0x10).remove(0);
    world.display.server().slept();
    world.poll();
    assert_eq!(world.at_display(first.from, &first.bytes), Err(Discard::UnknownCid));
    world.network.meddler = None;
    world.stream(id, 30, 1000..=30_000);
    world.run_until_live(id, secs(10)).expect("it dials again");
}

#[test]
fn a_display_whose_machine_slept_forgets_its_sessions_and_the_camera_comes_back() {
    let (mut world, id) = live(seed(46), 30);
    let since = world.now();
    world.display.server().slept();
    world.poll();
    assert_eq!(world.display.server().connected().count(), 0);
    let camera = world.cameras[id].fingerprint();
    let slept = Event::Disconnected { camera, why: SessionEnd::Slept };
    assert_eq!(told_after(&world, since, Who::Display, slept), Some(Duration::ZERO));
    let took = world.run_until_live(id, secs(5)).expect("live again");
    println!("live again after {took:?}");
}
