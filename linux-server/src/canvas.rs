//! The canvas: the picture that the display composes in memory before a sink takes it over as a whole.
//!
//! One pixel is a `u32`, `0x00RRGGBB`. Nothing here knows a device; `fit` and `status` draw on it, sinks read it.

use crate::buffer::slim;

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Pixels in a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
}

impl Size {
    /// A size of `width` times `height` pixels.
    pub(crate) const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }
}

/// A rectangle of pixels, counted from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rect {
    /// Its leftmost column.
    pub(crate) left: usize,
    /// Its uppermost row.
    pub(crate) top: usize,
    /// Its columns and rows.
    pub(crate) size: Size,
}

impl Rect {
    /// The whole of a canvas of this size.
    pub(crate) const fn whole(size: Size) -> Self {
        Self { left: 0, top: 0, size }
    }
}

/// Pixels in rows without padding, uppermost first.
#[derive(Debug)]
pub(crate) struct Canvas {
    size: Size,
    pixels: Vec<u32>,
}

impl Canvas {
    /// A canvas without pixels, to be resized.
    pub(crate) const fn new() -> Self {
        Self { size: Size::new(0, 0), pixels: Vec::new() }
    }

    /// Its size.
    pub(crate) const fn size(&self) -> Size {
        self.size
    }

    /// Gives it this size; what it shows afterwards is undefined until it is drawn over.
    pub(crate) fn resize(&mut self, size: Size) {
        self.size = size;
        slim(&mut self.pixels, size.width * size.height);
        self.pixels.resize(size.width * size.height, 0);
    }

    /// All pixels, row by row.
    pub(crate) fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// The pixels of row `y` from column `left` on, `width` of them; less where the canvas ends before.
    pub(crate) fn span(&self, y: usize, left: usize, width: usize) -> &[u32] {
        let range = self.range(y, left, width);
        self.pixels.get(range).unwrap_or(&[])
    }

    /// As [`Canvas::span`], to be drawn on.
    pub(crate) fn span_mut(&mut self, y: usize, left: usize, width: usize) -> &mut [u32] {
        let range = self.range(y, left, width);
        self.pixels.get_mut(range).unwrap_or(&mut [])
    }

    /// Paints the part of `rect` that lies on the canvas in one colour.
    pub(crate) fn fill(&mut self, rect: Rect, colour: u32) {
        for y in rect.top..self.size.height.min(rect.top.saturating_add(rect.size.height)) {
            self.span_mut(y, rect.left, rect.size.width).fill(colour);
        }
    }

    /// Paints all that lies outside `inside` in one colour.
    pub(crate) fn fill_around(&mut self, inside: Rect, colour: u32) {
        let Size { width, height } = self.size;
        let (right, bottom) = (inside.left + inside.size.width, inside.top + inside.size.height);
        self.fill(Rect { left: 0, top: 0, size: Size::new(width, inside.top) }, colour);
        self.fill(Rect { left: 0, top: bottom, size: Size::new(width, height) }, colour);
        let beside = |left, width| Rect { left, top: inside.top, size: Size::new(width, inside.size.height) };
        self.fill(beside(0, inside.left), colour);
        self.fill(beside(right, width), colour);
    }

    fn range(&self, y: usize, left: usize, width: usize) -> std::ops::Range<usize> {
        let row = y * self.size.width;
        let left = left.min(self.size.width);
        row + left..row + left + width.min(self.size.width - left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_around_leaves_the_inside_alone_and_misses_nothing() {
        let mut canvas = Canvas::new();
        canvas.resize(Size::new(5, 4));
        canvas.fill(Rect::whole(canvas.size()), 7);
        canvas.fill_around(Rect { left: 1, top: 1, size: Size::new(3, 2) }, 0);
        #[rustfmt::skip]
        let expected = [
            0, 0, 0, 0, 0,
            0, 7, 7, 7, 0,
            0, 7, 7, 7, 0,
            0, 0, 0, 0, 0,
        ];
        assert_eq!(canvas.pixels(), expected);
    }

    #[test]
    fn drawing_outside_the_canvas_is_cut_off() {
        let mut canvas = Canvas::new();
        canvas.resize(Size::new(2, 2));
        canvas.fill(Rect { left: 1, top: 1, size: Size::new(9, 9) }, 1);
        canvas.fill(Rect { left: 5, top: 7, size: Size::new(1, 1) }, 1);
        assert_eq!(canvas.pixels(), [0, 0, 0, 1]);
        assert!(canvas.span(2, 0, 1).is_empty());
    }
}
