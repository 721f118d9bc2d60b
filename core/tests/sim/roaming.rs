//! A camera's address changes (docs/protocol.md §11): the display believes it only when the new address has answered.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use sealcam_core::discard::Discard;
use sealcam_core::output::Event;

use crate::world::keys::Pem;
use crate::world::network::{Captured, Heading};
use crate::world::{Who, World, ms, secs, seed};

const VICTIM: &str = "203.0.113.9:9";

fn live(seed: u64) -> (World, usize) {
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 1000..=30_000);
    world.run_until_live(id, secs(2)).expect("a picture");
    world.run(secs(1));
    (world, id)
}

fn moves(world: &World) -> usize {
    world.count(Who::Display, |event| matches!(event, Event::Moved { .. }))
}

/// When something went to this address, and how long it was.
fn sent_to(world: &World, to: SocketAddr) -> Vec<(Duration, usize)> {
    let tap = world.network.tap.iter().flatten();
    tap.filter(|sent| sent.to == to).map(|sent| (sent.at, sent.bytes.len())).collect()
}

#[test]
fn a_camera_behind_a_new_port_is_followed_once_it_has_proven_it() {
    let (mut world, id) = live(seed(10));
    for _ in 0..5 {
        let before = world.shown.len();
        let to = world.rebind(id);
        let took = world.run_until(secs(2), |world| {
            let camera = world.cameras[id].fingerprint();
            world.told.iter().any(|told| told.event == Event::Moved { camera, to })
        });
        println!("followed after {took:?}");
        assert!(took.expect("followed") <= ms(100));
        world.run(secs(1));
        let late = world.shown[before..].windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
        assert!(late <= ms(100), "the picture stood still for {late:?}");
    }
    assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::MediaPaused(_))), 0);
    assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Disconnected { .. })), 0);
}

#[test]
fn a_new_port_is_proven_on_a_path_that_loses_and_reorders() {
    let (mut world, id) = live(seed(11));
    for path in world.paths(id) {
        (path.loss, path.delay, path.jitter, path.in_order) = (0.05, ms(20), ms(10), false);
    }
    for _ in 0..10 {
        world.rebind(id);
        world.run(secs(2));
        world.run_until_live(id, secs(1)).expect("still live");
    }
    assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Disconnected { .. })), 0);
    assert!(moves(&world) >= 10);
}

/// For two seconds this much of what the camera sends, by its number and its length, reaches the display from the victim's
/// address, and all else from its own or not at all. When something authentic came from the victim, and how long it was.
fn redirect(world: &mut World, id: usize, from: impl Fn(u64, usize) -> From) -> Vec<(Duration, usize)> {
    let victim = VICTIM.parse().unwrap();
    world.network.tap = Some(Vec::new());
    let (mut count, mut came) = (0, Vec::new());
    for _ in 0..200 {
        let mark = world.network.tap.as_ref().unwrap().len();
        world.run(ms(10));
        let taken: Vec<_> = world.network.tap.as_ref().unwrap()[mark..].to_vec();
        for sent in taken.iter().filter(|sent| sent.heading == Heading::Up) {
            count += 1;
            match from(count, sent.bytes.len()) {
                From::Victim if is_authentic(world.at_display(victim, &sent.bytes)) => {
                    came.push((world.now(), sent.bytes.len()));
                }
                From::Camera => {
                    let _taken = world.at_display(world.cameras[id].address, &sent.bytes);
                }
                From::Victim | From::Nowhere => {}
            }
        }
    }
    came
}

enum From {
    Victim,
    Camera,
    Nowhere,
}

/// What a victim gets in the two seconds of a redirection, and until whatever it began is over.
fn assert_victim_is_spared(world: &mut World, came: &[(Duration, usize)], what: &str) {
    world.run(secs(2));
    let challenges = sent_to(world, VICTIM.parse().unwrap());
    assert!(!challenges.is_empty(), "{what}: the attack works");
    let gaps: Vec<_> = challenges.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| *gap >= ms(250)), "{what}: {gaps:?}");
    for (at, _) in &challenges {
        let sum = |all: &[(Duration, usize)]| -> usize {
            all.iter().filter(|(then, _)| then <= at).map(|(_, len)| len).sum()
        };
        let (sent, came) = (sum(&challenges), sum(came));
        assert!(sent <= 3 * came, "{what}: {sent} bytes for {came} at {at:?}");
    }
    assert_eq!(moves(world), 0, "{what}: nobody answered");
}

#[test]
fn a_victim_gets_one_challenge_in_250_ms_and_at_most_three_times_what_came_from_it() {
    // All of the camera's packets from the victim's address, or one in so many.
    for every in [1, 2, 3, 10] {
        let (mut world, id) = live(seed(12));
        // The attacker holds the camera's own path, and delivers what he likes from where he likes.
        world.network.routes[id].up.cut = true;
        let from = |count, _| if count % every == 0 { From::Victim } else { From::Camera };
        let came = redirect(&mut world, id, from);
        assert_victim_is_spared(&mut world, &came, &format!("one in {every}"));
    }
    // A PING, which the camera sends when nothing comes, is worth two challenges and not three.
    let (mut world, id) = live(seed(12));
    for path in world.paths(id) {
        path.cut = true;
    }
    let pinged = Cell::new(false);
    let from = |_, len| if len < 30 && !pinged.replace(true) { From::Victim } else { From::Nowhere };
    let came = redirect(&mut world, id, from);
    assert_eq!(came.len(), 1);
    assert_victim_is_spared(&mut world, &came, "a PING");
}

#[test]
fn a_single_short_packet_is_answered_with_at_most_three_times_its_bytes() {
    let (mut world, id) = live(seed(13));
    world.cameras[id].pause();
    world.run(ms(100));
    let victim = VICTIM.parse().unwrap();
    world.network.tap = Some(Vec::new());
    world.network.routes[id].up.cut = true;
    // The shortest packet that a camera sends is a PING or a PONG; STATUS is not much longer.
    let heard = world.run_until(secs(2), |world| {
        world.network.tap.as_ref().unwrap().iter().any(|sent| sent.heading == Heading::Up)
    });
    heard.expect("a heartbeat");
    let taken = world.network.tap.as_ref().unwrap().iter().find(|sent| sent.heading == Heading::Up).cloned();
    let taken = taken.unwrap();
    world.at_display(victim, &taken.bytes).unwrap();
    world.run(secs(4));
    let back: usize = sent_to(&world, victim).iter().map(|(_, len)| len).sum();
    assert!(back > 0 && back <= 3 * taken.bytes.len(), "{back} bytes for {}", taken.bytes.len());
    assert_eq!(moves(&world), 0);
}

#[test]
fn a_replayed_packet_from_elsewhere_leads_nowhere() {
    let (mut world, id) = live(seed(14));
    world.network.tap = Some(Vec::new());
    world.run(secs(1));
    let victim = VICTIM.parse().unwrap();
    let captured = world.network.tap.as_ref().unwrap().clone();
    for sent in captured.iter().filter(|sent| sent.heading == Heading::Up) {
        let why = world.at_display(victim, &sent.bytes);
        assert!(matches!(why, Err(Discard::Replayed | Discard::TooOld)), "{why:?}");
    }
    world.run(secs(1));
    assert_eq!(sent_to(&world, victim), []);
    assert_eq!(moves(&world), 0);
    world.run_until_live(id, secs(1)).expect("unharmed");
}

#[test]
fn a_forged_packet_from_elsewhere_leads_nowhere() {
    let (mut world, id) = live(seed(18));
    // What the camera sends is kept back, so that no counter of it was taken.
    world.network.tap = Some(Vec::new());
    world.network.routes[id].up.cut = true;
    world.run(ms(300));
    world.network.routes[id].up.cut = false;
    let captured = world.network.tap.replace(Vec::new()).unwrap();
    let victim = VICTIM.parse().unwrap();
    for sent in captured.iter().filter(|sent| sent.heading == Heading::Up) {
        let mut forged = sent.bytes.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(world.at_display(victim, &forged), Err(Discard::Tag));
    }
    world.run(secs(1));
    assert_eq!(sent_to(&world, victim), []);
    assert_eq!(moves(&world), 0);
    world.run_until_live(id, secs(1)).expect("unharmed");
}

#[test]
fn feedback_goes_to_the_old_address_until_the_new_one_is_proven() {
    let (mut world, id) = live(seed(15));
    let old = world.cameras[id].address;
    world.network.tap = Some(Vec::new());
    // Challenges to the new address are lost; what goes to the old one is lost at the NAT.
    world.network.routes[id].down.cut = true;
    let new = world.rebind(id);
    world.run(ms(400));
    assert!(sent_to(&world, new).len() <= 2, "{:?}", sent_to(&world, new));
    assert!(sent_to(&world, old).len() >= 10);
    assert_eq!(moves(&world), 0);
    world.network.routes[id].down.cut = false;
    world.run_until(secs(3), |world| moves(world) == 1).expect("proven");
    world.run_until_live(id, secs(2)).expect("live again");
}

#[test]
fn a_packet_from_the_old_address_cancels_the_new_one() {
    let (mut world, id) = live(seed(16));
    let victim: SocketAddr = VICTIM.parse().unwrap();
    let taken = kept_back(&mut world, id);
    let old = world.cameras[id].address;
    // The candidate is challenged once, and after the next packet from the old address never again.
    assert!(is_authentic(world.at_display(victim, &taken[0].bytes)));
    assert!(is_authentic(world.at_display(old, &taken[1].bytes)));
    world.network.routes[id].up.cut = false;
    world.run(secs(2));
    assert_eq!(sent_to(&world, victim).len(), 1);
    assert_eq!(moves(&world), 0);
    world.run_until_live(id, secs(1)).expect("unharmed");
}

/// Packets that the camera sent in a fifth of a second, and that nobody has given to the display.
fn kept_back(world: &mut World, id: usize) -> Vec<Captured> {
    world.network.tap = Some(Vec::new());
    world.network.routes[id].up.cut = true;
    world.run(ms(200));
    let taken = world.network.tap.replace(Vec::new()).unwrap();
    taken.into_iter().filter(|sent| sent.heading == Heading::Up).collect()
}

fn is_authentic(result: Result<(), Discard>) -> bool {
    matches!(result, Ok(()) | Err(Discard::OldFrame))
}

#[test]
fn a_packet_from_elsewhere_that_a_later_one_has_overtaken_makes_no_candidate() {
    let (mut world, id) = live(seed(19));
    let victim = VICTIM.parse().unwrap();
    let taken = kept_back(&mut world, id);
    let home = world.cameras[id].address;
    assert!(is_authentic(world.at_display(home, &taken[1].bytes)));
    assert!(is_authentic(world.at_display(victim, &taken[0].bytes)));
    world.run(secs(2));
    assert_eq!(sent_to(&world, victim), []);
    // The one that has overtaken all of them does.
    assert!(is_authentic(world.at_display(victim, &taken.last().unwrap().bytes)));
    assert_eq!(sent_to(&world, victim).len(), 1);
}

#[test]
fn a_packet_from_the_old_address_that_a_later_one_has_overtaken_cancels_nothing() {
    let (mut world, id) = live(seed(20));
    let victim = VICTIM.parse().unwrap();
    let taken = kept_back(&mut world, id);
    let home = world.cameras[id].address;
    assert!(is_authentic(world.at_display(victim, &taken[1].bytes)));
    assert!(is_authentic(world.at_display(home, &taken[0].bytes)));
    world.run(secs(2));
    assert_eq!(sent_to(&world, victim).len(), 3, "challenged as if nothing had come");
    assert_eq!(moves(&world), 0);
}

#[test]
fn a_captured_packet_of_the_display_moves_no_video() {
    let (mut world, id) = live(seed(17));
    world.network.tap = Some(Vec::new());
    world.network.routes[id].down.cut = true;
    world.run(ms(300));
    let tap = world.network.tap.as_ref().unwrap();
    let taken: Vec<_> = tap.iter().filter(|sent| sent.heading == Heading::Down).cloned().collect();
    world.network.routes[id].down.cut = false;
    let elsewhere = VICTIM.parse().unwrap();
    for sent in &taken {
        assert_eq!(world.at_camera(id, elsewhere, &sent.bytes), Err(Discard::WrongAddress));
    }
    world.run(secs(1));
    assert_eq!(sent_to(&world, elsewhere), []);
    world.run_until_live(id, secs(1)).expect("unharmed");
}
