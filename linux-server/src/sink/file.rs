//! Writing a file so that nobody ever sees half of it: under another name first, then renamed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use sealcam_linux::exit::{Exit, Failure};

/// Puts `bytes` at `path`, in place of what was there. After an error, nothing of it is left behind.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = part_of(path);
    let written = create(&part).and_then(|mut file| file.write_all(bytes));
    let result = written.and_then(|()| fs::rename(&part, path));
    if result.is_err() {
        // The first error is the one to tell; that the remains cannot be removed either adds nothing to it.
        let _ = fs::remove_file(&part);
    }
    result
}

/// Whether files can be made in the directory of `path`: makes an empty one under another name, and removes it.
pub(crate) fn probe(path: &Path) -> io::Result<()> {
    let part = part_of(path);
    create(&part)?;
    fs::remove_file(part)
}

/// A new file, whatever was left or put at its place: a link there leads somebody else's way, a named pipe nowhere.
fn create(part: &Path) -> io::Result<File> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(part),
    }
}

/// The directory that `path` lies in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A failure to write `path`, with what can be done about it.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let advice = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSPC | Errno::EDQUOT) => "The disk is full: make room there, or write somewhere else.",
        Some(Errno::EROFS) => "That file system is read-only: write somewhere else.",
        Some(Errno::EACCES | Errno::EPERM) => "This user may not write there.",
        Some(Errno::ENOENT) => "Its directory does not exist: make it first.",
        Some(Errno::ENOTDIR) => "Part of that path is a file, not a directory.",
        _ => "Choose another place.",
    };
    Failure::new(Exit::Sink, format!("Cannot write {}: {error}. {advice}", path.display()))
}

/// The name under which `path` is written: beside it, hidden, and not one that a picture could have.
fn part_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A directory of its own for one test, removed when dropped.
    pub(crate) struct TestDir(PathBuf);

    impl TestDir {
        pub(crate) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sealcam-server-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }

        /// The names in it, sorted.
        pub(crate) fn names(&self) -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for TestDir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_remains() {
        let dir = TestDir::new("replace");
        let path = dir.path().join("a.jpg");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(dir.names(), ["a.jpg"]);
    }

    #[test]
    fn after_a_failure_nothing_is_left_behind() {
        let dir = TestDir::new("left");
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"x").is_err(), "a directory is in the way");
        assert_eq!(dir.names(), ["taken"]);
    }

    #[test]
    fn what_lies_in_the_way_is_neither_followed_nor_waited_for() {
        let dir = TestDir::new("way");
        let (path, other) = (dir.path().join("a.jpg"), dir.path().join("other"));
        fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, part_of(&path)).unwrap();
        replace(&path, b"one").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"precious");
        nix::unistd::mkfifo(&part_of(&path), nix::sys::stat::Mode::S_IRWXU).unwrap();
        probe(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(dir.names(), ["a.jpg", "other"]);
    }

    #[test]
    fn a_full_disk_is_named() {
        let error = io::Error::from_raw_os_error(Errno::ENOSPC as i32);
        assert!(cannot_write(Path::new("a.jpg"), &error).message.contains("disk is full"), "{error}");
    }
}
