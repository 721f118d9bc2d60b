//! `dump:DIR`: each frame as a file, byte for byte as it came.
//!
//! `CAMERA-NUMBER.jpg`, the number being the frame's in its session; where a session before had the same number,
//! `CAMERA-NUMBER.2.jpg` and so on, so that no frame ever overwrites another.

use std::fs;
use std::path::{Path, PathBuf};

use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};

use super::{FrameSink, Kind, Sink, SinkEnd, file};

struct Dump {
    directory: PathBuf,
}

/// Opens the directory, which is made if only its last part is missing.
pub(crate) fn open(directory: &Path) -> Result<Sink> {
    if !directory.is_dir() {
        fs::create_dir(directory).map_err(|error| {
            let why = if directory.exists() { "it is not a directory".to_owned() } else { error.to_string() };
            let message = format!("Cannot put frames into {}: {why}. Name a directory.", directory.display());
            Failure::new(Exit::Sink, message)
        })?;
    }
    let any = directory.join("frame");
    file::probe(&any).map_err(|error| file::cannot_write(&any, &error))?;
    Ok(Sink {
        name: format!("files in {}", directory.display()),
        kind: Kind::Frames(Box::new(Dump { directory: directory.to_owned() })),
        warnings: Vec::new(),
        needs: Confinement::new().changes(directory),
    })
}

impl FrameSink for Dump {
    fn write(&mut self, camera: &str, number: u32, jpeg: &[u8]) -> std::result::Result<(), SinkEnd> {
        let stem = format!("{}-{number:08}", file_name(camera));
        let mut path = self.directory.join(format!("{stem}.jpg"));
        let mut next = 2_u32;
        while path.symlink_metadata().is_ok() {
            path.set_file_name(format!("{stem}.{next}.jpg"));
            next += 1;
        }
        file::replace(&path, jpeg).map_err(|error| file::cannot_write(&path, &error).into())
    }
}

/// A camera's name as part of a file name: no directories, nothing hidden, nothing a shell would trip over.
fn file_name(camera: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = camera.chars().take(64).map(|c| if kept(c) { c } else { '_' }).collect();
    if name.starts_with(['.', '-']) || name.is_empty() { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::file::tests::TestDir;

    fn frames_into(directory: &Path) -> Box<dyn FrameSink> {
        match open(directory).map(|sink| sink.kind) {
            Ok(Kind::Frames(sink)) => sink,
            Ok(Kind::Pixels(_)) => panic!("a sink of frames was expected"),
            Err(failure) => panic!("{failure}"),
        }
    }

    fn refusal(directory: &Path) -> Failure {
        open(directory).err().expect("this directory cannot be used")
    }

    #[test]
    fn frames_are_kept_byte_for_byte_and_never_overwritten() {
        let dir = TestDir::new("dump");
        let mut sink = frames_into(&dir.path().join("made"));
        sink.write("porch", 7, b"seven").unwrap();
        sink.write("porch", 7, b"seven of the next session").unwrap();
        sink.write("porch", 7, b"and the next").unwrap();
        sink.write("../door cam", 8, b"eight").unwrap();
        let read = |name: &str| fs::read(dir.path().join("made").join(name)).unwrap();
        assert_eq!(read("porch-00000007.jpg"), b"seven");
        assert_eq!(read("porch-00000007.2.jpg"), b"seven of the next session");
        assert_eq!(read("porch-00000007.3.jpg"), b"and the next");
        assert_eq!(read("_.._door_cam-00000008.jpg"), b"eight");
        assert_eq!(fs::read_dir(dir.path().join("made")).unwrap().count(), 4);
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_refused() {
        let dir = TestDir::new("dump-file");
        let path = dir.path().join("file");
        fs::write(&path, b"mine").unwrap();
        let failure = refusal(&path);
        assert_eq!(failure.exit, Exit::Sink);
        assert!(failure.message.contains("not a directory"), "{failure}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_refused() {
        let dir = TestDir::new("dump-deep");
        let failure = refusal(&dir.path().join("not/there"));
        assert!(failure.message.contains("No such file"), "{failure}");
        assert!(dir.names().is_empty());
    }

    #[test]
    fn a_directory_that_is_not_writable_is_refused_at_the_start() {
        // Even root cannot make files here.
        let failure = refusal(Path::new("/proc/self"));
        assert!(failure.message.contains("Cannot write"), "{failure}");
    }

    #[test]
    fn a_directory_that_vanishes_is_a_failure() {
        let dir = TestDir::new("dump-gone");
        let path = dir.path().join("made");
        let mut sink = frames_into(&path);
        fs::remove_dir(&path).unwrap();
        let Err(SinkEnd::Failed(failure)) = sink.write("porch", 1, b"x") else {
            panic!("nothing was written")
        };
        assert!(failure.message.contains("directory does not exist"), "{failure}");
    }

    #[test]
    fn any_name_makes_a_harmless_file_name() {
        for (name, expected) in [("", "_"), (".", "_."), ("a/b", "a_b"), ("-rf", "_-rf"), ("Tür 2", "Tür_2")]
        {
            assert_eq!(file_name(name), expected);
        }
        assert_eq!(file_name(&"x".repeat(300)).len(), 64);
    }
}
