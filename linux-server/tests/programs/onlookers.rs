//! Other processes of the same user: they can neither look into the programs' memory nor have it dumped (docs/protocol.md
//! §13).
//!
//! Root may do either whatever the programs say, so where root runs this they are run as nobody.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;

use super::world::{House, Program, client_path, command, server_path, user};

/// Starts a program with this state, which is given to that user.
fn start(house: &House, name: &str, path: &Path, state: &str, arguments: &[&str]) -> Program {
    house.hand_over(state);
    house.start_as_user(name, path, state, arguments)
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
    house.let_through();
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
