//! What both Linux programs need of the operating system, and the core must not know.

pub mod addresses;
pub mod clock;
pub mod exit;
pub mod host_port;
pub mod key_file;
pub mod log;
pub mod resolve;
#[cfg(test)]
mod scratch;
pub mod state;
pub mod trust;
pub mod udp;
pub mod wait;
