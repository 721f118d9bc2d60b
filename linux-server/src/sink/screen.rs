//! `fb`: pictures on a framebuffer device, whatever its depth, channel order and line length.
//!
//! The crate `framebuffer` opens, asks and maps; everything else is done here. Whole rows are copied from memory, so
//! that no half-composed picture is ever on the screen, and never beyond the mapping, whatever the device claims.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use framebuffer::{Bitfield, FixScreeninfo, Framebuffer, VarScreeninfo};
use nix::errno::Errno;
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};

use super::console::Console;
use super::{Caption, Kind, Pace, PixelSink, Sink, SinkEnd, Surface, View, sys};
use crate::canvas::{Canvas, Rect, Size};
use crate::fit::PixelShape;
use crate::fit::layout::{Channel, PixelLayout};

/// `FB_TYPE_PACKED_PIXELS` of linux/fb.h.
const PACKED_PIXELS: u32 = 0;
/// `FB_VISUAL_TRUECOLOR` and `FB_VISUAL_DIRECTCOLOR`.
const COLOURS: [u32; 2] = [2, 4];
/// How often a still picture is painted again where the console can write over it.
const AGAINST_CONSOLE: Duration = Duration::from_secs(1);
/// `FB_ACTIVATE_FORCE` of linux/fb.h: a mode is set although it is the present one.
const ACTIVATE_FORCE: u32 = 128;
/// The longest side that is believed.
const SIDE_LIMIT: u32 = 1 << 15;

struct Screen {
    device: Framebuffer,
    geometry: Geometry,
    layout: PixelLayout,
    console: Console,
    /// One row in the device's layout: slow memory is then written in one go.
    row: Vec<u8>,
    /// The area of the picture on the screen, if around it all is black already.
    framed: Option<Rect>,
}

/// Opens a framebuffer and takes its console.
pub(super) fn open(path: &Path) -> Result<Sink> {
    let cannot = |why: String| Failure::new(Exit::Sink, format!("Cannot paint on {}: {why}", path.display()));
    let device =
        OpenOptions::new().read(true).write(true).open(path).map_err(|error| cannot(advice(&error)))?;
    let not_one = |error: framebuffer::FramebufferError| {
        cannot(format!("it is not a framebuffer ({error}). Name another with --sink fb:/dev/fb1."))
    };
    let var = Framebuffer::get_var_screeninfo(&device).map_err(not_one)?;
    let fix = Framebuffer::get_fix_screeninfo(&device).map_err(not_one)?;
    let unusable =
        |why: String| cannot(format!("{why}. Use another sink: --sink window, or --sink terminal."));
    let layout = layout(&var, &fix).map_err(unusable)?;
    let geometry = Geometry::new(&var, &fix, layout.bytes_per_pixel()).map_err(unusable)?;
    let device = Framebuffer::new(path).map_err(|error| cannot(format!("{error}.")))?;
    if geometry.row(geometry.size.height - 1).is_none_or(|last| last.end > device.frame.len()) {
        return Err(unusable("its memory is smaller than its picture".to_owned()));
    }
    // Not every driver can blank, and one that cannot has nothing to wake.
    let _ = sys::unblank(device.device.as_fd());
    let back = device.device.try_clone().map_err(|error| cannot(advice(&error)))?;
    let mode = VarScreeninfo { activate: ACTIVATE_FORCE, ..var.clone() };
    let len = device.frame.len();
    let console = Console::take(move || wipe(&back, len, &mode));
    let name = format!(
        "{} ({}x{}, {} bits per pixel)",
        path.display(),
        geometry.size.width,
        geometry.size.height,
        var.bits_per_pixel
    );
    let warnings = console.warning().map(str::to_owned).into_iter().collect();
    let row = vec![0; geometry.row_bytes];
    let screen = Screen { device, geometry, layout, console, row, framed: None };
    let needs = Confinement::new().switches_consoles();
    Ok(Sink { kind: Kind::Pixels(Box::new(screen)), name, warnings, needs })
}

impl PixelSink for Screen {
    fn surface(&mut self, _: Option<Size>) -> Surface {
        Surface { size: self.geometry.size, pixel: PixelShape::SQUARE }
    }

    fn pace(&self) -> Pace {
        let repaint = if self.console.is_quiet() { Duration::MAX } else { AGAINST_CONSOLE };
        Pace { between_pictures: Duration::ZERO, tend: Duration::MAX, repaint }
    }

    fn paint(&mut self, canvas: &Canvas, view: View<'_>, _: &Caption) -> std::result::Result<(), SinkEnd> {
        let whole = Rect::whole(self.geometry.size);
        let area = match view {
            // What is around the picture stays black, unless the console can write there.
            View::Picture(area) if self.console.is_quiet() && self.framed == Some(area) => area,
            _ => whole,
        };
        let held = self.console.hold()?;
        copy(canvas, area, &self.layout, &self.geometry, &mut self.row, &mut self.device.frame);
        drop(held);
        self.framed = match view {
            View::Picture(area) => Some(area),
            View::Statement(_) => None,
        };
        Ok(())
    }
}

/// Copies an area of the canvas into the device's memory, row by row.
fn copy(
    canvas: &Canvas,
    area: Rect,
    layout: &PixelLayout,
    geometry: &Geometry,
    row: &mut [u8],
    memory: &mut [u8],
) {
    let bytes = layout.bytes_per_pixel();
    for y in area.top..area.top + area.size.height {
        let pixels = canvas.span(y, area.left, area.size.width);
        let Some(row) = row.get_mut(..pixels.len() * bytes) else { continue };
        layout.write_row(pixels, row);
        let place = geometry.row(y).and_then(|range| memory.get_mut(range));
        let place = place.and_then(|line| line.get_mut(area.left * bytes..area.left * bytes + row.len()));
        if let Some(place) = place {
            place.copy_from_slice(row);
        }
    }
}

/// Takes the picture off the screen, so that nobody takes it for a live one once the program has ended.
fn wipe(device: &File, len: usize, mode: &VarScreeninfo) {
    // On the way out nothing is left to be done about a failure. The device is written, not the mapping, which may
    // be in use or gone by then.
    let _ = device.write_all_at(&vec![0; len], 0);
    // Setting the mode that is set already makes a console in text mode draw its text again.
    let _ = Framebuffer::put_var_screeninfo(device, mode);
}

/// Where the visible rows lie in the mapping.
#[derive(Debug, PartialEq, Eq)]
struct Geometry {
    size: Size,
    /// Bytes from the start of the mapping to the first visible pixel.
    start: usize,
    /// Bytes from one row to the next.
    line: usize,
    /// Bytes of the visible part of a row.
    row_bytes: usize,
}

impl Geometry {
    fn new(var: &VarScreeninfo, fix: &FixScreeninfo, bytes: usize) -> std::result::Result<Self, String> {
        let claim =
            || format!("it claims {} x {} pixels in rows of {} bytes", var.xres, var.yres, fix.line_length);
        let sides = 1..=SIDE_LIMIT;
        let virtual_sides = [var.xres_virtual, var.yres_virtual, var.xoffset, var.yoffset];
        if !sides.contains(&var.xres)
            || !sides.contains(&var.yres)
            || virtual_sides.iter().any(|&s| s > SIDE_LIMIT)
        {
            return Err(claim());
        }
        let [width, height, line] = [var.xres, var.yres, fix.line_length].map(number);
        let geometry = Self {
            size: Size::new(width, height),
            start: number(var.yoffset).saturating_mul(line).saturating_add(number(var.xoffset) * bytes),
            line,
            row_bytes: width * bytes,
        };
        let mapping =
            line.checked_mul(number(var.yres_virtual)).and_then(|length| u32::try_from(length).ok());
        if line < geometry.row_bytes || mapping.is_none() {
            return Err(claim());
        }
        Ok(geometry)
    }

    /// The bytes of row `y`.
    fn row(&self, y: usize) -> Option<Range<usize>> {
        let start = y.checked_mul(self.line)?.checked_add(self.start)?;
        Some(start..start.checked_add(self.row_bytes)?)
    }
}

fn layout(var: &VarScreeninfo, fix: &FixScreeninfo) -> std::result::Result<PixelLayout, String> {
    let colours = [&var.red, &var.green, &var.blue];
    if fix.fb_type != PACKED_PIXELS || colours.iter().any(|colour| colour.msb_right != 0) {
        return Err("it does not keep its pixels in one piece each".to_owned());
    }
    if !COLOURS.contains(&fix.visual) {
        return Err(format!(
            "it shows no direct colours (visual {}, {} bits)",
            fix.visual, var.bits_per_pixel
        ));
    }
    let channel = |field: &Bitfield| Channel::new(field.offset, field.length);
    PixelLayout::new(var.bits_per_pixel, colours.map(channel), channel(&var.transp))
}

fn number(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// What an error on opening means to a person.
fn advice(error: &io::Error) -> String {
    let what_to_do = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EACCES | Errno::EPERM) => {
            "This user must be in the group video: sudo usermod -aG video USER, then log in again."
        }
        Some(Errno::ENOENT) => {
            "This machine has no framebuffer of that name; ls /dev/fb* shows those that it has, and some displays \
             have none. Use --sink window inside a desktop, or --sink terminal."
        }
        Some(Errno::ENODEV | Errno::ENXIO) => "No screen driver stands behind it.",
        _ => "Name another with --sink fb:/dev/fb1, or use --sink window or --sink terminal.",
    };
    format!("{error}. {what_to_do}")
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::TestDir;
    use super::*;

    fn infos(xres: u32, yres: u32, depth: u32, line_length: u32) -> (VarScreeninfo, FixScreeninfo) {
        let field = |offset| Bitfield { offset, length: 8, msb_right: 0 };
        let var = VarScreeninfo {
            xres,
            yres,
            xres_virtual: xres,
            yres_virtual: yres,
            bits_per_pixel: depth,
            red: field(16),
            green: field(8),
            blue: field(0),
            ..VarScreeninfo::default()
        };
        (var, FixScreeninfo { line_length, visual: 2, ..FixScreeninfo::default() })
    }

    #[test]
    fn rows_follow_line_length_and_panning() {
        let (mut var, fix) = infos(100, 50, 32, 448);
        var.yres_virtual = 100;
        var.yoffset = 50;
        var.xoffset = 2;
        let geometry = Geometry::new(&var, &fix, 4).unwrap();
        assert_eq!(geometry.row(0), Some(50 * 448 + 8..50 * 448 + 408));
        assert_eq!(geometry.row(49), Some(99 * 448 + 8..99 * 448 + 408));
    }

    #[test]
    fn only_the_area_is_written_and_the_padding_left_alone() {
        let (var, fix) = infos(4, 3, 32, 20);
        let (layout, geometry) = (layout(&var, &fix).unwrap(), Geometry::new(&var, &fix, 4).unwrap());
        let mut canvas = Canvas::new();
        canvas.resize(Size::new(4, 3));
        canvas.fill(Rect::whole(canvas.size()), 0x0011_2233);
        let mut memory = [0xEE; 60];
        let area = Rect { left: 1, top: 1, size: Size::new(2, 2) };
        copy(&canvas, area, &layout, &geometry, &mut [0; 16], &mut memory);
        for (at, byte) in memory.into_iter().enumerate() {
            let inside = at / 20 >= 1 && (4..12).contains(&(at % 20));
            assert_eq!(byte, if inside { [0x33, 0x22, 0x11, 0][at % 4] } else { 0xEE }, "byte {at}");
        }
    }

    #[test]
    fn nothing_is_written_beyond_a_mapping_that_is_too_small() {
        let (var, fix) = infos(4, 3, 32, 20);
        let (layout, geometry) = (layout(&var, &fix).unwrap(), Geometry::new(&var, &fix, 4).unwrap());
        let mut canvas = Canvas::new();
        canvas.resize(Size::new(4, 3));
        let mut memory = [0xEE; 30];
        copy(&canvas, Rect::whole(canvas.size()), &layout, &geometry, &mut [0; 16], &mut memory);
        assert!(memory[..16].iter().all(|&byte| byte == 0) && memory[16..].iter().all(|&byte| byte == 0xEE));
    }

    #[test]
    fn nothing_of_the_picture_is_left_at_the_end() {
        let dir = TestDir::new("wipe");
        let path = dir.path().join("fb");
        std::fs::write(&path, [0xEE; 60]).unwrap();
        let device = OpenOptions::new().write(true).open(&path).unwrap();
        wipe(&device, 60, &infos(4, 3, 32, 20).0);
        assert_eq!(std::fs::read(&path).unwrap(), [0; 60]);
    }

    #[test]
    fn claims_that_cannot_be_are_refused() {
        for (xres, yres, line) in
            [(0, 480, 0), (640, 0, 2560), (640, 480, 2559), (640, 1 << 20, 2560), (640, 480, u32::MAX)]
        {
            let (var, fix) = infos(xres, yres, 32, line);
            assert!(Geometry::new(&var, &fix, 4).is_err(), "{xres}x{yres}, {line}");
        }
    }

    #[test]
    fn palettes_and_planes_are_refused() {
        let (var, fix) = infos(640, 480, 32, 2560);
        assert!(layout(&var, &fix).is_ok());
        assert!(
            layout(&var, &FixScreeninfo { visual: 3, ..fix.clone() }).unwrap_err().contains("direct colours")
        );
        assert!(layout(&var, &FixScreeninfo { fb_type: 1, ..fix }).unwrap_err().contains("one piece"));
    }

    #[test]
    fn a_device_that_is_absent_or_no_framebuffer_is_named_with_what_to_do() {
        let refusal = |path: &str| open(Path::new(path)).err().expect("no framebuffer");
        let absent = refusal("/dev/no-such-fb");
        assert_eq!(absent.exit, Exit::Sink);
        assert!(absent.message.contains("/dev/no-such-fb: No such file"), "{absent}");
        assert!(absent.message.contains("--sink terminal"), "{absent}");
        let null = refusal("/dev/null");
        assert!(null.message.contains("not a framebuffer"), "{null}");
        let denied = advice(&io::Error::from_raw_os_error(Errno::EACCES as i32));
        assert!(denied.contains("group video"), "{denied}");
    }
}
