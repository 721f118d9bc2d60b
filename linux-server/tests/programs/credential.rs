//! A key that comes as a credential of the service: it is the key, nothing is written, and nothing takes its place.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Uid;

use super::world::{House, OTHER_KEY};

const ANOTHER_USER: u32 = 65_534;

/// The access control list that systemd makes: for root and this user to read, and for nobody else (acl(5), acl(7)).
const LET_ONE_READ: &str = r#"
import os, struct, sys
entries = [(1, 4, -1), (2, 4, int(sys.argv[2])), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)
"#;

/// A house whose programs are given another display's key, and that key's file.
fn house_with_credential() -> (House, PathBuf) {
    let mut house = House::new();
    let given = house.put("credentials", "display_key.pem", OTHER_KEY);
    fs::set_permissions(&given, Permissions::from_mode(0o400)).unwrap();
    house.environment.push(("CREDENTIALS_DIRECTORY", house.path("credentials")));
    (house, given)
}

/// The fingerprint of [`OTHER_KEY`].
fn fingerprint_of_the_other(house: &House) -> String {
    house.add_display("other");
    let done = house.run_server("other", &["fingerprint"]);
    assert!(!done.log().contains("Another key"), "they are the same: {}", done.log());
    done.text()
}

#[test]
fn display_with_a_credential_shows_pictures_under_that_key_and_leaves_its_own_alone() {
    let (house, given) = house_with_credential();
    let own = house.path("display").join("display_key.pem");
    let before = fs::read(&own).unwrap();
    let expected = fingerprint_of_the_other(&house);
    let (display, camera) = house.stream("-", &["--source", "pattern", "--fps", "10"]);
    display.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));
    display.line(&format!("This display's key: {}", expected.trim()));
    display.line(&format!("The key comes from the credential {}.", given.display()));
    display.line(&format!("Another key lies in {}, and is not used.", own.display()));
    camera.stop();
    display.stop();
    assert!(fs::read(&own).unwrap() == before && fs::read(&given).unwrap() == OTHER_KEY);
    assert_eq!(fs::metadata(&given).unwrap().mode() & 0o7777, 0o400);
}

#[test]
fn with_a_credential_no_key_is_made_and_without_one_the_new_key_is_told_to_be_another() {
    let (mut house, _) = house_with_credential();
    let expected = fingerprint_of_the_other(&house);
    let list = fs::read(house.path("display").join("authorized_cameras")).unwrap();
    house.put("service", "authorized_cameras", &list);
    let key = house.path("service").join("display_key.pem");
    let done = house.run_server("service", &["fingerprint"]);
    assert_eq!(done.text(), expected);
    assert!(!key.exists() && !done.log().contains("Making"), "{}", done.log());

    house.environment.clear();
    let done = house.run_server("service", &["fingerprint"]);
    assert!(done.text() != expected && key.exists());
    assert!(done.log().contains("authorized_cameras says whom to trust"), "{}", done.log());
    let done = house.run_server("new", &["fingerprint"]);
    assert!(!done.text().is_empty() && !done.log().contains("credential"), "{}", done.log());
}

#[test]
fn credential_that_cannot_be_used_is_named_and_refused_whatever_else_there_is() {
    let (house, given) = house_with_credential();
    let refused = |reason: &str| {
        let done = house.server(&["--listen", "127.0.0.1:0", "--sink", "-"]);
        let log = done.log();
        assert!(done.code() == Some(3) && log.contains(reason), "{reason}: {:?} {log}", done.code());
        assert!(log.contains(given.to_str().unwrap()) && !log.contains("Listening"), "{log}");
    };
    // What a file of root's may be to another user it may not be to root, nor a user's own to that user.
    for mode in [0o640, 0o604] {
        fs::set_permissions(&given, Permissions::from_mode(mode)).unwrap();
        refused("is open to others");
    }
    house.put("credentials", "display_key.pem", b"garbage\n");
    refused("not PEM");
}

/// Hands the file to [`ANOTHER_USER`] as systemd does: by its ACL, or where the file system has none, as its own.
fn hand_over(given: &Path) {
    let user = ANOTHER_USER.to_string();
    let acl = Command::new("python3").args(["-c", LET_ONE_READ]).arg(given).arg(user).output().unwrap();
    if acl.status.success() {
        assert_eq!(
            fs::metadata(given).unwrap().mode() & 0o7777,
            0o440,
            "the list's mask shows as the group's bits"
        );
    } else {
        println!("no access control lists here: {}", String::from_utf8_lossy(&acl.stderr));
        chown(given, Some(ANOTHER_USER), None).unwrap();
    }
}

#[test]
fn credential_that_root_lets_one_other_user_read_is_the_key_of_that_user() {
    let (house, given) = house_with_credential();
    let expected = fingerprint_of_the_other(&house);
    if !Uid::effective().is_root() {
        // Only root can hand a file over. To its owner it is good as it is.
        assert_eq!(house.server(&["fingerprint"]).text(), expected);
        return;
    }
    hand_over(&given);
    // Neither the programs' folder nor the test's may be open to that user.
    let program = house.path("sealcam-server");
    fs::copy(env!("CARGO_BIN_EXE_sealcam-server"), &program).unwrap();
    for directory in [house.path(""), house.path("credentials")] {
        fs::set_permissions(directory, Permissions::from_mode(0o711)).unwrap();
    }
    let state = house.path("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(ANOTHER_USER), Some(ANOTHER_USER)).unwrap();
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={ANOTHER_USER}"), &format!("--regid={ANOTHER_USER}")]);
    command.arg("--clear-groups").arg(program).arg("--state").arg(&state).arg("fingerprint");
    let output = command.env("CREDENTIALS_DIRECTORY", house.path("credentials")).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0, "nothing was made");
}
