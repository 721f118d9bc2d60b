//! Tests of the state directory, on real ones in the temporary directory.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

use super::*;
use crate::scratch::Scratch;

fn state(scratch: &Scratch) -> State {
    State::open(Some(scratch.path())).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn chosen(given: Option<&str>, variables: &[(&str, &str)]) -> Result<State> {
    State::choose(given.map(Path::new), |name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    })
}

#[test]
fn directory_is_chosen_in_the_documented_order() {
    let all = [("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("XDG_STATE_HOME", "/x"), ("HOME", "/home/u")];
    let path = |given, variables: &[(&str, &str)]| chosen(given, variables).unwrap().path;
    assert_eq!(path(Some("here"), &all), Path::new("here"));
    assert_eq!(path(None, &all), Path::new("/var/lib/a"));
    assert_eq!(path(None, &all[1..]), Path::new("/x/sealcam"));
    assert_eq!(path(None, &all[2..]), Path::new("/home/u/.local/state/sealcam"));
    assert_eq!(
        path(None, &[("XDG_STATE_HOME", "relative"), all[2]]),
        Path::new("/home/u/.local/state/sealcam")
    );
    let none = chosen(None, &[]).unwrap_err();
    assert_eq!(none.exit, Exit::State);
    assert!(none.message.contains("--state DIR"));
    assert_eq!(chosen(None, &all).unwrap().to_string(), "/var/lib/a (from $STATE_DIRECTORY)");
}

#[test]
fn directory_is_made_for_its_owner_only() {
    let scratch = Scratch::new();
    let state = State::open(Some(&scratch.path().join("a/b"))).unwrap();
    assert_eq!(mode(state.path()), 0o700);
}

#[test]
fn directory_that_takes_the_place_of_the_one_opened_is_another() {
    let scratch = Scratch::new();
    let path = scratch.path().join("a");
    let state = State::open(Some(&path)).unwrap();
    assert!(state.replaced().is_none());
    fs::rename(&path, scratch.path().join("b")).unwrap();
    assert!(state.replaced().is_none(), "nothing is there");
    fs::create_dir(&path).unwrap();
    assert_eq!(state.replaced().unwrap().exit, Exit::State);
}

#[test]
fn file_in_place_of_the_directory_is_named() {
    let scratch = Scratch::new();
    let file = scratch.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(State::open(Some(&file)).unwrap_err().message.contains("is not a directory"));
    assert_eq!(State::open(Some(&file.join("below"))).unwrap_err().exit, Exit::State);
}

#[test]
fn directory_that_others_can_write_is_refused() {
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(State::open(Some(scratch.path())).unwrap_err().message.contains("chmod go-w"));
    // Advice that would break /tmp for everybody is none.
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o1777)).unwrap();
    let refused = State::open(Some(scratch.path())).unwrap_err().message;
    assert!(refused.contains("Others can write") && !refused.contains("chmod"), "{refused}");
}

#[test]
fn directory_of_another_user_is_used_by_root_alone() {
    let scratch = Scratch::new();
    assert_eq!(state(&scratch).owner().unwrap(), Uid::effective());
    if Uid::effective().is_root() {
        std::os::unix::fs::chown(scratch.path(), Some(12_345), None).unwrap();
        assert_eq!(state(&scratch).owner().unwrap(), Uid::from_raw(12_345));
    }
}

#[test]
fn directory_that_cannot_be_written_is_opened_and_told_before_work_is_lost() {
    let scratch = Scratch::new();
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o500)).unwrap();
    let state = state(&scratch);
    if Uid::effective().is_root() {
        return state.check_writable().unwrap(); // Root may write everywhere.
    }
    for failure in [state.check_writable().unwrap_err(), state.lock().unwrap().replace("f", b"").unwrap_err()]
    {
        assert_eq!(failure.exit, Exit::State);
        assert!(failure.message.contains("--state DIR"), "{failure}");
    }
}

#[test]
fn replaced_file_is_read_back_private_and_alone() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    assert!(state.read("f", 10).unwrap().is_none());
    for contents in [&b"first"[..], b"", b"0123456789"] {
        state.lock().unwrap().replace("f", contents).unwrap();
        assert_eq!(**state.read("f", 10).unwrap().unwrap(), *contents);
        assert_eq!(mode(&state.file("f")), 0o600);
    }
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1, "something was left behind");
}

#[test]
fn leftover_of_a_process_that_died_is_no_obstacle() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    fs::write(state.file(".f.new"), "half a k").unwrap();
    state.lock().unwrap().replace("f", b"whole").unwrap();
    assert_eq!(**state.read("f", 10).unwrap().unwrap(), *b"whole");
    assert!(!state.file(".f.new").exists());
}

#[test]
fn failed_replacement_changes_nothing_and_leaves_nothing() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    // A directory with something in it cannot be renamed over.
    fs::create_dir_all(state.file("f").join("inside")).unwrap();
    let failed = state.lock().unwrap().replace("f", b"new").unwrap_err();
    assert_eq!(failed.exit, Exit::State);
    assert!(state.file("f").join("inside").exists());
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1);
}

#[test]
fn file_that_others_can_open_is_refused_with_the_command_to_run() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    state.lock().unwrap().replace("f", b"secret").unwrap();
    for open in [0o640, 0o604, 0o620, 0o601, 0o644] {
        fs::set_permissions(state.file("f"), Permissions::from_mode(open)).unwrap();
        let refused = state.read("f", 10).unwrap_err();
        assert!(refused.message.contains(&format!("chmod 600 {}", state.file("f").display())), "{refused}");
    }
    fs::set_permissions(state.file("f"), Permissions::from_mode(0o400)).unwrap();
    assert!(state.read("f", 10).unwrap().is_some());
}

#[test]
fn only_regular_files_of_sensible_length_are_read() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    fs::create_dir(state.file("directory")).unwrap();
    assert!(state.read("directory", 10).unwrap_err().message.contains("not a regular file"));
    nix::unistd::mkfifo(&state.file("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(state.read("fifo", 10).unwrap_err().message.contains("not a regular file"));
    symlink("/dev/zero", state.file("endless")).unwrap();
    assert!(state.read("endless", 10).unwrap_err().message.contains("not a regular file"));
    state.lock().unwrap().replace("long", &[b'x'; 11]).unwrap();
    assert!(state.read("long", 10).unwrap_err().message.contains("more than 10 bytes"));
}

#[test]
fn file_of_another_owner_is_refused() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    let lock = state.lock().unwrap();
    lock.replace("f", b"planted").unwrap();
    if !Uid::effective().is_root() {
        return; // Only root can give a file away.
    }
    std::os::unix::fs::chown(state.file("f"), Some(12_345), None).unwrap();
    assert!(state.read("f", 10).unwrap_err().message.contains("belongs to user 12345"));
    // In that user's directory root reads it, and what root writes is that user's.
    std::os::unix::fs::chown(state.path(), Some(12_345), None).unwrap();
    assert!(state.read("f", 10).unwrap().is_some());
    lock.replace("g", b"by root").unwrap();
    assert_eq!(fs::metadata(state.file("g")).unwrap().uid(), 12_345);
}

#[test]
fn what_root_gives_to_the_directory_s_owner_is_the_socket_and_nothing_that_stands_there_instead() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    let lock = state.lock().unwrap();
    let _listener = UnixListener::bind(state.file("socket")).unwrap();
    lock.hand_over("socket").unwrap();
    let owner = |name: &str| fs::symlink_metadata(state.file(name)).unwrap().uid();
    assert_eq!(owner("socket"), Uid::effective().as_raw());
    if !Uid::effective().is_root() {
        return; // Only root can give a file away.
    }
    std::os::unix::fs::chown(state.path(), Some(12_345), None).unwrap();
    lock.hand_over("socket").unwrap();
    assert_eq!(owner("socket"), 12_345);

    let _other = UnixListener::bind(state.file("root's")).unwrap();
    fs::hard_link(state.file("root's"), state.file("link")).unwrap();
    symlink("socket", state.file("symlink")).unwrap();
    fs::write(state.file("file"), "").unwrap();
    for name in ["link", "symlink", "file"] {
        lock.hand_over(name).unwrap_err();
        assert_eq!(owner(name), 0, "{name}");
    }
}

#[test]
fn locked_changes_of_many_threads_are_all_kept() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let lock = state.lock().unwrap();
                    let mut contents = state.read("f", 100).unwrap().unwrap_or_default();
                    contents.push(b'x');
                    lock.replace("f", &contents).unwrap();
                }
            });
        }
    });
    assert_eq!(state.read("f", 100).unwrap().unwrap().len(), 40);
}

#[test]
fn lock_that_another_process_keeps_is_told_and_not_waited_for_without_end() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    let held = state.lock().unwrap();
    let refused = state.lock_until(Clock.now()).unwrap_err();
    assert_eq!(refused.exit, Exit::State);
    assert!(refused.message.contains("holds the lock"), "{refused}");
    drop(held);
    state.lock_until(Clock.now()).unwrap();
}

#[test]
fn watch_tells_each_change_once_and_looks_twice_a_second() {
    let scratch = Scratch::new();
    let state = state(&scratch);
    let mut now = Instant::ZERO;
    let mut watch = state.watch("f", now);
    let mut look = || {
        now = watch.next_look();
        watch.changed(now)
    };
    assert!(!look());
    state.lock().unwrap().replace("f", b"a").unwrap();
    assert!(look());
    assert!(!look());
    state.lock().unwrap().replace("f", b"b").unwrap();
    assert!(look());
    fs::remove_file(state.file("f")).unwrap();
    assert!(look());
    state.lock().unwrap().replace("f", b"b").unwrap();
    assert!(!watch.changed(now), "not yet due");
    assert!(watch.changed(now + Duration::from_millis(500)));
}
