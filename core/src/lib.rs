//! The Sealcam link protocol, version 1.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]

pub mod discard;
pub mod frame;
mod handshake;
mod hash;
pub mod key;
#[cfg(test)]
mod known_answers;
pub mod output;
mod random;
mod session;
pub mod stats;
pub mod time;
mod wire;
