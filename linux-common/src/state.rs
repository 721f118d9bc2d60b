//! The state directory: where a program's key and its trust file live, and how they are read and replaced.
//!
//! Files in it are private: read only if nobody else can read or has written them, replaced whole or not at all
//! (`state/file.rs`). What the files mean is not known here; see [`crate::key_file`] and [`crate::trust`].

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fmt, io, thread};

use nix::unistd::{AccessFlags, Uid, User, eaccess};
use sealcam_core::time::Instant;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::exit::{Exit, Failure, Result};

pub(crate) mod file;

/// How often [`Watch::changed`] looks at its file.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Far longer than a file is ever replaced for, and no longer than a user waits without a word.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_AGAIN: Duration = Duration::from_millis(10);

/// A program's state directory. `Display` gives its path and why it is this one: every command that reads or changes
/// state tells it, since root's, a service's and a user's are different ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    path: PathBuf,
    chosen_by: &'static str,
    /// Device and number of the directory, once it was opened.
    inode: Option<(u64, u64)>,
}

impl State {
    /// Chooses the directory: `given` (from `--state`), else the first of `$STATE_DIRECTORY` (systemd sets it), else
    /// `$XDG_STATE_HOME/sealcam`, else `~/.local/state/sealcam`; and makes it, for its owner only, if it is missing.
    ///
    /// A directory that cannot be written is no error until something is to be written.
    ///
    /// # Errors
    /// [`Exit::State`]: no directory can be chosen (no `HOME`), made or looked into, it is something else, others can
    /// write to it, or it is another user's. Root may use anybody's: what it finds there, and may trust, is then that
    /// user's choice ([`State::owner`]).
    pub fn open(given: Option<&Path>) -> Result<Self> {
        let mut state = Self::choose(given, |name| env::var_os(name).filter(|value| !value.is_empty()))?;
        state.prepare()?;
        Ok(state)
    }

    /// Why a program that is confined ([`crate::confinement`]) cannot go on, if another directory has taken the place of
    /// the one that was opened: it may not read that one's files.
    #[must_use]
    pub fn replaced(&self) -> Option<Failure> {
        let is_another = self.metadata().is_ok_and(|found| Some(inode(&found)) != self.inode);
        is_another.then(|| {
            let path = self.path.display();
            Failure::new(
                Exit::State,
                format!(
                    "Another directory has taken the place of the state directory {path}, and this program may not read \
                     what is in it: start it again."
                ),
            )
        })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the file `name` in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whose it is: root's, this user's, or where root acts on another user's directory, that user's. Whoever it is can
    /// replace all that lies in here, and so can root.
    ///
    /// # Errors
    /// [`Exit::State`]: it cannot be looked into.
    pub fn owner(&self) -> Result<Uid> {
        self.metadata().map(|metadata| Uid::from_raw(metadata.uid()))
    }

    /// The whole file `name`, which may have at most `max_len` bytes; `None` if there is none.
    ///
    /// # Errors
    /// [`Exit::State`], with what to do: unreadable, not a regular file, too long, of another owner, or open to
    /// others than its owner (any of the mode bits 077).
    pub fn read(&self, name: &str, max_len: usize) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let (path, directory) = (self.file(name), self.metadata()?);
        let unreadable = |error: &io::Error| failure(&format!("read {}", path.display()), error);
        file::read(&path, max_len, |found| file::check(&path, found, &directory), unreadable)
    }

    /// Whether a file could be made here now; for asking before work that would be lost.
    ///
    /// # Errors
    /// [`Exit::State`], with what to do: read-only, or not this user's.
    pub fn check_writable(&self) -> Result<()> {
        eaccess(&self.path, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| {
            failure(&format!("write to the state directory {}", self.path.display()), &errno.into())
        })
    }

    /// Waits for the one lock of the directory, a few seconds at the most. Between reading a file and replacing it hold
    /// the lock, or a change that another process makes meanwhile is lost. It ends with the value, at the latest with
    /// the process.
    ///
    /// # Errors
    /// [`Exit::State`] if another process keeps it, or if the file system has no locks.
    pub fn lock(&self) -> Result<Locked<'_>> {
        self.lock_until(Clock.now() + LOCK_PATIENCE)
    }

    /// Begins to watch the file `name`. Read the file after this call, not before, so that no change is missed.
    #[must_use]
    pub fn watch(&self, name: &str, now: Instant) -> Watch {
        let path = self.file(name);
        Watch { seen: Stamp::of(&path), next_look: now + LOOK_EVERY, path }
    }

    fn lock_until(&self, end: Instant) -> Result<Locked<'_>> {
        let path = self.path.display();
        let failed = |error: &io::Error| failure(&format!("lock the state directory {path}"), error);
        let directory = File::open(&self.path).map_err(|error| failed(&error))?;
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(Locked { state: self, directory }),
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
                // The kernel wakes nobody at a deadline.
                Err(TryLockError::WouldBlock) if Clock.now() < end => thread::sleep(LOCK_AGAIN),
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::new(
                        Exit::State,
                        format!(
                            "Another process holds the lock of the state directory {path}, and does not let go. See \
                             which (fuser -v {path}) and end it; other users' cannot hold it after chmod 700 {path}"
                        ),
                    ));
                }
            }
        }
    }

    fn choose(given: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        if let Some(path) = given {
            return Ok(Self::at(path.to_owned(), "--state"));
        }
        if let Some(list) = variable("STATE_DIRECTORY")
            && let Some(path) = env::split_paths(&list).next()
        {
            return Ok(Self::at(path, "$STATE_DIRECTORY"));
        }
        // The XDG base directory specification has relative paths ignored.
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        if let Some(path) = absolute("XDG_STATE_HOME") {
            return Ok(Self::at(path.join("sealcam"), "$XDG_STATE_HOME"));
        }
        if let Some(path) = absolute("HOME") {
            return Ok(Self::at(path.join(".local/state/sealcam"), "$HOME"));
        }
        Err(Failure::new(
            Exit::State,
            "There is no directory for keys and trust: none of $STATE_DIRECTORY, $XDG_STATE_HOME and $HOME is set \
             to an absolute path. Name one with --state DIR.",
        ))
    }

    const fn at(path: PathBuf, chosen_by: &'static str) -> Self {
        Self { path, chosen_by, inode: None }
    }

    fn prepare(&mut self) -> Result<()> {
        let path = self.path.display();
        if !self.path.exists() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
            made.map_err(|error| failure(&format!("make the state directory {path}"), &error))?;
        }
        let metadata = self.metadata()?;
        if !metadata.is_dir() {
            return Err(Failure::new(
                Exit::State,
                format!("The state directory {path} ({}) is not a directory.", self.chosen_by),
            ));
        }
        if metadata.mode() & 0o022 != 0 {
            // In a sticky one, as /tmp is, others cannot replace a file, but be the first to make one of its name.
            let is_for_all = metadata.mode() & 0o1000 != 0;
            let advice = if is_for_all {
                "Choose one that is this user's alone, with --state DIR.".to_owned()
            } else {
                format!("Forbid it: chmod go-w {path}")
            };
            return Err(Failure::new(
                Exit::State,
                format!(
                    "Others can write to the state directory {path}, and so change whom this program trusts. {advice}"
                ),
            ));
        }
        let (owner, me) = (Uid::from_raw(metadata.uid()), Uid::effective());
        if !(me.is_root() || owner.is_root() || owner == me) {
            let (owner, me) = (user_name(owner), user_name(me));
            return Err(Failure::new(
                Exit::State,
                format!(
                    "The state directory {path} belongs to {owner}, who could so change whom this program trusts, and \
                     this program runs as {me}. Run it as {owner}, or choose another directory with --state DIR."
                ),
            ));
        }
        self.inode = Some(inode(&metadata));
        Ok(())
    }

    fn metadata(&self) -> Result<Metadata> {
        fs::metadata(&self.path).map_err(|error| {
            failure(&format!("look into the state directory {}", self.path.display()), &error)
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (from {})", self.path.display(), self.chosen_by)
    }
}

/// The lock of a state directory; see [`State::lock`].
#[derive(Debug)]
pub struct Locked<'s> {
    state: &'s State,
    directory: File,
}

impl Locked<'_> {
    /// Replaces the file `name`, or makes it: mode 0600, on the disk when this returns, whole or not at all even if
    /// the power fails meanwhile. Where root acts on another user's directory, that user gets the file.
    ///
    /// # Errors
    /// [`Exit::State`], with nothing changed and nothing left behind.
    pub fn replace(&self, name: &str, contents: &[u8]) -> Result<()> {
        file::replace(&self.directory, &self.state.path, name, contents)
    }

    /// Gives the socket `name`, which this process has made just now, to the directory's owner, where root acts on
    /// another user's.
    ///
    /// # Errors
    /// The kernel's; or that something else has taken its place.
    pub fn hand_over(&self, name: &str) -> io::Result<()> {
        file::hand_over(&self.directory, name)
    }
}

/// Tells when a file was replaced, edited, made or removed.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    seen: Option<Stamp>,
    next_look: Instant,
}

impl Watch {
    /// Whether the file differs from how it was at the last call that said so (or when the watch began). Looks at
    /// most twice a second, so it may be called each turn. When it says yes, read the file.
    #[must_use = "a change is told once"]
    pub fn changed(&mut self, now: Instant) -> bool {
        if now < self.next_look {
            return false;
        }
        self.next_look = now + LOOK_EVERY;
        let seen = Stamp::of(&self.path);
        let changed = seen != self.seen;
        self.seen = seen;
        changed
    }

    /// When [`Watch::changed`] will look again: the latest that the program's loop should wake.
    #[must_use]
    pub fn next_look(&self) -> Instant {
        self.next_look
    }
}

/// What differs between two states of a file: replaced (inode), written (times, size), opened to others (ctime).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    status_changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            status_changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// What tells one file from another: its device and its number there.
#[must_use]
pub fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// "Cannot `tried`: why. What to do."
fn failure(tried: &str, error: &io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            " This program runs as {}; run it as the directory's owner, or choose another directory with --state \
             DIR.",
            user_name(Uid::effective())
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            " Choose a directory that can be written with --state DIR.".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " Free some space; nothing was changed.".to_owned()
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            " A file stands where a directory is needed; choose another one with --state DIR.".to_owned()
        }
        _ => String::new(),
    };
    Failure::new(Exit::State, format!("Cannot {tried}: {error}.{advice}"))
}

/// `user` and the name, or where there is none, the number.
#[must_use]
pub fn user_name(uid: Uid) -> String {
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("user {uid}"), |user| format!("user {}", user.name))
}

#[cfg(test)]
mod tests;
