//! Why the camera could not be plugged in or fell out again: a message that a person can act on, and an exit code.

use std::fmt;

/// What kind of thing failed; the number is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The command line makes no sense.
    Usage = 2,
    /// The folder of pictures cannot be used.
    Pictures = 3,
    /// The kernel's virtual host controller does not take the camera.
    Port = 4,
    /// The camera was plugged in, and the link to the kernel broke.
    Link = 5,
}

/// Why it cannot go on.
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

/// What everything here returns that can fail for good.
pub type Result<T = ()> = std::result::Result<T, Failure>;
