//! What the programs print, of whatever happens to them: nothing of a private key, and of a pairing code only where it is
//! shown on purpose.
//!
//! There are no levels of the log to turn up; the environment asks for all that a Rust program might have to say.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use super::hostile::garbage;
use super::world::{
    CAMERA, CAMERA_KEY, DISPLAY_KEY, House, OTHER_KEY, Program, Random, Relay, Secrets, To, between_quotes,
    socket,
};

const SHORT_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-2048-bit-key.pem");
const EXPONENT_3_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-exponent-3-key.pem");
const PATTERN: [&str; 4] = ["--source", "pattern", "--fps", "20"];

/// A house of talkative programs.
fn talkative(mut house: House) -> House {
    house.environment.extend([("RUST_BACKTRACE", "full".into()), ("RUST_LOG", "trace".into())]);
    house
}

/// The keys that houses have.
fn keys() -> Secrets {
    let mut secrets = Secrets::default();
    for (name, key) in
        [("the display's key", DISPLAY_KEY), ("the camera's key", CAMERA_KEY), ("another key", OTHER_KEY)]
    {
        secrets.add_key(name, key);
    }
    secrets
}

/// Nothing that was written holds a secret, but for what is written by these; there it does.
fn assert_hidden(house: &House, secrets: &Secrets, shown_by: &[&str]) {
    let written = house.written();
    assert!(written.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 500, "hardly anything was written");
    for (whose, bytes) in written {
        let found = secrets.find(&bytes);
        if shown_by.iter().any(|shown| whose.starts_with(shown)) {
            assert!(found.is_some(), "no secret on {whose}: {}", bytes.escape_ascii());
        } else {
            assert_eq!(found, None, "on {whose}: {}", bytes.escape_ascii());
        }
    }
}

#[test]
fn keys_that_are_made_and_asked_for_are_not_printed() {
    let house = talkative(House::of_strangers());
    let identity = house.run_client("new camera", &["identity", "--name", CAMERA]).text();
    house.run_server("new display", &["identity"]).text();
    for _ in 0..2 {
        house.run_server("new display", &["authorize", &between_quotes(&identity)]).text();
        house.run_server("new display", &["cameras"]).text();
    }
    let fingerprint = house.run_server("new display", &["fingerprint"]).text();
    house.run_client("new camera", &["fingerprint"]).text();
    house.run_client("new camera", &["trust", "127.0.0.1:9", fingerprint.trim()]).text();
    assert_eq!(house.run_client("new camera", &["trust", "127.0.0.1:8", &identity]).code(), Some(2));
    assert_eq!(house.run_server("new display", &["authorize", &identity]).code(), Some(2));
    house.run_server("new display", &["forget", CAMERA]).text();
    assert_eq!(house.run_server("new display", &["forget", CAMERA]).code(), Some(4));
    let mut secrets = Secrets::default();
    for (name, file) in
        [("the display's key", "new display/display_key.pem"), ("the camera's", "new camera/camera_key.pem")]
    {
        secrets.add_key(name, &fs::read(house.path(file)).unwrap());
    }
    assert_hidden(&house, &secrets, &[]);
}

#[test]
fn a_stream_with_all_that_can_happen_to_it_prints_nothing_of_the_keys() {
    let house = talkative(House::new());
    let mut random = Random::seeded();
    let display = house.display("dump:out");
    let relay = Relay::to(display.address());
    relay.listen();
    house.trust("display", relay.address());
    let camera = house.camera(&PATTERN);
    display.line("taking pictures");
    disturb(&mut random, &relay, &display);
    relay.move_camera();
    display.line("is now at ");
    house.server(&["forget", CAMERA]).text();
    camera.line("no longer authorizes this camera");
    camera.stop();
    let stranger = house.camera(&PATTERN);
    display.line("knocks from");
    stranger.stop();
    // Another key than is there.
    house.add_display("other");
    house.trust("other", display.address());
    let lost = house.camera(&PATTERN);
    lost.line("No answer from the display");
    lost.stop();
    display.stop();
    assert_hidden(&house, &keys(), &[]);
}

/// Garbage, and damaged copies of what went by, at both programs.
fn disturb(random: &mut Random, relay: &Relay, display: &Program) {
    let (heard, stranger) = (relay.heard(), socket());
    for _ in 0..50 {
        let (to, datagram) = &heard[random.below(heard.len())];
        let mut damaged = datagram.clone();
        let bit = random.below(damaged.len() * 8);
        damaged[bit / 8] ^= 1 << (bit % 8);
        relay.forge(*to, &damaged);
        relay.forge(To::Camera, &garbage(random));
        stranger.send_to(&garbage(random), display.address()).unwrap();
    }
}

#[test]
fn a_code_is_shown_by_the_command_that_makes_it_and_by_nobody_else() {
    for (answer, exit) in [("y", 0), ("n", 4)] {
        let house = talkative(House::of_strangers());
        let display = house.display("dump:out");
        let (mut pair, code) = house.pair(&[]);
        let mut secrets = keys();
        secrets.add_code(&code);
        // In wrong places, and cut.
        for arguments in [
            &[&code[..]][..],
            &["pair", &format!("--replace={code}")],
            &["pair", &code, &code],
            &["pair", &code[..code.len() - 1]],
            &["pair", &code.replace('#', "")],
            &["pair", &code.replace("scl1:", "")],
            &["trust", &code],
        ] {
            assert_eq!(house.client(arguments).code(), Some(2), "{arguments:?}");
        }
        for arguments in [&[&code[..]][..], &["pair", &code], &["forget", &code]] {
            assert_ne!(house.server(arguments).code(), Some(0), "{arguments:?}");
        }
        let mut joining = house.join_by_input(&code);
        pair.answer(answer);
        assert_eq!((pair.exit(), joining.exit()), (exit, exit));
        let mut late = house.join("camera", &code);
        assert_eq!(late.exit(), 4);
        display.stop();
        assert_hidden(&house, &secrets, &["standard output of pair"]);
    }
    let house = talkative(House::of_strangers());
    let (mut alone, code) = house.pair(&["--listen", "127.0.0.1:0"]);
    let mut joining = house.join("camera", &code);
    alone.answer("y");
    assert_eq!((alone.exit(), joining.exit()), (0, 0));
    let mut secrets = keys();
    secrets.add_code(&code);
    assert_hidden(&house, &secrets, &["standard output of pair"]);
}

#[test]
fn files_that_cannot_be_used_are_refused_without_quoting_them() {
    let house = talkative(House::new());
    let mut secrets = keys();
    // Keys of another size are no RSA-3072, and secrets all the same.
    secrets.add_key("the short key", SHORT_KEY);
    secrets.add_key("the key with e = 3", EXPONENT_3_KEY);
    let cut = CAMERA_KEY.len() / 2;
    let text = String::from_utf8(CAMERA_KEY.to_vec()).unwrap();
    let damaged = [
        CAMERA_KEY[..cut].to_vec(),
        CAMERA_KEY[cut..].to_vec(),
        [&CAMERA_KEY[..cut], b"!", &CAMERA_KEY[cut..]].concat(),
        [CAMERA_KEY, CAMERA_KEY].concat(),
        [CAMERA_KEY, CAMERA_KEY, CAMERA_KEY, CAMERA_KEY].concat(),
        text.replace("PRIVATE KEY", "RSA PRIVATE KEY").into_bytes(),
        text.replace('\n', "").into_bytes(),
        text.replacen("MIIG", "MIIH", 1).into_bytes(),
        SHORT_KEY.to_vec(),
        EXPONENT_3_KEY.to_vec(),
    ];
    for file in &damaged {
        house.put("display", "display_key.pem", file);
        house.put("broken", "camera_key.pem", file);
        for done in [
            house.server(&["--listen", "127.0.0.1:0", "--sink", "dump:out"]),
            house.run_client("broken", &["identity"]),
        ] {
            assert_eq!(done.code(), Some(3), "{}", done.log());
        }
    }
    // A key where whom to trust should stand.
    house.put("display", "display_key.pem", DISPLAY_KEY);
    house.put("display", "authorized_cameras", CAMERA_KEY);
    house.put("camera", "display.conf", CAMERA_KEY);
    for done in [house.server(&["cameras"]), house.server(&["pair"]), house.client(&["--source", "pattern"])]
    {
        assert_eq!(done.code(), Some(3), "{}", done.log());
    }
    for (state, file) in [("display", "display_key.pem"), ("camera", "camera_key.pem")] {
        assert_ne!(house.server(&["authorize", &text.replace('-', "")]).code(), Some(0));
        assert_ne!(house.run_server(&format!("{state}/{file}"), &["fingerprint"]).code(), Some(0));
    }
    assert_hidden(&house, &secrets, &[]);
}

#[test]
fn a_panic_prints_nothing_of_the_keys() {
    let mut house = talkative(House::new());
    let (library, source) =
        (house.path("faulty.so"), concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/faulty.c"));
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
    assert!(built.unwrap().success(), "cc, with which Rust links its programs, cannot compile {source}");
    house.environment.push(("LD_PRELOAD", library));
    let (display, camera) = house.stream("dump:out", &PATTERN);
    display.line("taking pictures");
    for mut program in [display, camera] {
        program.signal(Signal::SIGTERM);
        assert_eq!(program.exit(), 101);
        assert!(program.log().contains("panicked at"), "{}", program.log());
    }
    assert_hidden(&house, &keys(), &[]);
}
