//! `sealcam-client` alone: what it prints, what it refuses and with which exit code. Nothing here streams.
//!
//! How it lives with a display is tested where both programs are (linux-server/tests/programs).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests; clippy only exempts the tests"
)]

use std::fs::{self, DirBuilder, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const KEY: &str = include_str!("../../core/tests/data/TEST-ONLY-camera-key.pem");
const OTHER_KEY: &str = include_str!("../../core/tests/data/TEST-ONLY-camera2-key.pem");
const SHORT_KEY: &str = include_str!("../../core/tests/data/TEST-ONLY-2048-bit-key.pem");
const EXPONENT_3_KEY: &str = include_str!("../../core/tests/data/TEST-ONLY-exponent-3-key.pem");

/// Fingerprints that no key of these tests has.
const PINS: [&str; 2] = [
    "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];

/// A state directory with a key in it, removed when the test is over.
struct Camera(PathBuf);

/// How a command ended.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    output: String,
    log: String,
}

impl Camera {
    fn new() -> Self {
        let camera = Self::without_key();
        camera.put("camera_key.pem", KEY);
        camera
    }

    fn without_key() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sealcam-client-{}-{number}", std::process::id()));
        // One of this name can only be left from a process that is dead and had the same number.
        let _ = fs::remove_dir_all(&path);
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn trusting(self) -> Self {
        self.put("display.conf", &format!("127.0.0.1:5000 {}\n", PINS[0]));
        self
    }

    fn run(&self, arguments: &[&str]) -> Done {
        run_in(&self.0, arguments)
    }

    /// The same with the other camera's directory as that of credentials.
    fn run_given(&self, credentials: &Self, arguments: &[&str]) -> Done {
        end(command_in(&self.0, arguments).env("CREDENTIALS_DIRECTORY", &credentials.0))
    }

    /// The log of a command that must end with this exit code.
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, Some(code), "{arguments:?}: {done:?}");
        assert!(done.output.is_empty(), "{arguments:?}: {done:?}");
        done.log
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run_in(state: &Path, arguments: &[&str]) -> Done {
    end(&mut command_in(state, arguments))
}

fn command_in(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealcam-client"));
    command.arg("--state").arg(state).args(arguments).stdin(Stdio::null());
    command.env_remove("STATE_DIRECTORY").env_remove("CREDENTIALS_DIRECTORY");
    command
}

fn end(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    Done {
        code: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        log: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn key_is_made_on_the_first_use_and_kept() {
    let camera = Camera::without_key();
    let first = camera.run(&["fingerprint"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.output.starts_with("SHA256:") && first.output.trim().len() == 50, "{first:?}");
    assert!(first.log.contains(camera.0.to_str().unwrap()), "the directory is told: {first:?}");
    assert_eq!(fs::metadata(camera.0.join("camera_key.pem")).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(camera.run(&["fingerprint"]).output, first.output);
}

#[test]
fn fingerprint_is_what_openssl_makes_of_the_public_key() {
    let camera = Camera::new();
    let key = camera.0.join("camera_key.pem");
    let public =
        Command::new("openssl").args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&key).output();
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
    assert_eq!(camera.run(&["fingerprint"]).output, expected);
}

#[test]
fn identity_prints_one_command_and_nothing_else_to_standard_output() {
    let camera = Camera::new();
    let done = camera.run(&["identity", "--name", "front-door"]);
    assert_eq!((done.code, done.output.lines().count()), (Some(0), 1), "{done:?}");
    let words: Vec<_> = done.output.split_whitespace().collect();
    assert_eq!((words.len(), &words[..3]), (5, &["sealcam-server", "authorize", "'scl1-camera"][..]));
    assert_eq!((words[3].len(), words[4]), (512, "front-door'"));
    let log = camera.refused(2, &["identity", "--name", "front door"]);
    assert!(log.starts_with("sealcam-client: --name: "), "{log}");
}

#[test]
fn display_is_trusted_moved_and_replaced_only_on_demand() {
    let camera = Camera::new();
    let conf = || fs::read_to_string(camera.0.join("display.conf")).unwrap();
    let trusted = |arguments: &[&str], said: &str| {
        let done = camera.run(arguments);
        assert!(done.code == Some(0) && done.log.contains(said) && done.output.is_empty(), "{done:?}");
    };
    trusted(&["trust", "pi:5000", PINS[0]], "now trusts the display");
    trusted(&["trust", "pi", PINS[0]], "already");
    trusted(&["trust", "pi:6000", PINS[0]], "instead of pi:5000");
    assert_eq!(conf(), format!("pi:6000 {}\n", PINS[0]));
    let log = camera.refused(4, &["trust", "pi:6000", PINS[1]]);
    assert!(log.contains(&format!("sealcam-client trust --replace pi:6000 {}", PINS[1])), "{log}");
    assert_eq!(conf(), format!("pi:6000 {}\n", PINS[0]));
    trusted(&["trust", "pi:6000", PINS[1], "--replace"], "no longer");
    assert_eq!(conf(), format!("pi:6000 {}\n", PINS[1]));
}

#[test]
fn without_a_display_both_commands_are_told() {
    let camera = Camera::new();
    let log = camera.refused(4, &["--source", "pattern"]);
    assert!(log.contains("sealcam-client: This camera trusts no display yet"), "{log}");
    assert!(log.contains("sealcam-server pair") && log.contains("sealcam-client pair CODE"), "{log}");
    assert!(log.contains("sealcam-server identity") && log.contains("sealcam-client trust"), "{log}");
    let identity = camera.run(&["identity"]).output;
    assert!(log.contains(identity.trim()), "{log}");
}

#[test]
fn state_that_cannot_be_trusted_is_refused() {
    let open_key = Camera::new().trusting();
    fs::set_permissions(open_key.0.join("camera_key.pem"), Permissions::from_mode(0o644)).unwrap();
    let open_directory = Camera::new().trusting();
    fs::set_permissions(&open_directory.0, Permissions::from_mode(0o777)).unwrap();
    let with = |name: &str, text: &str| {
        let camera = Camera::new().trusting();
        camera.put(name, text);
        camera
    };
    for (camera, reason) in [
        (open_key, "chmod 600"),
        (open_directory, "chmod go-w"),
        (with("camera_key.pem", "garbage\n"), "not PEM"),
        (with("camera_key.pem", SHORT_KEY), "3072 bits"),
        (with("camera_key.pem", EXPONENT_3_KEY), "65537"),
        (with("display.conf", &format!("# x\npi:5000 {}x\n", PINS[0])), "line 2: "),
    ] {
        let log = camera.refused(3, &["--source", "pattern"]);
        assert!(log.contains("sealcam-client: ") && log.contains(reason), "{reason}: {log}");
    }
    let file = Camera::new();
    let done = run_in(&file.0.join("camera_key.pem"), &["fingerprint"]);
    assert!(done.code == Some(3) && done.log.contains("not a directory"), "{done:?}");
}

#[test]
fn credential_is_the_key_and_the_one_in_the_state_directory_stays() {
    let (camera, credentials) = (Camera::new(), Camera::without_key());
    let given = credentials.put("camera_key.pem", OTHER_KEY);
    let expected = credentials.run(&["fingerprint"]).output;
    let done = camera.run_given(&credentials, &["fingerprint"]);
    assert_eq!((done.code, &done.output), (Some(0), &expected), "{done:?}");
    assert!(
        done.log.contains(&format!("The key comes from the credential {}.", given.display())),
        "{done:?}"
    );
    assert!(done.log.contains("Another key lies in "), "{done:?}");
    assert_ne!(camera.run(&["fingerprint"]).output, expected);
    let kept = |path: &Path| fs::read_to_string(path).unwrap();
    assert!(kept(&given) == OTHER_KEY && kept(&camera.0.join("camera_key.pem")) == KEY);

    let empty = Camera::without_key();
    assert_eq!(empty.run_given(&credentials, &["fingerprint"]).output, expected);
    assert_eq!(fs::read_dir(&empty.0).unwrap().count(), 0, "no key was made");
    let own = camera.run_given(&empty, &["fingerprint"]);
    assert_eq!(own.output, camera.run(&["fingerprint"]).output, "no such credential is as no credential");
}

#[test]
fn credential_that_cannot_be_used_is_refused_whatever_else_there_is() {
    let (camera, credentials) = (Camera::new().trusting(), Camera::without_key());
    for (text, mode, reason) in
        [(OTHER_KEY, 0o444, "is open to others"), (SHORT_KEY, 0o400, "3072 bits"), ("", 0o400, "not PEM")]
    {
        let given = credentials.put("camera_key.pem", text);
        fs::set_permissions(&given, Permissions::from_mode(mode)).unwrap();
        let done = camera.run_given(&credentials, &["--source", "pattern"]);
        assert!(done.code == Some(3) && done.log.contains(reason), "{reason}: {done:?}");
        assert!(done.log.contains(given.to_str().unwrap()) && done.output.is_empty(), "{done:?}");
        fs::remove_file(&given).unwrap();
    }
}

#[test]
fn sources_that_are_not_there_are_named() {
    let camera = Camera::new().trusting();
    let state = camera.0.to_str().unwrap().to_owned();
    for (source, reason) in [(format!("{state}/nowhere.mjpeg"), "Cannot open"), (state.clone(), "no *.jpg")] {
        let log = camera.refused(6, &["--source", &source]);
        assert!(log.contains(reason) && log.contains(&source), "{log}");
    }
    // Standard input is not a camera's pipe but the null device here.
    let log = camera.refused(6, &["--source", "-"]);
    assert!(log.contains("No usable picture came from standard input"), "{log}");
}

#[test]
fn senseless_command_lines_are_refused_before_anything_is_opened() {
    let camera = Camera::without_key();
    for arguments in [
        &["--source", "pattern", "--size", "95x64"][..],
        &["--source", "-", "--fps", "5"],
        &["--source", "pattern", "--loop"],
        &["--fps", "0"],
        &["--to", "pi:0"],
        &["trust", "pi"],
        &["trust", "pi", "SHA256:short"],
        &["cameras", "--fps", "5"],
        &["pair"],
    ] {
        let done = camera.run(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {done:?}");
    }
    assert_eq!(fs::read_dir(&camera.0).unwrap().count(), 0, "nothing was made");
}
