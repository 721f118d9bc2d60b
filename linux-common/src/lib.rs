//! What both Linux programs need of the operating system, and the core must not know.

pub mod clock;
pub mod exit;
pub mod log;
pub mod udp;
pub mod wait;
