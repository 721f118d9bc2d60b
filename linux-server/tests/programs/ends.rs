//! How the programs end, and that each tells the other.

use nix::sys::signal::Signal;
use sealcam_linux::clock::Clock;

use super::world::{House, tell_time, write_folder};

#[test]
fn end_of_the_source_ends_the_camera_and_the_display_says_so() {
    let house = House::new();
    write_folder(&house.path("in"), "end", &[2_000; 3]);
    let (display, mut camera) = house.stream("-", &["--source", "in", "--fps", "10"]);
    assert_eq!(camera.exit(), 0, "{}", camera.log());
    let line = display.line("is gone");
    assert!(line.contains("it ended its stream"), "{line}");
    assert!(camera.log().contains("sent: 3 frames"), "{}", camera.log());
    display.stop();
}

#[test]
fn camera_that_is_asked_to_end_says_so_to_the_display() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let house = House::new();
        let (display, mut camera) = house.stream("-", &["--source", "pattern"]);
        display.line("is connected");
        let asked = Clock.now();
        camera.signal(signal);
        let line = display.line("is gone");
        tell_time(&format!("from {signal} at the camera to the display's line"), asked);
        assert!(line.contains("it ended its stream"), "{line}");
        assert_eq!(camera.exit(), 0, "{}", camera.log());
        tell_time(&format!("from {signal} to the camera's end"), asked);
        display.stop();
    }
}

#[test]
fn display_that_is_asked_to_end_says_so_to_the_camera() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let house = House::new();
        let (mut display, camera) = house.stream("-", &["--source", "pattern"]);
        camera.line("Connected");
        let asked = Clock.now();
        display.signal(signal);
        let line = camera.line("Disconnected");
        tell_time(&format!("from {signal} at the display to the camera's line"), asked);
        assert!(line.contains("stopping"), "{line}");
        assert_eq!(display.exit(), 0, "{}", display.log());
        tell_time(&format!("from {signal} to the display's end"), asked);
        camera.stop();
    }
}
