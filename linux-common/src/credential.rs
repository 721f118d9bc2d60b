//! Credentials: files that the service manager hands to this process in the directory `$CREDENTIALS_DIRECTORY`, which
//! systemd fills for LoadCredential=, LoadCredentialEncrypted= and ImportCredential= (systemd.exec(5)).
//!
//! Credentials are read and never written. What the text of one means, [`crate::key_file`] knows.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid};
use zeroize::Zeroizing;

use crate::exit::{Exit, Failure, Result};
use crate::state::{file, user_name};

/// Where this process's credentials are, if it was given any.
pub(crate) fn directory() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The whole credential at `path`, which may have at most `max_len` bytes; `None` if there is none.
///
/// # Errors
/// [`Exit::State`], with what to do: unreadable, not a regular file, too long, or others may have read or made it.
pub(crate) fn read(path: &Path, max_len: usize) -> Result<Option<Zeroizing<Vec<u8>>>> {
    file::read(path, max_len, |found| check(path, found), |error| unreadable(path, error))
}

fn check(path: &Path, found: &Metadata) -> Result<()> {
    let path = path.display();
    let refuse = |why: String| Err(Failure::new(Exit::State, format!("The credential {path} {why}")));
    if !found.is_file() {
        return refuse("is not a regular file. Name the key's own file in the service's unit.".to_owned());
    }
    let (owner, me) = (Uid::from_raw(found.uid()), Uid::effective());
    if !owner.is_root() && owner != me {
        let (owner, me) = (user_name(owner), user_name(me));
        return refuse(format!(
            "belongs to {owner}, and this program runs as {me}: it is not used. A credential is its service's own \
             or root's."
        ));
    }
    let mode = found.mode() & 0o7777;
    if mode & open_to_others(owner, Gid::from_raw(found.gid()), me) != 0 {
        return refuse(format!(
            "is open to others (mode {mode:04o}): it is not used. systemd gives a service a copy that nobody else \
             can read; if you have set $CREDENTIALS_DIRECTORY yourself: chmod 600 {path}"
        ));
    }
    Ok(())
}

/// The bits of a credential's mode that would let others in.
///
/// What systemd hands to a service of another user than root stays root's, with an entry for that user in its ACL. The
/// bits of the group are then the ACL's mask, by which such a file shows as 0440 (systemd issue 29435), and do not say
/// what the group may do. From the mode alone that cannot be told from a file that the group can read. So the group's
/// read bit is borne where that group is root's, which can read as much as root at most, and where the ACL has a
/// reason to be there: root's own services get 0400, and where a file system has no ACLs the file is given to the user,
/// 0400 as well.
fn open_to_others(owner: Uid, group: Gid, me: Uid) -> u32 {
    let by_acl = owner.is_root() && group.as_raw() == 0 && !me.is_root();
    if by_acl { 0o037 } else { 0o077 }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::new(
        Exit::State,
        format!(
            "Cannot read the credential {path}: {error}. It is in $CREDENTIALS_DIRECTORY, which the service manager \
             sets for one service and its user: look at LoadCredential= in the service's unit. No other key was tried."
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;
    use crate::scratch::Scratch;

    fn credential(scratch: &Scratch, mode: u32) -> PathBuf {
        let path = scratch.path().join("key");
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn refused(path: &Path) -> String {
        let failure = read(path, 10).unwrap_err();
        assert_eq!(failure.exit, Exit::State);
        assert!(failure.message.contains(&path.display().to_string()), "{failure}");
        failure.message
    }

    #[test]
    fn credential_for_its_user_alone_is_read_whole() {
        let scratch = Scratch::new();
        for mode in [0o400, 0o600] {
            assert_eq!(**read(&credential(&scratch, mode), 10).unwrap().unwrap(), *b"secret");
            fs::remove_file(scratch.path().join("key")).unwrap();
        }
        assert!(read(&scratch.path().join("key"), 10).unwrap().is_none());
        assert!(read(&scratch.path().join("no directory/key"), 10).unwrap().is_none());
    }

    #[test]
    fn credential_that_others_can_open_is_refused() {
        let scratch = Scratch::new();
        let path = credential(&scratch, 0o600);
        // Root's own, or that of the user who runs this: no ACL explains the group's bits of either.
        for open in [0o440, 0o420, 0o410, 0o404, 0o402, 0o401, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(open)).unwrap();
            let why = refused(&path);
            assert!(why.contains(&format!("(mode {open:04o})")) && why.contains("chmod 600"), "{why}");
        }
    }

    #[test]
    fn group_may_only_read_and_only_what_root_left_to_another_user() {
        let [root, user, other] = [0, 1000, 1001].map(Uid::from_raw);
        let [roots, users] = [0, 1000].map(Gid::from_raw);
        assert_eq!(open_to_others(root, roots, user), 0o037);
        for (owner, group, me) in [
            (root, roots, root),
            (root, users, root),
            (root, users, user),
            (user, roots, user),
            (user, users, user),
            (other, roots, user),
        ] {
            assert_eq!(open_to_others(owner, group, me), 0o077, "{owner} {group} {me}");
        }
    }

    #[test]
    fn credential_of_another_owner_is_refused() {
        let scratch = Scratch::new();
        let path = credential(&scratch, 0o400);
        if Uid::effective().is_root() {
            chown(&path, Some(12_345), None).unwrap();
            assert!(refused(&path).contains("belongs to user 12345"));
        } else {
            // A file of somebody else that anybody can find, and that is not root's, is nowhere to be counted on.
            assert!(chown(&path, Some(12_345), None).is_err());
            assert!(read(&path, 10).unwrap().is_some());
        }
    }

    #[test]
    fn only_regular_files_of_sensible_length_are_read() {
        let scratch = Scratch::new();
        let path = credential(&scratch, 0o400);
        assert!(read(&path, 5).unwrap_err().message.contains("more than 5 bytes"));
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert!(refused(&path).contains("not a regular file"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(refused(&path).contains("not a regular file"));
    }

    #[test]
    fn what_cannot_be_opened_is_named_with_the_setting_to_look_at() {
        let scratch = Scratch::new();
        let path = credential(&scratch, 0o400);
        assert!(refused(&path.join("below")).contains("LoadCredential="));
        fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
        if Uid::effective().is_root() {
            assert!(read(&path, 10).unwrap().is_some(), "root may read everything");
        } else {
            assert!(refused(&path).contains("LoadCredential="));
        }
    }
}
