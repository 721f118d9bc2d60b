//! `terminal`: a live picture made of characters, so that it works over ssh.
//!
//! Each character cell is an upper half block, two pixels one above the other. Only cells that changed visibly are
//! written, at most twelve pictures a second, so that slow links cope. The bottom row tells what is shown, and the
//! last line of the log. The screen before is kept by the terminal itself and comes back at the end, on every way
//! out (`restore.rs`). `terminal/colour.rs` knows how colours are said.

mod colour;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::termios::{
    FlowArg, FlushArg, LocalFlags, SetArg, Termios, tcflow, tcflush, tcgetattr, tcsetattr,
};
use nix::unistd::{getpgrp, tcgetpgrp};
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::wait::takes_output;

use self::colour::{Depth, Tone};
use super::restore::{self, Guard};
use super::{Caption, Kind, Pace, PixelSink, Sink, SinkEnd, Surface, View, sys};
use crate::canvas::{Canvas, Size};
use crate::fit::PixelShape;
use crate::status::{Statement, text};

/// The other screen, no cursor, no line breaks at the right edge.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &[u8] = b"\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
const PACE: Pace = Pace {
    between_pictures: Duration::from_millis(80),
    // Followed by a look at the terminal's size.
    tend: Duration::from_millis(250),
    repaint: Duration::MAX,
};
/// How long a terminal may take to go on at the end.
const PATIENCE: Duration = Duration::from_millis(300);
/// The size of a terminal that does not tell.
const USUAL: (u16, u16) = (80, 24);

struct Terminal {
    out: File,
    page: Page,
    guard: Guard,
}

/// Takes over the terminal at standard output.
pub(super) fn open() -> Result<Sink> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return Err(Failure::new(
            Exit::Sink,
            "Standard output is not a terminal: run it in one, over ssh with -t.",
        ));
    }
    let variable = |name| std::env::var(name).unwrap_or_default();
    let Some(depth) = Depth::of(&variable("TERM"), &variable("COLORTERM")) else {
        let message = "This terminal shows no colours (TERM is dumb or not set): use another one.";
        return Err(Failure::new(Exit::Sink, message));
    };
    let cannot = |error: io::Error| Failure::new(Exit::Sink, format!("Cannot use the terminal: {error}."));
    let mut out = File::from(stdout.as_fd().try_clone_to_owned().map_err(cannot)?);
    let guard = leave_at_the_end(out.try_clone().map_err(cannot)?);
    out.write_all(ENTER).map_err(cannot)?;
    let name = format!("this terminal ({})", depth.name());
    let terminal = Terminal { out, page: Page::new(depth), guard };
    let needs = Confinement::new().controls_devices();
    Ok(Sink { kind: Kind::Pixels(Box::new(terminal)), name, warnings: Vec::new(), needs })
}

impl PixelSink for Terminal {
    fn surface(&mut self, _: Option<Size>) -> Surface {
        let size =
            sys::terminal_size(self.out.as_fd()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (columns, rows) = size.map_or(USUAL, |size| (size.ws_col, size.ws_row));
        let (x, y) = size.map_or((0, 0), |size| (size.ws_xpixel, size.ws_ypixel));
        self.page.resize(usize::from(columns), usize::from(rows));
        Surface { size: self.page.pixels(), pixel: pixel_shape((columns, rows), (x, y)) }
    }

    fn pace(&self) -> Pace {
        PACE
    }

    fn writes_text(&self) -> bool {
        true
    }

    fn paint(
        &mut self,
        canvas: &Canvas,
        view: View<'_>,
        caption: &Caption,
    ) -> std::result::Result<(), SinkEnd> {
        let _held = self.guard.hold().ok_or_else(SinkEnd::given_back)?;
        let bytes = match view {
            View::Picture(_) => self.page.picture(canvas, caption),
            View::Statement(statement) => self.page.statement(statement, caption),
        };
        self.out.write_all(bytes).map_err(|error| SinkEnd::Closed(format!("the terminal is gone ({error})")))
    }
}

/// What stands in the terminal, and what must be written to change it.
struct Page {
    depth: Depth,
    columns: usize,
    rows: usize,
    /// Upper and lower half of each cell above the bottom row; `None` where something else stands.
    cells: Vec<Option<[Tone; 2]>>,
    bottom: String,
    words: Option<Statement>,
    bytes: Vec<u8>,
}

impl Page {
    const fn new(depth: Depth) -> Self {
        Self {
            depth,
            columns: 0,
            rows: 0,
            cells: Vec::new(),
            bottom: String::new(),
            words: None,
            bytes: Vec::new(),
        }
    }

    /// Follows the terminal's size; what it shows is then written anew.
    fn resize(&mut self, columns: usize, rows: usize) {
        if (self.columns, self.rows) != (columns, rows) {
            (self.columns, self.rows) = (columns, rows);
            self.forget();
        }
    }

    /// Two pixels a cell, and the bottom row left out.
    fn pixels(&self) -> Size {
        Size::new(self.columns, 2 * self.rows.saturating_sub(1).max(1))
    }

    fn forget(&mut self) {
        self.cells.clear();
        self.cells.resize(self.columns * self.pixels().height / 2, None);
        self.bottom.clear();
        self.words = None;
    }

    /// The bytes that make the page show this canvas.
    fn picture(&mut self, canvas: &Canvas, caption: &Caption) -> &[u8] {
        self.bytes.clear();
        if self.words.is_some() {
            self.forget();
        }
        let mut pen: Option<[Tone; 2]> = None;
        for y in 0..self.pixels().height / 2 {
            let halves = [canvas.span(2 * y, 0, self.columns), canvas.span(2 * y + 1, 0, self.columns)];
            let cells = self.cells.iter_mut().skip(y * self.columns).zip(halves[0].iter().zip(halves[1]));
            // The column where the cursor stands, if it stands in this row.
            let mut cursor = None;
            for (x, (cell, (&upper, &lower))) in cells.enumerate() {
                let tones = [self.depth.tone(upper), self.depth.tone(lower)];
                if cell.is_some_and(|shown| tones[0].looks_like(shown[0]) && tones[1].looks_like(shown[1])) {
                    continue;
                }
                if cursor != Some(x) {
                    go_to(&mut self.bytes, x, y);
                }
                colour::change(&mut self.bytes, pen, tones);
                self.bytes.extend("▀".as_bytes());
                (pen, cursor, *cell) = (Some(tones), Some(x + 1), Some(tones));
            }
        }
        self.write_bottom(caption);
        &self.bytes
    }

    /// The bytes that make the page show these words.
    fn statement(&mut self, statement: &Statement, caption: &Caption) -> &[u8] {
        self.bytes.clear();
        if self.words.as_ref() != Some(statement) {
            self.forget();
            self.write_words(statement);
            self.words = Some(statement.clone());
        }
        self.write_bottom(caption);
        &self.bytes
    }

    fn write_words(&mut self, statement: &Statement) {
        let title = text::wrap(&statement.title, self.columns);
        let titles = title.len();
        let mut lines = title;
        for paragraph in &statement.lines {
            lines.push(String::new());
            lines.extend(text::wrap(paragraph, self.columns));
        }
        let room = self.pixels().height / 2;
        let above = room.saturating_sub(lines.len()) / 2;
        for y in 0..room {
            go_to(&mut self.bytes, 0, y);
            self.bytes.extend(b"\x1b[0m\x1b[K");
            let Some((number, line)) =
                y.checked_sub(above).and_then(|number| Some((number, lines.get(number)?)))
            else {
                continue;
            };
            go_to(&mut self.bytes, self.columns.saturating_sub(line.chars().count()) / 2, y);
            if number < titles {
                self.bytes.extend(if statement.alarm { &b"\x1b[1;30;43m"[..] } else { b"\x1b[1m" });
            }
            self.bytes.extend(printable(line).bytes());
        }
    }

    fn write_bottom(&mut self, caption: &Caption) {
        let parts = [&caption.camera, &caption.figures, &caption.note];
        let said: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let line: String = printable(&said.join(" | ")).chars().take(self.columns).collect();
        if line != self.bottom || line.is_empty() {
            go_to(&mut self.bytes, 0, self.rows.saturating_sub(1));
            self.bytes.extend(b"\x1b[0m\x1b[K");
            self.bytes.extend(line.bytes());
            self.bottom = line;
        }
        self.bytes.extend(b"\x1b[0m");
    }
}

/// Names and log lines come from elsewhere: no control character of theirs reaches the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn go_to(bytes: &mut Vec<u8>, x: usize, y: usize) {
    // Writing into memory cannot fail.
    let _ = write!(bytes, "\x1b[{};{}H", y + 1, x + 1);
}

/// The shape of half a cell: as the terminal tells it in pixels, else square, since cells are about twice as high
/// as wide.
fn pixel_shape((columns, rows): (u16, u16), (x, y): (u16, u16)) -> PixelShape {
    let (cell_width, cell_height) = (usize::from(x / columns.max(1)), usize::from(y / rows.max(1)));
    let likely = cell_width > 0 && (cell_width..=4 * cell_width).contains(&cell_height);
    if likely { PixelShape { width: 2 * cell_width, height: cell_height } } else { PixelShape::SQUARE }
}

/// Registers the way back: the screen as it was, and what is typed visible again. Keys typed meanwhile are not
/// echoed, since they would stand in the middle of the picture.
fn leave_at_the_end(out: File) -> Guard {
    let keyboard = quiet_keyboard();
    restore::on_exit(move || {
        // On the way out nothing is left to be done about a failure.
        leave(&out);
        if let Some((tty, before)) = &keyboard
            && is_in_foreground(tty)
        {
            let before = before.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // Not TCSAFLUSH, which waits for the terminal to take all that was written.
            let _ = tcflush(tty, FlushArg::TCIFLUSH);
            let _ = tcsetattr(tty, SetArg::TCSANOW, &before);
        }
    })
}

/// Gives the screen back. A terminal that was stopped with Ctrl-S goes on; one that nobody reads any more is left as
/// it is, since waiting for it would keep the program from ending.
fn leave(out: &File) {
    if is_in_foreground(out) {
        // TCOON alone undoes nothing but TCOOFF; the two together undo Ctrl-S as well.
        let _ = tcflow(out, FlowArg::TCOOFF);
        let _ = tcflow(out, FlowArg::TCOON);
    }
    if takes_output(out.as_fd(), PATIENCE) {
        let mut out = out;
        let _ = out.write_all(LEAVE);
    }
}

/// Turns off the echo of the terminal at standard input; gives it and its settings before.
fn quiet_keyboard() -> Option<(OwnedFd, Mutex<Termios>)> {
    let tty = io::stdin().as_fd().try_clone_to_owned().ok()?;
    let before = tcgetattr(&tty).ok()?;
    if !is_in_foreground(&tty) {
        return None;
    }
    let mut quiet = before.clone();
    quiet.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(&tty, SetArg::TCSANOW, &quiet).ok()?;
    Some((tty, Mutex::new(before)))
}

/// A process in the background that changes a terminal's settings is stopped by the kernel.
fn is_in_foreground(tty: impl AsFd) -> bool {
    tcgetpgrp(tty).is_ok_and(|group| group == getpgrp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canvas::Rect;

    fn page(columns: usize, rows: usize) -> Page {
        let mut page = Page::new(Depth::Millions);
        page.resize(columns, rows);
        page
    }

    fn canvas(page: &Page, pixel: impl Fn(usize) -> u32) -> Canvas {
        let mut canvas = Canvas::new();
        canvas.resize(page.pixels());
        for i in 0..canvas.pixels().len() {
            let (x, y) = (i % page.columns, i / page.columns);
            canvas.fill(Rect { left: x, top: y, size: Size::new(1, 1) }, pixel(i));
        }
        canvas
    }

    fn written(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn terminal_that_takes_nothing_is_left_without_waiting_for_it() {
        let pty = nix::pty::openpty(None, None).unwrap();
        let terminal = File::from(pty.slave);
        tcflow(&terminal, FlowArg::TCOOFF).unwrap();
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            leave(&terminal);
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(20)).expect("it waits for the terminal");
        drop(pty.master);
    }

    #[test]
    fn each_cell_is_a_half_block_in_two_colours() {
        let mut page = page(2, 2);
        let canvas = canvas(&page, |i| [0x0010_2030, 0x0010_2030, 0x0040_5060, 0x0070_8090][i]);
        let bytes = written(page.picture(&canvas, &Caption::default()));
        assert!(
            bytes.starts_with("\x1b[1;1H\x1b[38;2;16;32;48;48;2;64;80;96m▀\x1b[48;2;112;128;144m▀"),
            "{bytes:?}"
        );
    }

    #[test]
    fn only_what_changed_visibly_is_written() {
        let mut page = page(40, 11);
        let caption = Caption { camera: "porch".to_owned(), ..Caption::default() };
        let still = canvas(&page, |_| 0x0080_8080);
        let first = page.picture(&still, &caption).len();
        let noise = canvas(&page, |i| if i % 3 == 0 { 0x0081_7F80 } else { 0x0080_8080 });
        let again = page.picture(&noise, &caption).len();
        assert!(first > 1000 && again < 10, "{first}, then {again}");
        let moved = canvas(&page, |i| if i == 405 { 0x00FF_0000 } else { 0x0080_8080 });
        assert!(written(page.picture(&moved, &caption)).starts_with("\x1b[6;6H"), "one cell");
    }

    #[test]
    fn words_stand_in_the_middle_and_a_picture_afterwards_covers_them() {
        let mut page = page(40, 12);
        let statement =
            Statement { title: "NO LIVE PICTURE".to_owned(), lines: vec!["for 3 s".to_owned()], alarm: true };
        let words = written(page.statement(&statement, &Caption::default()));
        assert!(words.contains("\x1b[5;13H\x1b[1;30;43mNO LIVE PICTURE"), "{words:?}");
        assert!(
            !written(page.statement(&statement, &Caption::default())).contains("LIVE"),
            "nothing new to say"
        );
        let black = canvas(&page, |_| 0);
        assert_eq!(written(page.picture(&black, &Caption::default())).matches('▀').count(), 40 * 11);
    }

    #[test]
    fn the_bottom_row_holds_the_caption_without_control_characters() {
        let mut page = page(30, 5);
        let black = canvas(&page, |_| 0);
        let caption = Caption {
            camera: "porch".to_owned(),
            figures: "640x480".to_owned(),
            note: "evil \x1b[2J and much too long for the row".to_owned(),
        };
        let bytes = written(page.picture(&black, &caption));
        assert!(bytes.contains("\x1b[5;1H\x1b[0m\x1b[Kporch | 640x480 | evil ?[2J an\x1b[0m"), "{bytes:?}");
    }

    #[test]
    fn a_new_size_makes_everything_be_written_again() {
        let mut page = page(20, 6);
        let black = canvas(&page, |_| 0);
        page.picture(&black, &Caption::default());
        page.resize(30, 8);
        let black = canvas(&page, |_| 0);
        assert_eq!(written(page.picture(&black, &Caption::default())).matches('▀').count(), 30 * 7);
        page.resize(1, 1);
        assert_eq!(page.pixels(), Size::new(1, 2));
        let black = canvas(&page, |_| 0);
        page.picture(&black, &Caption::default());
    }

    #[test]
    fn the_shape_of_a_pixel_follows_the_cell() {
        assert_eq!(pixel_shape((80, 24), (0, 0)), PixelShape::SQUARE);
        assert_eq!(pixel_shape((80, 24), (80 * 9, 24 * 20)), PixelShape { width: 18, height: 20 });
        assert_eq!(pixel_shape((80, 24), (65_535, 1)), PixelShape::SQUARE);
    }
}
