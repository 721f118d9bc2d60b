//! How many frames are whole in time on which link: a committed table, so that a change of the core shows as a diff.
//!
//! `SIM_WRITE_TABLE=1 cargo test -p sealcam-core --test sim link_table` writes it anew.

use std::fmt::Write;
use std::time::Duration;

use crate::world::keys::Pem;
use crate::world::{Setup, World, ms, secs};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/link_table.txt");
const ROUND_TRIPS: [u64; 4] = [2, 20, 40, 70];
/// Percent lost, and the mean length of an outage in ms (0: each datagram for itself).
const LOSSES: [(f64, u64); 7] = [(0.0, 0), (0.1, 0), (1.0, 0), (1.0, 4), (3.0, 0), (3.0, 4), (5.0, 20)];

const FRAME: usize = 30 * 1152;
const FPS: u32 = 30;
const SPAN: Duration = secs(10);
/// A frame is in time if it comes out so long after capture, the way itself not counted.
const BUDGET: Duration = ms(100);

/// The share of frames that came out in time.
fn in_time(round_trip: Duration, loss: f64, outage: Duration) -> f64 {
    let mut world = World::<2>::with(2026, Setup { frame_capacity: 64 * 1024, ..Setup::default() });
    let id = world.add(Pem::Camera);
    for path in world.paths(id) {
        path.delay = round_trip / 2;
    }
    world.run_until(secs(5), |world| world.cameras[id].is_ready()).expect("a session");
    world.run(secs(1));
    for path in world.paths(id) {
        (path.loss, path.burst) = (loss / 100.0, outage);
    }
    world.stream(id, FPS, FRAME..=FRAME);
    world.run(SPAN);
    world.cameras[id].pause();
    world.run(secs(1));
    let good = world.frames(id).filter(|shown| shown.age <= BUDGET + round_trip / 2).count();
    f64::from(u32::try_from(good).unwrap()) / f64::from(u32::try_from(world.cameras[id].taken()).unwrap())
}

fn table() -> String {
    let mut table = String::from(
        "# Percent of frames that come out whole in time: 30 chunks each, 30 a second, for 10 s of virtual time;\n\
         # in time is 100 ms after capture, the way itself not counted. Written by core/tests/sim/link_table.rs:\n\
         # SIM_WRITE_TABLE=1 cargo test -p sealcam-core --test sim link_table\n\
         # Nothing is sent again yet: what is lost stays lost.\n",
    );
    let heads = ROUND_TRIPS.map(|round_trip| format!("{round_trip:>7}"));
    writeln!(table, "{:>6} {:>9} | RTT ms:{}", "loss %", "outage ms", heads.concat()).unwrap();
    for (loss, outage) in LOSSES {
        let cells = ROUND_TRIPS.map(|round_trip| {
            let share = in_time(ms(round_trip), loss, ms(outage));
            format!("{:>7.1}", share * 100.0)
        });
        writeln!(table, "{loss:>6.1} {outage:>9} |        {}", cells.concat()).unwrap();
    }
    table
}

#[test]
fn as_many_frames_are_in_time_as_the_table_says() {
    let found = table();
    if std::env::var_os("SIM_WRITE_TABLE").is_some() {
        std::fs::write(FILE, &found).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(found == committed, "now:\n{found}\ncommitted:\n{committed}\nIf this is wanted, write it anew.");
}
