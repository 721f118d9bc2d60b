//! A hostile network: somebody on the path loses, doubles, holds back, delays, alters, cuts, replays, reflects and forges
//! datagrams, and gives any address for the sender's, while both ends restart, move and change keys.
//!
//! A round is one short life of a camera and a display, drawn from its seed; `SIM_ROUNDS` says how many. What holds in
//! each of them is checked in the files beside this one, at the place where it would show:
//!
//! | what | where |
//! | --- | --- |
//! | a frame that comes out is one that went in, whole, and after the one before | `album` |
//! | its age fits, and however it is delayed: two seconds old it does not pass for live | `ages` |
//! | an end takes what the other has sent, as it was sent, from where it is, and once | `witness` |
//! | no two packets under one key and counter | `counters` |
//! | nobody's address earns a flood, or counts as the camera's | `accounts`, `witness` |
//! | no end ever looks as if it had broken the protocol; what is only added ends nothing and costs no frame | `witness`, `round` |
//! | a picture is back in time when the attacker is gone | `round` |
//!
//! RSA has the stand-in of the fuzz targets: its arithmetic is not what is tried here, and would take all the time.

mod accounts;
mod ages;
mod album;
mod attacker;
mod camera;
mod counters;
mod damage;
mod delay;
mod display;
#[path = "../../fuzz/src/keys.rs"]
#[expect(unreachable_pub, reason = "a file of another crate, which is public there")]
mod keys;
mod recordings;
mod round;
mod stage;
mod tally;
mod temper;
mod witness;

use sealcam_core::frame::join_store_len;

use self::recordings::Recordings;
use self::tally::Tally;
use crate::world::{seed, setting};

const DISPLAY_KEY: u8 = 1;
const CAMERA_KEY: u8 = 2;
const SILENT_CAMERA_KEY: u8 = 3;

/// Bytes that a frame may have: six chunks.
const FRAME_CAPACITY: usize = 6 * 1152;
/// Places at the display.
const SEATS: usize = 2;
/// Starts of either program in a round.
const LIVES: usize = 6;
/// After so many rounds the attacker forgets what he recorded, so that few rounds lead up to each.
const MEMORY: u64 = 50;

/// What the two programs lend the core, a store for each life: used again in every round.
struct Stores {
    cameras: Vec<Vec<u8>>,
    displays: Vec<Vec<u8>>,
}

/// Tells how to run a round again, should it fail.
struct Again {
    seed: u64,
    number: u64,
}

impl Drop for Again {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The rounds from which the attacker has his recordings come before it.
            let before = self.number % MEMORY;
            let (seed, rounds) = (self.seed - before, before + 1);
            let command = "cargo test -p sealcam-core --test sim an_attacker_on_the_path";
            println!("seed {} failed; again: SIM_SEED={seed} SIM_ROUNDS={rounds} {command}", self.seed);
        }
    }
}

#[test]
fn an_attacker_on_the_path_can_neither_show_nor_replay_nor_end_nor_wedge_anything() {
    let (seed, rounds) = (seed(20_000), setting("SIM_ROUNDS", 200));
    let mut stores = Stores {
        cameras: vec![vec![0; 3 * FRAME_CAPACITY]; LIVES],
        displays: vec![vec![0; SEATS * join_store_len(FRAME_CAPACITY)]; LIVES],
    };
    let (mut recordings, mut tally) = (Recordings::default(), Tally::default());
    for number in 0..rounds {
        if number % MEMORY == 0 {
            recordings = Recordings::default();
        }
        let _again = Again { seed: seed + number, number };
        round::play(seed + number, &mut stores, &mut recordings, &mut tally);
    }
    println!("{tally}");
    // What is run again after a failure is too little to have everything in it.
    if rounds >= 200 {
        tally.assert_eventful();
    }
}
