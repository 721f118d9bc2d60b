//! What the camera sees: a folder of JPEG files for each size, or a pattern of its own for the format without
//! compression.
//!
//! Files are read once and never looked into: a broken JPEG is served as it is.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::failure::{Exit, Failure, Result};
use crate::offer::{Format, Selection, Size};

/// As many sizes as fit the descriptors easily; no camera has more.
const MAX_SIZES: usize = 64;

/// The pictures of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Album {
    /// Their size, as the folder's name says.
    pub size: Size,
    /// The files in the order of their names.
    pub pictures: Vec<Arc<[u8]>>,
}

/// Reads `DIR/WxH/*.jpg`, the smallest size first. Where no MJPEG is offered, the folders' names are enough.
///
/// # Errors
/// [`Exit::Pictures`] where there is nothing to show, and for a file that no host has a buffer for.
pub fn load(dir: &Path, with_mjpeg: bool) -> Result<Vec<Album>> {
    let folders = entries(dir)?.into_iter().filter_map(|path| Some((parse_size(path.file_name()?)?, path)));
    let albums = folders.filter(|(_, path)| path.is_dir());
    let mut albums =
        albums.map(|(size, path)| load_album(size, &path, with_mjpeg)).collect::<Result<Vec<_>>>()?;
    if albums.is_empty() {
        let hint = "It wants folders that are named by a size and hold JPEG files, like 640x480/0001.jpg";
        return Err(unusable(format!("There is no picture in {}. {hint}.", dir.display())));
    }
    if albums.len() > MAX_SIZES {
        return Err(unusable(format!(
            "{} has pictures of {} sizes; a camera has at most {MAX_SIZES}.",
            dir.display(),
            albums.len()
        )));
    }
    albums.sort_by_key(|album| (album.size.buffer_len(), album.size.width));
    Ok(albums)
}

/// The picture with this number: the files go round and round, the pattern moves on by a pixel.
#[must_use]
pub fn picture(albums: &[Album], selection: &Selection, number: u64) -> Arc<[u8]> {
    if selection.format == Format::Yuyv {
        return pattern(selection.size, number);
    }
    let pictures = albums.get(selection.place).map_or(&[][..], |album| &album.pictures);
    let count = u64::try_from(pictures.len()).unwrap_or(u64::MAX);
    let place = number.checked_rem(count).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| pictures.get(place)).cloned().unwrap_or_default()
}

/// Grey stripes that slant and move to the left, in YUYV: a luma each pixel, a neutral chroma between them.
fn pattern(size: Size, number: u64) -> Arc<[u8]> {
    const NEUTRAL: u8 = 0x80;
    let row = |y: u16| {
        (0..size.width).flat_map(move |x| {
            let [luma, ..] = (u64::from(x) + u64::from(y)).wrapping_add(number).to_le_bytes();
            [luma, NEUTRAL]
        })
    };
    (0..size.height).flat_map(row).collect()
}

fn load_album(size: Size, folder: &Path, with_mjpeg: bool) -> Result<Album> {
    let mut pictures = Vec::new();
    if !with_mjpeg {
        return Ok(Album { size, pictures });
    }
    for path in entries(folder)?.iter().filter(|path| path.extension() == Some(OsStr::new("jpg"))) {
        let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
        if u32::try_from(bytes.len()).unwrap_or(u32::MAX) > size.buffer_len() {
            return Err(unusable(format!(
                "{} has {} bytes; a host's buffer for {size} holds {}. Take a smaller file or a larger size.",
                path.display(),
                bytes.len(),
                size.buffer_len()
            )));
        }
        pictures.push(bytes.into());
    }
    if pictures.is_empty() {
        return Err(unusable(format!(
            "There is no *.jpg in {}. Put one there, or remove it.",
            folder.display()
        )));
    }
    Ok(Album { size, pictures })
}

/// What a folder holds, in the order of the names.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let paths = listed.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<std::io::Result<Vec<_>>>().map_err(|error| unreadable(folder, &error))?;
    paths.sort();
    Ok(paths)
}

/// `640x480`; pixels come in pairs in YUYV, so the width is even.
fn parse_size(name: &OsStr) -> Option<Size> {
    let (width, height) = name.to_str()?.split_once('x')?;
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| digits && *number > 0)
    };
    let size = Size { width: number(width)?, height: number(height)? };
    size.width.is_multiple_of(2).then_some(size)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    unusable(format!("Cannot read {}: {error}.", path.display()))
}

fn unusable(message: String) -> Failure {
    Failure::new(Exit::Pictures, message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scratch::Scratch;

    const SMALL: Size = Size { width: 4, height: 2 };

    fn refused(scratch: &Scratch) -> String {
        let failure = load(scratch.path(), true).unwrap_err();
        assert_eq!(failure.exit, Exit::Pictures);
        failure.message
    }

    fn selection(format: Format, place: usize) -> Selection {
        Selection { format, place, size: SMALL, interval: Duration::from_millis(40) }
    }

    #[test]
    fn folders_are_sizes_and_files_come_in_the_order_of_their_names() {
        let scratch = Scratch::new();
        for (name, bytes) in [
            ("640x480/b.jpg", &b"second"[..]),
            ("640x480/a.jpg", b"first"),
            ("640x480/notes.txt", b"no picture"),
            ("320x240/x.jpg", b"\xff\xd8 broken \x00"),
            ("freeze", b""),
            ("0x5/a.jpg", b"no size"),
            ("+4x4/a.jpg", b"no size"),
            ("65536x2/a.jpg", b"no size"),
            ("3x2/a.jpg", b"odd"),
        ] {
            scratch.write(name, bytes);
        }
        let albums = load(scratch.path(), true).unwrap();
        let sizes: Vec<_> = albums.iter().map(|album| album.size.to_string()).collect();
        assert_eq!(sizes, ["320x240", "640x480"]);
        assert_eq!(albums[0].pictures, [Arc::from(&b"\xff\xd8 broken \x00"[..])]);
        let at = |number| picture(&albums, &selection(Format::Mjpeg, 1), number);
        assert_eq!([at(0), at(1), at(2)].map(|bytes| bytes.to_vec()), [&b"first"[..], b"second", b"first"]);
    }

    #[test]
    fn a_file_that_no_buffer_holds_is_refused_by_name() {
        let scratch = Scratch::new();
        scratch.write("4x2/fits.jpg", &[0; 16]);
        assert_eq!(load(scratch.path(), true).unwrap().len(), 1);
        scratch.write("4x2/large.jpg", &[0; 17]);
        let message = refused(&scratch);
        assert!(message.contains("4x2/large.jpg has 17 bytes") && message.contains("holds 16"), "{message}");
    }

    #[test]
    fn a_folder_with_nothing_to_show_is_refused_with_an_example() {
        let scratch = Scratch::new();
        assert!(refused(&scratch).contains("640x480/0001.jpg"));
        scratch.write("320x240/picture.png", b"");
        assert!(refused(&scratch).contains("no *.jpg in"));
        assert_eq!(load(scratch.path(), false).unwrap().len(), 1, "without MJPEG the size is enough");
        let missing = load(&scratch.path().join("missing"), true).unwrap_err();
        assert!(missing.message.starts_with("Cannot read "), "{missing}");
    }

    #[test]
    fn the_pattern_has_two_bytes_a_pixel_and_moves() {
        let at = |number| picture(&[], &selection(Format::Yuyv, 0), number).to_vec();
        assert_eq!(at(0), [0, 128, 1, 128, 2, 128, 3, 128, 1, 128, 2, 128, 3, 128, 4, 128]);
        assert_eq!(at(255)[..6], [255, 128, 0, 128, 1, 128]);
    }
}
