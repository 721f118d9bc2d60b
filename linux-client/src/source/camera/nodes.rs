//! The device files that may be cameras, and the names that stay theirs.

use std::fs;
use std::path::{Path, PathBuf};

/// Where udev keeps names that stay the same, the better first: by-path is the socket that a camera is plugged into;
/// by-id is the camera itself, but two of a kind may have the same.
const STABLE: [&str; 2] = ["/dev/v4l/by-path", "/dev/v4l/by-id"];

/// A device file `/dev/videoN`; not every one is a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// `/dev/videoN`: N may be another after the next start.
    pub(super) path: PathBuf,
    /// Names that stay the same.
    pub(super) stable: Vec<PathBuf>,
}

/// All `/dev/video*`, by number.
pub(super) fn nodes() -> Vec<Node> {
    let stable: Vec<PathBuf> = STABLE.iter().flat_map(|directory| entries(Path::new(directory))).collect();
    let mut numbered: Vec<(u32, PathBuf)> =
        entries(Path::new("/dev")).into_iter().filter_map(|path| Some((number_of(&path)?, path))).collect();
    numbered.sort();
    let with_names = |(_, path): (u32, PathBuf)| {
        let leads_here = |name: &&PathBuf| name.canonicalize().is_ok_and(|target| target == path);
        Node { stable: stable.iter().filter(leads_here).cloned().collect(), path }
    };
    numbered.into_iter().map(with_names).collect()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn number_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("video")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_are_read_from_their_names() {
        assert_eq!(number_of(Path::new("/dev/video12")), Some(12));
        for other in ["/dev/video", "/dev/videodev", "/dev/vbi0", "/dev/v4l-subdev0"] {
            assert_eq!(number_of(Path::new(other)), None, "{other}");
        }
    }
}
