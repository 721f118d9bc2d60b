//! What `sealcam-server` prints and refuses, and with which exit code; and what both find out once they run.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::world::{CAMERA, House, socket};

const SHORT_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-2048-bit-key.pem");
const EXPONENT_3_KEY: &[u8] = include_bytes!("../../../core/tests/data/TEST-ONLY-exponent-3-key.pem");

#[test]
fn cameras_are_authorized_listed_and_forgotten() {
    let house = House::of_strangers();
    let done = house.server(&["cameras"]);
    assert!(done.text().is_empty() && done.log().contains("No camera may connect"), "{}", done.log());
    house.authorize();
    let fingerprint = house.client(&["fingerprint"]).text();
    let listed = house.server(&["cameras"]).text();
    let words: Vec<_> = listed.split_whitespace().collect();
    assert_eq!(words, [CAMERA, fingerprint.trim()]);
    let line = house.client(&["identity", "--name", "garden"]).text();
    let done = house.server(&["authorize", line.split('\'').nth(1).unwrap()]);
    assert_eq!(done.code(), Some(4), "the same key under another name: {}", done.log());
    assert_eq!(house.server(&["forget", "garden"]).code(), Some(4));
    house.server(&["forget", CAMERA]).text();
    assert!(house.server(&["cameras"]).text().is_empty());
}

#[test]
fn identity_prints_commands_that_the_camera_takes() {
    let house = House::new();
    let printed = house.server(&["identity"]).text();
    let fingerprint = house.server(&["fingerprint"]).text();
    for line in printed.lines() {
        let words: Vec<_> = line.split(' ').collect();
        assert_eq!((&words[..2], words[3]), (&["sealcam-client", "trust"][..], fingerprint.trim()), "{line}");
        if words[2] != "ADDRESS:5000" {
            house.client(&words[1..]).text();
        }
    }
    assert!(!printed.is_empty());
}

#[test]
fn fingerprint_is_what_openssl_makes_of_the_public_key() {
    let house = House::new();
    let key = house.path("display").join("display_key.pem");
    let public =
        Command::new("openssl").args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(key).output();
    let Ok(public) = public else {
        println!("openssl is not there to compare with");
        return;
    };
    let pipe = |arguments: &[&str], input: &[u8]| {
        let mut command = Command::new("openssl");
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().stdout
    };
    let base64 = pipe(&["base64", "-A"], &pipe(&["dgst", "-sha256", "-binary"], &public.stdout));
    let expected = format!("SHA256:{}\n", String::from_utf8(base64).unwrap().trim().trim_end_matches('='));
    assert_eq!(house.server(&["fingerprint"]).text(), expected);
}

#[test]
fn state_that_cannot_be_trusted_is_refused() {
    let refused = |house: &House, reason: &str| {
        let done = house.server(&["--listen", "127.0.0.1:0", "--sink", "-"]);
        let log = done.log();
        assert!(done.code() == Some(3) && log.contains(reason), "{reason}: {:?} {log}", done.code());
        assert!(log.contains("sealcam-server: ") && !log.contains("Listening"), "{log}");
    };
    let house = House::new();
    let key = house.path("display").join("display_key.pem");
    let good = fs::read(&key).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    refused(&house, "chmod 600");
    house.put("display", "display_key.pem", b"garbage\n");
    refused(&house, "not PEM");
    house.put("display", "display_key.pem", SHORT_KEY);
    refused(&house, "3072 bits");
    house.put("display", "display_key.pem", EXPONENT_3_KEY);
    refused(&house, "65537");
    house.put("display", "display_key.pem", &[&good[..], &[b'\n'; 8192]].concat());
    refused(&house, "more than 8192 bytes");
    house.put("display", "display_key.pem", &good);
    let list = house.path("display").join("authorized_cameras");
    let line = fs::read_to_string(&list).unwrap();
    fs::write(&list, format!("# the house\n{line}scl1-camera AAAA shed\n")).unwrap();
    refused(&house, "line 3: ");
    fs::remove_file(&list).unwrap();
    fs::set_permissions(house.path("display"), Permissions::from_mode(0o777)).unwrap();
    refused(&house, "chmod go-w");
    let done = house.run_server("display/display_key.pem", &["fingerprint"]);
    assert!(done.code() == Some(3) && done.log().contains("not a directory"), "{}", done.log());
}

#[test]
fn port_that_is_taken_is_named_with_the_command_that_finds_who_has_it() {
    let house = House::new();
    let taken = socket();
    let address = taken.local_addr().unwrap();
    let done = house.server(&["--listen", &address.to_string(), "--sink", "-"]);
    let expected = format!("sport = :{}", address.port());
    assert!(done.code() == Some(5) && done.log().contains(&expected), "{:?} {}", done.code(), done.log());
    let done = house.server(&["--listen", "192.0.2.1:5000", "--sink", "-"]);
    assert!(done.code() == Some(5) && done.log().contains("no such address"), "{}", done.log());
}

#[test]
fn sinks_that_cannot_be_written_are_refused_at_the_start() {
    let house = House::new();
    // Even root cannot make files there.
    for sink in ["dump:/proc/self", "snapshot:/proc/self/now.png", "snapshot:not/there.png", "fb:/dev/null"] {
        let done = house.server(&["--listen", "127.0.0.1:0", "--sink", sink]);
        assert_eq!(done.code(), Some(7), "{sink}: {}", done.log());
        assert!(done.log().lines().last().unwrap().starts_with("sealcam-server: "), "{}", done.log());
    }
}

#[test]
fn senseless_command_lines_are_refused_before_anything_is_made() {
    let house = House::of_strangers();
    for arguments in [
        &["--listen", "5000"][..],
        &["--sink", "screen"],
        &["--recv-buffer", "12"],
        &["--sink", "-", "cameras"],
        &["authorize", "scl1-camera AAAA porch"],
        &["authorize"],
        &["pair", "--yes"],
        &["pair", "--name", "a/b"],
        &["pair", "--address", "a b"],
    ] {
        let done = house.run_server("none", arguments);
        assert_eq!(done.code(), Some(2), "{arguments:?}: {}", done.log());
    }
    assert!(!house.path("none").exists());
}

#[test]
fn recording_without_a_picture_ends_the_camera_and_the_display_goes_on() {
    let house = House::new();
    fs::write(house.path("text.txt"), "no picture in here\n").unwrap();
    let (display, mut camera) = house.stream("-", &["--source", "text.txt"]);
    assert_eq!(camera.exit(), 6, "{}", camera.log());
    assert!(
        camera.log().contains("sealcam-client: No usable picture came from text.txt"),
        "{}",
        camera.log()
    );
    display.line("is gone");
    let (_, output) = display.stop();
    assert!(output.is_empty());
}

#[test]
fn sink_that_vanishes_ends_the_display_with_the_reason() {
    let house = House::new();
    let (mut display, camera) = house.stream("dump:out", &["--source", "pattern"]);
    display.line("is connected");
    let path = house.path("out");
    // The display may be putting a frame in just now.
    house.until("the folder is gone", || fs::remove_dir_all(&path).ok());
    assert_eq!(display.exit(), 7, "{}", display.log());
    let last = display.log().lines().last().unwrap().to_owned();
    assert!(last.starts_with("sealcam-server: Cannot write"), "{last}");
    camera.line("Disconnected");
    camera.stop();
}
