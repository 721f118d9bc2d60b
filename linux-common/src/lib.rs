//! What both Linux programs need of the operating system, and the core must not know.

pub mod clock;
pub mod exit;
pub mod log;
#[cfg(test)]
mod scratch;
pub mod state;
pub mod udp;
pub mod wait;
