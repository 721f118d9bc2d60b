//! The Sealcam link protocol, version 1: pictures from a camera to the one display that it trusts, sealed.
//!
//! ```text
//!  camera                                                              display
//!  send_frame ─▶ split ─▶ seal ─▶ poll ══ UDP ══▶ handle_datagram ─▶ open ─▶ join ─▶ Frame
//! ```
//! Two objects, [`client::Client`] and [`server::Server`], with the same few functions: something came
//! (`handle_datagram`, `send_frame`, `complete`), and what now (`poll`, until it says [`output::Output::Wait`]).
//!
//! What always holds:
//! * No clock, socket, log, thread or source of randomness in here: all are arguments or results.
//! * No allocation (but for the RSA backend, feature `rsa`), no `unsafe`, no panic that a datagram could reach.
//! * Memory is lent by the caller once and never grows; nothing at all is kept for a stranger.
//! * A datagram that is not authentic changes one counter ([`stats::Stats`]) and is never answered beyond COOKIE.
//! * A frame comes out whole, authentic, in order, and once.
//!
//! The bytes on the wire are specified in `docs/protocol.md`, whose sections the files cite.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]
#![allow(clippy::large_enum_variant, clippy::result_large_err, reason = "there is no allocator to box with")]

#[cfg(feature = "rsa")]
extern crate alloc;

pub mod client;
mod clock_offset;
pub mod config;
pub mod discard;
mod events;
pub mod frame;
#[cfg(fuzzing)]
pub mod fuzz;
mod handshake;
mod hash;
pub mod key;
#[cfg(test)]
mod known_answers;
pub mod output;
pub mod pairing;
mod random;
#[cfg(feature = "rsa")]
pub mod rsa;
mod rtt;
pub mod server;
mod session;
pub mod stats;
pub mod time;
mod timer;
#[cfg(test)]
mod unprinted;
#[cfg(test)]
mod wiped;
mod wire;
#[cfg(test)]
mod work;

pub use handshake::responder::MAX_CAMERAS;
pub use wire::close::CloseReason;
pub use wire::status::CaptureState;
