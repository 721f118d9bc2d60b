//! A camera and a display that know each other: their keys, their state, and how each is started.

use std::ffi::OsStr;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::build::Programs;
use crate::failure::{Failure, Result};
use crate::process;
use crate::program::Program;

/// Both programs with a directory of state each.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    /// Where the display listens.
    address: String,
}

impl<'a> Pair<'a> {
    /// Makes the keys in `folder` and carries each side's word to the other.
    pub(crate) fn make(programs: &'a Programs, folder: &'a Path) -> Result<Self> {
        let pair = Self { programs, folder, address: free_address()? };
        let display = process::read(pair.server().arg("fingerprint"))?;
        let fingerprint =
            find_fingerprint(&display).ok_or_else(|| unexpected("sealcam-server fingerprint", &display))?;
        let camera = process::read(pair.client().arg("identity"))?;
        let identity =
            find_identity(&camera).ok_or_else(|| unexpected("sealcam-client identity", &camera))?;
        process::read(pair.client().args(["trust", &pair.address, fingerprint]))?;
        process::read(pair.server().args(["authorize", identity]))?;
        Ok(pair)
    }

    /// Starts the display; `picture` is where its stdout goes.
    pub(crate) fn start_server(&self, sink: &str, picture: Stdio) -> Result<Program> {
        let mut command = self.server();
        command.args(["--listen", &self.address, "--sink", sink]).stdout(picture);
        Program::start("sealcam-server", command, self.folder)
    }

    /// Where the display listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Starts the camera with the synthetic picture and these options.
    pub(crate) fn start_client(&self, options: &[&str]) -> Result<Program> {
        let mut command = self.client();
        command.args(["--source", "pattern"]).args(options).stdout(Stdio::null());
        Program::start("sealcam-client", command, self.folder)
    }

    fn server(&self) -> Command {
        with_state(&self.programs.server, self.folder.join("display"))
    }

    fn client(&self) -> Command {
        with_state(&self.programs.client, self.folder.join("camera"))
    }
}

fn with_state(program: &Path, state: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.args([OsStr::new("--state"), state.as_os_str()]);
    // A service manager's or a user's own state is none of the demo's business.
    command.env_remove("STATE_DIRECTORY").env_remove("CREDENTIALS_DIRECTORY");
    command
}

/// A port that was free a moment ago.
fn free_address() -> Result<String> {
    let address = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    address
        .map(|address| address.to_string())
        .map_err(|error| Failure::new(format!("No UDP port on 127.0.0.1: {error}.")))
}

fn find_fingerprint(printed: &str) -> Option<&str> {
    printed.split_whitespace().find(|word| word.starts_with("SHA256:"))
}

/// The camera's line between the quotes of `sealcam-server authorize '…'`.
fn find_identity(printed: &str) -> Option<&str> {
    printed.split('\'').find(|part| part.starts_with("scl1-camera "))
}

fn unexpected(command: &str, printed: &str) -> Failure {
    Failure::new(format!("`{command}` printed something else than expected:\n{}", printed.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sides_word_is_found_in_what_it_prints() {
        assert_eq!(find_fingerprint("key in /a/b\nSHA256:q1w2 (display)\n"), Some("SHA256:q1w2"));
        let printed = "On the display:\n    sealcam-server authorize 'scl1-camera AAAA porch'\n";
        assert_eq!(find_identity(printed), Some("scl1-camera AAAA porch"));
        assert_eq!(find_identity("the camera's key"), None);
    }
}
