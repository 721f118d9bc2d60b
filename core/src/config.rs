//! What a camera or a display is told when it is made. Each number has its unit and its section of docs/protocol.md.

use core::net::SocketAddr;
use core::time::Duration;

use crate::key::{Fingerprint, Modulus};

/// Bytes that a frame may have unless told otherwise (§9.1).
pub const DEFAULT_FRAME_CAPACITY: u32 = 1 << 20;
/// How long a frame may take from its first chunk's arrival to its last (§9.2).
pub const DEFAULT_BUDGET: Duration = Duration::from_millis(100);

/// What a camera needs to know.
#[derive(Debug, Clone, Copy)]
pub struct ClientConfig {
    /// The one display that it sends to: the pin.
    pub display: Fingerprint,
    /// Where that display is, if that is known already.
    pub address: Option<SocketAddr>,
    /// Bytes that a frame may have; the store is cut into slots of this size (§9.1).
    pub frame_capacity: u32,
    /// Time from one frame to the next, for the pacer's first frames (§17).
    pub frame_interval: Duration,
}

/// What a display needs to know.
#[derive(Debug, Clone, Copy)]
pub struct ServerConfig {
    /// The public half of its key.
    pub modulus: Modulus,
    /// Bytes that a frame may have; announced to cameras (§9.3).
    pub frame_capacity: u32,
    /// Bytes of receive buffer that the system granted, 0 if unknown; announced to cameras (§9.3).
    pub receive_buffer: u32,
    /// How long a frame may take; announced to cameras (§9.3).
    pub budget: Duration,
}
