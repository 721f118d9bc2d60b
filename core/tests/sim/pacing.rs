//! The pacer (docs/protocol.md §17): a frame leaves spread out, never in bursts that the display's buffer cannot take.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::world::keys::Pem;
use crate::world::network::Heading;
use crate::world::{Setup, World, ms, secs, seed};

/// A connected camera, its handshake not in the tap.
fn connected(setup: Setup, buf: usize) -> (World, usize) {
    let mut world = World::with(seed(2), setup);
    let id = world.add(Pem::Camera);
    world.cameras[id].buf = vec![0; buf];
    world.run_until(secs(2), |world| world.cameras[id].is_ready()).expect("a session");
    world.network.tap = Some(Vec::new());
    (world, id)
}

/// Bytes of chunks that left at each point in time.
fn bursts(world: &World) -> BTreeMap<Duration, usize> {
    let mut bursts = BTreeMap::new();
    for sent in world.network.tap.iter().flatten() {
        if sent.heading == Heading::Up && sent.bytes.len() == 1192 {
            *bursts.entry(sent.at).or_default() += sent.bytes.len();
        }
    }
    bursts
}

fn span(bursts: &BTreeMap<Duration, usize>) -> Duration {
    *bursts.last_key_value().unwrap().0 - *bursts.first_key_value().unwrap().0
}

#[test]
fn a_frame_of_200_kb_spreads_over_25_ms_whatever_the_buffer_of_poll() {
    for buf in [1200, 5000, 52 * 1192] {
        let (mut world, id) = connected(Setup::default(), buf);
        // The camera learns its own rate first.
        world.stream(id, 30, 200_000..=200_000);
        world.run(secs(1));
        world.cameras[id].pause();
        world.run(ms(100));
        world.network.tap = Some(Vec::new());
        world.send_frame(id, 200_000).unwrap();
        world.run(ms(200));
        let bursts = bursts(&world);
        assert!(span(&bursts) <= ms(25), "{buf}: {:?}", span(&bursts));
        assert!(span(&bursts) >= ms(15), "{buf}: {:?}", span(&bursts));
        assert!(bursts.len() >= 5, "{buf}: {bursts:?}");
        assert_eq!(world.frames(id).last().unwrap().len, 200_000);
    }
}

#[test]
fn no_burst_exceeds_half_of_the_receive_buffer() {
    for receive_buffer in [8_000, 64_000, 212_992] {
        let (mut world, id) = connected(Setup { receive_buffer, ..Setup::default() }, 52 * 1192);
        // Frames back to back: each begins when the one before it ends.
        for _ in 0..20 {
            let _replaced = world.send_frame(id, 250_000);
            world.run(ms(12));
        }
        world.run(secs(2));
        let half = usize::try_from(receive_buffer / 2).unwrap();
        let bursts = bursts(&world);
        assert!(bursts.values().all(|bytes| *bytes <= half), "{receive_buffer}: {bursts:?}");
        assert!(world.frames(id).count() >= 2, "{receive_buffer}");
    }
}
