//! What the programs may ask of the kernel while they run, as the kernel tells it of each of their threads, and that they
//! still can do what they must.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use super::world::{CAMERA, House, Program};

const PATTERN: [&str; 4] = ["--source", "pattern", "--fps", "10"];

/// CAP_SYS_TTY_CONFIG, which a display that root runs keeps for the console (linux/capability.h).
const CONSOLE: u64 = 1 << 26;

/// Waits until no thread of `program` can gain rights, each has a filter for system calls, and none has a capability but
/// `kept`.
fn is_confined(house: &House, program: &Program, threads: &[&str], kept: u64) {
    // A thread that was started just now is not as far.
    house.until(&format!("{threads:?} are confined"), || {
        let found: Option<Vec<String>> = fs::read_dir(format!("/proc/{}/task", program.id()))
            .unwrap()
            .map(|entry| confined_thread(&fs::read_to_string(entry.ok()?.path().join("status")).ok()?, kept))
            .collect();
        let found = found?;
        threads.iter().all(|thread| found.iter().any(|name| name == thread)).then_some(())
    });
}

/// The name of a thread that is confined, as the kernel tells of it.
fn confined_thread(status: &str, kept: u64) -> Option<String> {
    let field = |name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim());
    let left = |set: &str| Some(u64::from_str_radix(field(set)?, 16).unwrap() & !kept);
    let confined = field("NoNewPrivs:")? == "1" && field("Seccomp:")? == "2";
    let without = ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"].iter().all(|set| left(set) == Some(0));
    (confined && without).then(|| field("Name:").map(str::to_owned))?
}

#[test]
fn every_thread_of_both_programs_is_confined() {
    let house = House::new();
    let picture = format!("snapshot:{}", house.path("now.png").display());
    let (display, camera) = house.stream(&picture, &PATTERN);
    display.line("taking pictures");
    for program in [&display, &camera] {
        program.line("system calls by seccomp");
    }
    is_confined(&house, &display, &["sealcam-server", "painter", "decoder", "key"], CONSOLE);
    is_confined(&house, &camera, &["sealcam-client", "source", "resolver"], 0);
    camera.stop();
    display.stop();
}

#[test]
fn both_ends_of_a_pairing_are_confined() {
    let house = House::of_strangers();
    let (pair, code) = house.pair(&[]);
    let camera = house.join("camera", &code);
    camera.line("six digits");
    is_confined(&house, &pair, &["sealcam-server", "key"], 0);
    is_confined(&house, &camera, &["sealcam-client"], 0);
    pair.signal(Signal::SIGTERM);
}

#[test]
fn list_that_leads_out_of_the_state_directory_is_not_followed_while_the_display_runs() {
    let house = House::new();
    let (display, camera) = house.stream("-", &PATTERN);
    camera.line("Connected");
    if display.line("Confined: files").contains("files not") {
        println!("not seen here: {}", display.line("Confined: files"));
        return;
    }
    let (list, elsewhere) = (house.path("display").join("authorized_cameras"), house.path("elsewhere"));
    fs::rename(&list, &elsewhere).unwrap();
    symlink(&elsewhere, &list).unwrap();
    display.line("Going on with the cameras known before");
    fs::remove_file(&list).unwrap();
    fs::copy(&elsewhere, &list).unwrap();
    house.server(&["forget", CAMERA]).text();
    display.line("no longer authorized");
    camera.stop();
    display.stop();
}

#[test]
fn display_that_moved_is_found_by_its_name() {
    let house = House::new();
    let (first, camera) = house.stream("-", &PATTERN);
    camera.line("Connected");
    first.stop();
    let second = house.display("-");
    let fingerprint = house.server(&["fingerprint"]).text();
    let place = format!("localhost:{}", second.address().port());
    house.client(&["trust", &place, fingerprint.trim()]).text();
    camera.line(&format!("The trusted display is now {place}"));
    second.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));
    camera.stop();
    second.stop();
}
