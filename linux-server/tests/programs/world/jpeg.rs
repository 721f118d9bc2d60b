//! JPEGs to send: a real picture with as many bytes of comment as wanted, each different from all others.

use std::fs;
use std::path::Path;

const PICTURE: &[u8] = include_bytes!("../../data/yuv420.jpg");

/// The longest comment that a segment can hold.
const COMMENT_MAX: usize = 65_533;

/// Random numbers that are the same for the same seed: SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A seed from the clock, which is printed: a failure can be run again with it.
    pub(crate) fn seeded() -> Self {
        let given = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| sealcam_linux::clock::Clock.now().as_micros());
        println!("TEST_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// A picture that begins with the comment `mark` and is padded with random comments to about `len` bytes.
pub(crate) fn jpeg(mark: &str, len: usize) -> Vec<u8> {
    let mut random = Random(mark.bytes().fold(7, |seed, byte| seed.wrapping_mul(31) + u64::from(byte)));
    let (start, rest) = PICTURE.split_at(2);
    let mut bytes = start.to_vec();
    let mut comment = |text: &[u8]| {
        bytes.extend([0xFF, 0xFE]);
        bytes.extend(u16::try_from(text.len() + 2).unwrap().to_be_bytes());
        bytes.extend(text);
    };
    comment(mark.as_bytes());
    let mut missing = len.saturating_sub(PICTURE.len() + mark.len() + 4);
    while missing > 4 {
        let text = random.bytes((missing - 4).min(COMMENT_MAX));
        missing -= text.len() + 4;
        comment(&text);
    }
    bytes.extend(rest);
    bytes
}

/// Fills a folder with pictures of these sizes, marked `mark 0`, `mark 1` …; gives them back in order.
pub(crate) fn write_folder(path: &Path, mark: &str, sizes: &[usize]) -> Vec<Vec<u8>> {
    fs::create_dir_all(path).unwrap();
    let pictures: Vec<_> =
        sizes.iter().zip(0..).map(|(len, i): (_, u32)| jpeg(&format!("{mark} {i}"), *len)).collect();
    for (i, picture) in pictures.iter().enumerate() {
        fs::write(path.join(format!("{i:04}.jpg")), picture).unwrap();
    }
    pictures
}
