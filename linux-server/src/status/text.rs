//! Drawing a statement: white on dark, in the middle, as large as the canvas allows.
//!
//! For sinks that show pixels; the terminal writes the words itself, wrapped by [`wrap`] as well.

use super::Statement;
use super::font;
use crate::canvas::{Canvas, Rect, Size};

const BACKGROUND: u32 = 0x0010_1418;
const TEXT: u32 = 0x00F0_F0F0;
const ALARM: u32 = 0x00FF_B000;

/// A character with the space around it, in dots.
const CELL: Size = Size::new(font::WIDTH + 1, font::HEIGHT + 2);
/// The canvas, in dots, that makes a dot as large as one pixel: 50 characters by 20 lines.
const PLENTY: Size = Size::new(50 * CELL.width, 20 * CELL.height);
/// How much larger the title's dots are.
const TITLE_SCALE: usize = 2;

/// Draws the statement over the whole canvas.
pub(crate) fn draw(statement: &Statement, canvas: &mut Canvas) {
    let size = canvas.size();
    canvas.fill(Rect::whole(size), BACKGROUND);
    let layout = Layout::of(statement, size);
    let mut y = size.height.saturating_sub(layout.height()) / 2;
    for line in &layout.lines {
        let colour = if statement.alarm && line.title { ALARM } else { TEXT };
        let scale = layout.scale_of(line);
        let width = line.text.chars().count() * CELL.width * scale;
        let mut x = size.width.saturating_sub(width) / 2;
        for character in line.text.chars() {
            draw_character(canvas, character, (x, y), scale, colour);
            x += CELL.width * scale;
        }
        y += CELL.height * scale;
    }
}

/// Breaks `text` into lines of at most `columns` characters: between words where it can, else inside a word.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + rest.len() <= columns {
            line.push(' ');
            used += 1;
        } else if used > 0 {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        while rest.len() > columns {
            lines.push(rest.drain(..columns).collect());
        }
        used += rest.len();
        line.extend(rest);
    }
    lines.push(line);
    lines
}

struct Line {
    text: String,
    title: bool,
}

/// The lines as wrapped for one size of the dots.
struct Layout {
    scale: usize,
    lines: Vec<Line>,
}

impl Layout {
    /// The largest dots with which all lines fit, or else the smallest.
    fn of(statement: &Statement, size: Size) -> Self {
        let largest = (size.width / PLENTY.width).min(size.height / PLENTY.height).max(1);
        let mut scale = largest;
        loop {
            let layout = Self::at(statement, size, scale);
            if scale == 1 || layout.height() <= size.height {
                return layout;
            }
            scale -= 1;
        }
    }

    fn at(statement: &Statement, size: Size, scale: usize) -> Self {
        let columns = size.width / (CELL.width * scale);
        let line = |title| move |text| Line { text, title };
        let mut lines: Vec<Line> =
            wrap(&statement.title, columns / TITLE_SCALE).into_iter().map(line(true)).collect();
        for paragraph in &statement.lines {
            lines.push(Line { text: String::new(), title: false });
            lines.extend(wrap(paragraph, columns).into_iter().map(line(false)));
        }
        Self { scale, lines }
    }

    fn scale_of(&self, line: &Line) -> usize {
        if line.title { self.scale * TITLE_SCALE } else { self.scale }
    }

    fn height(&self) -> usize {
        self.lines.iter().map(|line| self.scale_of(line) * CELL.height).sum()
    }
}

fn draw_character(canvas: &mut Canvas, character: char, (x, y): (usize, usize), scale: usize, colour: u32) {
    for row in 0..font::HEIGHT {
        for column in 0..font::WIDTH {
            if font::dot(character, column, row) {
                let dot =
                    Rect { left: x + column * scale, top: y + row * scale, size: Size::new(scale, scale) };
                canvas.fill(dot, colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            title: "NO LIVE PICTURE".to_owned(),
            lines: vec!["No fresh picture for 12 s.".to_owned(), "porch says: camera unplugged.".to_owned()],
            alarm: true,
        }
    }

    fn drawn(statement: &Statement, width: usize, height: usize) -> Canvas {
        let mut canvas = Canvas::new();
        canvas.resize(Size::new(width, height));
        draw(statement, &mut canvas);
        canvas
    }

    /// First and last column, first and last row that differ from the background.
    fn extent(canvas: &Canvas) -> Option<[usize; 4]> {
        let width = canvas.size().width;
        let inked: Vec<usize> =
            (0..canvas.pixels().len()).filter(|&i| canvas.pixels()[i] != BACKGROUND).collect();
        let columns = inked.iter().map(|i| i % width);
        Some([columns.clone().min()?, columns.max()?, inked.first()? / width, inked.last()? / width])
    }

    #[test]
    fn words_are_wrapped_between_and_if_need_be_inside() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a SHA256:0123456789", 8), ["a", "SHA256:0", "12345678", "9"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("xyz", 0), ["x", "y", "z"]);
        for columns in 1..20 {
            let lines = wrap("the quick brown fox jumped over a lazy dogsdogsdogs", columns);
            assert!(lines.iter().all(|line| line.len() <= columns), "{columns}: {lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), "thequickbrownfoxjumpedoveralazydogsdogsdogs");
        }
    }

    #[test]
    fn text_stands_in_the_middle_of_every_usual_screen() {
        for (width, height) in [(320, 240), (640, 480), (1024, 768), (1920, 1080), (3840, 2160)] {
            let [left, right, top, bottom] = extent(&drawn(&statement(), width, height)).unwrap();
            assert!((left + right).abs_diff(width) <= width / 50, "{width}x{height}: {left}..{right}");
            assert!((top + bottom).abs_diff(height) <= height / 10, "{width}x{height}: {top}..{bottom}");
            assert!((right - left) * 3 > width, "{width}x{height}: small");
        }
    }

    #[test]
    fn more_lines_make_smaller_letters_rather_than_losing_any() {
        let many =
            Statement { lines: vec!["A line of some length that is shown.".to_owned(); 20], ..statement() };
        let canvas = drawn(&many, 1920, 1080);
        let [_, _, top, bottom] = extent(&canvas).unwrap();
        assert!(top > 0 && bottom < 1079, "{top}..{bottom}");
    }

    #[test]
    fn a_screen_too_small_for_the_text_is_no_trouble() {
        for (width, height) in [(1, 1), (0, 0), (5, 200), (200, 3)] {
            drawn(&statement(), width, height);
        }
    }

    #[test]
    fn an_alarm_looks_different() {
        let calm = drawn(&Statement { alarm: false, ..statement() }, 640, 480);
        assert_ne!(calm.pixels(), drawn(&statement(), 640, 480).pixels());
    }
}
