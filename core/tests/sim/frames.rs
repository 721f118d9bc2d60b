//! Frames (docs/protocol.md §9.1, §9.2, §9.3): whole or not at all, in order, and none waits for one that is lost.

use sealcam_core::frame::{SendError, Sent};

use crate::world::keys::Pem;
use crate::world::network::Heading;
use crate::world::{Setup, World, ms, secs, seed};

fn live(seed: u64, setup: Setup) -> (World, usize) {
    let mut world = World::with(seed, setup);
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 1..=1000);
    world.run_until_live(id, secs(2)).expect("a picture");
    world.run(secs(1));
    world.cameras[id].pause();
    world.run(ms(100));
    (world, id)
}

/// Loses the next chunk and no other.
fn lose_one_chunk(world: &mut World) {
    let mut met = false;
    world.network.meddler = Some(Box::new(move |heading, bytes| {
        let is_chunk = heading == Heading::Up && bytes.len() == 1192;
        !is_chunk || std::mem::replace(&mut met, true)
    }));
}

#[test]
fn a_frame_that_lost_a_chunk_is_given_up_at_its_deadline_and_blocks_nothing() {
    let (mut world, id) = live(seed(100), Setup::default());
    let (shown, stats) = (world.frames(id).count(), world.display.server().stats());
    lose_one_chunk(&mut world);
    world.send_frame(id, 50_000).unwrap();
    world.run(ms(30));
    // The next frame comes out while the broken one still has time.
    world.send_frame(id, 50_000).unwrap();
    world.run(ms(40));
    assert_eq!(world.frames(id).count(), shown + 1);
    world.run(ms(100));
    let after = world.display.server().stats();
    assert_eq!(after.frames_dropped, stats.frames_dropped + 1);
    assert_eq!(after.frames, stats.frames + 1);
}

#[test]
fn a_frame_alone_that_lost_a_chunk_is_given_up_without_another_one_coming() {
    let (mut world, id) = live(seed(101), Setup::default());
    let stats = world.display.server().stats();
    lose_one_chunk(&mut world);
    world.send_frame(id, 50_000).unwrap();
    world.run(ms(95));
    assert_eq!(world.display.server().stats().frames_dropped, stats.frames_dropped, "it has its budget");
    world.run(ms(50));
    assert_eq!(world.display.server().stats().frames_dropped, stats.frames_dropped + 1);
}

#[test]
fn frames_of_every_size_around_the_edges_of_a_chunk_arrive_whole() {
    let capacity = 300 * 1024;
    let (mut world, id) = live(seed(102), Setup::default());
    for len in [1, 2, 15, 16, 17, 1151, 1152, 1153, 2303, 2304, 2305, capacity - 1, capacity] {
        let shown = world.frames(id).count();
        world.send_frame(id, len).unwrap();
        world.run(ms(100));
        assert_eq!(world.frames(id).count(), shown + 1, "{len}");
        assert_eq!(world.frames(id).last().unwrap().len, len);
    }
}

/// Chunk padding (docs/protocol.md §10): how many, but never how long.
#[test]
fn every_chunk_is_a_datagram_of_1192_bytes_whatever_its_frame_and_counter() {
    let (mut world, id) = live(seed(107), Setup::default());
    world.network.tap = Some(Vec::new());
    let mut expected = 0;
    for len in [1, 2, 1151, 1152, 1153, 50_000, 299_999] {
        world.send_frame(id, len).unwrap();
        world.run(ms(100));
        expected += len.div_ceil(1152);
    }
    let tap = world.network.tap.as_ref().unwrap();
    let long = tap.iter().filter(|sent| sent.heading == Heading::Up && sent.bytes.len() > 100);
    let lens: Vec<_> = long.map(|sent| sent.bytes.len()).collect();
    assert_eq!(lens, vec![1192; expected]);
}

#[test]
fn a_frame_over_either_sides_limit_is_refused_and_nothing_of_it_is_sent() {
    let (mut world, id) = live(seed(103), Setup { frame_capacity: 20_000, ..Setup::default() });
    let dropped = world.cameras[id].client().stats().frames_dropped;
    world.network.tap = Some(Vec::new());
    assert_eq!(world.send_frame(id, 20_001), Err(SendError::TooLarge { limit: 20_000 }));
    assert_eq!(world.send_frame(id, 0), Err(SendError::Empty));
    world.run(ms(100));
    let chunks = world.network.tap.iter().flatten().filter(|sent| sent.bytes.len() == 1192);
    assert_eq!(chunks.count(), 0);
    assert_eq!(world.cameras[id].client().stats().frames_dropped, dropped + 2);
    // The camera's own limit is the smaller one.
    world.cameras[id].config.frame_capacity = 5000;
    world.restart_camera(id);
    world.run_until(secs(2), |world| world.cameras[id].is_ready()).expect("a session");
    assert_eq!(world.send_frame(id, 5001), Err(SendError::TooLarge { limit: 5000 }));
    assert_eq!(world.send_frame(id, 5000), Ok(Sent::Queued));
}

#[test]
fn more_than_4096_chunks_are_refused_whatever_the_capacity() {
    let most: u32 = 4096 * 1152;
    let (mut world, id) = live(seed(104), Setup { frame_capacity: most + 5000, ..Setup::default() });
    let len = usize::try_from(most).unwrap();
    assert_eq!(world.send_frame(id, len + 1), Err(SendError::TooLarge { limit: most }));
    assert_eq!(world.send_frame(id, len), Ok(Sent::Queued));
    world.run(secs(1));
    assert_eq!(world.frames(id).last().unwrap().len, len);
}

#[test]
fn no_frame_is_taken_before_the_display_has_said_what_it_takes() {
    let mut world = World::new(seed(105));
    let id = world.add(Pem::Camera);
    assert_eq!(world.send_frame(id, 100), Err(SendError::NotConnected));
    world.network.tap = Some(Vec::new());
    // CONFIG is the display's first word in epoch 1: from there on, nothing of the display gets through.
    world.network.meddler = Some(Box::new(|heading, bytes| {
        !(heading == Heading::Down && bytes[0] == 0x10 && bytes[5] >> 4 == 1)
    }));
    world.run(ms(900));
    let in_epoch_1 = |heading| {
        let tap = world.network.tap.iter().flatten();
        tap.filter(|sent| sent.heading == heading && sent.bytes[0] == 0x10 && sent.bytes[5] >> 4 == 1).count()
    };
    assert!(in_epoch_1(Heading::Up) > 0 && in_epoch_1(Heading::Down) > 0);
    assert_eq!(world.send_frame(id, 100), Err(SendError::NotConnected));
    world.network.meddler = None;
    world.run(ms(150));
    assert_eq!(world.send_frame(id, 100), Ok(Sent::Queued));
}

#[test]
fn a_link_slower_than_the_camera_shows_whole_frames_with_the_newest_first() {
    // 300 KB every 33 ms through a receive buffer that allows 3 chunks per burst: the pacer is the slow link.
    let (mut world, id) = live(seed(106), Setup { receive_buffer: 8000, ..Setup::default() });
    world.stream(id, 30, 300_000..=300_000);
    world.run(secs(10));
    let frames: Vec<_> = world.frames(id).filter(|shown| shown.len == 300_000).copied().collect();
    assert!(frames.len() >= 20, "{}", frames.len());
    assert!(frames.iter().all(|shown| shown.age <= ms(700)), "age does not grow: {frames:?}");
    let replaced = world.cameras[id].client().stats().frames_dropped;
    assert!(replaced > 200, "{replaced}");
}

#[test]
fn how_old_a_frame_is_is_known_within_the_asymmetry_of_the_path() {
    // Clocks have nothing in common, and some wrap meanwhile.
    for (up, down) in [(2, 2), (20, 20), (5, 45), (45, 5), (150, 150)] {
        let (mut world, id) = live(seed(107) + up, Setup::default());
        world.network.routes[id].up.delay = ms(up);
        world.network.routes[id].down.delay = ms(down);
        // The estimate forgets the path of before within ten seconds.
        world.run(secs(11));
        let first = world.shown.len();
        world.stream(id, 30, 1..=100_000);
        world.run(secs(3));
        let asymmetry = ms(up.abs_diff(down) / 2);
        for shown in &world.shown[first..] {
            let error = shown.age.abs_diff(shown.believed_age);
            assert!(error <= asymmetry + ms(2), "up {up}, down {down}: {shown:?}");
        }
        assert!(world.shown.len() > first + 80);
    }
}

#[test]
fn queueing_counts_as_age_and_not_as_distance() {
    let (mut world, id) = live(seed(108), Setup::default());
    world.stream(id, 30, 1..=10_000);
    world.run(secs(2));
    // A queue builds up on the way to the display alone.
    for step in 1..=20 {
        world.network.routes[id].up.delay = ms(1 + step * 10);
        world.run(ms(100));
    }
    let last = *world.frames(id).last().unwrap();
    assert!(last.age >= ms(150), "{last:?}");
    // The round trip's growth is seen in part as distance, so that the estimate errs towards older.
    assert!(last.believed_age + ms(5) >= last.age, "{last:?}");
    assert!(last.believed_age <= last.age * 2, "{last:?}");
}

#[test]
fn on_a_new_path_a_frame_is_believed_older_for_a_while_and_never_younger() {
    let (mut world, id) = live(seed(109), Setup::default());
    world.stream(id, 30, 1..=10_000);
    world.run(secs(2));
    // From a LAN to a mobile network: the fastest packet of before is forgotten within ten seconds.
    for path in world.paths(id) {
        path.delay = ms(100);
    }
    world.rebind(id);
    world.run(secs(2));
    let last = *world.frames(id).last().unwrap();
    assert!(last.believed_age >= last.age, "{last:?}");
    assert!(last.believed_age <= last.age + ms(110), "{last:?}");
    world.run(secs(10));
    let last = *world.frames(id).last().unwrap();
    assert!(last.age.abs_diff(last.believed_age) <= ms(10), "{last:?}");
}
