//! Other users of the machine. Only root can start programs as another one: who is not root has no user but its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::Uid;

use super::House;
use super::program::Program;

const NOBODY: u32 = 65_534;

/// Another user than root, where these tests are root's; else their own.
pub(crate) fn user() -> u32 {
    if is_root() { NOBODY } else { Uid::effective().as_raw() }
}

/// Whether there is another user than this one, to whom files can be given.
pub(crate) fn is_root() -> bool {
    Uid::effective().is_root()
}

/// That user's command.
pub(crate) fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

impl House {
    /// Gives a state directory to that user.
    pub(crate) fn hand_over(&self, state: &str) {
        let directory = self.path(state);
        for entry in fs::read_dir(&directory).unwrap() {
            lchown(entry.unwrap().path(), Some(user()), None).unwrap();
        }
        lchown(directory, Some(user()), None).unwrap();
        self.let_through();
    }

    /// Lets that user through the temporary directory, without a look at what is there.
    pub(crate) fn let_through(&self) {
        fs::set_permissions(self.path(""), Permissions::from_mode(0o711)).unwrap();
    }

    /// Starts a program with this state as that user, from where that user may run it.
    pub(crate) fn start_as_user(&self, name: &str, path: &Path, state: &str, arguments: &[&str]) -> Program {
        let copy = self.path(path.file_name().unwrap().to_str().unwrap());
        if !copy.exists() {
            fs::copy(path, &copy).unwrap();
        }
        let mut command = command(&copy);
        command.arg("--state").arg(self.path(state)).args(arguments);
        self.other(name, command)
    }
}
