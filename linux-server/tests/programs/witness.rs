//! The camera and the display in Python that were written from the protocol's text alone (`docs/peer/`), and ours.

use std::fs;
use std::process::{Command, Stdio};

use super::world::{CAMERA, House, Program, between_quotes, jpeg, write_folder};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/peer/sealcam_peer.py");

/// The house's keys, since making one takes OpenSSL as long as chance will have it.
pub(super) const CAMERA_KEY: &str = "camera/camera_key.pem";
const DISPLAY_KEY: &str = "display/display_key.pem";

#[test]
fn known_answers_are_right_in_another_language() {
    // Arithmetic and nothing else: it ends, and how soon says only how busy the machine is.
    let done = command(&["--self-test"]).output().unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success() && said.contains("known answers are right"), "{said}");
}

#[test]
fn camera_written_from_the_text_alone_is_shown_byte_for_byte_over_changes_of_port_and_keys() {
    let house = House::of_strangers();
    let sent = jpeg("witness", 20_000);
    fs::write(house.path("picture.jpg"), &sent).unwrap();
    let display = house.display("dump:out");
    let (address, fingerprint) = paired(&house, &display);
    let arguments =
        ["camera", "--key", CAMERA_KEY, "--frames", "100000", "--move-after", "5", "--rekey-after", "10"];
    let camera = witness(&house, &[&arguments[..], &[&address, &fingerprint, "picture.jpg"]].concat());

    for line in ["Camera python is connected", "Camera python: taking pictures", "Camera python is now at"] {
        display.line(line);
    }
    camera.line(" epoch 2 after ");
    let before = dumped(&house).len();
    house.until("a frame is there under the new keys", || (dumped(&house).len() > before).then_some(()));
    let (log, _) = camera.stop();
    assert!(log.contains(" frames complete at the display"), "{log}");
    display.line("it ended its stream");
    display.stop();
    for frame in dumped(&house) {
        assert!(
            frame == sent,
            "a frame of {} bytes is not the one of {} that was sent",
            frame.len(),
            sent.len()
        );
    }
}

#[test]
fn camera_written_from_the_text_alone_is_told_that_it_was_forgotten() {
    let house = House::of_strangers();
    fs::write(house.path("picture.jpg"), jpeg("witness", 5_000)).unwrap();
    let display = house.display("dump:out");
    let (address, fingerprint) = paired(&house, &display);
    let arguments =
        ["camera", "--key", CAMERA_KEY, "--frames", "100000", &address, &fingerprint, "picture.jpg"];
    let mut camera = witness(&house, &arguments);
    house.until("a frame is in the folder", || dumped(&house).pop());
    house.server(&["forget", "python"]).text();
    assert_eq!(camera.exit(), 4, "{}", camera.log());
    camera.line("the display closed the session, revoked");
}

#[test]
fn display_written_from_the_text_alone_gets_our_camera_s_pictures_byte_for_byte() {
    let house = House::of_strangers();
    let sent = write_folder(&house.path("in"), "to the witness", &[1_400, 20_000, 1_153, 5_000]);
    let line = house.client(&["identity", "--name", CAMERA]).text();
    fs::write(house.path("cameras"), between_quotes(&line)).unwrap();
    let identity = witness(&house, &["identity", "--key", DISPLAY_KEY]);
    let said = identity.line("this key: SHA256:");
    let fingerprint = said.split(' ').next_back().unwrap();

    let arguments =
        ["display", "--key", DISPLAY_KEY, "--cameras", "cameras", "--frames", "12", "127.0.0.1:0", "out"];
    let mut display = witness(&house, &arguments);
    let said = display.line("listening on port ");
    let port = said.split(' ').next_back().unwrap();
    house.client(&["trust", &format!("127.0.0.1:{port}"), fingerprint]).text();
    let camera = house.camera(&["--source", "in", "--loop", "--fps", "5"]);
    camera.line("the display's program is stopping");
    assert_eq!(display.exit(), 0, "{}", display.log());
    camera.stop();
    let frames = dumped(&house);
    assert_eq!(frames.len(), 12);
    for frame in frames {
        assert!(sent.contains(&frame), "a frame of {} bytes is none of those that were sent", frame.len());
    }
}

/// Lets the witness in; the display's address and fingerprint.
pub(super) fn paired(house: &House, display: &Program) -> (String, String) {
    let mut identity = witness(house, &["identity", "--key", CAMERA_KEY]);
    assert_eq!(identity.exit(), 0, "{}", identity.log());
    let line = identity.output("its line", |bytes| Some(String::from_utf8_lossy(bytes).into_owned()));
    house.server(&["authorize", line.trim()]).text();
    let fingerprint = house.server(&["fingerprint"]).text().trim().to_owned();
    (display.address().to_string(), fingerprint)
}

/// Starts the witness.
pub(super) fn witness(house: &House, arguments: &[&str]) -> Program {
    house.other("witness", command(arguments))
}

/// The witness, ready to start; says which package is missing where it cannot.
fn command(arguments: &[&str]) -> Command {
    for (program, argument) in [("python3", "--version"), ("openssl", "version")] {
        let found = Command::new(program).arg(argument).stdout(Stdio::null()).status();
        assert!(
            found.is_ok_and(|status| status.success()),
            "{program} is missing, which docs/peer wants: `apt-get install {program}`, or `cargo xtask setup`"
        );
    }
    let mut command = Command::new("python3");
    // -B: what Python compiles is not left in the source tree.
    command.args(["-B", PEER]).args(arguments);
    command
}

/// All frames in the folder.
fn dumped(house: &House) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(house.path("out")) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().path());
    names
        .filter(|path| path.extension().is_some_and(|ending| ending == "jpg"))
        .map(|path| fs::read(path).unwrap())
        .collect()
}
