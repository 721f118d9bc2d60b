//! The Sealcam link protocol, version 1.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]

pub mod key;
pub mod output;
pub mod time;
mod wire;
