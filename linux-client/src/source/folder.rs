//! A folder of JPEG files, shown one after another in the order of their names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sealcam_linux::clock::Clock;
use sealcam_linux::exit::{Exit, Failure, Result};

use super::intake::Skip;
use super::outlet::Outlet;
use super::pace::Pace;
use super::request::Request;
use super::{Run, State};

/// Bytes beyond the largest picture that are read of a file, for what may follow the picture in it and is cut.
const SLACK: u64 = 64 * 1024;

/// Opens a folder.
///
/// # Errors
/// [`Exit::Source`]: it cannot be read, or holds no `*.jpg` or `*.jpeg`.
pub(super) fn open(folder: &Path, request: &Request) -> Result<Run> {
    let (folder, fps, repeat) = (folder.to_owned(), request.fps(), request.repeat);
    let mut files = pictures(&folder)?;
    Ok(Box::new(move |outlet| {
        let told =
            |e: io::Error| Failure::new(Exit::Other, format!("Cannot wait for the next picture: {e}."));
        if !outlet.stop().wait_for_play().map_err(told)? {
            return Ok(());
        }
        let mut pace = Pace::new(Clock.now(), fps);
        loop {
            let mut valid = 0;
            for path in &files {
                if outlet.wait_for_slot(&mut pace).map_err(told)?.is_none() {
                    return Ok(());
                }
                if show(path, outlet) {
                    valid += 1;
                    outlet.state(State::Capturing, format!("Pictures come from {}.", folder.display()));
                }
            }
            if valid == 0 {
                let message =
                    format!("None of the {} files in {} is a usable JPEG.", files.len(), folder.display());
                return Err(Failure::new(Exit::Source, message));
            }
            if !repeat {
                return Ok(());
            }
            // Pictures may have come and gone; the next round shows what there is.
            files = pictures(&folder)?;
        }
    }))
}

/// The JPEG files of a folder, by name (byte by byte: number them with leading zeros).
fn pictures(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable =
        |e| Failure::new(Exit::Source, format!("Cannot read the folder {}: {e}.", folder.display()));
    let entries: io::Result<Vec<_>> = fs::read_dir(folder).map_err(unreadable)?.collect();
    let mut files: Vec<PathBuf> = entries.map_err(unreadable)?.iter().map(fs::DirEntry::path).collect();
    files.retain(|path| is_jpeg(path));
    files.sort();
    if files.is_empty() {
        return Err(Failure::new(
            Exit::Source,
            format!("There is no *.jpg or *.jpeg in {}.", folder.display()),
        ));
    }
    Ok(files)
}

fn is_jpeg(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|it| it.eq_ignore_ascii_case("jpg") || it.eq_ignore_ascii_case("jpeg"))
        && path.is_file()
}

/// Hands on one file; `false` if it could not be read or is not valid.
fn show(path: &Path, outlet: &mut Outlet) -> bool {
    let limit = u64::try_from(outlet.max_len()).unwrap_or(u64::MAX).saturating_add(SLACK);
    outlet.fill(Clock.now(), |buf| {
        let read = File::open(path).and_then(|file| file.take(limit).read_to_end(buf));
        match read {
            // What is longer than that has no picture in it that may be sent, whether or not it ends somewhere.
            Ok(len) if u64::try_from(len).unwrap_or(u64::MAX) == limit => Err(Skip::TooLarge),
            Ok(_) => Ok(()),
            Err(_) => Err(Skip::Unreadable),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::os::unix::fs::symlink;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::intake::tiny_jpeg;
    use super::super::{Kind, Source};
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("sealcam-folder-{name}-{}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn with(self, name: &str, bytes: &[u8]) -> Self {
            fs::write(self.0.join(name), bytes).unwrap();
            self
        }

        fn request(&self) -> Request {
            let kind = Kind::Path(self.0.clone());
            Request { kind, size: None, fps: NonZeroU32::new(200), repeat: false, max_len: 1000 }
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Plays a folder to its end; the marks of its frames and how it ended.
    fn play(request: &Request) -> (Vec<u8>, Source) {
        let (woken, wakes) = mpsc::channel();
        let mut source = Source::start(request, move || _ = woken.send(())).unwrap();
        source.play();
        let mut marks = Vec::new();
        while source.finished().is_none() {
            wakes.recv_timeout(Duration::from_secs(30)).unwrap();
            marks.extend(source.newest().map(|frame| frame.jpeg[6]));
        }
        (marks, source)
    }

    #[test]
    fn pictures_come_by_name_and_the_rest_is_counted() {
        let folder = Folder::new("mixed")
            .with("b.JPEG", &tiny_jpeg(2))
            .with("a.jpg", &[tiny_jpeg(1), vec![0; 300]].concat())
            .with("c.jpg", b"not a picture")
            .with("d.jpg", &[&tiny_jpeg(4)[..30], &[0x2A; 2000], &[0xFF, 0xD9]].concat())
            .with("e.jpg", &[tiny_jpeg(5), vec![0; 100_000]].concat())
            .with("notes.txt", b"ignored")
            .with("z.jpg", &tiny_jpeg(9));
        // A picture that is there when the folder is listed and not when it is read.
        symlink(folder.0.join("notes.txt"), folder.0.join("y.jpg")).unwrap();
        let (marks, source) = play(&folder.request());
        assert_eq!(source.finished(), Some(Ok(())));
        let stats = source.stats();
        assert_eq!(stats.captured, 3);
        assert_eq!((stats.skipped.no_start, stats.skipped.too_large, stats.skipped.total()), (2, 2, 4));
        assert!(marks.is_sorted() && marks.last() == Some(&9), "{marks:?}");
    }

    #[test]
    fn file_that_is_gone_is_counted_as_unreadable() {
        let shared = super::super::outlet::Shared::new();
        let stop = super::super::stop::Stop::new().unwrap();
        let mut outlet = Outlet::new(shared.clone(), stop, Box::new(|| {}), 1000);
        assert!(!show(Path::new("/no/such/picture.jpg"), &mut outlet));
        let skipped = shared.stats().skipped;
        assert_eq!((skipped.unreadable, skipped.total()), (1, 1));
    }

    #[test]
    fn folder_without_pictures_is_refused() {
        let folder = Folder::new("empty").with("readme.txt", b"nothing");
        let failure = Source::start(&folder.request(), || {}).err().unwrap();
        assert!(failure.exit == Exit::Source && failure.message.contains("*.jpg"), "{failure}");
    }

    #[test]
    fn folder_of_broken_pictures_ends_in_an_error_even_when_looped() {
        let folder = Folder::new("broken").with("a.jpg", b"broken");
        let (marks, source) = play(&Request { repeat: true, ..folder.request() });
        assert!(marks.is_empty());
        assert!(source.finished().is_some_and(|end| end.is_err()));
    }
}
