//! What a session leaves outside of the two processes: nothing on disk, and no second process that holds its keys
//! (docs/protocol.md §14).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use super::world::House;

/// Every file of a state directory, with its contents. (The socket of `pair` is none.)
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| !entry.file_type().unwrap().is_socket());
    let named =
        files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    named.collect()
}

/// Processes whose parent is this one.
fn children(parent: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let child = |path: &Path| {
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        // The name stands in brackets and may hold anything; state and parent come behind it.
        let of = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.to_owned();
        (of == parent.to_string()).then_some(stat)
    };
    processes.filter_map(|entry| child(&entry.path())).collect()
}

#[test]
fn session_leaves_nothing_on_disk_and_no_process_beside_the_two() {
    let house = House::new();
    let (display, relay, camera) = house.relayed("-", &["--source", "pattern", "--fps", "15"]);
    let state = || ["display", "camera"].map(|name| files(&house.path(name)));
    let before = state();
    assert!(before[0].contains_key("display_key.pem") && before[1].contains_key("camera_key.pem"));
    display.output("pictures", |bytes| (bytes.len() > 100_000).then_some(()));
    // At a new address too.
    relay.move_camera();
    display.line("is now at ");
    for program in [&display, &camera] {
        assert_eq!(children(program.id()), [""; 0]);
    }
    assert!(children(std::process::id()).len() >= 2, "children would be seen: the programs are this test's");
    assert!(state() == before, "while it runs");
    camera.stop();
    display.stop();
    assert!(state() == before, "when it is over");
    assert!(!house.path("display").join("pair.sock").exists(), "its socket went with the display");
}
