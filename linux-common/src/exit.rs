//! How a program ends when it cannot go on: a message that a person can act on, and an exit code by kind.
//!
//! The codes are part of the command line's contract and stand in the README; a service manager may act on them.

use std::{fmt, process};

use crate::log::say;
use crate::pairing_code::without_codes;

/// What kind of thing failed; the number is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Anything that has no code of its own.
    Other = 1,
    /// The command line makes no sense (clap uses the same number).
    Usage = 2,
    /// The state directory, a key file or a trust file cannot be used.
    State = 3,
    /// No display is trusted yet, the display refuses this camera for good, or the two were not paired.
    Trust = 4,
    /// An address cannot be bound, looked up or sent to.
    Network = 5,
    /// The source of pictures: no camera, no permission, busy, no MJPEG, no such file.
    Source = 6,
    /// The sink of pictures: no framebuffer, no window, no terminal, no such directory, disk full.
    Sink = 7,
}

/// Why the program cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind, which decides the exit code.
    pub exit: Exit,
    /// What was tried, what failed, and what to do: whole sentences, no newline at the end.
    pub message: String,
}

impl Failure {
    /// A failure of this kind with this message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Ends the process as clap would, for a command line that makes no sense or asks for help; but a pairing code in a wrong
/// place is not repeated.
pub fn refuse(error: &clap::Error) -> ! {
    let message = error.render().to_string();
    if !error.use_stderr() || without_codes(&message) == message {
        error.exit()
    }
    say(format_args!("{}", message.trim_end()));
    process::exit(error.exit_code())
}

/// What functions of the programs return.
pub type Result<T> = std::result::Result<T, Failure>;
