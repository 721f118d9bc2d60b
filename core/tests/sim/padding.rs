//! Padding (§10): what the sizes, the number and the times of datagrams give away.

use std::ops::RangeInclusive;
use std::time::Duration;

use sealcam_core::CaptureState;
use sealcam_core::client::Capture;
use sealcam_core::config::Padding;
use sealcam_core::frame::SendError;

use crate::world::keys::Pem;
use crate::world::network::Heading;
use crate::world::{Setup, World, ms, secs, seed};

/// What a camera's pictures are like: their sizes, or that there are none.
type Scene = Option<RangeInclusive<usize>>;

/// Direction, time and length of every datagram of three seconds, the session's beginning among them.
fn traffic(asked: Padding, own: Padding, scene: Scene) -> (World, Vec<(Heading, Duration, usize)>) {
    let mut world = World::<2>::with(seed(120), Setup { padding: asked, ..Setup::default() });
    let id = world.add(Pem::Camera);
    world.cameras[id].config.padding = own;
    world.restart_camera(id);
    world.network.tap = Some(Vec::new());
    if let Some(sizes) = scene {
        // Whole microseconds from frame to frame: the world counts finer than its clocks.
        world.stream(id, 25, sizes);
    }
    world.run(secs(1));
    let now = world.cameras[id].clock.here(world.now());
    // Halfway the camera is unplugged, or not.
    if world.frames(id).count() == 0 {
        let capture =
            Capture { state: CaptureState::NoCamera, fps_x10: 0, frames_captured: 0, frames_skipped: 0 };
        world.cameras[id].client().set_capture(now, capture);
    }
    world.poll();
    world.run(secs(2));
    let taken = world.network.tap.take().unwrap();
    let seen = taken.iter().map(|sent| (sent.heading, sent.at, sent.bytes.len())).collect();
    (world, seen)
}

#[test]
fn constant_padding_makes_black_noisy_and_moving_pictures_and_none_at_all_look_the_same() {
    for (asked, own) in [(Padding::Constant, Padding::Chunk), (Padding::Chunk, Padding::Constant)] {
        let (world, black) = traffic(asked, own, Some(900..=900));
        assert!(world.frames(0).count() > 65, "{}", world.frames(0).count());
        let media = black.iter().filter(|(heading, _, len)| *heading == Heading::Up && *len == 1192).count();
        assert!((85 * 40..=95 * 40).contains(&media), "{media} packets in 3 s, 40 a frame");
        for scene in [Some(40_000..=46_080), Some(1..=46_080), None] {
            let (world, other) = traffic(asked, own, scene.clone());
            assert_eq!(world.frames(0).count() > 65, scene.is_some());
            let difference = black.iter().zip(&other).find(|(a, b)| a != b);
            assert!(difference.is_none(), "{scene:?} looks different: {difference:?}");
            assert_eq!(black.len(), other.len());
        }
    }
}

#[test]
fn without_constant_padding_the_same_scenes_look_different() {
    for policy in [Padding::Chunk, Padding::Bucket] {
        let (_, black) = traffic(policy, policy, Some(900..=900));
        let (_, noisy) = traffic(policy, policy, Some(40_000..=46_080));
        assert!(noisy.len() > black.len() * 5, "{policy:?}");
    }
}

#[test]
fn buckets_leave_few_packet_counts_and_every_frame_arrives() {
    let mut world = World::<2>::with(seed(121), Setup { padding: Padding::Bucket, ..Setup::default() });
    let id = world.add(Pem::Camera);
    world.run_until(secs(2), |world| world.cameras[id].is_ready()).expect("a session");
    let mut counts = Vec::new();
    for chunks in 65..=80 {
        world.network.tap = Some(Vec::new());
        world.send_frame(id, chunks * 1152).unwrap();
        world.run(ms(100));
        let media = world.network.tap.take().unwrap();
        counts.push(media.iter().filter(|sent| sent.bytes.len() == 1192).count());
    }
    assert_eq!(world.frames(id).count(), 16);
    counts.dedup();
    assert_eq!(counts, [72, 80]);
}

#[test]
fn a_frame_that_does_not_fit_the_constant_size_is_refused_and_the_next_one_shown() {
    let mut world = World::<2>::with(seed(122), Setup { padding: Padding::Constant, ..Setup::default() });
    let id = world.add(Pem::Camera);
    world.run_until(secs(2), |world| world.cameras[id].is_ready()).expect("a session");
    let refused = world.send_frame(id, 40 * 1152 + 1);
    assert_eq!(refused, Err(SendError::TooLarge { limit: 40 * 1152 }));
    world.send_frame(id, 40 * 1152).unwrap();
    world.run_until_live(id, ms(1)).unwrap_or_default();
    world.run(ms(100));
    assert_eq!(world.frames(id).count(), 1);
    assert_eq!(world.cameras[id].client().stats().frames_dropped, 1);
}
