//! Cameras and a display that live together in a simulated network with virtual time.
//!
//! One behaviour per file; `world` is what they stand on: the network, the drivers of both roles, the pictures. (`hostile`,
//! which has so many more rounds to do, has its own drivers, and stand-ins for RSA.)
//! No threads, no sleeps, no sockets: an hour of the protocol takes as long as its datagrams take to compute.
//!
//! Everything random comes from one seed, which a failing test prints: `SIM_SEED=… cargo test -p sealcam-core
//! --test sim` runs it again.
#![cfg(feature = "rsa")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests; clippy only exempts the tests"
)]

mod world;

mod chaos;
mod clock_jump;
mod closing;
mod frames;
mod freshness;
mod handshake;
mod hostile;
mod link_table;
mod pacing;
mod packets;
mod padding;
mod pairing;
mod randomness;
mod rekey;
mod restart;
mod roaming;
mod silence;
mod strangers;
mod streaming;
mod turned_away;
