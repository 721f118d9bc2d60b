//! Freshness (§9.5): whoever holds the path may delay and drop, and a picture so held back never passes for live.
//!
//! A frame passes for live while both its believed age and the round trip are within the limit, as the programs
//! judge it: one second.

use std::time::Duration;

use crate::world::keys::Pem;
use crate::world::network::Heading;
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
fn is_status(bytes: &[u8]) -> bool {
    bytes[0] == 0x10 && (40..=44).contains(&bytes.len())
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
