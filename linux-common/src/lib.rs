//! What both Linux programs need of the operating system, and the core must not know.
//!
//! | for | module |
//! | --- | --- |
//! | the time, as the core counts it | [`clock`] |
//! | datagrams | [`udp`] |
//! | sleeping until there is something to do; waking from another thread; signals | [`wait`] |
//! | this machine's addresses, places as people write them, looking names up | [`addresses`], [`host_port`], [`resolve`] |
//! | the directory with a program's files | [`state`] |
//! | a program's private key; randomness | [`key_file`], [`random`] |
//! | keys in memory: nobody looks, and they stay out of the swap | [`memory`] |
//! | whom it trusts; the code that pairs two devices | [`trust`], [`pairing_code`] |
//! | what a thread may ask of the kernel while it works | [`confinement`] |
//! | telling the user, and ending | [`log`], [`refused`], [`exit`] |
//!
//! The order at start matters, and is this:
//!
//! ```no_run
//! use std::os::fd::AsFd;
//! use sealcam_linux::{clock::Clock, confinement, exit, key_file, memory, state, trust, udp, wait};
//! # fn main() -> exit::Result<()> {
//! // 1. Before there is a secret in memory.
//! let _ = memory::protect();
//! // 2. What may take long and may be interrupted by Ctrl-C.
//! let state = state::State::open(None)?;
//! let key = key_file::KeyFile::Display.load_or_make(&state)?;
//! memory::lock();
//! // 3. The watch before what it watches is read, so that no change is missed.
//! let mut watch = state.watch(trust::cameras::FILE, Clock.now());
//! let mut cameras = trust::AuthorizedCameras::load(&state)?;
//! // 4. The signals are blocked before the first thread starts.
//! let waiter = wait::Waiter::new()?;
//! let painter_done = wait::Waker::new()?;
//! let mut socket = udp::Socket::bind_any(5000, 2_000_000)?;
//! if let Some(advice) = socket.receive_buffer().advice() {
//!     sealcam_linux::log::say(format_args!("{advice}"));
//! }
//! // 5. What is not needed any more is given up, by this thread and those that it starts from now on.
//! let needs = confinement::Confinement::new().reads(state.path()).uses_sockets();
//! needs.enter().tell();
//! // 6. One turn of the loop; the core's own deadline would come into `wake` too.
//! # let other = |error: std::io::Error| exit::Failure::new(exit::Exit::Other, error.to_string());
//! loop {
//!     let wake = watch.next_look();
//!     let ready = waiter.wait([Some(socket.as_fd()), Some(painter_done.as_fd())], Some(wake)).map_err(other)?;
//!     if ready.stop.is_some() {
//!         return Ok(());
//!     }
//!     let [datagrams, painted] = ready.fds;
//!     if datagrams {
//!         socket.receive_batch(|from, datagram| { /* core: handle_datagram */ }).map_err(other)?;
//!     }
//!     if painted {
//!         painter_done.clear();
//!     }
//!     if watch.changed(Clock.now()) {
//!         cameras = trust::AuthorizedCameras::load(&state)?; // or say so, and keep the list
//!     }
//! }
//! # }
//! ```

pub mod addresses;
pub mod answer;
pub mod clock;
pub mod confinement;
mod credential;
pub mod exit;
pub mod host_port;
pub mod key_file;
pub mod log;
pub mod memory;
pub mod padding;
pub mod pairing_code;
pub mod random;
pub mod refused;
pub mod resolve;
#[cfg(test)]
mod scratch;
pub mod state;
pub mod trust;
pub mod udp;
#[cfg(test)]
#[path = "../../core/src/unprinted.rs"]
mod unprinted;
pub mod wait;
