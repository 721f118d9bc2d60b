//! The Sealcam link protocol, version 1.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]
#![allow(clippy::large_enum_variant, clippy::result_large_err, reason = "there is no allocator to box with")]

pub mod client;
mod clock_offset;
pub mod config;
pub mod discard;
mod events;
pub mod frame;
mod handshake;
mod hash;
pub mod key;
#[cfg(test)]
mod known_answers;
pub mod output;
mod random;
mod rtt;
pub mod server;
mod session;
pub mod stats;
pub mod time;
mod timer;
mod wire;

pub use handshake::responder::MAX_CAMERAS;
pub use wire::close::CloseReason;
pub use wire::status::CaptureState;
