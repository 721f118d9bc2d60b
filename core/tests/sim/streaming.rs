//! Two cameras and one display: from the first HELLO to pictures at 30 frames a second.

use sealcam_core::output::Event;

use crate::world::keys::Pem;
use crate::world::{Who, World, secs, seed};

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
}
