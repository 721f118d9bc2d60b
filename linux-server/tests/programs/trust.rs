//! Who sends to whom: keys and lists, and what a running program takes up when they change.

use std::fs;

use sealcam_linux::clock::Clock;

use super::world::{CAMERA, DISPLAY_KEY, House, Relay, between_quotes, tell_time};

const PATTERN: [&str; 4] = ["--source", "pattern", "--fps", "10"];

#[test]
fn knocking_camera_is_let_in_by_authorize_and_turned_out_by_forget() {
    let house = House::of_strangers();
    let (display, camera) = house.stream("-", &PATTERN);
    let fingerprint = house.client(&["fingerprint"]).text();
    let line = display.line("knocks from 127.0.0.1:");
    assert!(line.contains(fingerprint.trim()) && line.contains("sealcam-client identity"), "{line}");
    camera.line("does not let this camera in");
    let command = camera.line("sealcam-server authorize 'scl1-camera ");

    let asked = Clock.now();
    house.server(&["authorize", &between_quotes(&command)]).text();
    camera.line("Connected");
    tell_time("from authorize to the session", asked);
    display.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));

    let name = house.server(&["cameras"]).text().split(' ').next().unwrap().to_owned();
    let asked = Clock.now();
    house.server(&["forget", &name]).text();
    let line = display.line("is gone");
    tell_time("from forget to the end of the session", asked);
    assert!(line.contains(&name) && line.contains("no longer authorized"), "{line}");
    camera.line("no longer authorizes this camera");
    display.stop();
    camera.stop();
}

#[test]
fn camera_moves_to_the_display_that_it_is_told_to_trust() {
    let house = House::new();
    house.add_display("other");
    house.authorize_at("other");
    let (first, camera) = house.stream("-", &PATTERN);
    first.line("is connected");
    let second = house.display_at("other", "127.0.0.1:0", "-");
    let asked = Clock.now();
    house.trust("other", second.address());
    second.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));
    tell_time("from trust --replace to the first picture there", asked);
    let line = first.line("is gone");
    assert!(line.contains("now sends to another display"), "{line}");
    for program in [first, second, camera] {
        program.stop();
    }
}

#[test]
fn display_with_another_key_does_not_answer_and_the_camera_says_what_it_may_be() {
    let house = House::new();
    house.add_display("other");
    let display = house.display("-");
    house.trust("other", display.address());
    let camera = house.camera(&PATTERN);
    let line = camera.line("No answer from the display");
    for part in [&display.address().to_string(), "key is no longer SHA256:", "firewall", "trust … --replace"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    camera.stop();
    let (log, output) = display.stop();
    assert!(!log.contains("knocks") && output.is_empty(), "{log}");
}

#[test]
fn address_on_the_command_line_is_tried_with_the_same_pin() {
    let house = House::new();
    let display = house.display("-");
    house.trust("display", "127.0.0.1:9".parse().unwrap());
    let camera = house.camera(&["--to", &display.address().to_string(), "--source", "pattern"]);
    display.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));
    camera.stop();
    display.stop();
}

#[test]
fn camera_whose_address_changes_is_followed() {
    let house = House::new();
    let (display, relay, camera) = house.relayed("-", &PATTERN);
    display.line("is connected");
    let moved = Clock.now();
    relay.move_camera();
    let line = display.line(&format!("Camera {CAMERA} is now at "));
    tell_time("from a new address to the display's line", moved);
    assert!(line.contains("127.0.0.1:"), "{line}");
    let before = display.output("something", |bytes| Some(bytes.len()));
    display.output("pictures from there", |bytes| (bytes.len() > before + 100_000).then_some(()));
    let (_, log) = (display.stop(), camera.stop().0);
    assert_eq!(log.matches("Connected").count(), 1, "the session is the same: {log}");
    drop::<Relay>(relay);
}

#[test]
fn display_whose_state_directory_is_replaced_shows_no_camera_that_is_forgotten_there() {
    let house = House::new();
    let (display, camera) = house.stream("-", &PATTERN);
    display.line("Camera porch is connected");
    let confined = display.line("Confined: ").contains("files by Landlock");
    house.put("new", "display_key.pem", DISPLAY_KEY);
    house.put("new", "authorized_cameras", house.list().as_bytes());
    fs::rename(house.path("display"), house.path("old")).unwrap();
    fs::rename(house.path("new"), house.path("display")).unwrap();
    house.server(&["forget", CAMERA]).text();
    let mut display = display;
    if confined {
        display.ends_with(
            3,
            &["Another directory has taken the place of the state directory", "start it again"],
        );
    } else {
        display.line("No camera may connect yet");
        display.stop();
    }
    camera.stop();
}

#[test]
fn camera_that_trusts_nobody_is_told_how_to() {
    let house = House::new();
    let done = house.client(&["--source", "pattern"]);
    assert_eq!(done.code(), Some(4), "{}", done.log());
}
