//! Why a command of `cargo xtask` did not do what it was asked.

use std::fmt;

/// What was tried, what failed, and what to do: whole sentences, no newline at the end.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    usage: bool,
}

impl Failure {
    /// The command was understood and could not be done.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), usage: false }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), usage: true }
    }

    /// The exit code: 2 for the command line, as everywhere, and 1 for the rest.
    pub(crate) const fn exit_code(&self) -> u8 {
        if self.usage { 2 } else { 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What every command returns.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;
