//! `window`: a window on the desktop, X or Wayland, whose libraries are looked for only when one is opened.
//!
//! The painter composes at the window's own size, so nothing is scaled twice. Escape or closing it ends the program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use minifb::{Key, ScaleMode, Window as Desktop, WindowOptions};
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};

use super::{Caption, Kind, Pace, PixelSink, Sink, SinkEnd, Surface, View};
use crate::canvas::{Canvas, Size};
use crate::fit::PixelShape;

const TITLE: &str = "Sealcam";
/// The window's size at first; half of Full HD fits on every desktop.
const SIZE: Size = Size::new(960, 540);
/// How often the desktop's events are read: often enough for resizing to look alive.
const EVENTS: Duration = Duration::from_millis(30);
/// How often a still picture is painted again: the desktop keeps no copy of what was covered.
const EXPOSED: Duration = Duration::from_millis(250);

struct Window {
    desktop: Desktop,
    title: String,
}

/// Whether this program was started inside a desktop.
pub(super) fn is_desktop() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .into_iter()
        .any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()))
}

/// Opens a window.
pub(super) fn open() -> Result<Sink> {
    let options =
        WindowOptions { resize: true, scale_mode: ScaleMode::UpperLeft, ..WindowOptions::default() };
    // The crate panics where X misbehaves at the start; then there is simply no window to be had.
    let opened = catch_unwind(AssertUnwindSafe(|| Desktop::new(TITLE, SIZE.width, SIZE.height, options)));
    let why = match opened {
        Ok(Ok(mut desktop)) => {
            // The painter sets the pace; the crate would sleep.
            desktop.set_target_fps(0);
            let window = Window { desktop, title: TITLE.to_owned() };
            return Ok(Sink {
                kind: Kind::Pixels(Box::new(window)),
                name: "a window".to_owned(),
                warnings: Vec::new(),
                needs: Confinement::new().shows_a_window(&scratch()),
            });
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "its library failed".to_owned(),
    };
    Err(Failure::new(
        Exit::Sink,
        format!(
            "Cannot open a window: {why}. This needs a desktop that this user may use (DISPLAY or WAYLAND_DISPLAY) \
             and its libraries (Debian: libx11-6 libxcursor1 libxkbcommon0)."
        ),
    ))
}

/// Where the desktop's libraries share pictures with the desktop.
fn scratch() -> Vec<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime.into_iter().chain([std::env::temp_dir(), PathBuf::from("/dev/shm")]).collect()
}

impl PixelSink for Window {
    fn surface(&mut self, _: Option<Size>) -> Surface {
        let (width, height) = self.desktop.get_size();
        Surface { size: Size::new(width.max(1), height.max(1)), pixel: PixelShape::SQUARE }
    }

    fn pace(&self) -> Pace {
        Pace { between_pictures: Duration::ZERO, tend: EVENTS, repaint: EXPOSED }
    }

    fn paint(&mut self, canvas: &Canvas, _: View<'_>, caption: &Caption) -> std::result::Result<(), SinkEnd> {
        self.set_title(&caption.camera);
        let Size { width, height } = canvas.size();
        self.desktop.update_with_buffer(canvas.pixels(), width, height).map_err(|error| {
            Failure::new(Exit::Sink, format!("The window can no longer be painted: {error}."))
        })?;
        self.still_wanted()
    }

    fn tend(&mut self) -> std::result::Result<(), SinkEnd> {
        self.desktop.update();
        self.still_wanted()
    }
}

impl Window {
    fn set_title(&mut self, camera: &str) {
        let title = if camera.is_empty() { TITLE.to_owned() } else { format!("{camera} - {TITLE}") };
        if title != self.title {
            self.desktop.set_title(&title);
            self.title = title;
        }
    }

    fn still_wanted(&self) -> std::result::Result<(), SinkEnd> {
        if self.desktop.is_open() && !self.desktop.is_key_down(Key::Escape) {
            return Ok(());
        }
        Err(SinkEnd::Closed("the window was closed".to_owned()))
    }
}
