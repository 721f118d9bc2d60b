//! Packets of a session (docs/protocol.md §7): forged, replayed, reflected, damaged, cut short or too long, they change
//! nothing.

use sealcam_core::discard::Discard;

use crate::world::keys::Pem;
use crate::world::network::{Captured, Heading};
use crate::world::{Setup, World, ms, secs, seed};

/// A live camera and, for each direction, packets that were sent and did not arrive.
fn undelivered(seed: u64) -> (World, usize, Vec<Captured>) {
    let mut world = World::with(seed, Setup::default());
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 100..=3000);
    world.run_until_live(id, secs(2)).expect("a picture");
    world.run(ms(500));
    world.network.tap = Some(Vec::new());
    world.network.meddler = Some(Box::new(|_, _| false));
    world.run(ms(300));
    world.network.meddler = None;
    let taken = world.network.tap.take().unwrap();
    assert!(taken.iter().all(|sent| sent.bytes[0] == 0x10));
    (world, id, taken)
}

fn deliver(world: &mut World, id: usize, sent: &Captured, bytes: &[u8]) -> Result<(), Discard> {
    match sent.heading {
        Heading::Up => world.at_display(sent.from, bytes),
        Heading::Down => world.at_camera(id, sent.from, bytes),
    }
}

/// One long and one short packet of each direction, where there are such.
fn samples(taken: &[Captured]) -> Vec<&Captured> {
    let pick = |heading, long: bool| {
        taken.iter().find(|sent| sent.heading == heading && (sent.bytes.len() > 1000) == long)
    };
    let all = [pick(Heading::Up, true), pick(Heading::Up, false), pick(Heading::Down, false)];
    all.into_iter().flatten().collect()
}

#[test]
fn a_packet_with_any_bit_flipped_is_refused_and_the_true_one_still_taken() {
    let (mut world, id, taken) = undelivered(seed(90));
    assert_eq!(samples(&taken).len(), 3);
    for sent in samples(&taken) {
        for bit in 0..sent.bytes.len() * 8 {
            let mut bytes = sent.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let why = deliver(&mut world, id, sent, &bytes);
            use Discard::{Expired, Malformed, Replayed, Tag, TooOld, UnknownCid, UnknownEpoch};
            let refused =
                matches!(why, Err(Malformed | UnknownCid | UnknownEpoch | Tag | Replayed | TooOld | Expired));
            assert!(refused, "bit {bit} of {}: {why:?}", sent.bytes.len());
        }
        let taken = deliver(&mut world, id, sent, &sent.bytes);
        assert!(matches!(taken, Ok(()) | Err(Discard::OldFrame)), "{taken:?}");
        assert_eq!(deliver(&mut world, id, sent, &sent.bytes), Err(Discard::Replayed));
    }
    world.run_until_live(id, secs(1)).expect("unharmed");
}

#[test]
fn a_packet_cut_short_or_made_longer_is_refused() {
    let (mut world, id, taken) = undelivered(seed(91));
    for sent in samples(&taken) {
        for len in 0..sent.bytes.len() {
            assert!(deliver(&mut world, id, sent, &sent.bytes[..len]).is_err(), "{len}");
        }
        let longer = [&sent.bytes[..], &[0]].concat();
        assert!(deliver(&mut world, id, sent, &longer).is_err());
        let far_longer = [&sent.bytes[..], &[0; 1200]].concat();
        assert_eq!(deliver(&mut world, id, sent, &far_longer), Err(Discard::Malformed));
    }
    world.run_until_live(id, secs(1)).expect("unharmed");
}

#[test]
fn a_packet_sent_back_to_its_sender_is_refused() {
    let (mut world, id, taken) = undelivered(seed(92));
    for sent in &taken {
        let back = Captured { heading: sent.heading.other(), ..sent.clone() };
        let from =
            if back.heading == Heading::Up { world.cameras[id].address } else { world.display.address };
        // As it is, and with the CID that the sender itself listens to.
        let why = deliver(&mut world, id, &Captured { from, ..back.clone() }, &sent.bytes);
        assert_eq!(why, Err(Discard::UnknownCid));
        let other = taken.iter().find(|other| other.heading == back.heading).unwrap();
        let mut bytes = sent.bytes.clone();
        bytes[1..5].copy_from_slice(&other.bytes[1..5]);
        let why = deliver(&mut world, id, &Captured { from, ..back }, &bytes);
        assert!(matches!(why, Err(Discard::Tag | Discard::Replayed)), "{why:?}");
    }
    world.run_until_live(id, secs(1)).expect("unharmed");
}

#[test]
fn packets_of_one_session_mean_nothing_to_another() {
    let mut world = World::new(seed(93));
    let ids = [world.add(Pem::Camera), world.add(Pem::Camera2)];
    for id in ids {
        world.stream(id, 30, 100..=3000);
        world.run_until_live(id, secs(2)).expect("a picture");
    }
    world.network.tap = Some(Vec::new());
    world.network.meddler = Some(Box::new(|_, _| false));
    world.run(ms(300));
    world.network.meddler = None;
    let taken = world.network.tap.take().unwrap();
    let of = |id: usize| taken.iter().filter(move |sent| sent.from == world_address(id));
    fn world_address(id: usize) -> std::net::SocketAddr {
        std::net::SocketAddr::from(([10, 0, 0, u8::try_from(id + 1).unwrap()], 40_000))
    }
    let cid: [u8; 4] = *of(1).next().unwrap().bytes[1..].first_chunk().unwrap();
    for sent in of(0) {
        let mut bytes = sent.bytes.clone();
        bytes[1..5].copy_from_slice(&cid);
        let why = world.at_display(sent.from, &bytes);
        assert!(matches!(why, Err(Discard::Tag | Discard::Replayed)), "{why:?}");
    }
    // After a restart with the same keys, the session before it is nobody's.
    let before: Vec<_> = of(0).cloned().collect();
    world.restart_camera(0);
    world.run_until_live(0, secs(2)).expect("back");
    for sent in &before {
        assert_eq!(world.at_display(sent.from, &sent.bytes), Err(Discard::UnknownCid));
    }
    for id in ids {
        world.run_until_live(id, secs(1)).expect("unharmed");
    }
}

#[test]
fn everything_recorded_in_a_session_is_useless_when_it_comes_again() {
    let mut world = World::new(seed(94));
    let id = world.add(Pem::Camera);
    world.stream(id, 30, 100..=20_000);
    world.network.tap = Some(Vec::new());
    world.run_until_live(id, secs(2)).expect("a picture");
    world.run(secs(3));
    let recorded = world.network.tap.take().unwrap();
    let shown = world.shown.len();
    for sent in &recorded {
        if let Err(why) = deliver(&mut world, id, sent, &sent.bytes) {
            use Discard::{Replayed, TooOld, Unexpected, UnknownEpoch};
            let known = matches!(why, Replayed | TooOld | Unexpected | UnknownEpoch | Discard::KeyReplayed);
            assert!(known, "{why:?}");
        } else {
            assert_eq!(sent.bytes[0], 0x01, "only a HELLO is answered twice");
        }
    }
    assert_eq!(world.shown.len(), shown, "nothing is shown twice");
    world.run_until_live(id, secs(1)).expect("unharmed");
}
