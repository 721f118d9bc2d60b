//! Frames: JPEG pictures, from the bytes that a camera gives to the bytes that a display decodes.
//!
//! ```text
//! camera buffer ── jpeg::scan ───────┐                              ┌── jpeg::insert_huffman_tables ── decoder
//! byte stream ── mjpeg::MjpegReader ─┴─ frame ── chunks ── … ── join ┘
//! ```
//!
//! Nothing here decodes a picture, and nothing changes one that is on its way: what leaves the joiner is
//! byte for byte what went in.

pub(crate) mod join;
pub mod jpeg;
pub mod mjpeg;
pub(crate) mod pacer;
pub(crate) mod padding;
#[cfg(test)]
mod random;
pub(crate) mod split;

pub use join::join_store_len;
#[cfg(test)]
pub(crate) use random::{XorShift, setting};
pub use split::{SendError, Sent};
