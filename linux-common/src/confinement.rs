//! What a thread may still ask of the kernel once it has what it works with.
//!
//! Should someone make one of our threads do their bidding, say by a picture that its decoder falls over, then this is
//! all that they can do: no program started, no file opened but those named, no socket but those open, no capability.
//! It is a second wall and not the first. Threads share their memory, so a thread's narrower list keeps honest faults
//! in, and the union of all lists is what a whole program can be made to do.
//!
//! ```text
//! open what is needed ─▶ Confinement::new().reads(…).uses_sockets() ─▶ enter() ─▶ start further threads
//! ```
//! What is open stays open and threads started later are confined alike; those that run already are not. Nothing takes
//! it back. Files are `files.rs`'s (Landlock), system calls `calls.rs`'s (seccomp), capabilities `privileges.rs`'s.

mod calls;
mod files;
mod privileges;
#[cfg(test)]
#[expect(unsafe_code, reason = "the tests try what is refused")]
mod sys;

use std::path::{Path, PathBuf};

use caps::{Capability, CapsHashSet};
use nix::unistd::Uid;

use calls::Calls;
use files::Access;

use crate::log::say;

/// What a thread needs. It begins with nothing but to compute, to wait, and to use what is open.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is confined before `enter`"]
pub struct Confinement {
    files: Vec<(PathBuf, Access)>,
    names: bool,
    consoles: bool,
    calls: Calls,
}

/// How far it went: what a kernel lacks is told and is no reason to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the user should know what holds"]
pub struct Entered {
    /// Whether files are confined; why not, as a clause.
    pub files: Result<(), String>,
    /// Whether system calls are.
    pub calls: Result<(), String>,
    /// The capabilities that are left.
    pub capabilities: Result<Vec<String>, String>,
}

impl Confinement {
    /// Nothing but to compute, to wait, to use what is open, and to start threads that may do no more.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens and lists what is at `path` and below, and what takes its place later. A path that is not there now stays
    /// closed.
    pub fn reads(self, path: impl Into<PathBuf>) -> Self {
        self.with(path, Access::Read)
    }

    /// The same, and removes files.
    pub fn removes(mut self, path: impl Into<PathBuf>) -> Self {
        self.calls.change_files = true;
        self.with(path, Access::Remove)
    }

    /// Reads, makes, replaces and removes files in the directory `path`.
    pub fn changes(mut self, path: impl Into<PathBuf>) -> Self {
        self.calls.change_files = true;
        self.with(path, Access::Change)
    }

    /// Opens the devices at `path` and below, and controls them.
    pub fn opens_devices(self, path: impl Into<PathBuf>) -> Self {
        self.with(path, Access::Device).controls_devices()
    }

    /// Controls devices that are open.
    pub const fn controls_devices(mut self) -> Self {
        self.calls.control_devices = true;
        self
    }

    /// Switches a console that is open between text and graphics, for which root needs a capability.
    pub const fn switches_consoles(mut self) -> Self {
        self.consoles = true;
        self.controls_devices()
    }

    /// Sends and receives by sockets that are open, and accepts.
    pub const fn uses_sockets(mut self) -> Self {
        self.calls.use_sockets = true;
        self
    }

    /// Lists this machine's addresses.
    pub const fn lists_addresses(mut self) -> Self {
        self.calls.list_addresses = true;
        self.uses_sockets()
    }

    /// Looks names up, by whatever way this machine is set up for it: Landlock has no say in which socket of another
    /// program is connected to.
    pub fn looks_names_up(mut self) -> Self {
        self.names = true;
        self.calls.open_sockets = true;
        self.calls.load_code = true;
        files::FOR_NAMES.iter().fold(self.lists_addresses(), |it, path| it.reads(path))
    }

    /// Lets the libraries of a desktop do as they please, but for writing anywhere else than in `scratch`.
    pub fn shows_a_window(mut self, scratch: &[PathBuf]) -> Self {
        self.calls.open_sockets = true;
        self.calls.load_code = true;
        self.calls.desktop = true;
        scratch.iter().fold(self.uses_sockets().controls_devices().reads("/"), |it, path| it.changes(path))
    }

    /// Confines this thread, and those that it starts from now on, for good.
    pub fn enter(&self) -> Entered {
        let files = self.files.iter().map(|(path, access)| (Path::new(path), *access));
        let mut keep = privileges::for_files(files);
        if self.consoles {
            keep.insert(Capability::CAP_SYS_TTY_CONFIG);
        }
        // Capabilities first: the calls that give them up may be refused afterwards.
        let capabilities = give_up(&keep);
        let files = files::confine(&self.files, self.names);
        Entered { capabilities, files, calls: calls::confine(self.calls) }
    }

    fn with(mut self, path: impl Into<PathBuf>, access: Access) -> Self {
        self.calls.read_files = true;
        self.files.push((path.into(), access));
        self
    }
}

fn give_up(keep: &CapsHashSet) -> Result<Vec<String>, String> {
    let kept = privileges::give_up(keep).map_err(|error| error.to_string())?;
    Ok(kept.iter().map(ToString::to_string).collect())
}

impl Entered {
    /// Tells the user, in the log.
    pub fn tell(&self) {
        for line in self.lines() {
            say(format_args!("{line}"));
        }
    }

    /// Tells the user, in the log, if something could not be confined. For commands that are soon over and whose user has
    /// other things to read.
    pub fn tell_what_lacks(&self) {
        if self.files.is_err() || self.calls.is_err() || self.capabilities.is_err() {
            self.tell();
        }
    }

    /// What the user should know, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let part = |what: &str, by: &str, how: &Result<(), String>| match how {
            Ok(()) => format!("{what} by {by}"),
            Err(why) => format!("{what} not: {why}"),
        };
        let mut lines = vec![format!(
            "Confined: {}; {}.",
            part("files", "Landlock", &self.files),
            part("system calls", "seccomp", &self.calls)
        )];
        match &self.capabilities {
            Err(why) => lines.push(format!("Capabilities could not be given up: {why}.")),
            Ok(_) if !Uid::effective().is_root() => {}
            Ok(kept) => lines.push(format!(
                "Running as root{}. A user of its own in the group `video` would do.",
                match kept.as_slice() {
                    [] => ", without any capability".to_owned(),
                    kept => format!(", without any capability but {}", kept.join(", ")),
                }
            )),
        }
        lines
    }
}

#[cfg(test)]
mod tests;
