//! Randomness that fails or repeats (docs/protocol.md §12, §13, §14): nothing is sent without it, and no packet key is
//! ever used twice.

use std::collections::{BTreeMap, BTreeSet};

use sealcam_core::output::Event;
use sealcam_core::output::NotStarted;

use crate::world::display::SimServer;
use crate::world::keys::{CountedRsa, Mood, Pem, Source};
use crate::world::network::{Captured, Heading};
use crate::world::{Who, World, ms, secs, seed};

fn world_with_camera(seed: u64) -> (World, usize) {
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 1000..=5000);
    (world, id)
}

fn failures(world: &World, who: Who) -> usize {
    world.count(who, |event| *event == Event::RandomFailed)
}

#[test]
fn a_camera_without_randomness_sends_nothing_and_goes_on_when_it_has_some() {
    let (mut world, id) = world_with_camera(seed(110));
    world.cameras[id].mood.set(Mood::Failing);
    world.network.tap = Some(Vec::new());
    world.run(secs(5));
    assert!(failures(&world, Who::Camera(id)) >= 1);
    assert!(world.network.tap.as_ref().unwrap().is_empty(), "nothing was sent");
    world.cameras[id].mood.set(Mood::Good);
    world.run_until_live(id, secs(10)).expect("a picture");
}

#[test]
fn a_camera_whose_randomness_fails_at_each_step_of_a_handshake_gets_through_later() {
    for step in [0x01, 0x02, 0x03, 0x04, 0x10] {
        let (mut world, id) = world_with_camera(seed(111));
        world.network.tap = Some(Vec::new());
        world
            .run_until(secs(2), |world| world.network.tap.iter().flatten().any(|sent| sent.bytes[0] == step));
        world.cameras[id].mood.set(Mood::Failing);
        world.run(secs(4));
        world.cameras[id].mood.set(Mood::Good);
        let took = world.run_until_live(id, secs(15));
        println!("failing after {step:#x}: live after {:?}", took.expect("a picture"));
    }
}

#[test]
fn a_second_attempt_that_randomness_failed_is_made_up_for_a_second_later() {
    let (mut world, id) = world_with_camera(seed(114));
    world.network.tap = Some(Vec::new());
    let sent = |world: &World, kind| world.network.tap.iter().flatten().any(|sent| sent.bytes[0] == kind);
    world.run_until(secs(2), |world| sent(world, 0x02)).expect("a COOKIE");
    // Its cookies are worth nothing now, so that the first attempt leads nowhere.
    world.restart_display();
    world.run_until(secs(2), |world| sent(world, 0x03)).expect("a KEY");
    world.run(ms(900));
    world.cameras[id].mood.set(Mood::Failing);
    world.run(ms(500));
    assert!(failures(&world, Who::Camera(id)) >= 1, "the second attempt was due");
    world.cameras[id].mood.set(Mood::Good);
    world.run_until_live(id, secs(3)).expect("a picture long before the first attempt's eight seconds");
}

#[test]
fn a_display_without_randomness_does_not_start() {
    let (mut world, _) = world_with_camera(seed(112));
    world.display.mood.set(Mood::Failing);
    let source = Source::new(&mut world.dice, &world.display.mood);
    let rsa = CountedRsa::new(&mut world.dice, &world.display.verified);
    let mut store = vec![0; SimServer::<2>::store_len(300 * 1024)];
    let now = world.display.clock.here(world.now());
    // A server borrows its store for as long as it may live, so the type is not the world's own.
    let started =
        sealcam_core::server::Server::<_, _, 2>::new(*world.display.config(), &mut store, source, rsa, now);
    assert_eq!(started.err(), Some(NotStarted::RandomFailed));
}

#[test]
fn two_sessions_that_wait_for_their_first_packet_never_have_the_same_cid() {
    let (mut world, first) = world_with_camera(seed(115));
    let second = world.add(Pem::Camera2);
    world.stream(second, 30, 1000..=5000);
    world.network.tap = Some(Vec::new());
    world.network.meddler = Some(Box::new(|_, bytes| bytes[0] != 0x10));
    let sent = |world: &World, kind| -> Vec<Captured> {
        world.network.tap.iter().flatten().filter(|sent| sent.bytes[0] == kind).cloned().collect()
    };
    world.run_until(secs(1), |world| sent(world, 0x02).len() == 2).expect("a COOKIE for each");
    // All that the display draws for either of them is the same.
    world.display.mood.set(Mood::Constant(0x5A));
    world.run(secs(1) / 2);
    assert_eq!(world.display.opened, 2, "both KEYs are good");
    let accepts = sent(&world, 0x04);
    assert_eq!(accepts.iter().map(|sent| &sent.bytes[8..12]).collect::<Vec<_>>(), [[0x5A; 4]]);
    assert_eq!(failures(&world, Who::Display), 1, "no CID was free for the other one");
    world.display.mood.set(Mood::Good);
    world.network.meddler = None;
    for id in [first, second] {
        world.run_until_live(id, secs(15)).expect("a picture");
    }
}

#[test]
fn a_display_whose_randomness_fails_serves_who_is_there_and_lets_nobody_in() {
    let (mut world, id) = world_with_camera(seed(113));
    world.run_until_live(id, secs(2)).expect("a picture");
    world.display.mood.set(Mood::Failing);
    let second = world.add(Pem::Camera2);
    world.stream(second, 30, 1000..=5000);
    world.run(secs(5));
    assert!(failures(&world, Who::Display) >= 1);
    assert_eq!(world.count(Who::Camera(second), |event| matches!(event, Event::Connected { .. })), 0);
    world.run_until_live(id, ms(100)).expect("who is there goes on");
    world.display.mood.set(Mood::Good);
    world.run_until_live(second, secs(15)).expect("and the other is let in");
    assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Disconnected { .. })), 0);
}

#[test]
fn rekeying_without_randomness_ends_the_session_in_order() {
    let (mut world, id) = world_with_camera(seed(114));
    world.stream(id, 2, 100..=200);
    world.run_until_live(id, secs(2)).expect("a picture");
    world.run(secs(590));
    world.cameras[id].mood.set(Mood::Failing);
    world.run(secs(15));
    assert!(failures(&world, Who::Camera(id)) >= 1);
    assert_eq!(world.display.server().connected().count(), 0, "closed, not left to die");
    world.cameras[id].mood.set(Mood::Good);
    world.run_until_live(id, secs(12)).expect("a new session");
}

#[test]
fn a_constant_source_on_one_side_never_repeats_a_packet() {
    let both = [Who::Camera(0), Who::Display];
    for broken in both {
        let (mut world, id) = world_with_camera(seed(115));
        let mood = Mood::Constant(0x5A);
        match broken {
            Who::Camera(id) => world.cameras[id].mood.set(mood),
            Who::Display => world.display.mood.set(mood),
        }
        world.restart_display();
        world.restart_camera(id);
        world.network.tap = Some(Vec::new());
        // Sessions with the same keys, the same counters and much the same plaintext.
        for _ in 0..5 {
            world.run_until_live(id, secs(15)).expect("a picture");
            world.run(ms(500));
            world.restart_camera(id);
            world.restart_display();
        }
        let tap = world.network.tap.take().unwrap();
        assert_no_packet_repeats(&tap, broken);
        assert_no_known_plaintext_meets_its_keystream_again(&tap, broken);
    }
}

fn assert_no_packet_repeats(tap: &[Captured], broken: Who) {
    for heading in [Heading::Up, Heading::Down] {
        let data = tap.iter().filter(|sent| sent.heading == heading && sent.bytes[0] == 0x10);
        let data: Vec<_> = data.map(|sent| &sent.bytes[6..]).collect();
        let all: BTreeSet<_> = data.iter().collect();
        assert_eq!(all.len(), data.len(), "{broken:?}: two equal packets {heading:?}");
        // A tag that occurs twice would betray equal keys and counters over equal text.
        let mut tags = BTreeMap::<_, u32>::new();
        data.iter().for_each(|packet| *tags.entry(&packet[packet.len() - 10..]).or_default() += 1);
        assert!(tags.values().all(|count| *count == 1));
        assert!(data.len() > 100);
    }
}

/// What begins alike in every session must not look alike: the first words of each side, under CTR 0.
fn assert_no_known_plaintext_meets_its_keystream_again(tap: &[Captured], broken: Who) {
    // KEX_INIT (type, epoch, total, offset) is the camera's first word in epoch 0, CONFIG the display's in epoch 1.
    for (heading, config, alike) in [(Heading::Up, 0x00, 6), (Heading::Down, 0x10, 17)] {
        let first = tap.iter().filter(|sent| sent.heading == heading && sent.bytes[0] == 0x10);
        let first: Vec<_> =
            first.filter(|sent| sent.bytes[5] == config).map(|sent| &sent.bytes[6..]).collect();
        let streams: BTreeSet<_> = first.iter().map(|text| &text[..alike]).collect();
        assert_eq!(streams.len(), first.len(), "{broken:?}: one keystream twice {heading:?}");
        assert!(first.len() >= 5, "{broken:?}: {} sessions", first.len());
    }
}
