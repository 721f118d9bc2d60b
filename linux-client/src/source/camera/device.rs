//! Finding a camera, opening it, and agreeing with it on format, size and rate.
//!
//! All of it is done anew each time a camera is opened: after an unplug nothing of before may be relied on.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, FourCC};

use super::choose;
use super::nodes::{Node, nodes};
use super::sys::{self, Identity, PixelFormat, Stream};
use super::trouble::Trouble;
use crate::source::request::{Request, Size};

/// The size where none was asked for.
const DEFAULT_SIZE: Size = Size::new(1280, 720);

/// The formats whose buffers are JPEG pictures, the better one first: cameras that name both mean the same by them.
const JPEG_FORMATS: [&[u8; 4]; 2] = [b"MJPG", b"JPEG"];

/// Buffers that go round between driver and program: one is filled, one is read, two take up delays of ours.
const BUFFERS: u32 = 4;

/// A camera that streams.
pub(super) struct Running {
    /// Its stream.
    pub(super) stream: Stream,
    /// Which one it is and what it gives, for a person.
    pub(super) about: About,
}

/// What is said of a running camera.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct About {
    /// The node that was opened.
    path: PathBuf,
    /// The camera's own name.
    card: String,
    /// What it gives.
    mode: Mode,
    /// What was asked for, where it is not what it gives.
    asked: Option<String>,
}

/// What a camera was set to.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Mode {
    size: Size,
    /// Frames per second, where the driver says so.
    fps: Option<f64>,
}

impl About {
    /// The camera's name and where it is.
    pub(super) fn name(&self) -> String {
        format!("Camera {} ({})", self.card, self.path.display())
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}.", self.name(), self.mode)?;
        match &self.asked {
            Some(asked) => write!(f, " {asked} was asked for; this is the nearest that it has."),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fps {
            Some(fps) => write!(f, "{} at {} frames/s", self.size, choose::number(fps)),
            None => write!(f, "{}, at a rate of its own", self.size),
        }
    }
}

/// Starts the camera at `path`, or, where none is named, the first that can be started.
pub(super) fn start(path: Option<&Path>, request: &Request) -> Result<Running, Trouble> {
    match path {
        Some(path) => start_at(path, request),
        None => start_first(&nodes(), request),
    }
}

/// Opens a device and sees what it is.
pub(super) fn open(path: &Path) -> io::Result<(Device, Identity)> {
    let device = Device::with_path(path)?;
    // The v4l crate opens without O_CLOEXEC, and a camera must not be held by a program started later.
    fcntl(sys::device_fd(&device), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let identity = sys::identify(&device)?;
    Ok((device, identity))
}

/// The format to take from those that a camera offers.
pub(super) fn jpeg_format(offered: &[PixelFormat]) -> Option<FourCC> {
    let wanted = JPEG_FORMATS.map(FourCC::new);
    wanted.into_iter().find(|wanted| offered.iter().any(|format| format.fourcc == *wanted))
}

fn start_at(path: &Path, request: &Request) -> Result<Running, Trouble> {
    let (device, identity) = open(path).map_err(|e| Trouble::from_io(path, "opening it", &e))?;
    if !identity.is_capture() {
        return Err(Trouble::Present(format!(
            "{} ({}) gives no pictures: it is another node of the device, for metadata or output. \
             `sealcam-client cameras` lists the cameras.",
            path.display(),
            identity.card
        )));
    }
    let offered = sys::formats(&device);
    let Some(fourcc) = jpeg_format(&offered) else {
        return Err(Trouble::Present(format!(
            "The camera {} ({}) gives no MJPEG, only {}. Take another camera, or make MJPEG of it with another program \
             and give it to `--source -`.",
            path.display(),
            identity.card,
            names(&offered)
        )));
    };
    let mode =
        set_mode(&device, fourcc, request).map_err(|e| Trouble::from_io(path, "setting its format", &e))?;
    let stream = Stream::start(device, BUFFERS)
        .map_err(|e| Trouble::from_stream_start(path, &mode.to_string(), &e))?;
    let about = About { path: path.into(), card: identity.card, mode, asked: unmet(request, mode) };
    Ok(Running { stream, about })
}

/// Starts the first node that can be. Nodes that never give JPEG pictures count as no camera: a small computer has
/// a dozen of them (codecs, raw sensors), and a camera may still come.
fn start_first(nodes: &[Node], request: &Request) -> Result<Running, Trouble> {
    let mut troubles = Vec::new();
    let mut others = Vec::new();
    for node in nodes {
        match open(&node.path) {
            Ok((_, identity)) if !identity.is_capture() => continue,
            Ok((device, identity)) if jpeg_format(&sys::formats(&device)).is_none() => {
                others.push(format!(
                    "{} ({}: {})",
                    node.path.display(),
                    identity.card,
                    names(&sys::formats(&device))
                ));
                continue;
            }
            // Closed again: it is opened anew below, whatever it is by then.
            Ok(_) | Err(_) => {}
        }
        match start_at(&node.path, request) {
            Ok(running) => return Ok(running),
            Err(Trouble::Absent(_)) => {}
            Err(trouble) => troubles.push(trouble),
        }
    }
    Err(none_started(nodes.len(), troubles, &others))
}

fn none_started(nodes: usize, mut troubles: Vec<Trouble>, others: &[String]) -> Trouble {
    // Where one of many may not be opened, the same is mostly true of all: it is said once.
    troubles.dedup_by(|a, b| matches!((a, b), (Trouble::Denied(_), Trouble::Denied(_))));
    if !troubles.is_empty() {
        let texts: Vec<&str> = troubles.iter().map(Trouble::text).collect();
        return Trouble::Present(texts.join(" "));
    }
    Trouble::Absent(match (nodes, others) {
        (0, _) => "No camera is there: no /dev/video* exists.".into(),
        (_, []) => format!("No camera is there: none of the {nodes} devices /dev/video* is one."),
        (_, others) => format!("No camera that gives MJPEG is there; found {}.", others.join(", ")),
    })
}

fn set_mode(device: &Device, fourcc: FourCC, request: &Request) -> io::Result<Mode> {
    let asked = request.size.unwrap_or(DEFAULT_SIZE);
    // A driver that cannot enumerate is asked outright: it takes the nearest itself.
    let sizes = device.enum_framesizes(fourcc).unwrap_or_default();
    let size = choose::size(sizes.iter().map(|offered| &offered.size), asked).unwrap_or(asked);
    let (width, height, taken) = sys::set_format(device, size.width, size.height, fourcc)?;
    if taken != fourcc {
        return Err(io::Error::other(format!("the driver took {taken} instead of {fourcc}")));
    }
    let size = Size::new(width, height);
    let intervals = device.enum_frameintervals(fourcc, width, height).unwrap_or_default();
    let interval = choose::interval(intervals.iter().map(|offered| &offered.interval), request.fps().get())
        .unwrap_or(v4l::Fraction::new(1, request.fps().get()));
    // Not every driver lets its rate be set, or says what it is.
    let fps = match device.set_params(&Parameters::new(interval)) {
        Ok(params) => Some(choose::rate(params.interval)).filter(|&fps| fps > 0.0),
        Err(e) if is_gone(&e) => return Err(e),
        Err(_) => None,
    };
    Ok(Mode { size, fps })
}

/// What the user asked for and did not get.
fn unmet(request: &Request, mode: Mode) -> Option<String> {
    let size = request.size.filter(|&asked| asked != mode.size);
    let fps =
        request.fps.filter(|asked| mode.fps.is_none_or(|fps| (fps - f64::from(asked.get())).abs() > 0.05));
    match (size, fps) {
        (None, None) => None,
        (Some(size), None) => Some(format!("{size}")),
        (None, Some(fps)) => Some(format!("A rate of {fps} frames/s")),
        (Some(size), Some(fps)) => Some(format!("{size} at {fps} frames/s")),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::ENODEV | Errno::ENXIO | Errno::EIO))
}

fn names(formats: &[PixelFormat]) -> String {
    if formats.is_empty() {
        return "no format at all".into();
    }
    let mut names: Vec<String> = formats.iter().map(|format| format.fourcc.to_string()).collect();
    // A test driver has eighty of them.
    let more = names.len().saturating_sub(8);
    names.truncate(8);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::source::Kind;

    fn formats(names: &[&[u8; 4]]) -> Vec<PixelFormat> {
        names
            .iter()
            .map(|name| PixelFormat { fourcc: FourCC::new(name), description: String::new() })
            .collect()
    }

    fn request(size: Option<Size>, fps: Option<u32>) -> Request {
        Request {
            kind: Kind::Camera(None),
            size,
            fps: fps.and_then(NonZeroU32::new),
            repeat: false,
            max_len: 1 << 20,
        }
    }

    #[test]
    fn mjpeg_is_preferred_and_jpeg_accepted() {
        assert_eq!(jpeg_format(&formats(&[b"YUYV", b"JPEG", b"MJPG"])), Some(FourCC::new(b"MJPG")));
        assert_eq!(jpeg_format(&formats(&[b"YUYV", b"JPEG"])), Some(FourCC::new(b"JPEG")));
        assert_eq!(jpeg_format(&formats(&[b"YUYV", b"H264"])), None);
    }

    #[test]
    fn what_was_not_met_is_said_and_defaults_are_not() {
        let mode = Mode { size: Size::new(640, 480), fps: Some(30.0) };
        assert_eq!(unmet(&request(None, None), mode), None);
        assert_eq!(unmet(&request(Some(Size::new(640, 480)), Some(30)), mode), None);
        assert_eq!(unmet(&request(Some(Size::new(800, 600)), None), mode), Some("800x600".into()));
        assert_eq!(unmet(&request(None, Some(60)), mode), Some("A rate of 60 frames/s".into()));
        let unknown = Mode { fps: None, ..mode };
        assert_eq!(unmet(&request(None, Some(30)), unknown), Some("A rate of 30 frames/s".into()));
    }

    #[test]
    fn missing_named_camera_is_absent_and_a_file_is_no_camera() {
        let none = Path::new("/dev/v4l/by-path/no-such-camera");
        assert!(
            matches!(start(Some(none), &request(None, None)), Err(Trouble::Absent(text)) if text.contains("no-such"))
        );
        let file = std::env::temp_dir().join(format!("sealcam-no-camera-{}", std::process::id()));
        std::fs::write(&file, "").unwrap();
        let outcome = start(Some(&file), &request(None, None));
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(outcome, Err(Trouble::Present(text)) if text.contains("not a camera")));
    }

    #[test]
    fn without_a_camera_it_is_said_what_was_looked_at() {
        assert!(
            matches!(none_started(0, vec![], &[]), Trouble::Absent(text) if text.contains("/dev/video*"))
        );
        let raw = ["/dev/video0 (unicam: pBAA)".to_owned()];
        assert!(matches!(none_started(3, vec![], &raw), Trouble::Absent(text) if text.contains("unicam")));
        let denied = |path: &str| Trouble::Denied(format!("{path} is denied."));
        let troubles = vec![denied("a"), denied("b"), Trouble::Present("c is in use.".into())];
        assert_eq!(none_started(3, troubles, &raw), Trouble::Present("a is denied. c is in use.".into()));
    }
}
