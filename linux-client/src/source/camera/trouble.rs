//! Why a camera cannot be used, in words that say what to do.

use std::fs;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use sealcam_linux::exit::{Exit, Failure};

use crate::source::State;

/// Why there are no pictures, in whole sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No camera is there. Waiting for one is all that is left to do.
    Absent(String),
    /// This user may not open it.
    Denied(String),
    /// It is there, and something else is in the way.
    Present(String),
}

impl Trouble {
    /// The sentences.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Absent(text) | Self::Denied(text) | Self::Present(text) => text,
        }
    }

    /// What the display is told.
    pub(super) fn state(&self) -> State {
        match self {
            Self::Absent(_) => State::NoCamera,
            Self::Denied(_) | Self::Present(_) => State::CameraError,
        }
    }

    /// An error while `path` was opened or set up.
    pub(super) fn from_io(path: &Path, doing: &str, error: &io::Error) -> Self {
        let shown = path.display();
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT | Errno::ENODEV | Errno::ENXIO) => {
                Self::Absent(format!("There is no camera at {shown}."))
            }
            Some(Errno::EACCES | Errno::EPERM) => Self::Denied(format!(
                "The camera {shown} may not be opened by this user. Cameras belong to the group `video`: \
                 `sudo usermod -aG video $USER`, then log in again."
            )),
            Some(Errno::EBUSY) => Self::Present(format!(
                "The camera {shown} is in use by {}.",
                holders_text(path, &holders(path))
            )),
            Some(Errno::ENOTTY) => Self::Present(format!("{shown} is not a camera (no V4L2 device).")),
            _ => {
                Self::Present(format!("The camera {shown} does not work: {doing} failed: {}.", words(error)))
            }
        }
    }

    /// The error of a camera that was to start its stream.
    pub(super) fn from_stream_start(path: &Path, mode: &str, error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOSPC) => Self::Present(format!(
                "The USB bus has not enough bandwidth left for the camera {} at {mode}. Ask for less with --size or \
                 --fps, or plug the camera into a port of another USB controller.",
                path.display()
            )),
            _ => Self::from_io(path, "starting the stream", error),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::new(Exit::Source, trouble.text())
    }
}

/// An error of the system in words, without its number.
pub(super) fn words(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |errno| Errno::from_raw(errno).desc().to_owned())
}

/// A process that has a device open.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Holder {
    name: String,
    pid: u32,
}

/// The processes that have `path` open, as far as this user may see.
fn holders(path: &Path) -> Vec<Holder> {
    let Ok(device) = path.canonicalize() else { return Vec::new() };
    let me = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.into_iter().any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == device))
    };
    pids.filter(|&pid| pid != me)
        .filter(holds)
        .map(|pid| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Holder { name: name.trim().to_owned(), pid }
        })
        .collect()
}

fn holders_text(path: &Path, holders: &[Holder]) -> String {
    if holders.is_empty() {
        return format!("another program; `sudo fuser -v {}` shows which", path.display());
    }
    let named: Vec<String> =
        holders.iter().map(|Holder { name, pid }| format!("{name} (process {pid})")).collect();
    format!("{}: end it first", named.join(" and "))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn trouble(errno: Errno) -> Trouble {
        Trouble::from_io(Path::new("/dev/video9"), "opening it", &errno.into())
    }

    #[test]
    fn a_device_that_is_gone_is_waited_for() {
        for errno in [Errno::ENOENT, Errno::ENODEV, Errno::ENXIO] {
            assert_eq!(trouble(errno).state(), State::NoCamera, "{errno}");
        }
        for errno in [Errno::EACCES, Errno::EBUSY, Errno::ENOTTY, Errno::EIO] {
            assert_eq!(trouble(errno).state(), State::CameraError, "{errno}");
        }
    }

    #[test]
    fn words_name_the_device_and_what_to_do() {
        assert!(trouble(Errno::EACCES).text().contains("sudo usermod -aG video"));
        assert!(trouble(Errno::EBUSY).text().contains("fuser -v /dev/video9"));
        let full = Trouble::from_stream_start(Path::new("/dev/video9"), "1920x1080", &Errno::ENOSPC.into());
        assert!(full.text().contains("bandwidth") && full.text().contains("--size"), "{full:?}");
        for errno in [Errno::ENOENT, Errno::EACCES, Errno::EBUSY, Errno::ENOTTY, Errno::EIO] {
            assert!(trouble(errno).text().contains("/dev/video9"), "{errno}");
        }
    }

    #[test]
    fn program_that_holds_a_device_is_named() {
        let path = std::env::temp_dir().join(format!("sealcam-held-{}", std::process::id()));
        let file = fs::File::create(&path).unwrap();
        let mut cat = Command::new("sleep").arg("60").stdin(Stdio::from(file)).spawn().unwrap();
        let found = holders(&path);
        cat.kill().unwrap();
        cat.wait().unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(found, [Holder { name: "sleep".into(), pid: cat.id() }]);
        assert_eq!(holders_text(&path, &found), format!("sleep (process {}): end it first", cat.id()));
    }
}
