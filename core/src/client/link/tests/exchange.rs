//! Key exchanges of a shape that no honest end gives them (docs/protocol.md §8, §9.4): CLOSE 1 and no new epoch.

use super::*;

/// KEX_INIT with any header.
fn init_of(total: u16, offset: u16, len: usize) -> Vec<u8> {
    let [total, offset] = [total, offset].map(u16::to_be_bytes);
    [&[0x06, 1][..], &total, &offset, &vec![5; len]].concat()
}

#[test]
fn a_key_exchange_of_another_total_or_offset_closes_the_session() {
    let mut words = Vec::new();
    for total in [0, 608, 1215, 1217, 0xFFFF] {
        words.push(init_of(total, 0, 608));
    }
    for offset in [1, 607, 609, 1216, 0xFFFF] {
        words.push(init_of(1216, offset, 608));
    }
    // A half that is cut short, and one that goes on.
    words.extend([init_of(1216, 0, 607), init_of(1216, 608, 609)]);
    for words in words {
        let mut both = Both::in_epoch(0);
        assert_eq!(both.say(|out| out.put(&words)), Err(Discard::Violation), "{:?}", &words[..6]);
        both.assert_closed("no half of a share");
    }
    let mut both = Both::in_epoch(0);
    assert_eq!(both.say(|out| out.put(&init_of(1216, 608, 608))), Ok(false), "whereas this one is awaited");
    assert_eq!(both.verdict(), None);
}

/// A session in epoch 0 whose display waits to be told what to say, the camera's share being out.
fn asked() -> Both {
    let mut both = Both::in_epoch(0);
    assert_eq!(both.say(|out| message::emit_ping(out, 1)), Ok(false));
    both.poll_client();
    both
}

fn resp(len: usize, low_order: bool) -> Vec<u8> {
    let mut words = vec![9; 2 + len];
    words[..2].copy_from_slice(&[0x07, 1]);
    if low_order {
        words[2 + 1088..].fill(0);
    }
    words
}

#[test]
fn an_answer_of_another_length_leads_to_no_new_epoch() {
    for (words, what) in [
        (resp(1119, false), "a byte less"),
        (resp(1121, false), "a byte more"),
        (resp(0, false), "nothing"),
        (resp(1120, true), "a share of low order"),
    ] {
        let mut both = asked();
        assert_eq!(both.hear(|out| out.put(&words)), Err(Discard::Violation), "{what}");
        assert_eq!(both.client.link.as_ref().unwrap().channel.epoch(), 0, "{what}");
        let protocol = SessionEnd::ClosedByPeer(CloseReason::Protocol);
        assert_eq!(both.counter_verdict(), Some(protocol), "{what}");
    }
    let mut both = asked();
    assert_eq!(both.hear(|out| out.put(&resp(1120, false))), Ok(()));
    assert_eq!(both.client.link.as_ref().unwrap().channel.epoch(), 1, "whereas this length is awaited");
}

#[test]
fn an_answer_for_an_epoch_that_was_not_asked_for_leads_to_no_new_one() {
    let answer = |epoch| {
        let mut words = resp(1120, false);
        words[1] = epoch;
        words
    };
    for (epoch, why, verdict) in [
        // Already reached, and long gone.
        (0, Ok(()), None),
        (255, Ok(()), None),
        (2, Err(Discard::Violation), Some(SessionEnd::ClosedByPeer(CloseReason::Protocol))),
        (127, Err(Discard::Violation), Some(SessionEnd::ClosedByPeer(CloseReason::Protocol))),
    ] {
        let mut both = asked();
        assert_eq!(both.hear(|out| out.put(&answer(epoch))), why, "{epoch}");
        assert_eq!(both.client.link.as_ref().unwrap().channel.epoch(), 0, "{epoch}");
        assert_eq!(both.counter_verdict(), verdict, "{epoch}");
    }
}

#[test]
fn no_exchange_begins_while_keys_of_the_epoch_before_live() {
    let mut both = Both::in_epoch(0);
    both.poll_client();
    both.poll_server();
    let exchanges = |both: &mut Both| {
        let mut buf = [0; 1200];
        while !matches!(both.client.poll(both.now, &mut buf), Output::Wait(_)) {}
        both.client.link.as_ref().unwrap().exchange.is_some()
    };
    // The display goes on in epoch 0, past the age at which keys are changed.
    for second in 0..700 {
        both.now += Duration::from_secs(1);
        assert_eq!(both.hear(|out| message::emit_ping(out, 1)), Ok(()));
        assert!(!exchanges(&mut both), "after {second} s");
    }
    // It begins epoch 1; the keys of epoch 0 have less than three seconds to live.
    assert_eq!(both.say(|out| message::emit_ping(out, 1)), Ok(false));
    assert_eq!(both.hear(|out| message::emit_ping(out, 1)), Ok(()));
    assert!(!exchanges(&mut both), "the display has just begun it");
    both.now += Duration::from_secs(3);
    assert!(exchanges(&mut both), "overdue");
}

#[test]
fn a_display_that_never_begins_the_new_epoch_does_not_keep_the_camera_awake() {
    let mut both = Both::in_epoch(0);
    // KEX_INIT is answered; no packet of epoch 1 arrives, and the display goes on in epoch 0.
    both.poll_client();
    both.poll_server();
    assert_eq!(both.client.link.as_ref().unwrap().channel.epoch(), 1);
    for second in 0..800 {
        both.now += Duration::from_secs(1);
        let _heard = both.hear(|out| message::emit_ping(out, 1));
        let mut buf = [0; 1200];
        loop {
            if let Output::Wait(at) = both.client.poll(both.now, &mut buf) {
                assert!(at.is_none_or(|at| at > both.now), "woken in the past after {second} s");
                break;
            }
        }
    }
}
