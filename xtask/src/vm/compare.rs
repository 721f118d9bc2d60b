//! Whether a screen shows what it should: compared with the camera's frames as another decoder decodes them.
//!
//! Every answer is either what was seen, or in words how far it is from what was expected.

use std::cmp::Ordering;

use super::chart;
use super::picture::Picture;

/// The side of the squares whose means are compared.
const BLOCK: usize = 16;

/// How far the mean of such a square, or the middle of a bar, may be off.
const BLOCK_OFF: f64 = 16.0;
const BAR_OFF: f64 = 10.0;

/// As dark as black must be around the picture.
const BLACK: u8 = 8;

/// The colours of the display's own words and of what is behind them, and how far they may be off.
const WORDS: [[u8; 3]; 2] = [[0xF0, 0xF0, 0xF0], [0xFF, 0xB0, 0x00]];
const GROUND: [u8; 3] = [0x10, 0x14, 0x18];

/// Of how many pixels at least one belongs to words, and to the title of an alarm.
const LEAST_WORDS: usize = 100;
const LEAST_TITLE: usize = 200;
const COLOUR_OFF: u8 = 9;

/// Console text of one character may differ: a cursor.
const CURSOR: usize = 16 * 32;

/// Knows what the camera shows.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    pub(super) frames: &'a [Picture],
    /// Bits per pixel of the screen.
    pub(super) depth: u32,
}

/// How far a screen is from one frame.
#[derive(Debug)]
struct Distance {
    /// The largest of the channels' mean differences.
    mean: f64,
    /// How far the mean of the worst square is off, and where it is.
    block: f64,
    at: (usize, usize),
}

impl Judge<'_> {
    /// The frame that is shown pixel for pixel, counted from 1.
    pub(super) fn exact(&self, screen: &Picture) -> Result<usize, String> {
        let mut nearest: Option<(usize, Distance)> = None;
        for (at, frame) in self.frames.iter().enumerate() {
            if (screen.width, screen.height) != (frame.width, frame.height) {
                return Err(sizes(screen, frame));
            }
            let distance = distance(screen, frame);
            if distance.mean <= self.mean_off() && distance.block <= BLOCK_OFF {
                return Ok(at + 1);
            }
            if nearest.as_ref().is_none_or(|(_, best)| distance.mean < best.mean) {
                nearest = Some((at + 1, distance));
            }
        }
        let Some((number, Distance { mean, block, at })) = nearest else {
            return Err("there are no frames".into());
        };
        Err(format!(
            "nearest is frame {number}: mean difference {mean:.2} (at most {:.0}), worst square off by {block:.1} (at most \
             {BLOCK_OFF:.0}) at {},{}",
            self.mean_off(),
            at.0,
            at.1
        ))
    }

    /// The frame that is shown as large as the screen allows, in its middle, with black around it.
    pub(super) fn scaled(&self, screen: &Picture) -> Result<usize, String> {
        let mut nearest = String::from("there are no frames");
        let mut least = f64::MAX;
        for (at, frame) in self.frames.iter().enumerate() {
            let fit = Fit::new(frame, screen);
            fit.black_around(screen)?;
            fit.bars(screen, frame)?;
            let (off, place) = fit.worst_block(screen, frame);
            if off <= BLOCK_OFF {
                return Ok(at + 1);
            }
            if off < least {
                least = off;
                nearest = format!(
                    "nearest is frame {}: worst square off by {off:.1} (at most {BLOCK_OFF:.0}) at {},{} of the frame",
                    at + 1,
                    place.0,
                    place.1
                );
            }
        }
        Err(nearest)
    }

    /// Whether there is nothing damaged: a frame, two frames with one seam (the screen was read in the middle of a
    /// copy), or the display's own words. What it was.
    pub(super) fn sound(&self, screen: &Picture) -> Result<String, String> {
        let why = match self.exact(screen) {
            Ok(number) => return Ok(format!("frame {number}")),
            Err(why) => why,
        };
        if words(screen).is_ok() {
            return Ok("words".into());
        }
        self.seam(screen).ok_or(why)
    }

    /// Two frames, one above the other, and on the whole as near as one alone must be.
    fn seam(&self, screen: &Picture) -> Option<String> {
        let fits = |frame: &Picture, y: usize| row_fits(screen.row(y), frame.row(y));
        let rows_from_top = |frame: &Picture| (0..screen.height).take_while(|y| fits(frame, *y)).count();
        let (top, rows) = self.frames.iter().map(rows_from_top).enumerate().max_by_key(|(_, rows)| *rows)?;
        // The row in which the seam is may itself be of both.
        let below = |frame: &Picture| (rows + 1..screen.height).all(|y| fits(frame, y));
        let bottom = self.frames.iter().position(below)?;
        let (above, below) = (self.frames.get(top)?, self.frames.get(bottom)?);
        let joined = Picture::draw(screen.width, screen.height, |x, y| match y.cmp(&rows) {
            Ordering::Less => above.at(x, y),
            Ordering::Equal => screen.at(x, y),
            Ordering::Greater => below.at(x, y),
        });
        let near = distance(screen, &joined).mean <= self.mean_off();
        near.then(|| format!("frames {} and {} with a seam at row {rows}", top + 1, bottom + 1))
    }

    /// How far the mean of a channel may be off: with five bits a colour it is, by rounding alone.
    fn mean_off(&self) -> f64 {
        if self.depth == 16 { 5.0 } else { 2.0 }
    }
}

/// How many pixels there are of the display's own words: in each of [`WORDS`]' colours. They stand on its own background,
/// with nothing else on the screen, and are no mere dot.
pub(super) fn words(screen: &Picture) -> Result<[usize; 2], String> {
    let near =
        |pixel: &[u8; 3], colour: [u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= COLOUR_OFF);
    let (mut ground, mut words) = (0_usize, [0_usize; 2]);
    for pixel in (0..screen.height).flat_map(|y| screen.row(y)) {
        if near(pixel, GROUND) {
            ground += 1;
        } else {
            let colour = words.iter_mut().zip(WORDS).find(|(_, colour)| near(pixel, *colour));
            colour.into_iter().for_each(|(count, _)| *count += 1);
        }
    }
    let (all, area) = (words.iter().sum::<usize>(), screen.width * screen.height);
    let other = area - ground - all;
    if other == 0 && ground > all && all * LEAST_WORDS >= area {
        return Ok(words);
    }
    Err(format!(
        "no words on the screen: of {area} pixels {all} have their colours, {other} neither these nor their ground's"
    ))
}

/// Whether the words have the title that tells of a missing picture: in its own colour.
pub(super) fn alarm(screen: &Picture) -> Result<(), String> {
    let [_, title] = words(screen)?;
    let area = screen.width * screen.height;
    if title * LEAST_TITLE >= area {
        return Ok(());
    }
    Err(format!(
        "the words on the screen have no title that stands out: {title} of {area} pixels have its colour"
    ))
}

/// Whether two screens are the same, up to a cursor.
pub(super) fn same(screen: &Picture, other: &Picture) -> Result<(), String> {
    if (screen.width, screen.height) != (other.width, other.height) {
        return Err(sizes(screen, other));
    }
    let differing = |y: usize| screen.row(y).iter().zip(other.row(y)).filter(|(a, b)| a != b).count();
    let count: usize = (0..screen.height).map(differing).sum();
    if count <= CURSOR { Ok(()) } else { Err(format!("{count} pixels differ")) }
}

/// Where a frame lies on a screen.
#[derive(Debug)]
struct Fit {
    scale: f64,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Fit {
    fn new(frame: &Picture, screen: &Picture) -> Self {
        let [width, height, across, down] =
            [frame.width, frame.height, screen.width, screen.height].map(|side| side as f64);
        let scale = (across / width).min(down / height);
        let (left, top) = ((across - width * scale) / 2.0, (down - height * scale) / 2.0);
        Self { scale, left, top, right: across - left, bottom: down - top }
    }

    /// The mean of what shows an area of the frame.
    fn mean(&self, screen: &Picture, area: [usize; 4]) -> [f64; 3] {
        let [left, top, right, bottom] = area.map(|side| side as f64 * self.scale);
        let [left, right] = [left, right].map(|x| (x + self.left).round() as usize);
        let [top, bottom] = [top, bottom].map(|y| (y + self.top).round() as usize);
        screen.mean(left, top, right, bottom)
    }

    fn black_around(&self, screen: &Picture) -> Result<(), String> {
        let inside = |x: usize, y: usize| {
            let (x, y) = (x as f64, y as f64);
            x + 2.0 > self.left && x - 1.0 < self.right && y + 2.0 > self.top && y - 1.0 < self.bottom
        };
        for y in 0..screen.height {
            for (x, pixel) in screen.row(y).iter().enumerate() {
                if !inside(x, y) && pixel.iter().any(|colour| *colour > BLACK) {
                    return Err(format!("the screen around the picture is not black: {pixel:?} at {x},{y}"));
                }
            }
        }
        Ok(())
    }

    fn bars(&self, screen: &Picture, frame: &Picture) -> Result<(), String> {
        for (number, (x, y)) in chart::bar_middles().enumerate() {
            let (x, y) = ((x * frame.width as f64) as usize, (y * frame.height as f64) as usize);
            let area = [x.saturating_sub(2), y.saturating_sub(2), x + 3, y + 3];
            let [left, top, right, bottom] = area;
            let (is, should) = (self.mean(screen, area), frame.mean(left, top, right, bottom));
            if off(is, should) > BAR_OFF {
                return Err(format!(
                    "bar {}: the colour in its middle is {is:.0?}, not {should:.0?}",
                    number + 1
                ));
            }
        }
        Ok(())
    }

    fn worst_block(&self, screen: &Picture, frame: &Picture) -> (f64, (usize, usize)) {
        let mut worst = (0.0, (0, 0));
        for top in (0..frame.height).step_by(BLOCK) {
            for left in (0..frame.width).step_by(BLOCK) {
                let (right, bottom) = ((left + BLOCK).min(frame.width), (top + BLOCK).min(frame.height));
                let is = self.mean(screen, [left, top, right, bottom]);
                let off = off(is, frame.mean(left, top, right, bottom));
                if off > worst.0 {
                    worst = (off, (left, top));
                }
            }
        }
        worst
    }
}

fn distance(screen: &Picture, frame: &Picture) -> Distance {
    let mut sums = [0_u64; 3];
    for y in 0..screen.height {
        for (a, b) in screen.row(y).iter().zip(frame.row(y)) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += u64::from(a.abs_diff(*b));
            }
        }
    }
    let area = (screen.width * screen.height) as f64;
    let mean = sums.map(|sum| sum as f64 / area).into_iter().fold(0.0, f64::max);
    let (block, at) = Fit::new(frame, screen).worst_block(screen, frame);
    Distance { mean, block, at }
}

/// Piece by piece, so that a small damage is not lost in the mean of a long row.
fn row_fits(a: &[[u8; 3]], b: &[[u8; 3]]) -> bool {
    a.chunks(BLOCK).zip(b.chunks(BLOCK)).all(|(a, b)| {
        let sum: u32 =
            a.as_flattened().iter().zip(b.as_flattened()).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        f64::from(sum) <= BLOCK_OFF * a.as_flattened().len() as f64
    })
}

fn off(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn sizes(screen: &Picture, other: &Picture) -> String {
    format!("the screen has {}x{} pixels, not {}x{}", screen.width, screen.height, other.width, other.height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Picture> {
        let chart = chart::Chart { width: 160, height: 120, has_tables: true };
        (1..=3).map(|number| chart.draw(number)).collect()
    }

    fn changed(picture: &Picture, change: impl Fn(usize, usize, [u8; 3]) -> [u8; 3]) -> Picture {
        Picture::draw(picture.width, picture.height, |x, y| change(x, y, picture.at(x, y)))
    }

    /// As large again, in the middle of a wider screen.
    fn scaled(frame: &Picture, border: u8) -> Picture {
        Picture::draw(400, 240, |x, y| {
            if (40..360).contains(&x) { frame.at((x - 40) / 2, y / 2) } else { [border; 3] }
        })
    }

    #[test]
    fn a_frame_is_known_by_its_number() {
        let frames = frames();
        let judge = Judge { frames: &frames, depth: 32 };
        assert_eq!(judge.exact(&frames[2]), Ok(3));
        assert_eq!(judge.sound(&frames[0]), Ok("frame 1".into()));
        let noisy = changed(&frames[1], |x, _, pixel| if x % 2 == 0 { pixel.map(|c| c ^ 2) } else { pixel });
        assert_eq!(judge.exact(&noisy), Ok(2));
    }

    #[test]
    fn what_a_wrong_program_would_paint_is_refused() {
        let frames = frames();
        for depth in [16, 32] {
            let judge = Judge { frames: &frames, depth };
            let swapped = changed(&frames[0], |_, _, [r, g, b]| [b, g, r]);
            let shifted = changed(&frames[0], |x, y, _| frames[0].at(x.saturating_sub(1), y));
            let skewed = changed(&frames[0], |x, y, _| frames[0].at((x + y) % 160, y));
            let grey_square =
                changed(&frames[0], |x, y, pixel| if x < 16 && y < 16 { [128; 3] } else { pixel });
            let black = changed(&frames[0], |_, _, _| [0; 3]);
            for (name, wrong) in [
                ("swapped", swapped),
                ("shifted", shifted),
                ("skewed", skewed),
                ("square", grey_square),
                ("black", black),
            ] {
                assert!(judge.exact(&wrong).is_err(), "{name} at {depth}");
                assert!(judge.sound(&wrong).is_err(), "{name} at {depth}");
            }
        }
        let judge = Judge { frames: &frames, depth: 32 };
        let coarse = changed(&frames[0], |_, _, pixel| pixel.map(|colour| colour & 0xF8));
        assert!(judge.exact(&coarse).is_err());
        assert_eq!(Judge { depth: 16, ..judge }.exact(&coarse), Ok(1));
    }

    #[test]
    fn a_seam_between_two_whole_frames_is_no_damage() {
        let frames = frames();
        let judge = Judge { frames: &frames, depth: 32 };
        let torn = changed(&frames[0], |x, y, _| frames[usize::from(y > 100)].at(x, y));
        assert!(judge.exact(&torn).is_err());
        assert!(judge.sound(&torn).unwrap().starts_with("frames 1 and 2 with a seam"));
        let twice = changed(&frames[0], |x, y, _| frames[usize::from((90..100).contains(&y))].at(x, y));
        assert!(judge.sound(&twice).is_err());
        let pale = changed(&frames[0], |_, _, pixel| pixel.map(|colour| colour.saturating_add(12)));
        assert!(judge.sound(&pale).is_err(), "no seam, but off everywhere");
        let pale = changed(&torn, |_, _, pixel| pixel.map(|colour| colour.saturating_add(12)));
        assert!(judge.sound(&pale).is_err());
    }

    #[test]
    fn words_are_known_by_their_background() {
        let text = |colour: [u8; 3], rows: usize| {
            Picture::draw(160, 120, |x, y| if y < rows && x % 3 == 0 { colour } else { GROUND })
        };
        let [white, amber] = WORDS;
        let frames = frames();
        assert_eq!(Judge { frames: &frames, depth: 32 }.sound(&text(white, 10)), Ok("words".into()));
        assert!(words(&text(white, 0)).is_err() && words(&text(white, 1)).is_err(), "a dot is no word");
        assert!(words(&frames[0]).is_err());
        let half = changed(&text(white, 10), |x, y, pixel| if y < 100 { pixel } else { frames[0].at(x, y) });
        assert!(words(&half).is_err());
        assert_eq!(alarm(&text(amber, 10)), Ok(()));
        assert!(alarm(&text(white, 10)).unwrap_err().contains("stands out"));
    }

    #[test]
    fn a_scaled_frame_has_black_around_it_and_its_colours_in_place() {
        let frames = frames();
        let judge = Judge { frames: &frames, depth: 32 };
        assert_eq!(judge.scaled(&scaled(&frames[1], 0)), Ok(2));
        assert!(judge.scaled(&scaled(&frames[1], 40)).unwrap_err().contains("not black"));
        let stretched = Picture::draw(400, 240, |x, y| frames[1].at(x * 160 / 400, y / 2));
        assert!(judge.scaled(&stretched).is_err());
        let swapped = changed(&scaled(&frames[1], 0), |_, _, [r, g, b]| [b, g, r]);
        assert!(judge.scaled(&swapped).unwrap_err().contains("bar 2"));
    }

    #[test]
    fn two_screens_are_the_same_but_for_a_cursor() {
        let screen = Picture::draw(160, 120, |_, _| [0; 3]);
        let cursor = changed(&screen, |x, y, _| if x < 8 && y < 16 { [255; 3] } else { [0; 3] });
        assert_eq!(same(&screen, &cursor), Ok(()));
        let line = changed(&screen, |_, y, _| if y < 8 { [255; 3] } else { [0; 3] });
        assert_eq!(same(&screen, &line), Err("1280 pixels differ".into()));
    }
}
