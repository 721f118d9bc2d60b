//! Pairing with a code and a yes: from nothing to a picture, and every wrong turn on the way, told at both ends
//! (docs/protocol.md §5).

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread;

use nix::sys::signal::Signal;

use super::world::{CAMERA, DISPLAY_KEY, House, server_path};

const ALONE: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn altered(code: &str, from_the_end: usize) -> String {
    let at = code.len() - from_the_end;
    let other = if &code[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &code[..at], &code[at + 1..])
}

#[test]
fn two_commands_and_one_yes_lead_from_nothing_to_a_picture_while_the_display_runs() {
    let house = House::of_strangers();
    let display = house.display("-");
    let (mut pair, code) = house.pair(&["--name", CAMERA]);
    let mut joining = house.join("camera", &code);
    assert_eq!(pair.digits(), joining.digits());
    let fingerprint = house.client(&["fingerprint"]).text();
    pair.line(fingerprint.trim());
    assert!(house.list().is_empty() && !house.trusts("camera"), "nobody has said yes");
    pair.answer("y");
    pair.ends_with(0, &["Paired: camera porch may connect"]);
    joining.ends_with(0, &["Paired. This camera now trusts the display", "To send pictures: sealcam-client"]);
    assert_eq!(house.server(&["cameras"]).text().split_whitespace().next(), Some(CAMERA));

    let camera = house.pattern("camera");
    display.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));
    display.line("Camera porch is connected");
    camera.stop();
    let (log, _) = display.stop();
    let secret = code.rsplit('#').next().unwrap();
    assert!(!log.contains(secret) && !pair.log().contains(secret) && !joining.log().contains(secret));
    assert!(!house.path("display").join("pair.sock").exists(), "the socket goes with the display");
}

#[test]
fn pairing_works_where_no_display_runs_and_says_to_start_it() {
    let house = House::of_strangers();
    let (mut pair, code) = house.pair(&ALONE);
    pair.line("No display runs here");
    let mut joining = house.join_by_input(&code);
    assert_eq!(pair.digits(), joining.digits());
    pair.answer("YES");
    pair.ends_with(0, &["Paired: camera camera-1", "Now start the display: sealcam-server"]);
    joining.ends_with(0, &["Paired."]);

    let place = code.split(['#']).next().unwrap().trim_start_matches("scl1:");
    let display = house.display_at("display", place, "-");
    let camera = house.pattern("camera");
    display.output("a picture", |bytes| (!bytes.is_empty()).then_some(()));
    camera.stop();
    display.stop();
}

#[test]
fn refused_camera_is_told_and_nothing_is_kept_on_either_side() {
    for answer in [Some("n"), Some(""), Some("yeah"), None] {
        let house = House::of_strangers();
        let display = house.display("-");
        let (mut pair, code) = house.pair(&[]);
        let mut joining = house.join("camera", &code);
        match answer {
            Some(answer) => pair.answer(answer),
            None => {
                pair.line("[y/N]");
                drop(pair.input());
            }
        }
        pair.ends_with(4, &["Not paired. The camera was refused"]);
        joining.ends_with(4, &["Not paired. The display's owner said no"]);
        display.line("Pairing: ended here");
        assert!(house.list().is_empty() && !house.trusts("camera"), "{answer:?}");
        display.stop();
    }
}

#[test]
fn wrong_code_is_told_at_both_ends_and_the_right_one_still_works() {
    let house = House::of_strangers();
    let display = house.display("-");
    let (mut pair, code) = house.pair(&[]);
    let mut wrong = house.join("camera", &altered(&code, 9));
    pair.line("came with a wrong code");
    display.line("has a wrong code");
    wrong.ends_with(4, &["does not take this code", "mistyped"]);
    let mut joining = house.join("camera", &code);
    pair.answer("y");
    pair.ends_with(0, &["Paired"]);
    joining.ends_with(0, &["Paired"]);
    display.stop();
}

#[test]
fn code_with_another_fingerprint_is_met_with_silence() {
    let house = House::of_strangers();
    let display = house.display("-");
    let (pair, code) = house.pair(&[]);
    let joining = house.join("camera", &altered(&code, 60));
    joining.line("No answer from the display");
    joining.signal(Signal::SIGINT);
    let mut joining = joining;
    joining.ends_with(4, &["Not paired. Ended, as asked."]);
    let log = pair.log();
    assert!(!log.contains("wrong code"), "{log}");
    drop(pair);
    display.stop();
}

#[test]
fn mistyped_codes_are_refused_before_anything_is_made() {
    let house = House::of_strangers();
    let good =
        "scl1:127.0.0.1:9#AADQ4FI4EMVDCOB7IZGVIW3CNFYHO7UFRSJZVINIV63L3RGL2LM777X57T57V6PY673PL5HT6LY7A";
    for (code, problem) in [
        (good.replace("scl1", "scl2"), "begins with scl1:"),
        (good[..good.len() - 4].to_owned(), "73 characters instead of 77"),
        (format!("{good}AB"), "79 characters instead of 77"),
        (good.replace("#AA", "#A1"), "'1' stands where"),
        (good.replace(":9#", "#"), "port"),
        (good.replace('#', ""), "quotes"),
        (String::new(), "begins with scl1:"),
    ] {
        let mut joining = house.join("none", &code);
        joining.ends_with(2, &["That is not a pairing code", problem]);
    }
    let mut joining = house.join_by_input("nonsense");
    joining.ends_with(2, &["That is not a pairing code"]);
    assert!(!house.path("none").exists());
}

#[test]
fn code_serves_one_camera_and_another_is_told_that_it_is_used() {
    let house = House::of_strangers();
    house.add_camera("second");
    let display = house.display("-");
    let (mut pair, code) = house.pair(&[]);
    let mut first = house.join("camera", &code);
    pair.line("[y/N]");
    let mut second = house.join("second", &code);
    second.ends_with(4, &["waits for no camera", "used already", "sealcam-server pair"]);
    // A code that two use may have leaked: its owner hears of it.
    pair.line("came with a code that is used already, and was not let in");
    display.line("wants to be paired, but no window is open");
    pair.answer("y");
    pair.ends_with(0, &["Paired"]);
    first.ends_with(0, &["Paired"]);
    let mut late = house.join("second", &code);
    late.ends_with(4, &["waits for no camera"]);
    assert_eq!(house.list().lines().count(), 1);
    display.stop();
}

#[test]
fn window_that_is_shut_with_ctrl_c_lets_nobody_in_any_more() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGKILL] {
        let house = House::of_strangers();
        let display = house.display("-");
        let (mut pair, code) = house.pair(&[]);
        pair.signal(signal);
        if signal == Signal::SIGKILL {
            drop(pair);
        } else {
            pair.ends_with(4, &["Not paired. The window is shut, as asked."]);
        }
        display.line("Pairing: ended here");
        let mut joining = house.join("camera", &code);
        joining.ends_with(4, &["waits for no camera", "two minutes are over"]);
        let (mut again, code) = house.pair(&[]);
        let mut joining = house.join("camera", &code);
        again.answer("y");
        again.ends_with(0, &["Paired"]);
        joining.ends_with(0, &["Paired"]);
        display.stop();
    }
}

#[test]
fn only_one_pairs_at_a_time_with_a_display_or_without() {
    for with_display in [true, false] {
        let house = House::of_strangers();
        let display = with_display.then(|| house.display("-"));
        let (pair, _) = house.pair(if with_display { &[] } else { &ALONE });
        let done = house.server(&["pair"]);
        assert_eq!(done.code(), Some(4), "{}", done.log());
        assert!(done.log().contains("Another sealcam-server pair is under way"), "{}", done.log());
        assert!(!done.log().contains("opens a window"), "{}", done.log());
        let mut pair = pair;
        pair.signal(Signal::SIGINT);
        pair.ends_with(4, &["as asked"]);
        if let Some(display) = display {
            display.stop();
        }
    }
}

#[test]
fn socket_of_a_dead_display_is_in_nobodys_way() {
    let house = House::of_strangers();
    let socket = house.path("display").join("pair.sock");
    house.display("-").kill();
    assert!(socket.exists());
    let (mut pair, code) = house.pair(&ALONE);
    let mut joining = house.join("camera", &code);
    pair.answer("y");
    pair.ends_with(0, &["Now start the display"]);
    joining.ends_with(0, &["Paired"]);
    // And so for the next display.
    house.display("-").kill();
    assert!(socket.exists());
    let display = house.display("-");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let (mut pair, _) = house.pair(&[]);
    pair.line("The display that runs here opens a window");
    pair.signal(Signal::SIGINT);
    assert_eq!(pair.exit(), 4);
    display.stop();
}

#[test]
fn lock_that_another_process_keeps_holds_up_neither_a_display_nor_its_end() {
    let house = House::of_strangers();
    let directory = fs::File::open(house.path("display")).unwrap();
    directory.lock().unwrap();
    let display = house.display("-");
    display.line("Another process holds the lock of the state directory");
    display.line("sealcam-server pair does not find it");
    let refused = house.server(&["forget", CAMERA]);
    assert_eq!(refused.code(), Some(3), "{}", refused.log());
    assert!(refused.log().contains("holds the lock"), "{}", refused.log());
    display.stop();
}

#[test]
fn pairing_works_where_the_path_is_too_long_for_a_socket() {
    let house = House::of_strangers();
    let long = "x".repeat(100);
    fs::create_dir(house.path(&long)).unwrap();
    let state = format!("{long}/display");
    house.put(&state, "display_key.pem", DISPLAY_KEY);
    let mut command = Command::new(server_path());
    command.arg("--state").arg(house.path(&state)).arg("pair").args(ALONE);
    let pair = house.other("pair", command);
    pair.line("No socket can be made");
    pair.line("No display runs here");
    pair.output("a code", |bytes| bytes.ends_with(b"\n").then_some(()));
}

#[test]
fn display_removes_no_socket_but_its_own_and_no_file_of_that_name() {
    let house = House::of_strangers();
    let socket = house.path("display").join("pair.sock");
    let first = house.display("-");
    fs::remove_file(&socket).unwrap();
    let second = house.display("-");
    first.stop();
    let (pair, _) = house.pair(&[]);
    pair.line("The display that runs here opens a window");
    drop(pair);
    second.stop();
    assert!(!socket.exists());
    fs::write(&socket, "mine").unwrap();
    let display = house.display("-");
    display.line("what stands there is no socket");
    display.stop();
    assert_eq!(fs::read(&socket).unwrap(), b"mine");
}

#[test]
fn display_that_does_not_answer_is_told_of_and_not_waited_for() {
    let house = House::of_strangers();
    let display = house.display("-");
    display.signal(Signal::SIGSTOP);
    let mut pair = house.start_pair(&[]);
    pair.ends_with(4, &["Not paired. The display that runs here does not answer."]);
    display.signal(Signal::SIGCONT);
    // What it finds then has gone already.
    let (again, _) = house.pair(&["--listen", "127.0.0.1:0"]);
    again.line("The display that runs here opens a window");
    again.line("--listen changes nothing");
    drop(again);
    display.stop();
}

#[test]
fn second_display_with_the_same_state_says_that_pair_finds_the_first() {
    let house = House::of_strangers();
    let first = house.display("-");
    let second = house.display("-");
    second.line("has this state directory");
    second.stop();
    let (mut pair, _) = house.pair(&[]);
    first.signal(Signal::SIGTERM);
    pair.ends_with(4, &["Not paired."]);
}

#[test]
fn full_list_and_taken_name_are_told_before_a_code_is_shown() {
    let house = House::new();
    let taken = house.server(&["pair", "--name", CAMERA]);
    assert_eq!(taken.code(), Some(4), "{}", taken.log());
    assert!(taken.log().contains("name porch is on the list already"), "{}", taken.log());
    let key = |number: usize| format!("g{}{number:04}B", "A".repeat(506));
    let lines =
        |count| (0..count).map(|n| format!("scl1-camera {} camera-{n}\n", key(n))).collect::<String>();
    house.put("display", "authorized_cameras", lines(16).as_bytes());
    let full = house.server(&["pair"]);
    assert_eq!(full.code(), Some(4), "{}", full.log());
    assert!(full.log().contains("16 cameras are on the list"), "{}", full.log());
    assert!(full.log().contains("sealcam-server forget NAME"), "{}", full.log());
}

#[test]
fn list_that_fills_up_meanwhile_refuses_the_camera_with_the_reason() {
    let house = House::of_strangers();
    let display = house.display("-");
    let (mut pair, code) = house.pair(&["--name", CAMERA]);
    let mut joining = house.join("camera", &code);
    pair.line("[y/N]");
    house.add_camera("second");
    let line = house.run_client("second", &["identity", "--name", CAMERA]).text();
    house.server(&["authorize", line.split('\'').nth(1).unwrap()]).text();
    let before = house.list();
    pair.answer("y");
    pair.ends_with(
        4,
        &["Not paired. porch was not authorized", "another camera, with another key, is in the list as"],
    );
    joining.ends_with(4, &["Not paired."]);
    assert!(house.list() == before && !house.trusts("camera"));
    display.stop();
}

#[test]
fn list_that_cannot_be_written_after_the_answer_is_told_as_not_paired() {
    let house = House::of_strangers();
    let display = house.display("-");
    let (mut pair, code) = house.pair(&[]);
    let mut joining = house.join("camera", &code);
    pair.line("[y/N]");
    // Where the new list is written first; what is in the way is no file that could be removed.
    fs::create_dir(house.path("display").join(".authorized_cameras.new")).unwrap();
    pair.answer("y");
    pair.ends_with(3, &["Not paired. Cannot write "]);
    joining.ends_with(4, &["Not paired."]);
    assert!(house.list().is_empty() && !house.trusts("camera"));
    display.stop();
}

#[test]
fn camera_that_is_on_the_list_is_paired_again_under_its_name() {
    let house = House::new();
    let before = house.list();
    let display = house.display("-");
    let (mut pair, code) = house.pair(&["--name", "garden"]);
    let mut joining = house.join("camera", &code);
    pair.line("It is on the list already, as porch");
    pair.answer("y");
    pair.ends_with(0, &["Paired: camera porch may connect"]);
    joining.ends_with(0, &["Paired"]);
    assert_eq!(house.list(), before);
    display.stop();
}

#[test]
fn camera_that_trusts_another_display_asks_nobody_until_it_is_told_to_give_that_up() {
    let house = House::of_strangers();
    house.add_display("other");
    let display = house.display("-");
    house.trust("other", "127.0.0.1:9".parse().unwrap());
    let (mut pair, code) = house.pair(&[]);
    let done = house.client(&["pair", &code]);
    assert_eq!(done.code(), Some(4), "{}", done.log());
    assert!(done.log().contains("trusts another display"), "{}", done.log());
    assert!(done.log().contains("sealcam-client pair --replace CODE"), "{}", done.log());
    let mut joining = house.camera(&["pair", "--replace", &code]);
    pair.answer("y");
    pair.ends_with(0, &["Paired"]);
    joining.ends_with(0, &["Paired"]);
    display.stop();
}

#[test]
fn camera_that_gives_up_before_the_answer_is_told_of_and_not_let_in() {
    let house = House::of_strangers();
    let display = house.display("-");
    let (mut pair, code) = house.pair(&[]);
    let mut joining = house.join("camera", &code);
    pair.line("[y/N]");
    joining.signal(Signal::SIGINT);
    joining.ends_with(4, &["Not paired. Ended, as asked."]);
    pair.ends_with(4, &["Not paired. The camera was there and has gone: it was told to stop"]);
    assert!(house.list().is_empty());
    display.stop();
}

#[test]
fn display_that_ends_during_the_pairing_is_told_of_at_both_ends() {
    let house = House::of_strangers();
    let display = house.display("-");
    let (mut pair, code) = house.pair(&[]);
    let mut joining = house.join("camera", &code);
    pair.line("[y/N]");
    display.stop();
    pair.ends_with(4, &["Not paired."]);
    joining.ends_with(4, &["The display's program is stopping"]);
    assert!(house.list().is_empty());
}

/// What `sealcam-server pair` makes of a display that says this, after it has opened a window.
fn told(lines: &'static [&'static str], answer: Option<&str>) -> (House, i32, String) {
    let house = House::of_strangers();
    let listener = UnixListener::bind(house.path("display").join("pair.sock")).unwrap();
    let display = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut requests = BufReader::new(stream.try_clone().unwrap()).lines();
        assert_eq!(requests.next().unwrap().unwrap(), "pair");
        let code = "AADQ4FI4EMVDCOB7IZGVIW3CNFYHO7UFRSJZVINIV63L3RGL2LM777X57T57V6PY673PL5HT6LY7A";
        writeln!(stream, "open scl1:127.0.0.1:9#{code}").unwrap();
        for line in lines {
            match *line {
                "ACCEPT" => assert_eq!(requests.next().unwrap().unwrap(), "accept"),
                "ASK" => {
                    let key = format!("g{}B", "A".repeat(510));
                    writeln!(stream, "asked 10.0.0.7:4711 000042 scl1-camera {key} camera").unwrap();
                }
                line => writeln!(stream, "{line}").unwrap(),
            }
        }
        // It stays until the command goes.
        for _ in requests {}
    });
    let (mut pair, _) = house.pair(&["--name", CAMERA]);
    if let Some(answer) = answer {
        pair.answer(answer);
    }
    let code = pair.exit();
    display.join().unwrap();
    (house, code, pair.log())
}

#[test]
fn every_end_of_a_run_is_told_in_words_and_leaves_the_list_as_it_should_be() {
    for (lines, answer, code, listed, words) in [
        (&["ended expired"][..], None, 4, false, "Nobody came with the code in its two minutes"),
        (
            &["away 10.0.0.7:1 wrong-secret", "ended expired"],
            None,
            4,
            false,
            "10.0.0.7:1 came with a wrong code",
        ),
        (&["ASK", "ended unanswered"], None, 4, false, "waited two minutes for an answer"),
        (&["unable no more randomness"], None, 4, false, "The display cannot do it: no more randomness."),
        (&["busy"], None, 4, false, "Another sealcam-server pair is under way"),
        (&["something new"], None, 4, false, "of another version"),
        (&["ASK", "ACCEPT", "ended paired"], Some("y"), 0, true, "Paired: camera porch"),
        (&["ASK", "ACCEPT", "ended unconfirmed"], Some("y"), 4, true, "may not have heard of it"),
        (&["ASK", "ACCEPT", "ended gone it fell over"], Some("y"), 4, false, "has gone: it fell over"),
        (&["ASK", "ACCEPT", "unable the camera asks no more"], Some("y"), 4, false, "asks no more"),
    ] {
        let (house, exit, log) = told(lines, answer);
        assert!(exit == code && log.contains(words), "{lines:?}: {exit}\n{log}");
        assert_eq!(!house.list().is_empty(), listed, "{lines:?}: {}", house.list());
        assert!(!lines.contains(&"ASK") || log.contains("six digits:  000042"), "{log}");
    }
}

#[test]
fn code_is_made_for_the_place_that_the_owner_names() {
    let house = House::of_strangers();
    let display = house.display("-");
    let port = display.address().port();
    for (address, place) in [
        ("pi.local", format!("pi.local:{port}")),
        ("pi.local:7", "pi.local:7".to_owned()),
        ("[2001:db8::1]", format!("[2001:db8::1]:{port}")),
    ] {
        let (mut pair, code) = house.pair(&["--address", address]);
        assert!(code.starts_with(&format!("scl1:{place}#")), "{code}");
        pair.signal(Signal::SIGINT);
        assert_eq!(pair.exit(), 4);
    }
    display.stop();
}
