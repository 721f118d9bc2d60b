//! Both programs as a person runs them: processes, files, signals, datagrams over loopback. One behaviour per file.
//!
//! `world` is what all stand on: temporary directories with the keys that are for tests only, the programs and their
//! logs, a relay between the two that can listen, hold back and forge. Needs no root, no camera, no screen and no
//! network but loopback. Every wait is for a condition and has an end, and a failure tells what both programs said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests; clippy only exempts the tests"
)]

mod world;

mod bad_pictures;
mod confinement;
mod credential;
mod ends;
mod hostile;
mod leftovers;
mod locked;
mod onlookers;
mod output;
mod pairing;
mod refusals;
mod restart;
mod secrecy;
mod sinks;
mod sleep;
mod stall;
mod trust;
mod users;
mod witness;
