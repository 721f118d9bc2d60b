//! The wire: every byte that leaves or enters, one file per layout, each with `parse` and `emit` that are inverse.
//!
//! A layout is parsed once, into a type that can only hold valid values. Nothing here authenticates anything.
//! Source: docs/protocol.md §2 (datagram types), §3 (handshake), §7 (DATA), §9 (messages inside DATA).

pub(crate) mod accept;
pub(crate) mod chunk;
pub(crate) mod close;
pub(crate) mod config;
pub(crate) mod cookie;
pub(crate) mod data;
pub(crate) mod enrol;
pub(crate) mod feedback;
pub(crate) mod hello;
pub(crate) mod kex;
pub(crate) mod key;
pub(crate) mod message;
pub(crate) mod read;
pub(crate) mod status;
pub(crate) mod versions;

use crate::discard::Discard;

/// A datagram of exactly `N` bytes, as every handshake datagram is.
pub(crate) fn exactly<const N: usize>(datagram: &[u8]) -> Result<&[u8; N], Discard> {
    datagram.try_into().map_err(|_other_length| Discard::Malformed)
}
