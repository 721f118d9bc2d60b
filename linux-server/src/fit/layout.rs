//! How a framebuffer wants its pixels: 16, 24 or 32 bits, the colours anywhere in them.
//!
//! Made from what the kernel says about the device (`fb_var_screeninfo`). Rows only; where a row lies in the
//! device's memory, and its padding, is the business of the sink.

/// One colour's place in a pixel, as `struct fb_bitfield` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Channel {
    /// Its lowest bit, counted from the pixel's lowest.
    pub(crate) offset: u32,
    /// How many bits it has; 0 says that the pixel has no such channel.
    pub(crate) length: u32,
}

impl Channel {
    /// A channel of `length` bits from bit `offset` on.
    pub(crate) const fn new(offset: u32, length: u32) -> Self {
        Self { offset, length }
    }

    /// `value`, 0 to 255, scaled to this channel and put in its place.
    fn place(self, value: u32) -> u32 {
        let most = (1_u64 << self.length) - 1;
        let scaled = (u64::from(value) * most + 127) / 255;
        u32::try_from(scaled << self.offset).unwrap_or(0)
    }
}

/// Turns canvas pixels into a device's.
#[derive(Debug)]
pub(crate) struct PixelLayout {
    bytes: usize,
    packing: Packing,
}

#[derive(Debug)]
enum Packing {
    /// Red, green and blue as on the canvas, the upper byte filled with these bits.
    Xrgb(u32),
    /// 5, 6 and 5 bits, red uppermost.
    Rgb565,
    /// Anything else: for each colour and value the bits to set. What is opaque is in the first table.
    Tables(Box<[[u32; 256]; 3]>),
}

impl PixelLayout {
    /// The layout of a device of this depth, or what is wrong with it, as the end of a sentence.
    pub(crate) fn new(bits_per_pixel: u32, rgb: [Channel; 3], alpha: Channel) -> Result<Self, String> {
        let bytes = match bits_per_pixel {
            15 | 16 => 2,
            24 => 3,
            32 => 4,
            other => return Err(format!("it has {other} bits per pixel; 16, 24 and 32 are supported")),
        };
        for (name, channel) in ["red", "green", "blue"].into_iter().zip(rgb) {
            let end = channel.offset.saturating_add(channel.length);
            if channel.length == 0 || channel.length > 16 || end > bytes * 8 {
                return Err(format!(
                    "its {name} has {} bits from bit {} on, in pixels of {bits_per_pixel} bits",
                    channel.length, channel.offset
                ));
            }
        }
        let opaque = if alpha.length > 0 && alpha.offset.saturating_add(alpha.length) <= bytes * 8 {
            Channel { length: alpha.length.min(16), ..alpha }.place(255)
        } else {
            0
        };
        let is =
            |offsets_and_lengths: [(u32, u32); 3]| rgb.map(|c| (c.offset, c.length)) == offsets_and_lengths;
        let packing = match bytes {
            4 if is([(16, 8), (8, 8), (0, 8)]) => Packing::Xrgb(opaque),
            2 if is([(11, 5), (5, 6), (0, 5)]) => Packing::Rgb565,
            _ => Packing::Tables(tables(rgb, opaque)),
        };
        Ok(Self { bytes: usize::try_from(bytes).unwrap_or(4), packing })
    }

    /// Bytes of one pixel.
    pub(crate) const fn bytes_per_pixel(&self) -> usize {
        self.bytes
    }

    /// Writes one row; stops where either ends.
    pub(crate) fn write_row(&self, row: &[u32], out: &mut [u8]) {
        match &self.packing {
            Packing::Xrgb(opaque) => {
                for (out, pixel) in out.as_chunks_mut::<4>().0.iter_mut().zip(row) {
                    *out = (pixel | opaque).to_ne_bytes();
                }
            }
            Packing::Rgb565 => {
                for (out, &pixel) in out.as_chunks_mut::<2>().0.iter_mut().zip(row) {
                    *out = rgb565(pixel).to_ne_bytes();
                }
            }
            Packing::Tables(tables) => match self.bytes {
                2 => write_by_tables::<2>(tables, row, out),
                3 => write_by_tables::<3>(tables, row, out),
                _ => write_by_tables::<4>(tables, row, out),
            },
        }
    }
}

/// A pixel is a number in the machine's byte order; one of three bytes is written lowest byte first, since the
/// kernel has no other kind on the little-endian machines that this runs on.
fn write_by_tables<const BYTES: usize>([red, green, blue]: &[[u32; 256]; 3], row: &[u32], out: &mut [u8]) {
    for (out, pixel) in out.as_chunks_mut::<BYTES>().0.iter_mut().zip(row) {
        let [_, r, g, b] = pixel.to_be_bytes().map(usize::from);
        let bits = (red[r] | green[g] | blue[b]).to_le_bytes();
        out.copy_from_slice(&bits[..BYTES]);
    }
}

fn tables([red, green, blue]: [Channel; 3], opaque: u32) -> Box<[[u32; 256]; 3]> {
    let mut tables = Box::new([[0; 256]; 3]);
    for (value, ((r, g), b)) in (0..).zip({
        let [reds, greens, blues] = &mut *tables;
        reds.iter_mut().zip(greens).zip(blues)
    }) {
        *r = red.place(value) | opaque;
        *g = green.place(value);
        *b = blue.place(value);
    }
    tables
}

/// The nearest 5, 6 and 5 bits: the multiplications are exact roundings of `value·31/255` and `value·63/255`.
const fn rgb565(pixel: u32) -> u16 {
    let (red, green, blue) = (pixel >> 16 & 255, pixel >> 8 & 255, pixel & 255);
    let red = (red * 249 + 1014) >> 11;
    let green = (green * 253 + 505) >> 10;
    let blue = (blue * 249 + 1014) >> 11;
    (red << 11 | green << 5 | blue) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Channel = Channel::new(0, 0);

    fn rgb(red: (u32, u32), green: (u32, u32), blue: (u32, u32)) -> [Channel; 3] {
        [red, green, blue].map(|(offset, length)| Channel::new(offset, length))
    }

    fn written(layout: &PixelLayout, row: &[u32]) -> Vec<u8> {
        let mut out = vec![0xEE; row.len() * layout.bytes_per_pixel()];
        layout.write_row(row, &mut out);
        out
    }

    const RED_GREEN_BLUE: [u32; 3] = [0x00FF_0000, 0x0000_8000, 0x0000_0001];

    #[test]
    fn xrgb_is_copied_and_made_opaque_where_there_is_alpha() {
        let channels = rgb((16, 8), (8, 8), (0, 8));
        let plain = PixelLayout::new(32, channels, NONE).unwrap();
        assert_eq!(written(&plain, &RED_GREEN_BLUE), [0, 0, 255, 0, 0, 128, 0, 0, 1, 0, 0, 0]);
        let alpha = PixelLayout::new(32, channels, Channel::new(24, 8)).unwrap();
        assert_eq!(written(&alpha, &RED_GREEN_BLUE[..1]), [0, 0, 255, 255]);
    }

    #[test]
    fn bgr_order_of_32_and_24_bits_is_followed() {
        let bgr = PixelLayout::new(32, rgb((0, 8), (8, 8), (16, 8)), Channel::new(24, 8)).unwrap();
        assert_eq!(written(&bgr, &[0x0012_3456]), [0x12, 0x34, 0x56, 0xFF]);
        let bytes3 = PixelLayout::new(24, rgb((16, 8), (8, 8), (0, 8)), NONE).unwrap();
        assert_eq!(written(&bytes3, &[0x0012_3456, 0x00AB_CDEF]), [0x56, 0x34, 0x12, 0xEF, 0xCD, 0xAB]);
        let reversed = PixelLayout::new(24, rgb((0, 8), (8, 8), (16, 8)), NONE).unwrap();
        assert_eq!(written(&reversed, &[0x0012_3456]), [0x12, 0x34, 0x56]);
    }

    #[test]
    fn rgb565_rounds_to_the_nearest_for_every_value() {
        for value in 0..=255_u32 {
            let pixel = value << 16 | value << 8 | value;
            let nearest = |most: u32| (value * most * 2 + 255) / 510;
            let expected = nearest(31) << 11 | nearest(63) << 5 | nearest(31);
            assert_eq!(u32::from(rgb565(pixel)), expected, "value {value}");
        }
    }

    #[test]
    fn fast_paths_and_tables_agree() {
        let cases = [
            (16, rgb((11, 5), (5, 6), (0, 5)), NONE),
            (32, rgb((16, 8), (8, 8), (0, 8)), Channel::new(24, 8)),
        ];
        let row: Vec<u32> = (0..4096).map(|i: u32| i.wrapping_mul(2_654_435_761) >> 8).collect();
        for (depth, channels, alpha) in cases {
            let fast = PixelLayout::new(depth, channels, alpha).unwrap();
            assert!(!matches!(fast.packing, Packing::Tables(_)));
            let opaque = if alpha.length > 0 { alpha.place(255) } else { 0 };
            let slow = PixelLayout { bytes: fast.bytes, packing: Packing::Tables(tables(channels, opaque)) };
            assert_eq!(written(&fast, &row), written(&slow, &row), "{depth} bits");
        }
    }

    #[test]
    fn odd_layouts_go_through_the_tables() {
        let rgb555 = PixelLayout::new(16, rgb((10, 5), (5, 5), (0, 5)), Channel::new(15, 1)).unwrap();
        assert_eq!(written(&rgb555, &[0x00FF_FFFF, 0x00FF_0000]), [0xFF, 0xFF, 0x00, 0xFC]);
        let bgr565 = PixelLayout::new(16, rgb((0, 5), (5, 6), (11, 5)), NONE).unwrap();
        assert_eq!(written(&bgr565, &[0x00FF_0000, 0x0000_00FF]), [0x1F, 0x00, 0x00, 0xF8]);
        let deep = PixelLayout::new(32, rgb((20, 10), (10, 10), (0, 10)), NONE).unwrap();
        assert_eq!(written(&deep, &[0x00FF_0000]), 0x3FF0_0000_u32.to_le_bytes());
        let uppermost = PixelLayout::new(32, rgb((24, 8), (16, 8), (8, 8)), Channel::new(0, 8)).unwrap();
        assert_eq!(written(&uppermost, &[0x0012_3456]), [0xFF, 0x56, 0x34, 0x12]);
    }

    #[test]
    fn layouts_that_make_no_sense_are_refused() {
        let usual = rgb((16, 8), (8, 8), (0, 8));
        assert!(PixelLayout::new(8, usual, NONE).unwrap_err().contains("8 bits per pixel"));
        assert!(PixelLayout::new(16, usual, NONE).unwrap_err().contains("red"));
        assert!(PixelLayout::new(32, rgb((16, 8), (8, 0), (0, 8)), NONE).unwrap_err().contains("green"));
        assert!(
            PixelLayout::new(32, rgb((16, 8), (8, 8), (u32::MAX, 8)), NONE).unwrap_err().contains("blue")
        );
    }

    #[test]
    fn a_row_longer_than_the_device_is_cut() {
        let layout = PixelLayout::new(24, rgb((16, 8), (8, 8), (0, 8)), NONE).unwrap();
        let mut out = [0xEE; 4];
        layout.write_row(&[0; 9], &mut out);
        assert_eq!(out, [0, 0, 0, 0xEE]);
    }
}
