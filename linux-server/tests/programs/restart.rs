//! Any sequence of sudden deaths and restarts of either program ends in a live picture.

use std::time::Duration;

use sealcam_linux::clock::Clock;

use super::world::{House, Program, Random, write_folder};

const DEATHS: usize = 10;
/// What is wanted is 5 s; the machine that tests may be busy with other things.
const WITHIN: Duration = Duration::from_secs(10);

#[test]
fn live_picture_is_back_whoever_dies_and_whenever() {
    let house = House::new();
    let mut random = Random::seeded();
    let mut display = house.display("-");
    let address = display.address();
    house.trust("display", address);
    let mut camera = start_camera(&house, 0);
    shows(&display, 0);
    let mut generation = 0;
    for death in 1..=DEATHS {
        // Sometimes the next death comes in the middle of the last handshake.
        let (camera_dies, at_once) = (random.below(2) == 0, random.below(4) == 0);
        let since;
        if camera_dies {
            camera.kill();
            since = Clock.now();
            generation = death;
            camera = start_camera(&house, generation);
        } else {
            display.kill();
            since = Clock.now();
            display = house.display_at("display", &address.to_string(), "-");
        }
        if at_once && death < DEATHS {
            continue;
        }
        shows(&display, generation);
        let took = Clock.now().since(since);
        println!("{death}: {} dies: live after {took:.2?}", if camera_dies { "camera" } else { "display" });
        assert!(took < WITHIN, "{took:?}");
    }
    camera.stop();
    display.stop();
}

/// A camera whose pictures bear the number of its life.
fn start_camera(house: &House, generation: usize) -> Program {
    let folder = format!("life-{generation}");
    write_folder(&house.path(&folder), &format!("{folder} picture"), &[3_000; 4]);
    house.camera(&["--source", &folder, "--loop", "--fps", "15"])
}

/// Waits for a picture of this life of the camera in what this display has written.
fn shows(display: &Program, generation: usize) {
    let mark = format!("life-{generation} picture");
    let mut seen = 0;
    display.output(&format!("a picture with {mark}"), |bytes| {
        let found = bytes[seen..].windows(mark.len()).any(|window| window == mark.as_bytes());
        seen = bytes.len().saturating_sub(mark.len());
        found.then_some(())
    });
}
