//! A machine that slept: the end that notices it erases the session, says so, and pictures come back by themselves.

use std::fs;
use std::process::Command;

use super::world::House;

/// A house whose programs believe that their machine slept for an hour once `asleep` exists in it.
fn house() -> House {
    let mut house = House::new();
    let (library, source) =
        (house.path("asleep.so"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/asleep.c"));
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
    assert!(built.unwrap().success(), "cc, with which Rust links its programs, cannot compile {source}");
    house.environment = vec![("LD_PRELOAD", library), ("ASLEEP", house.path("asleep"))];
    house
}

#[test]
fn both_ends_notice_that_their_machine_slept_and_begin_anew() {
    let house = house();
    let (display, camera) = house.stream("-", &["--source", "pattern", "--fps", "20"]);
    camera.line("Connected to the display");
    display.line("taking pictures");
    let before = (camera.mark(), display.mark());
    fs::write(house.path("asleep"), []).unwrap();
    camera.line_after(before.0, "This machine slept for 3600 s");
    display.line_after(before.1, "This machine slept for 3600 s");
    camera.line_after(before.0, "Disconnected from the display: this machine was asleep");
    camera.line_after(before.0, "Connected to the display");
    display.line_after(before.1, "taking pictures");
    let shown = display.output("what came so far", |bytes| Some(bytes.len()));
    display.output("another picture", |bytes| (bytes.len() > shown + 1000).then_some(()));
    camera.stop();
    let (log, _) = display.stop();
    assert_eq!(log.matches("This machine slept").count(), 1, "{log}");
}
