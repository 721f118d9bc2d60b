//! Fitting a picture onto a canvas: where it goes (letterboxed, never distorted) and how it is scaled.
//!
//! Smaller: each pixel is the average of the area that it covers. Larger: bilinear. Same size: an exact copy.
//! Rows are combined first, which is plain byte arithmetic that compilers vectorize, then the columns of the one
//! row that results. All in integers, with tables made once for each pair of sizes. Colours are averaged as stored
//! (gamma-encoded), as browsers and players do. What a device wants of the pixels is `fit/layout.rs`.

pub(crate) mod layout;

use std::ops::Range;

use crate::canvas::{Canvas, Rect, Size};
use crate::decode::Picture;

/// What the weights of one pixel add up to.
const ONE: u32 = 1 << SHIFT;
const SHIFT: u32 = 12;
const HALF: u32 = ONE / 2;

/// The proportions of one pixel of a device: 1:1 on screens; a terminal's character cells decide otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PixelShape {
    /// Its width in any unit, not zero.
    pub(crate) width: usize,
    /// Its height in the same unit, not zero.
    pub(crate) height: usize,
}

impl PixelShape {
    /// As wide as high.
    pub(crate) const SQUARE: Self = Self { width: 1, height: 1 };
}

/// Where a picture of size `source` goes on a surface of size `target`: as large as possible, in the middle, its
/// proportions kept. Pixels of the source are square; those of the target have the shape `shape`.
pub(crate) fn place(source: Size, target: Size, shape: PixelShape) -> Rect {
    let (across, down) =
        (target.width * shape.width * source.height, target.height * shape.height * source.width);
    let size = if across <= down {
        let height = rounded(across, source.width * shape.height);
        Size::new(target.width, height.clamp(1, target.height.max(1)))
    } else {
        let width = rounded(down, source.height * shape.width);
        Size::new(width.clamp(1, target.width.max(1)), target.height)
    };
    Rect {
        left: target.width.saturating_sub(size.width) / 2,
        top: target.height.saturating_sub(size.height) / 2,
        size,
    }
}

/// Scales pictures, and keeps the tables for the last pair of sizes.
#[derive(Debug)]
pub(crate) struct Fitter {
    columns: Axis,
    rows: Axis,
    /// Sums of one row of bytes, and the row that they make.
    sums: Vec<u32>,
    row: Vec<u8>,
}

impl Fitter {
    /// A fitter without tables: they are made when first needed.
    pub(crate) const fn new() -> Self {
        Self { columns: Axis::new(), rows: Axis::new(), sums: Vec::new(), row: Vec::new() }
    }

    /// Draws the whole picture onto `area` of the canvas, and touches nothing else.
    pub(crate) fn draw(&mut self, picture: &Picture, canvas: &mut Canvas, area: Rect) {
        let source = picture.size();
        if source.width == 0 || source.height == 0 {
            return;
        }
        self.columns.prepare(source.width, area.size.width);
        self.rows.prepare(source.height, area.size.height);
        self.sums.resize(source.width * 3, 0);
        self.row.resize(source.width * 3, 0);
        for (y, tap) in self.rows.taps.iter().enumerate() {
            let row = match *self.rows.weights(tap) {
                [_] => picture.row(tap.first),
                [upper, lower] => {
                    blend(picture.row(tap.first), upper, picture.row(tap.first + 1), lower, &mut self.row);
                    &self.row
                }
                ref weights => {
                    average(picture, tap.first, weights, &mut self.sums, &mut self.row);
                    &self.row
                }
            };
            let out = canvas.span_mut(area.top + y, area.left, area.size.width);
            self.columns.apply(row, out);
        }
    }
}

/// One dimension of the scaling: for each target pixel the source pixels that make it, and their weights.
#[derive(Debug)]
struct Axis {
    source: usize,
    target: usize,
    taps: Vec<Tap>,
    weights: Vec<u32>,
}

/// The source pixels of one target pixel: from `first` on, one for each of the weights in this range.
#[derive(Debug)]
struct Tap {
    first: usize,
    weights: Range<usize>,
}

impl Axis {
    const fn new() -> Self {
        Self { source: 0, target: 0, taps: Vec::new(), weights: Vec::new() }
    }

    /// Makes the tables for `source` to `target` pixels, unless they are there.
    fn prepare(&mut self, source: usize, target: usize) {
        if (self.source, self.target) == (source, target) {
            return;
        }
        (self.source, self.target) = (source, target);
        self.taps.clear();
        self.weights.clear();
        for i in 0..target {
            let start = self.weights.len();
            let first = if target < source { self.cover(i) } else { self.interpolate(i) };
            self.taps.push(Tap { first, weights: start..self.weights.len() });
        }
    }

    /// Smaller: target pixel `i` covers the source from `i·source/target` to `(i+1)·source/target`; each source
    /// pixel weighs what it shares of that. Counted in units of `1/target` of a source pixel, so all is exact, and
    /// rounding the running sum instead of each weight makes the weights add up to [`ONE`].
    fn cover(&mut self, i: usize) -> usize {
        let (source, target) = (self.source, self.target);
        let (start, end) = (i * source, (i + 1) * source);
        let first = start / target;
        let mut below = 0;
        for pixel in first..end.div_ceil(target) {
            let covered = end.min((pixel + 1) * target) - start;
            let up_to = share(covered, source);
            self.weights.push(up_to - below);
            below = up_to;
        }
        first
    }

    /// Larger or equal: the two source pixels between whose centres the centre of target pixel `i` lies.
    fn interpolate(&mut self, i: usize) -> usize {
        let (source, target) = (self.source, self.target);
        let centre = ((2 * i + 1) * source).saturating_sub(target);
        let (first, beyond) = (centre / (2 * target), centre % (2 * target));
        let second = share(beyond, 2 * target);
        if second == 0 || first + 1 >= source {
            self.weights.push(ONE);
        } else {
            self.weights.extend([ONE - second, second]);
        }
        first.min(source - 1)
    }

    fn weights(&self, tap: &Tap) -> &[u32] {
        self.weights.get(tap.weights.clone()).unwrap_or(&[])
    }

    /// Makes a row of canvas pixels of a row of RGB bytes.
    fn apply(&self, row: &[u8], out: &mut [u32]) {
        let (pixels, _) = row.as_chunks::<3>();
        if self.source == self.target {
            for (out, &rgb) in out.iter_mut().zip(pixels) {
                *out = pack(rgb.map(u32::from));
            }
            return;
        }
        for (out, tap) in out.iter_mut().zip(&self.taps) {
            let mut sum = [HALF; 3];
            for (rgb, weight) in pixels.iter().skip(tap.first).zip(self.weights(tap)) {
                for (sum, &byte) in sum.iter_mut().zip(rgb) {
                    *sum += u32::from(byte) * weight;
                }
            }
            *out = pack(sum.map(|sum| sum >> SHIFT));
        }
    }
}

/// `part` of `whole` in units of `1/ONE`, rounded.
fn share(part: usize, whole: usize) -> u32 {
    u32::try_from(rounded(part << SHIFT, whole)).unwrap_or(ONE)
}

const fn rounded(value: usize, divisor: usize) -> usize {
    (value + divisor / 2) / divisor
}

const fn pack([red, green, blue]: [u32; 3]) -> u32 {
    red << 16 | green << 8 | blue
}

/// The weighted mean of two rows.
fn blend(upper: &[u8], upper_weight: u32, lower: &[u8], lower_weight: u32, row: &mut [u8]) {
    for ((out, &a), &b) in row.iter_mut().zip(upper).zip(lower) {
        *out = byte(u32::from(a) * upper_weight + u32::from(b) * lower_weight + HALF);
    }
}

/// The weighted mean of as many rows as there are weights.
fn average(picture: &Picture, first: usize, weights: &[u32], sums: &mut [u32], row: &mut [u8]) {
    sums.fill(HALF);
    for (y, &weight) in weights.iter().enumerate() {
        for (sum, &value) in sums.iter_mut().zip(picture.row(first + y)) {
            *sum += u32::from(value) * weight;
        }
    }
    for (out, &sum) in row.iter_mut().zip(sums.iter()) {
        *out = byte(sum);
    }
}

/// A weighted sum of bytes, as a byte. The weights add up to [`ONE`], so it cannot exceed 255; `as`, because a
/// checked conversion keeps the loops around it from being vectorized.
const fn byte(sum: u32) -> u8 {
    (sum >> SHIFT) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose pixel (x, y) has these bytes.
    fn picture(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 3]) -> Picture {
        let rgb = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| pixel(x, y))
            .collect();
        Picture::from_rgb(Size::new(width, height), rgb)
    }

    fn scaled(picture: &Picture, width: usize, height: usize) -> Vec<u32> {
        let mut canvas = Canvas::new();
        canvas.resize(Size::new(width, height));
        Fitter::new().draw(picture, &mut canvas, Rect::whole(Size::new(width, height)));
        canvas.pixels().to_vec()
    }

    fn noise(x: usize, y: usize) -> [u8; 3] {
        let mixed = (x * 7919 + y * 104_729 + 12_345) ^ (x * y * 31);
        [mixed & 255, (mixed >> 3) & 255, (mixed >> 7) & 255].map(|value| u8::try_from(value).unwrap())
    }

    #[test]
    fn same_size_is_an_exact_copy() {
        let source = picture(37, 23, noise);
        for (i, pixel) in scaled(&source, 37, 23).into_iter().enumerate() {
            let [red, green, blue] = noise(i % 37, i / 37);
            assert_eq!(pixel, u32::from_be_bytes([0, red, green, blue]), "pixel {i}");
        }
    }

    #[test]
    fn halving_averages_the_four_pixels_covered() {
        let source = picture(4, 2, |x, y| [u8::try_from(x * 10 + y * 100).unwrap(), 255, 0]);
        // (0+10+100+110)/4 = 55, (20+30+120+130)/4 = 75
        assert_eq!(scaled(&source, 2, 1), [0x0037_FF00, 0x004B_FF00]);
    }

    #[test]
    fn averaging_agrees_with_exact_area_weights() {
        let (width, height, new_width, new_height) = (50, 41, 17, 12);
        let source = picture(width, height, noise);
        let result = scaled(&source, new_width, new_height);
        let overlap = |i: usize, pixel: usize, old: usize, new: usize| {
            let (start, end) = ((i * old).max(pixel * new), ((i + 1) * old).min((pixel + 1) * new));
            end.saturating_sub(start) as f64 / old as f64
        };
        for (i, pixel) in result.into_iter().enumerate() {
            let (x, y) = (i % new_width, i / new_width);
            let mut exact = 0.0;
            for sy in 0..height {
                for sx in 0..width {
                    let weight = overlap(x, sx, width, new_width) * overlap(y, sy, height, new_height);
                    exact += weight * f64::from(noise(sx, sy)[1]);
                }
            }
            let green = f64::from(pixel >> 8 & 255);
            assert!((green - exact).abs() <= 1.1, "({x}, {y}): {green} instead of {exact}");
        }
    }

    #[test]
    fn doubling_interpolates_between_pixel_centres_and_keeps_the_edges() {
        let source = picture(2, 1, |x, _| [u8::try_from(x * 200).unwrap(), 0, 0]);
        let reds: Vec<u32> = scaled(&source, 4, 3).into_iter().map(|pixel| pixel >> 16).collect();
        assert_eq!(reds, [0, 50, 150, 200].repeat(3));
    }

    #[test]
    fn a_flat_colour_stays_exactly_that_colour_at_any_size() {
        for value in [0, 1, 127, 254, 255] {
            let source = picture(31, 19, |_, _| [value; 3]);
            for (width, height) in [(1, 1), (7, 5), (30, 18), (31, 40), (64, 19), (101, 77)] {
                let grey = u32::from_be_bytes([0, value, value, value]);
                assert!(
                    scaled(&source, width, height).iter().all(|&p| p == grey),
                    "{value} at {width}x{height}"
                );
            }
        }
    }

    #[test]
    fn weights_of_every_pixel_add_up_and_stay_inside_the_source() {
        for source in [1, 2, 3, 7, 480, 720, 1080, 8192] {
            for target in [1, 2, 5, 479, 481, 1079, 1920] {
                let mut axis = Axis::new();
                axis.prepare(source, target);
                for tap in &axis.taps {
                    let weights = axis.weights(tap);
                    assert_eq!(weights.iter().sum::<u32>(), ONE, "{source} to {target}");
                    assert!(tap.first + weights.len() <= source, "{source} to {target}");
                }
            }
        }
    }

    #[test]
    fn pictures_are_letterboxed_in_the_middle() {
        let at = |left, top, width, height| Rect { left, top, size: Size::new(width, height) };
        let square = PixelShape::SQUARE;
        assert_eq!(place(Size::new(640, 480), Size::new(640, 480), square), at(0, 0, 640, 480));
        assert_eq!(place(Size::new(640, 480), Size::new(1920, 1080), square), at(240, 0, 1440, 1080));
        assert_eq!(place(Size::new(1920, 1080), Size::new(1024, 768), square), at(0, 96, 1024, 576));
        assert_eq!(place(Size::new(8192, 1), Size::new(80, 50), square), at(0, 24, 80, 1));
        assert_eq!(place(Size::new(1, 8192), Size::new(80, 50), square), at(39, 0, 1, 50));
    }

    #[test]
    fn pixels_that_are_not_square_do_not_distort_the_picture() {
        // A pixel twice as high as wide: half as many rows show the same proportions.
        let tall = PixelShape { width: 1, height: 2 };
        let at = place(Size::new(400, 200), Size::new(100, 100), tall);
        assert_eq!(at, Rect { left: 0, top: 37, size: Size::new(100, 25) });
    }

    #[test]
    fn drawing_touches_nothing_outside_its_area() {
        let mut canvas = Canvas::new();
        canvas.resize(Size::new(6, 5));
        canvas.fill(Rect::whole(canvas.size()), 9);
        let area = Rect { left: 2, top: 1, size: Size::new(3, 2) };
        Fitter::new().draw(&picture(10, 10, |_, _| [255; 3]), &mut canvas, area);
        for y in 0..5 {
            for x in 0..6 {
                let inside = (2..5).contains(&x) && (1..3).contains(&y);
                assert_eq!(canvas.span(y, x, 1), [if inside { 0x00FF_FFFF } else { 9 }], "({x}, {y})");
            }
        }
    }
}
