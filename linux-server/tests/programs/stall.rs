//! When nothing arrives any more, the display says so instead of showing the last picture as live.

use std::fs;

use sealcam_linux::clock::Clock;

use super::sinks::is_live;
use super::world::{House, tell_time};

#[test]
fn stalled_picture_is_not_shown_as_live_and_comes_back() {
    let house = House::new();
    let (display, relay, camera) = house.relayed("snapshot:now.png", &["--source", "pattern", "--fps", "15"]);
    let path = house.path("now.png");
    let await_picture = |live: bool, what: &str| {
        house.until(what, || (is_live(&fs::read(&path).ok()?) == live).then_some(()));
    };
    await_picture(true, "the picture is live");

    let since = Clock.now();
    relay.hold(true);
    await_picture(false, "the picture has given way to words");
    tell_time("from the stall to the words", since);
    let mark = camera.mark();
    relay.hold(false);
    await_picture(true, "the picture is live again");
    camera.line_after(0, "gone quiet");
    camera.line("answers again");
    assert!(!display.log().contains("is gone"), "a short stall ends no session: {}", display.log());

    relay.hold(true);
    display.line("nothing has come from it for 5 s");
    camera.line_after(mark, "Disconnected");
    await_picture(false, "the picture has given way to words again");
    let since = Clock.now();
    relay.hold(false);
    await_picture(true, "the picture is live in a new session");
    tell_time("from the end of a long stall to the picture", since);
    camera.stop();
    display.stop();
}
