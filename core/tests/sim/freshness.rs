//! Freshness (docs/protocol.md §9.5): whoever holds the path may delay and drop, and a picture so held back never
//! passes for live.
//!
//! A frame passes for live while both its believed age and the round trip are within the limit, as the programs
//! judge it: one second.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use crate::world::keys::Pem;
use crate::world::network::{Captured, Heading};
use crate::world::{Shown, World, ms, secs, seed};

const LIMIT: Duration = secs(1);
/// What the estimate may be wrong by: half of a round trip within the limit, and heartbeats.
const SLACK: Duration = secs(1);

fn live(seed: u64) -> (World, usize) {
    let mut world = World::new(seed);
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 100..=2000);
    world.run_until_live(id, secs(2)).expect("a picture");
    world.run(secs(3));
    (world, id)
}

/// A STATUS on the wire: it has a length that no other message of a camera has.
pub(crate) fn is_status(bytes: &[u8]) -> bool {
    bytes[0] == 0x10 && (40..=44).contains(&bytes.len())
}

/// The same for PATH_RESPONSE, in an epoch that has seen eight packets.
pub(crate) fn is_path_response(bytes: &[u8]) -> bool {
    bytes[0] == 0x10 && (26..=29).contains(&bytes.len())
}

fn passes_for_live(shown: &Shown) -> bool {
    shown.believed_age.max(shown.rtt) < LIMIT
}

/// The frames since `first` that are old and pass for live.
fn assert_none_is_old_and_live(world: &World, first: usize) {
    let old: Vec<_> = world.shown[first..].iter().filter(|it| it.age >= LIMIT + SLACK).collect();
    assert!(!old.is_empty(), "the attack works: old frames come out");
    let live: Vec<_> = old.iter().filter(|it| passes_for_live(it)).collect();
    assert!(
        live.is_empty(),
        "{} of {} old frames pass for live, as {:?}",
        live.len(),
        old.len(),
        live.last()
    );
}

#[test]
fn a_delay_that_grows_while_no_heartbeat_gets_through_is_seen() {
    let (mut world, id) = live(seed(120));
    world.network.meddler = Some(Box::new(|heading, bytes| heading == Heading::Down || !is_status(bytes)));
    let first = world.shown.len();
    for step in 1..=120 {
        world.network.routes[id].up.delay = ms(1 + step * 30);
        world.run(secs(1));
    }
    assert_none_is_old_and_live(&world, first);
}

#[test]
fn a_delay_that_grows_while_heartbeats_get_through_is_seen() {
    let (mut world, id) = live(seed(121));
    let first = world.shown.len();
    for step in 1..=120 {
        world.network.routes[id].up.delay = ms(1 + step * 30);
        world.run(secs(1));
    }
    assert_none_is_old_and_live(&world, first);
}

/// Whoever sits on the camera's way to the display, and delivers what it sends when and from where he likes.
struct Holder {
    held: Vec<Captured>,
    mark: usize,
}

impl Holder {
    fn new(world: &mut World, id: usize) -> Self {
        world.network.tap = Some(Vec::new());
        world.network.routes[id].up.cut = true;
        Self { held: Vec::new(), mark: 0 }
    }

    /// What the camera sent since the last time.
    fn take(&mut self, world: &World) -> Vec<Captured> {
        let tap = world.network.tap.as_ref().unwrap();
        let new = tap[self.mark..].iter().filter(|sent| sent.heading == Heading::Up).cloned().collect();
        self.mark = tap.len();
        new
    }

    /// Lets go of what was held for so long.
    fn deliver(&mut self, world: &mut World, from: SocketAddr, delay: Duration) {
        let ripe = self.held.iter().take_while(|sent| sent.at + delay <= world.now()).count();
        for sent in self.held.drain(..ripe) {
            let _dropped = world.at_display(from, &sent.bytes);
        }
    }
}

#[test]
fn a_change_of_address_makes_no_picture_that_was_held_back_younger() {
    let (mut world, id) = live(seed(122));
    let elsewhere: SocketAddr = "203.0.113.9:9".parse().unwrap();
    let (first, mut strays) = (world.shown.len(), world.network.stray.len());
    let mut holder = Holder::new(&mut world, id);
    let mut begun = false;
    for _ in 0..1800 {
        world.run(ms(5));
        for sent in holder.take(&world) {
            // One packet that makes the new address a candidate, and PATH_RESPONSE: at once. All else: 4 s later.
            let proof = is_path_response(&sent.bytes);
            if !std::mem::replace(&mut begun, true) || proof {
                let _taken = world.at_display(elsewhere, &sent.bytes);
            } else {
                holder.held.push(sent);
            }
        }
        holder.deliver(&mut world, elsewhere, secs(4));
        let answers: Vec<_> = world.network.stray[strays..].to_vec();
        strays = world.network.stray.len();
        let display = world.display.address;
        for (_, bytes) in answers.iter().filter(|(to, _)| *to == elsewhere) {
            let _taken = world.at_camera(id, display, bytes);
        }
    }
    assert_none_is_old_and_live(&world, first);
}

#[test]
fn changes_of_address_one_after_the_other_make_no_picture_that_was_held_back_younger() {
    let (mut world, id) = live(seed(124));
    let homes: [SocketAddr; 2] = ["203.0.113.9:9".parse().unwrap(), "203.0.113.9:10".parse().unwrap()];
    // From then on PATH_RESPONSE is long enough to be answered with two challenges.
    world.run(secs(10));
    let mut holder = Holder::new(&mut world, id);
    let (mut strays, mut first, mut begun) = (world.network.stray.len(), 0, false);
    let (mut home, mut next) = (world.cameras[id].address, 0);
    let (mut proofs, mut heartbeat): (Vec<Vec<u8>>, Option<Vec<u8>>) = (Vec::new(), None);
    for step in 0..8000 {
        world.run(ms(5));
        // By then the fastest packets of before are forgotten.
        if step == 3000 {
            first = world.shown.len();
        }
        for sent in holder.take(&world) {
            let proof = is_path_response(&sent.bytes);
            if !std::mem::replace(&mut begun, true) {
                let _taken = world.at_display(homes[0], &sent.bytes);
            } else if proof {
                proofs.push(sent.bytes);
            } else {
                holder.held.push(sent);
            }
        }
        // Everything comes 4 s late, but the answers to challenges, and a heartbeat with each of them.
        let ripe = holder.held.iter().take_while(|sent| sent.at + secs(4) <= world.now()).count();
        for sent in holder.held.drain(..ripe) {
            if is_status(&sent.bytes) {
                heartbeat = Some(sent.bytes);
            } else {
                let _taken = world.at_display(home, &sent.bytes);
            }
        }
        if proofs.len() >= 2 {
            if let Some(heartbeat) = heartbeat.take() {
                let _taken = world.at_display(home, &heartbeat);
            }
            // The first proves one home, the second makes the other one the candidate.
            home = homes[next];
            next = 1 - next;
            let _moved = world.at_display(home, &proofs[0]);
            let _asked = world.at_display(homes[next], &proofs[1]);
            proofs.clear();
        }
        let answers: Vec<_> = world.network.stray[strays..].to_vec();
        strays = world.network.stray.len();
        let display = world.display.address;
        for (_, bytes) in answers.iter().filter(|(to, _)| homes.contains(to)) {
            let _taken = world.at_camera(id, display, bytes);
        }
    }
    assert_none_is_old_and_live(&world, first);
}

#[test]
fn heartbeats_that_are_missing_for_longer_than_timestamps_last_are_missed() {
    let mut world = World::new(seed(125));
    let id = world.add(Pem::Camera);
    world.stream(id, 5, 100..=1000);
    world.run_until_live(id, secs(2)).expect("a picture");
    world.run(secs(3));
    world.network.meddler = Some(Box::new(|heading, bytes| heading == Heading::Down || !is_status(bytes)));
    let first = world.shown.len();
    for step in 1..=100 {
        world.network.routes[id].up.delay = ms(1 + step * 40);
        world.run(secs(1));
    }
    world.run(secs(43 * 60));
    assert_none_is_old_and_live(&world, first);
    // The path is good again, and heartbeats that seem to be of the past count.
    world.network.meddler = None;
    world.network.routes[id].up.delay = ms(1);
    world.run(secs(12));
    assert!(passes_for_live(world.shown.last().unwrap()), "{:?}", world.shown.last());
}

#[test]
fn a_session_whose_timestamps_are_held_back_from_the_first_on_begins_with_no_live_picture() {
    let mut world = World::new(seed(126));
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 100..=2000);
    let mut holder = Holder::new(&mut world, id);
    let from = world.cameras[id].address;
    for _ in 0..2000 {
        world.run(ms(5));
        for sent in holder.take(&world) {
            // Chunks come 4 s later, heartbeats never, all else at once.
            if sent.bytes[0] == 0x10 && sent.bytes.len() > 1000 {
                holder.held.push(sent);
            } else if !is_status(&sent.bytes) {
                let _taken = world.at_display(from, &sent.bytes);
            }
        }
        holder.deliver(&mut world, from, secs(4));
    }
    assert_none_is_old_and_live(&world, 0);
}

#[test]
fn a_camera_that_never_tells_a_round_trip_is_shown_for_a_second_and_no_longer() {
    let mut world = World::new(seed(127));
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 100..=2000);
    // The first heartbeat has nothing to tell yet, and the first timestamp of all.
    world.network.tap = Some(Vec::new());
    let mut begun = false;
    world.network.meddler = Some(Box::new(move |heading, bytes| {
        heading == Heading::Down || !is_status(bytes) || !std::mem::replace(&mut begun, true)
    }));
    world.run(secs(10));
    let sent = world.network.tap.iter().flatten().find(|sent| is_status(&sent.bytes)).unwrap().at;
    let came = sent + world.network.routes[id].up.delay;
    assert!(world.shown.len() > 250, "the path is good");
    for shown in &world.shown {
        assert_eq!(passes_for_live(shown), shown.at <= came + LIMIT, "{shown:?}");
    }
}

#[test]
fn a_delay_that_grows_while_no_round_trip_can_be_measured_is_seen() {
    let (mut world, id) = live(seed(123));
    let first = world.shown.len();
    let mut holder = Holder::new(&mut world, id);
    let from = world.cameras[id].address;
    // FEEDBACK gets through only when the newest timestamp came too long ago for a sample.
    let open = Rc::new(Cell::new(false));
    let passes = Rc::clone(&open);
    world.network.meddler = Some(Box::new(move |heading, _| heading == Heading::Up || passes.get()));
    for batch in 1..=120 {
        let new = holder.take(&world);
        holder.held.extend(new);
        holder.deliver(&mut world, from, ms(30 * batch));
        open.set(false);
        world.run(ms(700));
        open.set(true);
        world.run(ms(200));
    }
    assert_none_is_old_and_live(&world, first);
}
