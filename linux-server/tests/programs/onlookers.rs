//! Other processes of the same user: they can neither look into the programs' memory nor have it dumped (docs/protocol.md
//! §13).
//!
//! Root may do either whatever the programs say, so where root runs this they are run as nobody.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::Uid;

use super::world::{House, Program, client_path, server_path};

const NOBODY: u32 = 65_534;

/// The user whose processes these are.
fn user() -> u32 {
    if Uid::effective().is_root() { NOBODY } else { Uid::effective().as_raw() }
}

/// That user's command.
fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    if Uid::effective().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Gives a state directory to that user.
fn hand_over(house: &House, state: &str) {
    let directory = house.path(state);
    for entry in fs::read_dir(&directory).unwrap() {
        chown(entry.unwrap().path(), Some(user()), None).unwrap();
    }
    chown(directory, Some(user()), None).unwrap();
}

/// Starts a program with this state, from where that user may run it.
fn start(house: &House, name: &str, path: &Path, state: &str, arguments: &[&str]) -> Program {
    hand_over(house, state);
    let copy = house.path(path.file_name().unwrap().to_str().unwrap());
    if !copy.exists() {
        fs::copy(path, &copy).unwrap();
    }
    let mut command = command(&copy);
    command.arg("--state").arg(house.path(state)).args(arguments);
    house.other(name, command)
}

/// Whether the kernel leaves the files of this process in /proc to its user. It lets a process be dumped just if it does.
fn is_open(id: u32) -> bool {
    fs::metadata(environ(id)).unwrap().uid() == user()
}

/// Whether another process of that user can read what the kernel shows there of this one's memory.
fn can_be_read(id: u32) -> bool {
    let mut reader = command(Path::new("cat"));
    reader.arg(environ(id)).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

fn environ(id: u32) -> String {
    format!("/proc/{id}/environ")
}

#[test]
fn no_process_of_the_same_user_can_look_into_the_programs_or_have_them_dumped() {
    let house = House::new();
    fs::set_permissions(house.path(""), Permissions::from_mode(0o711)).unwrap();
    let any = house.other("any program", command(Path::new("cat")));
    assert!(is_open(any.id()) && can_be_read(any.id()), "others can be looked into");

    let display =
        start(&house, "display", server_path(), "display", &["--listen", "127.0.0.1:0", "--sink", "-"]);
    house.trust("display", display.address());
    let camera = start(&house, "camera", &client_path(), "camera", &["--source", "pattern"]);
    camera.line("Connected to the display");
    let pair = start(&house, "pair", server_path(), "display", &["pair"]);
    pair.output("a code", |bytes| bytes.ends_with(b"\n").then_some(()));
    house.add_camera("second");
    let joining = start(&house, "joining camera", &client_path(), "second", &["pair", "-"]);
    house.until("who waits for a code is closed", || (!is_open(joining.id())).then_some(()));
    for program in [&display, &camera, &pair, &joining] {
        assert!(!is_open(program.id()) && !can_be_read(program.id()));
    }
}
