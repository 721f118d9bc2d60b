//! Where pictures go: the kinds of sinks, what each must be able to do, and which one is chosen.
//!
//! A sink takes either pixels, composed by the painter, or the frames themselves, byte for byte. Sinks never judge
//! freshness and never block the network: they live on the painter's thread (`painter.rs`).

mod console;
mod dump;
pub(crate) mod file;
pub(crate) mod restore;
mod screen;
mod snapshot;
mod stdout;
#[allow(unsafe_code, reason = "ioctls of consoles, terminals and framebuffers that no crate wraps")]
mod sys;
mod terminal;
mod window;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};

use crate::canvas::{Canvas, Rect, Size};
use crate::fit::PixelShape;
use crate::status::Statement;

/// What `--sink` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SinkChoice {
    /// A framebuffer device.
    Screen(PathBuf),
    /// A window on the desktop.
    Window,
    /// The terminal at standard output.
    Terminal,
    /// Each frame as a file in this directory.
    Dump(PathBuf),
    /// The newest picture as this PNG file.
    Snapshot(PathBuf),
    /// The frames, one after the other, on standard output.
    Stdout,
}

/// The framebuffer that is used unless another is named.
const FIRST_SCREEN: &str = "/dev/fb0";

impl FromStr for SinkChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (kind, path) = text.split_once(':').map_or((text, None), |(kind, path)| (kind, Some(path)));
        match (kind, path) {
            ("fb", None) => Ok(Self::Screen(FIRST_SCREEN.into())),
            ("fb", Some(path)) if !path.is_empty() => Ok(Self::Screen(path.into())),
            ("window", None) => Ok(Self::Window),
            ("terminal", None) => Ok(Self::Terminal),
            ("-", None) => Ok(Self::Stdout),
            ("dump", Some(path)) if !path.is_empty() => Ok(Self::Dump(path.into())),
            ("snapshot", Some(path)) if !path.is_empty() => Ok(Self::Snapshot(path.into())),
            ("dump", _) => Err("dump needs a directory: dump:DIR".to_owned()),
            ("snapshot", _) => Err("snapshot needs a file: snapshot:FILE.png".to_owned()),
            _ => {
                Err("expected fb, fb:/dev/fb1, window, terminal, dump:DIR, snapshot:FILE.png or -".to_owned())
            }
        }
    }
}

impl fmt::Display for SinkChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Screen(path) => write!(f, "fb:{}", path.display()),
            Self::Window => f.write_str("window"),
            Self::Terminal => f.write_str("terminal"),
            Self::Dump(path) => write!(f, "dump:{}", path.display()),
            Self::Snapshot(path) => write!(f, "snapshot:{}", path.display()),
            Self::Stdout => f.write_str("-"),
        }
    }
}

/// Why a sink takes no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SinkEnd {
    /// The user ended it: closed the window, quit the program that reads. The program ends cleanly.
    Closed(String),
    /// It broke.
    Failed(Failure),
}

impl SinkEnd {
    /// The screen was given back before the sink was closed: the program is ending.
    fn given_back() -> Self {
        Self::Closed("the screen was given back".to_owned())
    }
}

impl From<Failure> for SinkEnd {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What the painter composes for: how many pixels, and of what shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Surface {
    /// The size of the canvas.
    pub(crate) size: Size,
    /// The proportions of one pixel.
    pub(crate) pixel: PixelShape,
}

/// How often a sink wants to be bothered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The least time from one picture to the next; frames that come in between replace each other.
    pub(crate) between_pictures: Duration,
    /// How often [`PixelSink::tend`] must be called, at least.
    pub(crate) tend: Duration,
    /// How often what stands still must be painted again, because others may draw over it.
    pub(crate) repaint: Duration,
}

/// What stands on the canvas.
#[derive(Debug, Clone, Copy)]
pub(crate) enum View<'a> {
    /// A live picture in this area; around it all is black.
    Picture(Rect),
    /// No live picture: these words, drawn over the whole canvas unless the sink writes them itself.
    Statement(&'a Statement),
}

/// A line about the picture, for sinks with a place for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Caption {
    /// The camera's name; empty before its first frame.
    pub(crate) camera: String,
    /// Size, rate and latency of what is shown.
    pub(crate) figures: String,
    /// The last line of the log.
    pub(crate) note: String,
}

/// A sink of pixels.
pub(crate) trait PixelSink {
    /// What to compose for now; asked before each paint, since windows and terminals change. `picture` is the size
    /// of the newest picture.
    fn surface(&mut self, picture: Option<Size>) -> Surface;

    /// How often it wants to be called.
    fn pace(&self) -> Pace;

    /// Whether it writes statements and captions in letters of its own: it reads no pixels of a statement then.
    fn writes_text(&self) -> bool {
        false
    }

    /// Shows the canvas, which is as large as [`PixelSink::surface`] said last.
    fn paint(
        &mut self,
        canvas: &Canvas,
        view: View<'_>,
        caption: &Caption,
    ) -> std::result::Result<(), SinkEnd>;

    /// Looks after whatever is not painting: events of a window.
    fn tend(&mut self) -> std::result::Result<(), SinkEnd> {
        Ok(())
    }
}

/// A sink of frames as they came.
pub(crate) trait FrameSink {
    /// Takes one frame: its bytes, the camera's name, and its number in the session.
    fn write(&mut self, camera: &str, number: u32, jpeg: &[u8]) -> std::result::Result<(), SinkEnd>;

    /// Looks whether anyone is still there.
    fn tend(&mut self) -> std::result::Result<(), SinkEnd> {
        Ok(())
    }
}

/// The two kinds. Either is closed, and what it changed restored, when it is dropped.
pub(crate) enum Kind {
    /// Wants pixels.
    Pixels(Box<dyn PixelSink>),
    /// Wants frames.
    Frames(Box<dyn FrameSink>),
}

/// An open sink, and what to tell the user about it.
pub(crate) struct Sink {
    /// The sink itself.
    pub(crate) kind: Kind,
    /// Which one it is, such as `/dev/fb0 (1920x1080, 32 bits per pixel)`.
    pub(crate) name: String,
    /// What the user should know about it, whole sentences; each to be said once.
    pub(crate) warnings: Vec<String>,
    /// What the painter's thread needs for it from now on.
    pub(crate) needs: Confinement,
}

/// Opens the chosen sink, or else the first that can be opened of: a window where there is a desktop, the
/// framebuffer, the terminal.
pub(crate) fn open(choice: Option<&SinkChoice>) -> Result<Sink> {
    match choice {
        Some(SinkChoice::Screen(path)) => screen::open(path),
        Some(SinkChoice::Window) => window::open(),
        Some(SinkChoice::Terminal) => terminal::open(),
        Some(SinkChoice::Dump(path)) => dump::open(path),
        Some(SinkChoice::Snapshot(path)) => snapshot::open(path),
        Some(SinkChoice::Stdout) => stdout::open(),
        None => first_that_opens(&by_default(window::is_desktop()), |choice| open(Some(choice))),
    }
}

fn by_default(desktop: bool) -> Vec<SinkChoice> {
    let elsewhere = [SinkChoice::Screen(FIRST_SCREEN.into()), SinkChoice::Terminal];
    desktop.then_some(SinkChoice::Window).into_iter().chain(elsewhere).collect()
}

fn first_that_opens(choices: &[SinkChoice], open: impl Fn(&SinkChoice) -> Result<Sink>) -> Result<Sink> {
    let mut tried = String::new();
    for choice in choices {
        match open(choice) {
            Ok(sink) => return Ok(sink),
            Err(failure) => tried.push_str(&format!("\n  {choice}: {failure}")),
        }
    }
    let window = if choices.contains(&SinkChoice::Window) {
        ""
    } else {
        "\n  window: not tried, since neither DISPLAY nor WAYLAND_DISPLAY is set."
    };
    Err(Failure::new(
        Exit::Sink,
        format!(
            "Found nothing to show pictures on. Tried:{tried}{window}\n\
             Name one with --sink; dump:DIR, snapshot:FILE.png and - work without any screen."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl FrameSink for Nothing {
        fn write(&mut self, _: &str, _: u32, _: &[u8]) -> std::result::Result<(), SinkEnd> {
            Ok(())
        }
    }

    fn opened(choice: &SinkChoice) -> Sink {
        Sink {
            kind: Kind::Frames(Box::new(Nothing)),
            name: choice.to_string(),
            warnings: Vec::new(),
            needs: Confinement::new(),
        }
    }

    #[test]
    fn every_sink_is_understood_and_said_back() {
        for text in ["fb:/dev/fb1", "window", "terminal", "dump:frames", "snapshot:a:b.png", "-"] {
            assert_eq!(text.parse::<SinkChoice>().unwrap().to_string(), text);
        }
        assert_eq!("fb".parse(), Ok(SinkChoice::Screen("/dev/fb0".into())));
    }

    #[test]
    fn nonsense_is_refused_with_what_was_expected() {
        for text in ["", "fb:", "fb0", "screen", "window:1", "-:x", "terminal:"] {
            let error = text.parse::<SinkChoice>().unwrap_err();
            assert!(error.contains("dump:DIR"), "{text}: {error}");
        }
        assert!("dump".parse::<SinkChoice>().unwrap_err().contains("directory"));
        assert!("snapshot:".parse::<SinkChoice>().unwrap_err().contains("FILE.png"));
    }

    #[test]
    fn the_default_is_window_then_framebuffer_then_terminal() {
        let names = |choices: Vec<SinkChoice>| choices.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(by_default(true)), ["window", "fb:/dev/fb0", "terminal"]);
        assert_eq!(names(by_default(false)), ["fb:/dev/fb0", "terminal"]);
        let no_window = |choice: &SinkChoice| match choice {
            SinkChoice::Window => Err(Failure::new(Exit::Sink, "no X server answers.")),
            other => Ok(opened(other)),
        };
        let sink = first_that_opens(&by_default(true), no_window).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sink.name, "fb:/dev/fb0");
    }

    #[test]
    fn when_nothing_opens_every_attempt_is_named_with_its_reason() {
        let closed = |choice: &SinkChoice| Err(Failure::new(Exit::Sink, format!("{choice} is broken.")));
        let Err(failure) = first_that_opens(&by_default(false), closed) else { panic!("nothing can open") };
        assert_eq!(failure.exit, Exit::Sink);
        for part in ["fb:/dev/fb0 is broken.", "terminal is broken.", "neither DISPLAY", "--sink"] {
            assert!(failure.message.contains(part), "{part} in {failure}");
        }
    }
}
