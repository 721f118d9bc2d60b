//! Pairing where more than one user has to do with the machine: none but this one, root, and whose the state directory is
//! can come between `sealcam-server pair` and the display (docs/architecture.md, "What each file is for").
//!
//! Where the tests are not root's, nothing of it can be seen.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};

use super::world::{House, is_root, server_path, user};

const DISPLAY: [&str; 4] = ["--listen", "127.0.0.1:0", "--sink", "-"];

#[test]
fn display_of_another_user_in_the_place_of_the_own_gets_no_camera() {
    if !is_root() {
        return;
    }
    let house = House::of_strangers();
    house.add_display("other");
    house.hand_over("other");
    let other = house.start_as_user("other display", server_path(), "other", &DISPLAY);
    other.line("Listening on");
    // As if that user had been there first.
    symlink(house.path("other").join("pair.sock"), house.path("display").join("pair.sock")).unwrap();
    let mut pair = house.start_pair(&[]);
    pair.ends_with(4, &["Not paired.", "belongs to", "Remove it"]);
    other.stop();
}

#[test]
fn directory_of_another_user_is_refused_to_all_but_root() {
    if !is_root() {
        return;
    }
    let house = House::new();
    house.hand_over("display");
    let directory = house.path("display");
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    house.start_as_user("cameras", server_path(), "display", &["cameras"]).ends_with(0, &[]);
    lchown(&directory, Some(12_345), None).unwrap();
    let mut refused = house.start_as_user("cameras", server_path(), "display", &["cameras"]);
    refused.ends_with(3, &["belongs to user 12345", "--state DIR"]);
}

#[test]
fn root_and_whose_the_directory_is_pair_with_each_other_s_displays() {
    if !is_root() {
        return;
    }
    for root_shows in [true, false] {
        let house = House::of_strangers();
        house.hand_over("display");
        let display = if root_shows {
            house.display("-")
        } else {
            house.start_as_user("display", server_path(), "display", &DISPLAY)
        };
        display.line("Listening on");
        let pair = if root_shows {
            house.start_as_user("pair", server_path(), "display", &["pair"])
        } else {
            house.start_pair(&[])
        };
        pair.line("The display that runs here opens a window");
        drop(pair);
        display.line("Pairing: ended here");
        display.stop();
    }
}

#[test]
fn socket_that_root_has_left_is_in_nobody_s_way() {
    if !is_root() {
        return;
    }
    let house = House::of_strangers();
    house.hand_over("display");
    let socket = house.path("display").join("pair.sock");
    let works = || {
        let display = house.start_as_user("display", server_path(), "display", &DISPLAY);
        display.line("Listening on");
        let pair = house.start_as_user("pair", server_path(), "display", &["pair"]);
        pair.line("The display that runs here opens a window");
        drop(pair);
        display.stop();
    };
    // Root's display, which has no right any more to change that directory.
    house.display("-").stop();
    works();
    let (pair, _) = house.pair(&["--listen", "127.0.0.1:0"]);
    assert_eq!(fs::metadata(&socket).unwrap().uid(), user());
    pair.kill();
    assert!(socket.exists());
    works();
    // And one that is root's own still.
    house.display("-").kill();
    lchown(&socket, Some(0), None).unwrap();
    let mut pair = house.start_as_user("pair", server_path(), "display", &["pair"]);
    pair.ends_with(4, &["Not paired. Whether a display runs here is not known", "Permission denied"]);
    works();
}
