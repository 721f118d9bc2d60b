//! Cameras and one display: from the first HELLO to pictures at 30 frames a second, on good networks and bad ones.

use sealcam_core::discard::Discard;
use sealcam_core::output::Event;

use crate::world::keys::Pem;
use crate::world::{Setup, Who, World, ms, secs, seed};

#[test]
fn two_cameras_stream_to_one_display_and_every_frame_arrives_whole() {
    let mut world = World::new(seed(1));
    let cameras = [world.add(Pem::Camera), world.add(Pem::Camera2)];
    for id in cameras {
        world.stream(id, 30, 1..=300 * 1024);
    }
    for id in cameras {
        let live = world.run_until_live(id, secs(2)).expect("a picture");
        println!("camera {id}: first picture after {live:?}");
    }
    world.run(secs(5));
    for id in cameras {
        let (taken, shown) = (world.cameras[id].taken(), world.frames(id).count());
        assert!(taken >= 150, "{taken}");
        assert!(shown + 1 >= taken, "{shown} of {taken} frames came out");
        assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Connected { .. })), 1);
        assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Disconnected { .. })), 0);
    }
    assert_eq!(world.count(Who::Display, |event| matches!(event, Event::Connected { .. })), 2);
    assert_eq!(world.display.opened, 2);
    assert_eq!(world.display.server().stats().frames_dropped, 0);
    assert_eq!(world.display.server().stats().discarded_in_all(), 0);
}

#[test]
fn what_comes_out_of_a_network_that_does_everything_wrong_is_what_went_in() {
    let setup = Setup { frame_capacity: 40_000, ..Setup::default() };
    for round in 0..6 {
        let mut world = World::<2>::with(seed(2) + round, setup);
        let cameras = [world.add(Pem::Camera), world.add(Pem::Camera2)];
        for id in cameras {
            for path in world.paths(id) {
                (path.loss, path.burst) = (0.02, ms(1));
                (path.delay, path.jitter, path.in_order) = (ms(15), ms(30), false);
                (path.duplicate, path.corrupt) = (0.1, 0.05);
            }
            world.stream(id, 30, 1..=40_000);
        }
        world.run(secs(10));
        for id in cameras {
            let (taken, shown) = (world.cameras[id].taken(), world.frames(id).count());
            assert!(shown * 4 > taken, "{shown} of {taken} frames came out");
            assert_eq!(world.count(Who::Camera(id), |event| matches!(event, Event::Disconnected { .. })), 0);
        }
        let stats = world.display.server().stats();
        assert!(stats.discarded(Discard::Tag) > 50 && stats.discarded(Discard::Replayed) > 50, "{stats:?}");
        assert_eq!(stats.discarded(Discard::ChunkMismatch), 0);
        assert_eq!(usize::try_from(stats.frames).unwrap(), world.shown.len());
    }
}

#[test]
fn one_camera_in_trouble_does_not_touch_the_other() {
    let mut world = World::new(seed(3));
    let cameras = [world.add(Pem::Camera), world.add(Pem::Camera2)];
    for id in cameras {
        world.stream(id, 30, 1..=50_000);
        world.run_until_live(id, secs(2)).expect("a picture");
    }
    for path in world.paths(0) {
        (path.loss, path.corrupt, path.duplicate, path.jitter) = (0.5, 0.3, 0.5, ms(200));
    }
    let first = world.shown.len();
    for _ in 0..5 {
        world.restart_camera(0);
        world.run(secs(2));
    }
    let good: Vec<_> = world.shown[first..].iter().filter(|shown| shown.camera == 1).collect();
    assert!(good.len() >= 299, "{}", good.len());
    assert!(good.iter().all(|shown| shown.age <= ms(30)));
}
