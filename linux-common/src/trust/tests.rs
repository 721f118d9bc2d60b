//! Tests of the trust files: their formats (docs/protocol.md §5), and what several commands at once do to them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use super::cameras::{self, MAX_CAMERAS, authorize, forget};
use super::display::{self, may_trust, trust};
use super::*;
use crate::scratch::Scratch;

fn state(scratch: &Scratch) -> State {
    State::open(Some(scratch.path())).unwrap()
}

/// A camera with a modulus of its own that no key has.
fn camera(number: u8, name: &str) -> Camera {
    let mut bytes = [number; MODULUS_LEN];
    bytes[0] |= 0x80;
    bytes[MODULUS_LEN - 1] |= 1;
    bytes[1] = number;
    Camera { modulus: Modulus::new(&bytes).unwrap(), name: name.parse().unwrap() }
}

fn conf(place: &str, pin: u8) -> DisplayConf {
    DisplayConf { place: place.parse().unwrap(), fingerprint: Fingerprint([pin; 32]) }
}

fn put(state: &State, name: &str, text: &[u8]) {
    state.lock().unwrap().replace(name, text).unwrap();
}

#[test]
fn identity_line_is_parsed_as_it_is_printed() {
    let camera = camera(7, "front-door.2");
    let line = camera.to_string();
    assert_eq!(line.len(), "scl1-camera ".len() + 512 + " front-door.2".len());
    assert_eq!(line.parse(), Ok(camera.clone()));
    assert_eq!(format!("  {}\r\n", line.replace(' ', "\t ")).parse(), Ok(camera));
}

#[test]
fn damaged_identity_lines_are_refused_with_the_reason() {
    let line = camera(7, "door").to_string();
    let key = line.split(' ').nth(1).unwrap();
    let refused = |line: &str| line.parse::<Camera>().unwrap_err();
    for (line, reason) in [
        (String::new(), "begin"),
        (line.replace("scl1", "scl2"), "begin"),
        ("scl1-camera".to_owned(), "key is missing"),
        (format!("scl1-camera {key}"), "name after the key is missing"),
        (format!("{line} more"), "after the name"),
        (format!("scl1-camera {} door", &key[1..]), "511 characters"),
        (format!("scl1-camera {}! door", &key[1..]), "not base64"),
        // The modulus without its top bit, and an even one.
        (format!("scl1-camera A{} door", &key[1..]), "3072-bit"),
        (format!("scl1-camera {}A door", &key[..511]), "3072-bit"),
        (line.replace("door", "-door"), "letter or digit first"),
        (line.replace("door", "d\u{f6}r"), "letters, digits"),
        (line.replace("door", &"x".repeat(33)), "1 to 32"),
    ] {
        assert!(refused(&line).contains(reason), "{line}: {}", refused(&line));
    }
}

#[test]
fn host_names_become_camera_names() {
    for (host, name) in [
        ("pi-kitchen", "pi-kitchen"),
        ("my pi.local", "my-pi.local"),
        ("-_x", "x"),
        ("küche", "k-che"),
        ("", "camera"),
        ("---", "camera"),
    ] {
        assert_eq!(Name::from_host(host).as_str(), name);
    }
    assert_eq!(Name::from_host(&"h".repeat(64)).as_str().len(), 32);
    assert_eq!(Name::of_host().as_str().parse(), Ok(Name::of_host()));
}

#[test]
fn fingerprints_are_parsed_as_they_are_printed() {
    for bytes in [[0; 32], [0xff; 32], *b"0123456789abcdef0123456789ABCDEF"] {
        assert_eq!(parse_fingerprint(&Fingerprint(bytes).to_string()), Ok(Fingerprint(bytes)));
    }
    let good = Fingerprint([0; 32]).to_string();
    let bad_bits = format!("{}B", &good[..good.len() - 1]);
    for bad in ["", "SHA256:", &good[1..], &good[..49], &format!("{good}="), &good.to_lowercase(), &bad_bits]
    {
        assert!(parse_fingerprint(bad).is_err(), "{bad}");
    }
}

#[test]
fn authorized_cameras_are_kept_with_comments_and_blank_lines() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    assert_eq!(AuthorizedCameras::load(&state).unwrap().cameras().count(), 0);
    let text = format!("# the house\n\n{}\n   # the garden\n{}\n", camera(1, "door"), camera(2, "shed"));
    put(&state, cameras::FILE, text.as_bytes());

    assert_eq!(authorize(&state, camera(3, "pond")), Ok(Authorized::Added));
    assert_eq!(authorize(&state, camera(3, "pond")), Ok(Authorized::Already));
    assert_eq!(forget(&state, "door"), Ok(camera(1, "door")));
    assert_eq!(forget(&state, &camera(2, "shed").modulus.fingerprint().to_string()), Ok(camera(2, "shed")));
    let left = fs::read_to_string(state.file(cameras::FILE)).unwrap();
    assert_eq!(left, format!("# the house\n\n   # the garden\n{}\n", camera(3, "pond")));

    let list = AuthorizedCameras::load(&state).unwrap();
    assert_eq!(list.find(camera(3, "pond").modulus.fingerprint()), Some(&camera(3, "pond")));
    assert_eq!(list.find(camera(1, "door").modulus.fingerprint()), None);
}

#[test]
fn forgetting_an_unknown_camera_names_the_known_ones() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    assert!(forget(&state, "door").unwrap_err().message.contains("Authorized: none"));
    assert!(!state.file(cameras::FILE).exists());
    authorize(&state, camera(1, "door")).unwrap();
    let failure = forget(&state, "dor").unwrap_err();
    assert_eq!(failure.exit, Exit::Trust);
    assert!(failure.message.contains("Authorized: door"));
}

#[test]
fn same_key_or_same_name_twice_needs_forget_first() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    authorize(&state, camera(1, "door")).unwrap();
    for second in [camera(1, "shed"), camera(2, "door")] {
        let failure = authorize(&state, second).unwrap_err();
        assert_eq!(failure.exit, Exit::Trust);
        assert!(failure.message.contains("sealcam-server forget door"), "{failure}");
    }
    assert_eq!(AuthorizedCameras::load(&state).unwrap().cameras().count(), 1);
}

#[test]
fn seventeenth_camera_is_refused() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    for i in 0..MAX_CAMERAS as u8 {
        assert_eq!(authorize(&state, camera(i, &format!("c{i}"))), Ok(Authorized::Added));
    }
    assert!(authorize(&state, camera(99, "late")).unwrap_err().message.contains("16 cameras"));
    assert_eq!(authorize(&state, camera(3, "c3")), Ok(Authorized::Already));
}

#[test]
fn each_bad_line_is_named_and_nothing_is_half_read() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    let door = camera(1, "door").to_string();
    let text = format!("{door}\nscl1-camera\n# fine\n{}\n{door}\n", camera(2, "door"));
    put(&state, cameras::FILE, text.as_bytes());
    let failure = AuthorizedCameras::load(&state).unwrap_err();
    assert_eq!(failure.exit, Exit::State);
    for problem in
        ["line 2: the key is missing", "line 4: another camera", "line 5: a camera with the same key"]
    {
        assert!(failure.message.contains(problem), "{failure}");
    }
    assert_eq!(failure.message.matches("line ").count(), 3, "{failure}");
    assert!(authorize(&state, camera(3, "pond")).is_err());
    assert_eq!(fs::read_to_string(state.file(cameras::FILE)).unwrap(), text, "a bad file is not rewritten");

    put(&state, cameras::FILE, b"# fine\n\xff\n");
    assert!(AuthorizedCameras::load(&state).unwrap_err().message.contains("line 2: it is not text"));
}

#[test]
fn trust_file_that_others_can_open_is_refused() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    authorize(&state, camera(1, "door")).unwrap();
    trust(&state, &conf("pi:5000", 1), false).unwrap();
    for file in [cameras::FILE, display::FILE] {
        fs::set_permissions(state.file(file), Permissions::from_mode(0o640)).unwrap();
    }
    assert!(AuthorizedCameras::load(&state).unwrap_err().message.contains("chmod 600"));
    assert!(DisplayConf::load(&state).unwrap_err().message.contains("chmod 600"));
    assert!(trust(&state, &conf("pi:5000", 1), false).is_err());
}

#[test]
fn cameras_authorized_at_the_same_time_are_all_kept() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    thread::scope(|scope| {
        for i in 0..MAX_CAMERAS as u8 {
            let state = &state;
            scope.spawn(move || authorize(state, camera(i, &format!("c{i}"))).unwrap());
        }
    });
    assert_eq!(AuthorizedCameras::load(&state).unwrap().cameras().count(), MAX_CAMERAS);
}

#[test]
fn camera_without_a_name_gets_the_first_that_is_free() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    let list = || AuthorizedCameras::load(&state).unwrap();
    assert_eq!(list().free_name().as_str(), "camera-1");
    for (number, name) in [(1, "camera-1"), (2, "camera-3"), (3, "porch")] {
        authorize(&state, camera(number, name)).unwrap();
    }
    assert_eq!(list().free_name().as_str(), "camera-2");
    assert_eq!(list().named(&"porch".parse().unwrap()), Some(&camera(3, "porch")));
    assert_eq!(list().named(&"yard".parse().unwrap()), None);
    for number in 4..=16 {
        assert!(list().has_room());
        authorize(&state, camera(number, &format!("c{number}"))).unwrap();
    }
    assert!(!list().has_room());
}

#[test]
fn display_is_replaced_only_on_demand_and_moves_freely() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    assert_eq!(DisplayConf::load(&state), Ok(None));
    assert_eq!(trust(&state, &conf("pi:5000", 1), false), Ok(Trusted::First));
    assert_eq!(trust(&state, &conf("pi:5000", 1), false), Ok(Trusted::Already));
    let moved = trust(&state, &conf("[::1]:5001", 1), false);
    assert_eq!(moved, Ok(Trusted::Moved("pi:5000".parse().unwrap())));

    let other = conf("pi:5000", 2);
    let failure = trust(&state, &other, false).unwrap_err();
    assert_eq!(failure.exit, Exit::Trust);
    assert!(failure.message.contains(&format!("sealcam-client trust --replace {other}")), "{failure}");
    assert_eq!(DisplayConf::load(&state), Ok(Some(conf("[::1]:5001", 1))));

    assert!(may_trust(&state, &other, false).is_err() && may_trust(&state, &other, true).is_ok());
    assert!(may_trust(&state, &conf("elsewhere:1", 1), false).is_ok());
    assert_eq!(trust(&state, &other, true), Ok(Trusted::Replaced(conf("[::1]:5001", 1))));
    assert_eq!(fs::read_to_string(state.file(display::FILE)).unwrap(), format!("{other}\n"));
}

#[test]
fn bad_display_conf_is_refused_until_replaced_on_demand() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    let pin = Fingerprint([1; 32]);
    for (text, problem) in [
        ("pi:5000\n".to_owned(), "line 1: the fingerprint is missing"),
        (format!("pi {pin}\n"), "line 1: the port is missing"),
        ("# x\npi:5000 SHA256:AAAA\n".to_owned(), "line 2: a fingerprint is"),
        (format!("pi:5000 {pin}\n\npi:5001 {pin}\n"), "line 3: a second display"),
        (format!("pi:5000 {pin} x\n"), "line 1: something stands after"),
    ] {
        put(&state, display::FILE, text.as_bytes());
        let failure = DisplayConf::load(&state).unwrap_err();
        assert!(failure.message.contains(problem), "{failure}");
        assert!(trust(&state, &conf("pi:5000", 1), false).is_err());
    }
    assert_eq!(trust(&state, &conf("pi:5000", 1), true), Ok(Trusted::First));
    put(&state, display::FILE, b"# nobody yet\n\n");
    assert_eq!(DisplayConf::load(&state), Ok(None));
}
