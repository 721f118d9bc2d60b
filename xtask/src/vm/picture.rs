//! A picture as rows of red, green and blue: read from PPM, which QEMU and djpeg write, and written as PPM and PNG.

/// Bytes of one block of stored data, as the format of PNG's contents has it at most.
const STORED_BLOCK: usize = 65_535;

/// Colours as bytes, row after row from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Draws one: each pixel's colour from its place.
    pub(super) fn draw(width: usize, height: usize, colour: impl Fn(usize, usize) -> [u8; 3]) -> Self {
        let pixels =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| colour(x, y)).collect();
        Self { width, height, pixels }
    }

    /// Reads a binary PPM of eight bits a channel.
    pub(super) fn from_ppm(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(b"P6")?;
        let mut numbers = [0_usize; 3];
        for number in &mut numbers {
            rest = rest.trim_ascii_start();
            let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
            *number = str::from_utf8(rest.get(..end)?).ok()?.parse().ok()?;
            rest = rest.get(end..)?;
        }
        let [width, height, deepest] = numbers;
        let colours = rest.get(1..)?.get(..width.checked_mul(height)?.checked_mul(3)?)?;
        let pixels = colours.as_chunks::<3>().0.to_vec();
        (deepest == 255 && width > 0 && height > 0).then_some(Self { width, height, pixels })
    }

    /// As a binary PPM.
    pub(super) fn to_ppm(&self) -> Vec<u8> {
        let mut ppm = format!("P6\n{} {}\n255\n", self.width, self.height).into_bytes();
        ppm.extend(self.pixels.as_flattened());
        ppm
    }

    /// As a PNG, for people. Not compressed: that would be the larger part of this file.
    pub(super) fn to_png(&self) -> Vec<u8> {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let mut header = [number(self.width), number(self.height)].concat();
        // Eight bits, colours without a palette, and the only methods there are.
        header.extend([8, 2, 0, 0, 0]);
        let mut rows = Vec::with_capacity(self.height * (self.width * 3 + 1));
        for y in 0..self.height {
            rows.push(0);
            rows.extend(self.row(y).as_flattened());
        }
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        for (name, contents) in [(b"IHDR", header), (b"IDAT", stored(&rows)), (b"IEND", Vec::new())] {
            png.extend(number(contents.len()));
            let from = png.len();
            png.extend(name);
            png.extend(contents);
            let sum = crc(png.get(from..).unwrap_or_default());
            png.extend(sum.to_be_bytes());
        }
        png
    }

    /// One row; an empty one beyond the last.
    pub(super) fn row(&self, y: usize) -> &[[u8; 3]] {
        self.pixels.get(y * self.width..(y + 1) * self.width).unwrap_or_default()
    }

    /// The colour at a place; black beyond the edges.
    pub(super) fn at(&self, x: usize, y: usize) -> [u8; 3] {
        self.row(y).get(x).copied().unwrap_or_default()
    }

    /// The left upper part of it.
    pub(super) fn cropped(&self, width: usize, height: usize) -> Self {
        Self::draw(width.min(self.width), height.min(self.height), |x, y| self.at(x, y))
    }

    /// The mean colour of an area, which ends before `right` and `bottom`.
    pub(super) fn mean(&self, left: usize, top: usize, right: usize, bottom: usize) -> [f64; 3] {
        let mut sums = [0_u64; 3];
        let mut count = 0_u32;
        for y in top..bottom {
            for pixel in self.row(y).iter().take(right).skip(left) {
                count += 1;
                for (sum, colour) in sums.iter_mut().zip(pixel) {
                    *sum += u64::from(*colour);
                }
            }
        }
        // Sums of a few million bytes are far below what a double holds exactly.
        sums.map(|sum| u32::try_from(sum).map_or(f64::MAX, f64::from) / f64::from(count.max(1)))
    }
}

/// The contents of an `IDAT` without compression (RFC 1950, RFC 1951 §3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(STORED_BLOCK).peekable();
    while let Some(block) = blocks.next() {
        out.push(u8::from(blocks.peek().is_none()));
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    out.extend((b << 16 | a).to_be_bytes());
    out
}

/// The checksum of PNG's blocks (PNG, third edition, §5.5).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Picture {
        Picture::draw(3, 2, |x, y| [x, y, 9].map(|part| u8::try_from(part).unwrap()))
    }

    #[test]
    fn a_ppm_is_read_as_it_was_written() {
        assert_eq!(Picture::from_ppm(&small().to_ppm()), Some(small()));
        assert_eq!(small().at(2, 1), [2, 1, 9]);
        assert_eq!(small().at(3, 1), [0, 0, 0]);
    }

    #[test]
    fn what_is_no_whole_ppm_is_refused() {
        let ppm = small().to_ppm();
        for bytes in [
            &ppm[..ppm.len() - 1],
            b"P6\n1 1\n65535\n......",
            b"P5\n1 1\n255\n.",
            b"P6\n0 0\n255\n",
            b"P6 1",
            b"",
        ] {
            assert_eq!(Picture::from_ppm(bytes), None);
        }
        let huge = format!("P6\n{} 2\n255\n", usize::MAX);
        assert_eq!(Picture::from_ppm(huge.as_bytes()), None);
    }

    #[test]
    fn a_png_has_its_sums_right() {
        // The checksums of an empty IEND block and of "Wikipedia" are published.
        assert_eq!(crc(b"IEND"), 0xAE42_6082);
        assert!(stored(b"Wikipedia").ends_with(&0x11E6_0398_u32.to_be_bytes()));
        let png = small().to_png();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02"));
        assert!(png.ends_with(b"IEND\xae\x42\x60\x82"));
    }

    #[test]
    fn a_mean_is_of_the_area_alone() {
        assert_eq!(small().mean(1, 0, 3, 2), [1.5, 0.5, 9.0]);
        assert_eq!(small().mean(3, 0, 9, 9), [0.0; 3]);
        assert_eq!(small().cropped(2, 1).mean(0, 0, 9, 9), [0.5, 0.0, 9.0]);
    }
}
