//! What the guests' camera sees: a test chart in several numbered versions, as JPEGs with 4:2:2 colours.
//!
//! Colour bars above, smooth ramps in the middle, below a large number, which differs from frame to frame, beside a
//! fine pattern, in which a shift by one pixel shows. The JPEGs are encoded by `cjpeg`; `djpeg` decodes them to what
//! the screen is compared with, so that the decoder under test is not its own judge.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::picture::Picture;
use crate::failure::{Failure, Result};
use crate::process;

/// How many versions there are.
pub(super) const FRAMES: usize = 6;

/// The colours of the bars, from the left.
const BARS: [[u8; 3]; 8] = [
    [235, 235, 235],
    [235, 235, 20],
    [20, 235, 235],
    [20, 235, 20],
    [235, 20, 235],
    [235, 20, 20],
    [20, 20, 235],
    [20, 20, 20],
];

/// The lit segments of each digit: upper, upper right, lower right, lower, lower left, upper left, middle.
const SEGMENTS: [[bool; 7]; 10] = {
    const ON: bool = true;
    const NO: bool = false;
    [
        [ON, ON, ON, ON, ON, ON, NO],
        [NO, ON, ON, NO, NO, NO, NO],
        [ON, ON, NO, ON, ON, NO, ON],
        [ON, ON, ON, ON, NO, NO, ON],
        [NO, ON, ON, NO, NO, ON, ON],
        [ON, NO, ON, ON, NO, ON, ON],
        [ON, NO, ON, ON, ON, ON, ON],
        [ON, ON, ON, NO, NO, NO, NO],
        [ON, ON, ON, ON, ON, ON, ON],
        [ON, ON, ON, ON, NO, ON, ON],
    ]
};

/// What is to be seen, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Chart {
    pub(super) width: usize,
    pub(super) height: usize,
    /// With the Huffman tables that many USB cameras leave out, because they are always the same.
    pub(super) has_tables: bool,
}

/// The chart's JPEGs, and what they show.
#[derive(Debug)]
pub(super) struct Frames {
    /// Each as the camera sends it.
    pub(super) jpegs: Vec<Vec<u8>>,
    /// Each as `djpeg` decodes it.
    pub(super) pictures: Vec<Picture>,
}

impl Chart {
    /// Encodes all versions, and decodes them again, with files in `folder`.
    pub(super) fn frames(self, folder: &Path) -> Result<Frames> {
        let (mut jpegs, mut pictures) = (Vec::new(), Vec::new());
        for number in 1..=FRAMES {
            let [drawn, jpeg, decoded] = ["drawn.ppm", "jpeg", "decoded.ppm"].map(|file| folder.join(file));
            write(&drawn, &self.draw(number).to_ppm())?;
            // Neither optimised nor progressive: the tables are then those of the standard.
            run(Command::new("cjpeg")
                .args(["-quality", "92", "-sample", "2x1", "-outfile"])
                .args([&jpeg, &drawn]))?;
            run(Command::new("djpeg").args(["-ppm", "-outfile"]).args([&decoded, &jpeg]))?;
            let bytes = read(&jpeg)?;
            let unreadable = || Failure::new(format!("`djpeg` made no PPM of {}.", jpeg.display()));
            pictures.push(Picture::from_ppm(&read(&decoded)?).ok_or_else(unreadable)?);
            jpegs.push(if self.has_tables { bytes } else { without_tables(&bytes) });
        }
        Ok(Frames { jpegs, pictures })
    }

    /// One version.
    pub(super) fn draw(self, number: usize) -> Picture {
        let Self { width, height, .. } = self;
        let (bars_end, ramps_end) = (height * 2 / 5, height * 3 / 5);
        Picture::draw(width, height, |x, y| {
            if y < bars_end {
                BARS.get(x * BARS.len() / width).copied().unwrap_or_default()
            } else if y < ramps_end {
                let up = shade(x * 255 / width);
                if y < height / 2 { [up; 3] } else { [up, shade((y * 7) % 256), 255 - up] }
            } else if x < width / 2 {
                let lit =
                    digit(number % 10, x * 100 / (width / 2), (y - ramps_end) * 100 / (height - ramps_end));
                if lit { [240; 3] } else { [24, 32, 72] }
            } else {
                // Squares of two pixels: fine enough for a shift by one to show, coarse enough for JPEG.
                if (x / 2 + y / 2) % 2 == 0 { [88; 3] } else { [168; 3] }
            }
        })
    }
}

/// Where the middles of the bars are: in fractions of the width, and of the height.
pub(super) fn bar_middles() -> impl Iterator<Item = (f64, f64)> {
    let middles = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5];
    middles.into_iter().map(|middle| (middle / 8.0, 0.2))
}

/// Whether a digit is lit at a place, both coordinates from 0 to 99.
fn digit(number: usize, x: usize, y: usize) -> bool {
    let (thin_x, thin_y) = (12, 10);
    let (left, right, top, bottom) = (25, 75, 8, 92);
    if !(left..right).contains(&x) || !(top..bottom).contains(&y) {
        return false;
    }
    let middle = usize::midpoint(top, bottom);
    let (at_left, at_right) = (x < left + thin_x, x >= right - thin_x);
    let upper = y < middle;
    let lies_in = [
        y < top + thin_y,
        at_right && upper,
        at_right && !upper,
        y >= bottom - thin_y,
        at_left && !upper,
        at_left && upper,
        y.abs_diff(middle) < thin_y / 2,
    ];
    SEGMENTS.get(number).is_some_and(|lit| lit.iter().zip(lies_in).any(|(lit, lies_in)| *lit && lies_in))
}

/// A JPEG without its `DHT` segments.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let Some((start, mut rest)) = jpeg.split_at_checked(2) else { return jpeg.to_vec() };
    let mut out = start.to_vec();
    // Marker, length (which counts itself), contents; up to the start of scan, after which come the pictures' bits.
    while let [0xFF, marker, high, low, ..] = *rest {
        let length = 2 + usize::from(u16::from_be_bytes([high, low]));
        let Some((segment, behind)) = rest.split_at_checked(length).filter(|_| marker != 0xDA) else { break };
        if marker != 0xC4 {
            out.extend(segment);
        }
        rest = behind;
    }
    out.extend(rest);
    out
}

fn shade(value: usize) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

fn run(command: &mut Command) -> Result {
    process::read_within(command, Duration::from_secs(30)).map(|_| ())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Failure::new(format!("{}: {error}.", path.display())))
}

fn write(path: &Path, bytes: &[u8]) -> Result {
    fs::write(path, bytes).map_err(|error| Failure::new(format!("{}: {error}.", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHART: Chart = Chart { width: 320, height: 240, has_tables: true };

    #[test]
    fn versions_differ_where_the_number_is_and_nowhere_else() {
        let (one, two) = (CHART.draw(1), CHART.draw(2));
        let differs = |left, top, right, bottom| {
            one.mean(left, top, right, bottom) != two.mean(left, top, right, bottom)
        };
        assert!(differs(0, 150, 160, 240));
        assert!(!differs(0, 0, 320, 144) && !differs(160, 150, 320, 240));
    }

    #[test]
    fn the_middles_of_the_bars_have_the_bars_colours() {
        let chart = CHART.draw(1);
        let colours = bar_middles().map(|(x, y)| {
            let number =
                |fraction: f64, of: f64| (0..320).find(|n| f64::from(*n) >= (fraction * of).floor()).unwrap();
            chart.at(usize::try_from(number(x, 320.0)).unwrap(), usize::try_from(number(y, 240.0)).unwrap())
        });
        assert_eq!(colours.collect::<Vec<_>>(), BARS);
    }

    #[test]
    fn tables_are_cut_out_and_nothing_else() {
        let jpeg = b"\xff\xd8\xff\xdb\0\x04qq\xff\xc4\0\x05hhh\xff\xc0\0\x03f\xff\xc4\0\x03h\xff\xda\0\x02\xff\xc4\0\x03";
        let expected = b"\xff\xd8\xff\xdb\0\x04qq\xff\xc0\0\x03f\xff\xda\0\x02\xff\xc4\0\x03";
        assert_eq!(without_tables(jpeg), expected);
        for broken in [&b""[..], b"\xff", b"\xff\xd8\xff\xc4", b"\xff\xd8\xff\xc4\xff\xff"] {
            assert_eq!(without_tables(broken), broken);
        }
    }
}
