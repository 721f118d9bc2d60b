//! New traffic keys every ten minutes (docs/protocol.md §8), without a frame lost or a word from the user.

use sealcam_core::discard::Discard;
use sealcam_core::output::{Event, SessionEnd};

use crate::world::keys::Pem;
use crate::world::network::Heading;
use crate::world::{Setup, Who, World, ms, secs, seed};

fn live(seed: u64, fps: u32) -> (World, usize) {
    let mut world = World::with(seed, Setup { frame_capacity: 4096, ..Setup::default() });
    let id = world.add(Pem::Camera);
    world.stream(id, fps, 1..=100);
    world.run_until_live(id, secs(3)).expect("a picture");
    (world, id)
}

fn epochs(world: &World, who: Who) -> Vec<u64> {
    let told = world.told.iter().filter(|told| told.who == who);
    told.filter_map(|told| match told.event {
        Event::Rekeyed { epoch, .. } => Some(epoch),
        _ => None,
    })
    .collect()
}

/// The KID in a DATA header: the epoch mod 8.
fn kid(datagram: &[u8]) -> u8 {
    datagram[5] >> 4
}

#[test]
fn keys_change_every_ten_minutes_for_a_hundred_minutes() {
    // Past epoch 8 the key ids come round again, past 71 minutes the timestamps do.
    let (mut world, id) = live(seed(50), 2);
    world.run(secs(6100));
    let expected: Vec<u64> = (2..=11).collect();
    assert_eq!(epochs(&world, Who::Camera(id)), expected);
    assert_eq!(epochs(&world, Who::Display), expected);
    assert_eq!(world.display.opened, 1, "one handshake for all of it");
    let (taken, shown) = (world.cameras[id].taken(), world.frames(id).count());
    assert!(shown + 1 >= taken, "{shown} of {taken}");
}

#[test]
fn keys_change_over_a_path_that_loses_a_third_of_everything() {
    let (mut world, id) = live(seed(51), 2);
    world.run(secs(595));
    for path in world.paths(id) {
        (path.loss, path.jitter, path.in_order, path.duplicate) = (0.33, ms(40), false, 0.1);
    }
    world.run(secs(20));
    assert_eq!(epochs(&world, Who::Camera(id)), [2]);
    assert_eq!(epochs(&world, Who::Display), [2]);
    for path in world.paths(id) {
        path.loss = 0.0;
    }
    world.run_until_live(id, secs(2)).expect("live in the new epoch");
    assert_eq!(world.display.opened, 1);
}

#[test]
fn a_lost_answer_is_given_again_and_changes_nothing_else() {
    let (mut world, id) = live(seed(52), 2);
    world.run(secs(590));
    // KEX_RESP is the one long packet that the display sends.
    let mut swallowed = 0;
    world.network.meddler = Some(Box::new(move |heading, bytes| {
        let is_resp = heading == Heading::Down && bytes.len() > 1100;
        swallowed += u32::from(is_resp);
        !is_resp || swallowed > 5
    }));
    world.run(secs(20));
    assert_eq!(epochs(&world, Who::Camera(id)), [2]);
    assert_eq!(epochs(&world, Who::Display), [2]);
    let gaps = world.shown.windows(2).map(|pair| pair[1].at - pair[0].at).max().unwrap();
    assert!(gaps <= ms(600), "the picture goes on in the old epoch meanwhile: {gaps:?}");
    // Had an end derived twice, the next exchange would build on two different secrets.
    world.run(secs(610));
    assert_eq!(epochs(&world, Who::Camera(id)), [2, 3]);
    assert_eq!(epochs(&world, Who::Display), [2, 3]);
    world.run_until_live(id, secs(1)).expect("live in epoch 3");
    assert_eq!(world.display.opened, 1, "all in one session");
}

#[test]
fn the_old_epoch_is_sealed_with_no_more_and_opened_for_three_seconds_at_most() {
    let (mut world, id) = live(seed(53), 2);
    world.run(secs(590));
    world.network.tap = Some(Vec::new());
    world.run_until(secs(20), |world| epochs(world, Who::Display).len() == 1).expect("rekeyed");
    world.run(secs(1));
    let tap = world.network.tap.clone().unwrap();
    for heading in [Heading::Up, Heading::Down] {
        let kids: Vec<u8> =
            tap.iter().filter(|sent| sent.heading == heading).map(|sent| kid(&sent.bytes)).collect();
        assert!(kids.is_sorted() && kids.first() == Some(&1) && kids.last() == Some(&2), "{kids:?}");
    }
    // Every packet of before, again: seen ones are replays, and after the grace nothing of that epoch is known.
    let from = world.cameras[id].address;
    let old: Vec<_> =
        tap.iter().filter(|sent| sent.heading == Heading::Up && kid(&sent.bytes) == 1).collect();
    for sent in &old {
        let why = world.at_display(from, &sent.bytes);
        assert!(matches!(why, Err(Discard::Replayed | Discard::TooOld | Discard::UnknownEpoch)), "{why:?}");
    }
    world.run(secs(3));
    for sent in &old {
        assert_eq!(world.at_display(from, &sent.bytes), Err(Discard::UnknownEpoch));
    }
    world.run_until_live(id, secs(1)).expect("unharmed");
}

#[test]
fn a_session_that_cannot_rekey_is_over_after_fifteen_minutes_at_both_ends() {
    let (mut world, id) = live(seed(54), 2);
    // No KEX_RESP gets through in epoch 1; the one that begins the next session does.
    world.network.meddler = Some(Box::new(|heading, bytes| {
        !(heading == Heading::Down && bytes[0] == 0x10 && bytes.len() > 1100 && kid(bytes) == 1)
    }));
    world.run(secs(890));
    assert_eq!(world.count(Who::Display, |event| matches!(event, Event::Disconnected { .. })), 0);
    world.run(secs(15));
    let camera = world.cameras[id].fingerprint();
    let expired = Event::Disconnected { camera, why: SessionEnd::KeysExpired };
    for who in [Who::Camera(id), Who::Display] {
        assert_eq!(world.count(who, |event| *event == expired), 1, "{who:?}");
    }
    world.run_until_live(id, secs(10)).expect("a new session");
}
