//! Files for their owner only: read after a look at owner and mode, replaced whole; and whose they become where root makes
//! them.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::libc;
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, fchownat};
use zeroize::Zeroizing;

use super::{failure, user_name};
use crate::exit::{Exit, Failure, Result};

/// The whole file at `path`, or `None` if there is none. Nothing of it is read unless `check` passes what it is and whose;
/// what the system refuses, `unreadable` puts into words.
pub(crate) fn read(
    path: &Path,
    max_len: usize,
    check: impl FnOnce(&Metadata) -> Result<()>,
    unreadable: impl Fn(&io::Error) -> Failure,
) -> Result<Option<Zeroizing<Vec<u8>>>> {
    // Without O_NONBLOCK, opening a FIFO of that name would wait for a writer.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    check(&file.metadata().map_err(|error| unreadable(&error))?)?;
    // One byte more than allowed tells a file that is too long; never grown, which would leave a copy behind.
    let mut contents = Zeroizing::new(vec![0; max_len + 1]);
    let mut len = 0;
    while len < contents.len() {
        match file.read(&mut contents[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error)),
        }
    }
    if len > max_len {
        return Err(Failure::new(
            Exit::State,
            format!("{} has more than {max_len} bytes: not what it should be.", path.display()),
        ));
    }
    contents.truncate(len);
    Ok(Some(contents))
}

/// Replaces `name` in the directory at `path`, whose open and locked handle is `directory`.
pub(super) fn replace(directory: &File, path: &Path, name: &str, contents: &[u8]) -> Result<()> {
    let target = path.join(name);
    let new = path.join(format!(".{name}.new"));
    let written = write_new(directory, &new, contents).and_then(|()| fs::rename(&new, &target));
    if let Err(error) = written {
        // Whatever it holds is no use to anyone, and may be a part of a key.
        let _ = fs::remove_file(&new);
        return Err(failure(&format!("write {}", target.display()), &error));
    }
    match directory.sync_all() {
        // Some file systems have no fsync for directories; the rename is atomic all the same.
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
            Err(failure(&format!("bring {} to the disk", target.display()), &error))
        }
        _ => Ok(()),
    }
}

fn write_new(directory: &File, new: &Path, contents: &[u8]) -> io::Result<()> {
    // Only a process that died in the middle of this can have left one: the directory is locked.
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
    // A umask may have taken bits from the owner too.
    file.set_permissions(Permissions::from_mode(0o600))?;
    let owner = directory.metadata()?;
    if Uid::effective().is_root() && owner.uid() != 0 {
        fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.write_all(contents)?;
    file.sync_all()
}

/// Gives the socket `name` in `directory`, which this process has made, to whose the directory is.
pub(super) fn hand_over(directory: &File, name: &str) -> io::Result<()> {
    let owner = directory.metadata()?;
    if !Uid::effective().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    // That user may have put something else there meanwhile, of root's, to be given it.
    let made = openat(directory, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty())?;
    let made = File::from(made);
    let found = made.metadata()?;
    if !(found.file_type().is_socket() && found.uid() == 0 && found.nlink() == 1) {
        return Err(io::Error::other("something else has taken its place"));
    }
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    Ok(fchownat(&made, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)?)
}

/// Refuses a file that anyone but its owner can open, or that someone else has made.
pub(super) fn check(path: &Path, file: &Metadata, directory: &Metadata) -> Result<()> {
    let path = path.display();
    let refuse = |message: String| Err(Failure::new(Exit::State, message));
    if !file.is_file() {
        return refuse(format!("{path} is not a regular file. Move it away."));
    }
    let me = Uid::effective();
    let owner = Uid::from_raw(file.uid());
    if owner != me && !(me.is_root() && file.uid() == directory.uid()) {
        let (owner, me) = (user_name(owner), user_name(me));
        return refuse(format!(
            "{path} belongs to {owner}, and this program runs as {me}: it is not used. Run the program as {owner}, \
             or give the file to {me} with chown if you know where it comes from."
        ));
    }
    let mode = file.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return refuse(format!(
            "{path} is open to others than its owner (mode {mode:04o}): it is not used. Close it: chmod 600 {path} \
             (if it is a key that others may have read, delete it instead, and pair again with the new one)."
        ));
    }
    Ok(())
}
