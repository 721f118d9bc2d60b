//! A directory for one run that nobody else may look into and that is gone afterwards.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Removed with everything in it when dropped.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes one under the system's directory for such things; `purpose` becomes a part of its name.
    pub(crate) fn make(purpose: &str) -> Result<Self> {
        let mut attempt = 0_u32;
        loop {
            let path =
                std::env::temp_dir().join(format!("sealcam-{purpose}-{}-{attempt}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Somebody's, maybe laid there for us: never used.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < 1000 => attempt += 1,
                Err(error) => return Err(Failure::new(format!("{}: {error}.", path.display()))),
            }
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: {} may hold keys and could not be removed: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_temporary_folder_is_private_and_gone_afterwards() {
        let folder = TemporaryFolder::make("folder").unwrap();
        let path = folder.path().to_path_buf();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::write(path.join("key"), "secret").unwrap();
        assert_ne!(TemporaryFolder::make("folder").unwrap().path(), path);
        drop(folder);
        // Another test may have made a folder of that name meanwhile; it does not hold this key.
        assert!(!path.join("key").exists());
    }
}
