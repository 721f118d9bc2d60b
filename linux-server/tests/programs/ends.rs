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

#[test]
fn programs_that_nobody_answers_end_well() {
    let house = House::new();
    let display = house.display("-");
    house.trust("display", "127.0.0.1:9".parse().unwrap());
    let camera = house.camera(&["--source", "pattern"]);
    camera.line("Looking for the display");
    let (log, output) = camera.stop();
    assert!(log.contains("sent: 0 frames") && output.is_empty(), "{log}");
    let (log, output) = display.stop();
    assert!(log.contains("shown: 0 frames") && output.is_empty(), "{log}");
}

#[test]
fn reader_of_standard_output_that_goes_away_ends_the_display() {
    let house = House::new();
    let (mut display, camera) = house.stream("-", &["--source", "pattern"]);
    display.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));
    display.stop_reading();
    assert_eq!(display.exit(), 0, "{}", display.log());
    assert!(display.log().contains("the program that read standard output has ended"), "{}", display.log());
    camera.line("Disconnected");
    camera.stop();
}

#[test]
fn display_that_was_stopped_and_goes_on_is_connected_anew() {
    let house = House::new();
    let (display, camera) = house.stream("-", &["--source", "pattern", "--fps", "10"]);
    display.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));
    display.signal(Signal::SIGSTOP);
    camera.line("nothing has come from it for 5 s");
    let mark = display.mark();
    display.signal(Signal::SIGCONT);
    let since = Clock.now();
    display.line_after(mark, "is connected");
    let before = display.output("something", |bytes| Some(bytes.len()));
    display.output("new pictures", |bytes| (bytes.len() > before + 100_000).then_some(()));
    tell_time("from going on to new pictures", since);
    camera.stop();
    display.stop();
}
