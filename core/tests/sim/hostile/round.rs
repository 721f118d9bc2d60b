//! One round: a short life of a camera and a display, in acts, at the end of which the attacker goes away.

use std::time::Duration;

use rand_core::Rng;

use super::Stores;
use super::delay::Delay;
use super::recordings::Recordings;
use super::stage::Stage;
use super::tally::Tally;
use super::temper::Temper;
use crate::world::network::below;
use crate::world::{ms, secs};

/// How soon a picture must be back once the network is honest, pauses that failures have earned apart (§11).
const BACK: Duration = secs(5);
/// Keys are changed after so long (§8).
const REKEY: Duration = secs(600);

pub(super) fn play(seed: u64, stores: &mut Stores, recordings: &mut Recordings, tally: &mut Tally) {
    let mut stage = Stage::new(seed, stores, recordings, tally);
    match seed % 64 {
        // Long enough for the key ids to come round again.
        0 => {
            settle(&mut stage);
            for _ in 0..9 {
                noise(&mut stage, true, secs(3));
            }
        }
        // Long enough for the replay window to come round again.
        32 => {
            settle(&mut stage);
            noise(&mut stage, false, secs(60));
        }
        8 | 16 | 24 | 40 | 48 | 56 => {
            settle(&mut stage);
            slow(&mut stage);
        }
        _ => {}
    }
    for _ in 0..=below(&mut stage.dice, 8) {
        act(&mut stage);
    }
    settle(&mut stage);
    if below(&mut stage.dice, 2) == 0 {
        let rekeys = below(&mut stage.dice, 4) == 0;
        noise(&mut stage, rekeys, secs(3));
    }
    stage.end();
}

/// Something happens to one of them, and the attacker does what he likes for a while.
fn act(stage: &mut Stage<'_>) {
    match below(&mut stage.dice, 12) {
        0 | 1 => stage.restart_camera(),
        2 => stage.restart_display(),
        3 => {
            stage.restart_display();
            stage.restart_camera();
        }
        4 | 5 => stage.rebind(),
        6 => {
            stage.note("the camera has no randomness");
            stage.camera.random_fails.set(true);
        }
        7 => {
            stage.note("the display has no randomness");
            stage.display.random_fails.set(true);
        }
        8 => until_rekey(stage),
        _ => {}
    }
    let dice = &mut stage.dice;
    stage.attacker.temper = match below(dice, 6) {
        0 => Temper::noisy(dice),
        1 => Temper::dark(dice),
        2 => Temper::HONEST,
        _ => Temper::cruel(dice),
    };
    let spans = [50, 300, 1000, 2500];
    let span = ms(spans[below(dice, spans.len())] + u64::from(dice.next_u32() % 500));
    stage.note(stage.attacker.temper);
    stage.run(span);
    stage.camera.random_fails.set(false);
    stage.display.random_fails.set(false);
}

/// The attacker goes away, or only adds packets to those that are there, and a live picture comes back.
fn settle(stage: &mut Stage<'_>) {
    stage.attacker.temper = match below(&mut stage.dice, 2) {
        0 => Temper::HONEST,
        _ => Temper::noisy_with_packets(&mut stage.dice),
    };
    stage.note(("settle", stage.attacker.temper));
    stage.lose_what_is_held_back();
    // A second attempt for which there was no randomness is made up for a second later.
    let attempt = if stage.random_failed { secs(1) } else { Duration::ZERO };
    let (began, bound) = (stage.now, BACK + pause(stage.failures) + attempt);
    let live = |stage: &Stage<'_>| stage.newest.is_some_and(|captured| captured >= began);
    let took = stage.run_until(bound, live);
    let took = took.unwrap_or_else(|| {
        let later = stage.run_until(secs(120), live);
        panic!(
            "no picture {bound:?} after {began:?}, {} failures before: {later:?} after that",
            stage.failures
        )
    });
    let slowest = match bound {
        BACK => &mut stage.tally.slowest_at_once,
        _ => &mut stage.tally.slowest,
    };
    *slowest = took.max(*slowest);
}

/// The pause before the next handshake, at most (§4).
fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        _ => ms(250 << (failures - 1).min(5)) * 5 / 4,
    }
}

/// What an attacker only adds ends nothing and costs no picture, also while keys change.
fn noise(stage: &mut Stage<'_>, rekeys: bool, span: Duration) {
    stage.tally.noises += 1;
    calm_down(stage);
    if rekeys {
        until_rekey(stage);
    }
    // One frame is there before a copy of the next one can be.
    stage.camera.interval = stage.camera.interval.max(ms(80));
    let (ends, before) = (stage.ends, stage.tally.rekeys);
    let missing = |tally: &Tally| tally.frames_taken - tally.frames_shown;
    let missed = missing(stage.tally);
    stage.attacker.temper = Temper::noisy(&mut stage.dice);
    stage.note(stage.attacker.temper);
    stage.run(span);
    assert_eq!(stage.ends, ends, "a session ended");
    // One or two are on their way at either end of the time.
    let missed = missing(stage.tally).saturating_sub(missed);
    assert!(missed <= 2, "{missed} pictures are missing");
    assert!(!rekeys || stage.tally.rekeys > before, "keys did not change");
    stage.attacker.temper = Temper::HONEST;
}

/// The way becomes longer, for longer than the display knows what was fastest (§9.5): not one picture that `ages` calls
/// old passes for live. When it is as it was, they do.
fn slow(stage: &mut Stage<'_>) {
    stage.tally.slow += 1;
    stage.camera.interval = stage.camera.interval.max(ms(80));
    let delay = Delay::new(stage.now, &mut stage.dice);
    for _ in 0..4 {
        if below(&mut stage.dice, 16) == 0 {
            stage.restart_camera();
        }
        // Each time another address of the camera's is to be proven.
        let relays = !stage.attacker.temper.relays;
        stage.attacker.temper = Temper::slow(delay, relays, &mut stage.dice);
        stage.note(stage.attacker.temper);
        stage.run(secs(6));
    }
    settle(stage);
    stage.attacker.temper = Temper::HONEST;
    stage.run(secs(12));
    assert!(stage.newest_is_live, "the way is as it was, and the picture is called old");
}

/// Until what the attacker left behind is over: two seconds in which pictures come and nothing is told.
fn calm_down(stage: &mut Stage<'_>) {
    stage.attacker.temper = Temper::HONEST;
    for _ in 0..20 {
        let (began, told) = (stage.now, stage.told);
        stage.run(secs(2));
        if stage.told == told && stage.newest.is_some_and(|captured| captured > began + secs(1)) {
            return;
        }
    }
    panic!("it does not calm down");
}

/// Until just before keys are due for change. Both programs get the processor every few seconds only, or it would take
/// thousands of packets.
fn until_rekey(stage: &mut Stage<'_>) {
    stage.attacker.temper = Temper::HONEST;
    let before = ms(u64::from(stage.dice.next_u32() % 1000));
    let left = |stage: &Stage<'_>| {
        stage.epoch_at.map_or(Duration::ZERO, |at| (at + REKEY).saturating_sub(stage.now + before))
    };
    while left(stage) > secs(5) {
        stage.stall(secs(4));
        stage.run(ms(100));
    }
    stage.run(left(stage));
}
