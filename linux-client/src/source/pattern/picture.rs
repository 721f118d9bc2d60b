//! The pattern's pixels. Only what moves is drawn again, so that making a frame is mostly encoding.
//!
//! ```text
//!  ┌──────────────────────────┐
//!  │ colour bars, 75 %     o  │  the ball goes to and fro over them
//!  ├──────────────────────────┤
//!  │ 17:20:12.345 UTC         │  the time of day: beside a clock, a photograph shows the latency
//!  │ FRAME 370                │  counted from 0
//!  └──────────────────────────┘
//! ```
//! Kept as full-size planes in YCbCr, the encoder's own colours: no conversion for each frame.

use std::time::Duration;

use jpeg_encoder::{ImageBuffer, JpegColorType};

use super::font;
use crate::source::request::Size;

/// A colour: Y, Cb, Cr in the full range of JFIF.
type Colour = [u8; 3];

const BLACK: Colour = [0, 128, 128];
const WHITE: Colour = [255, 128, 128];

/// Letters a line has room for: those of the time.
const COLUMNS: usize = 16;

/// Dots that a letter takes, with the gaps around it.
const CELL: (usize, usize) = (font::WIDTH + 1, font::HEIGHT + 2);

/// The picture as it stands.
pub(super) struct Picture {
    width: usize,
    height: usize,
    planes: [Vec<u8>; 3],
    /// The bars as they were drawn: one line of each plane.
    bars: [Vec<u8>; 3],
    /// Where the text begins, pixels from the top.
    text_top: usize,
    /// Pixels for one dot of a letter.
    dot: usize,
    ball: Ball,
    /// What stands in the two lines of text.
    lines: [Vec<u8>; 2],
}

#[derive(Debug, Clone, Copy)]
struct Ball {
    left: usize,
    top: usize,
    side: usize,
}

impl Picture {
    /// The picture before its first frame; `None` for a size that no JPEG has, or too low for the text.
    pub(super) fn new(size: Size) -> Option<Self> {
        let (width, height) = (u16::try_from(size.width).ok()?, u16::try_from(size.height).ok()?);
        let (width, height) = (usize::from(width), usize::from(height));
        let dot = (width / (COLUMNS * CELL.0)).min(height / (4 * CELL.1)).max(1);
        let text_top = height.checked_sub(2 * CELL.1 * dot).filter(|&top| top > 0)?;
        let bars =
            [0, 1, 2].map(|plane| (0..width).map(|x| bar_colour(x * 8 / width)[plane]).collect::<Vec<u8>>());
        let planes = [0, 1, 2].map(|plane| {
            let mut pixels = bars[plane].repeat(text_top);
            pixels.resize(width * height, BLACK[plane]);
            pixels
        });
        let ball = Ball { left: 0, top: 0, side: (text_top / 6).min(width / 6).max(1) };
        Some(Self { width, height, planes, bars, text_top, dot, ball, lines: [Vec::new(), Vec::new()] })
    }

    /// Draws frame `number`, `elapsed` after the first, at this time since midnight.
    pub(super) fn draw(&mut self, number: u64, elapsed: Duration, time_of_day: Duration) {
        self.restore_bars();
        self.move_ball(elapsed);
        self.paint_ball();
        self.write(0, clock_text(time_of_day).into_bytes());
        self.write(1, format!("FRAME {number}").into_bytes());
    }

    /// Puts the bars back where the ball was.
    fn restore_bars(&mut self) {
        let Ball { left, top, side } = self.ball;
        for (plane, bars) in self.planes.iter_mut().zip(&self.bars) {
            for line in plane.chunks_exact_mut(self.width).skip(top).take(side) {
                line[left..left + side].copy_from_slice(&bars[left..left + side]);
            }
        }
    }

    /// Across in 4 s and back, down in 3 s and back.
    fn move_ball(&mut self, elapsed: Duration) {
        let side = self.ball.side;
        self.ball.left = to_and_fro(elapsed, 4000, self.width - side);
        self.ball.top = to_and_fro(elapsed, 3000, self.text_top - side);
    }

    fn paint_ball(&mut self) {
        let Ball { left, top, side } = self.ball;
        for (plane, value) in self.planes.iter_mut().zip(WHITE) {
            for (row, line) in plane.chunks_exact_mut(self.width).skip(top).take(side).enumerate() {
                let inset = circle_inset(row, side);
                line[left + inset..left + side - inset].fill(value);
            }
        }
    }

    /// Writes a line of text; only letters that changed are drawn.
    fn write(&mut self, line: usize, text: Vec<u8>) {
        let room = self.width / (CELL.0 * self.dot);
        for column in 0..room.min(text.len().max(self.lines[line].len())) {
            let letter = text.get(column).copied().unwrap_or(b' ');
            if self.lines[line].get(column) != Some(&letter) {
                self.paint_letter(line, column, letter);
            }
        }
        self.lines[line] = text;
    }

    fn paint_letter(&mut self, line: usize, column: usize, letter: u8) {
        let top = self.text_top + (line * CELL.1 + 1) * self.dot;
        let left = column * CELL.0 * self.dot + self.dot / 2;
        // Black and white differ in luma alone.
        for (row, bits) in font::rows(letter).into_iter().enumerate() {
            let lines = self.planes[0].chunks_exact_mut(self.width).skip(top + row * self.dot).take(self.dot);
            for pixels in lines {
                for (x, dot) in pixels[left..].chunks_exact_mut(self.dot).take(font::WIDTH).enumerate() {
                    let is_set = bits >> (font::WIDTH - 1 - x) & 1 == 1;
                    dot.fill(if is_set { WHITE[0] } else { BLACK[0] });
                }
            }
        }
    }
}

impl ImageBuffer for &Picture {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        // `Picture::new` took it from a u16.
        u16::try_from(self.width).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from(self.height).unwrap_or(u16::MAX)
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let start = usize::from(y) * self.width;
        for (buffer, plane) in buffers.iter_mut().zip(&self.planes) {
            buffer.extend_from_slice(&plane[start..start + self.width]);
        }
    }
}

/// White, yellow, cyan, green, magenta, red, blue, black: each at 75 % (JFIF's conversion, rounded).
const fn bar_colour(bar: usize) -> Colour {
    match bar {
        0 => [191, 128, 128],
        1 => [169, 32, 144],
        2 => [134, 160, 32],
        3 => [112, 65, 48],
        4 => [79, 191, 208],
        5 => [57, 96, 224],
        6 => [22, 224, 112],
        _ => BLACK,
    }
}

/// A place on a way of `length` that takes `period_ms` and then goes back.
fn to_and_fro(elapsed: Duration, period_ms: u64, length: usize) -> usize {
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let phase = elapsed_ms % (2 * period_ms);
    let phase = if phase < period_ms { phase } else { 2 * period_ms - phase };
    let length = u64::try_from(length).unwrap_or(0);
    usize::try_from(phase * length / period_ms).unwrap_or(0)
}

/// How far a circle in a square of `side` stays away from the left and right edges in this row.
fn circle_inset(row: usize, side: usize) -> usize {
    // In half pixels, so that the centre is a whole number.
    let from_centre = (2 * row + 1).abs_diff(side);
    let half_width = (side * side - from_centre * from_centre).isqrt();
    (side - half_width) / 2
}

fn clock_text(time_of_day: Duration) -> String {
    let (seconds, millis) = (time_of_day.as_secs(), time_of_day.subsec_millis());
    format!("{:02}:{:02}:{:02}.{millis:03} UTC", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        Picture::new(Size::new(width, height)).unwrap()
    }

    #[test]
    fn redrawing_what_moved_gives_the_same_as_drawing_anew() {
        let mut moving = picture(320, 240);
        for n in 0..200 {
            moving.draw(n, Duration::from_millis(n * 173), Duration::from_millis(n * 311));
        }
        let mut anew = picture(320, 240);
        anew.draw(199, Duration::from_millis(199 * 173), Duration::from_millis(199 * 311));
        assert!(moving.planes == anew.planes);
    }

    #[test]
    fn every_frame_looks_different() {
        let mut picture = picture(96, 64);
        picture.draw(0, Duration::ZERO, Duration::ZERO);
        for n in 1..100 {
            let before = picture.planes[0].clone();
            picture.draw(n, Duration::from_millis(n), Duration::from_millis(n));
            assert!(picture.planes[0] != before, "frame {n}");
        }
    }

    #[test]
    fn any_size_and_any_number_is_drawn_without_leaving_the_picture() {
        for (width, height) in [(96, 64), (97, 65), (640, 480), (4096, 64), (96, 4096), (1, 40), (333, 251)] {
            let mut picture = picture(width, height);
            for (number, elapsed) in [(0, 0), (u64::MAX, 3_599_999), (7, u64::MAX / 2)] {
                picture.draw(number, Duration::from_millis(elapsed), Duration::from_millis(elapsed));
            }
        }
        assert!(Picture::new(Size::new(640, 18)).is_none());
    }

    #[test]
    fn time_is_shown_in_hours_minutes_seconds_and_thousandths() {
        assert_eq!(clock_text(Duration::from_millis(3_723_004)), "01:02:03.004 UTC");
    }

    #[test]
    fn ball_goes_to_the_far_end_and_back() {
        let place = |ms| to_and_fro(Duration::from_millis(ms), 1000, 100);
        assert_eq!([place(0), place(500), place(1000), place(1500), place(2000)], [0, 50, 100, 50, 0]);
    }
}
