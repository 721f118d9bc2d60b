//! What the user asked of a source: `--source`, `--size`, `--fps`, `--loop`, read but not yet tried.

use std::convert::Infallible;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use sealcam_linux::exit::{Exit, Failure, Result};

/// The rate where none was asked for, frames per second.
const DEFAULT_FPS: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);

/// A source and how it should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Which source.
    pub(crate) kind: Kind,
    /// The size asked for; each source has its own default.
    pub(crate) size: Option<Size>,
    /// The rate asked for, frames per second.
    pub(crate) fps: Option<NonZeroU32>,
    /// A recording starts again at its end.
    pub(crate) repeat: bool,
    /// The largest frame that may be sent, bytes; larger ones are skipped.
    pub(crate) max_len: usize,
}

impl Request {
    /// The rate to run at, frames per second.
    pub(crate) fn fps(&self) -> NonZeroU32 {
        self.fps.unwrap_or(DEFAULT_FPS)
    }

    /// Checks that the options go together.
    ///
    /// # Errors
    /// [`Exit::Usage`]: an option that this source cannot follow.
    pub(super) fn check(&self) -> Result<()> {
        let usage = |message: &str| Err(Failure::new(Exit::Usage, message));
        match self.kind {
            Kind::Path(_) if self.size.is_some() => {
                usage("--size goes with a camera or the pattern: a recording has the size it has.")
            }
            Kind::Stdin if self.size.is_some() || self.fps.is_some() => {
                usage("--size and --fps do not go with --source -: a pipe sets its own size and pace.")
            }
            Kind::Camera(_) | Kind::Pattern | Kind::Stdin if self.repeat => {
                usage("--loop goes with a file or a folder: give one with --source PATH.")
            }
            _ => Ok(()),
        }
    }
}

/// The sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A V4L2 camera: this device, or the first suitable one.
    Camera(Option<PathBuf>),
    /// The synthetic picture.
    Pattern,
    /// An MJPEG byte stream on standard input.
    Stdin,
    /// A file or named pipe with an MJPEG byte stream, or a folder of JPEGs.
    Path(PathBuf),
}

impl FromStr for Kind {
    type Err = Infallible;

    /// `camera`, `camera:DEVICE`, `pattern`, `-`; all else is a path (`./pattern` for a file of that name).
    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(match text {
            "camera" | "camera:" => Self::Camera(None),
            "pattern" => Self::Pattern,
            "-" => Self::Stdin,
            _ => match text.strip_prefix("camera:") {
                Some(device) => Self::Camera(Some(device.into())),
                None => Self::Path(text.into()),
            },
        })
    }
}

/// A picture's size in pixels; neither is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Size {
    /// Pixels across.
    pub(crate) width: u32,
    /// Pixels down.
    pub(crate) height: u32,
}

impl Size {
    /// A size; the caller answers for both being above zero.
    pub(crate) const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        // A JPEG's sides are 16-bit numbers.
        let side = |text: &str| text.parse::<u16>().ok().filter(|&side| side > 0).map(u32::from);
        text.split_once(['x', 'X'])
            .and_then(|(width, height)| Some(Self::new(side(width)?, side(height)?)))
            .ok_or_else(|| "a size is WIDTHxHEIGHT in pixels, such as 1280x720".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str) -> Request {
        Request { kind: kind.parse().unwrap(), size: None, fps: None, repeat: false, max_len: 1 << 20 }
    }

    #[test]
    fn source_names_are_told_from_paths() {
        let kind = |text: &str| text.parse::<Kind>().unwrap();
        assert_eq!(kind("camera"), Kind::Camera(None));
        assert_eq!(kind("camera:/dev/v4l/by-path/x"), Kind::Camera(Some("/dev/v4l/by-path/x".into())));
        assert_eq!(kind("pattern"), Kind::Pattern);
        assert_eq!(kind("./pattern"), Kind::Path("./pattern".into()));
        assert_eq!(kind("-"), Kind::Stdin);
        assert_eq!(kind("clip.mjpeg"), Kind::Path("clip.mjpeg".into()));
    }

    #[test]
    fn size_is_two_positive_numbers() {
        assert_eq!("1280x720".parse(), Ok(Size::new(1280, 720)));
        assert_eq!("640X480".parse(), Ok(Size::new(640, 480)));
        for wrong in ["", "x", "640", "640x", "0x480", "640x0", "640x480x2", "-1x2", "70000x1", "640 x 480"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_that_a_source_cannot_follow_are_refused() {
        let sized = |kind| Request { size: Some(Size::new(640, 480)), ..request(kind) };
        let repeated = |kind| Request { repeat: true, ..request(kind) };
        let paced = |kind| Request { fps: NonZeroU32::new(5), ..request(kind) };
        for fine in [sized("camera"), sized("pattern"), paced("clip.mjpeg"), repeated("folder"), request("-")]
        {
            assert_eq!(fine.check(), Ok(()));
        }
        for wrong in [
            sized("clip.mjpeg"),
            sized("-"),
            paced("-"),
            repeated("-"),
            repeated("camera"),
            repeated("pattern"),
        ] {
            assert_eq!(wrong.check().unwrap_err().exit, Exit::Usage, "{wrong:?}");
        }
    }
}
