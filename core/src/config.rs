//! What a camera or a display is told when it is made. Each number has its unit and its section of docs/protocol.md.

use core::net::SocketAddr;
use core::time::Duration;

use crate::key::{Fingerprint, Modulus};

/// Bytes that a frame may have unless told otherwise (§9.1).
pub const DEFAULT_FRAME_CAPACITY: u32 = 1 << 20;
/// How long a frame may take from its first chunk's arrival to its last (§9.2).
pub const DEFAULT_BUDGET: Duration = Duration::from_millis(100);

/// How much of a frame's size the wire gives away (§10), from most to least: of two wishes the greater is followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Padding {
    /// Its size in chunks.
    #[default]
    Chunk,
    /// Its size to within an eighth.
    Bucket,
    /// Nothing: so many packets at fixed times, whatever is before the camera.
    Constant,
}

/// What a camera needs to know.
#[derive(Debug, Clone, Copy)]
pub struct ClientConfig {
    /// The one display that it sends to: the pin.
    pub display: Fingerprint,
    /// Where that display is, if that is known already.
    pub address: Option<SocketAddr>,
    /// Bytes that a frame may have; the store is cut into slots of this size (§9.1).
    pub frame_capacity: u32,
    /// Time from one frame to the next: for the pacer's first frames (§17), and of the fixed clock of
    /// [`Padding::Constant`].
    pub frame_interval: Duration,
    /// The least padding; the display may ask for more (§10).
    pub padding: Padding,
    /// Bytes of every frame under [`Padding::Constant`], rounded up to whole packets: a longer one is refused then.
    pub constant_size: u32,
}

/// What a camera needs to know that is to be paired (§5).
#[derive(Debug, Clone, Copy)]
pub struct PairingConfig {
    /// The display, from the code.
    pub display: Fingerprint,
    /// Where it is, if that is known already.
    pub address: Option<SocketAddr>,
    /// The public half of the camera's key, which the display is told.
    pub modulus: Modulus,
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
    /// The least padding of a camera's frames; announced to cameras (§10).
    pub padding: Padding,
}
