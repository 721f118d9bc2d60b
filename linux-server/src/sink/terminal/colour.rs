//! How a colour is said to a terminal: as it is, or as the nearest of 256.

use std::io::Write;

/// How many colours the terminal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// 24 bits a colour.
    Millions,
    /// xterm's palette: a cube of 6 x 6 x 6 colours and 24 greys.
    Palette,
}

/// A colour as the terminal gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Red, green and blue.
    Rgb([u8; 3]),
    /// A number in the palette.
    Index(u8),
}

/// A channel may differ by this much from what is shown before it is shown anew: less is camera noise.
const VISIBLE: u8 = 4;
/// The steps of the colour cube.
const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];

impl Depth {
    /// What TERM and COLORTERM say; `None` for a terminal that shows no colours.
    pub(super) fn of(term: &str, colorterm: &str) -> Option<Self> {
        let millions = matches!(colorterm, "truecolor" | "24bit") || term.ends_with("-direct");
        match term {
            "" | "dumb" => None,
            _ if millions => Some(Self::Millions),
            _ => Some(Self::Palette),
        }
    }

    /// In a person's words.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Millions => "24-bit colours",
            Self::Palette => "256 colours; COLORTERM=truecolor gives more",
        }
    }

    /// The nearest colour to a canvas pixel.
    pub(super) fn tone(self, pixel: u32) -> Tone {
        let [_, rgb @ ..] = pixel.to_be_bytes();
        match self {
            Self::Millions => Tone::Rgb(rgb),
            Self::Palette => Tone::Index(nearest(rgb)),
        }
    }
}

impl Tone {
    /// Whether nobody would see the difference.
    pub(super) fn looks_like(self, shown: Self) -> bool {
        match (self, shown) {
            (Self::Rgb(new), Self::Rgb(old)) => new.iter().zip(old).all(|(a, b)| a.abs_diff(b) < VISIBLE),
            (new, old) => new == old,
        }
    }
}

/// Writes what changes the pen from `before` to these colours, for the upper (foreground) and lower half.
pub(super) fn change(bytes: &mut Vec<u8>, before: Option<[Tone; 2]>, tones: [Tone; 2]) {
    let mut between = "\x1b[";
    for (half, (kind, tone)) in [38, 48].into_iter().zip(tones).enumerate() {
        if before.is_some_and(|before| before[half] == tone) {
            continue;
        }
        // Writing into memory cannot fail.
        let _ = match tone {
            Tone::Rgb([red, green, blue]) => write!(bytes, "{between}{kind};2;{red};{green};{blue}"),
            Tone::Index(index) => write!(bytes, "{between}{kind};5;{index}"),
        };
        between = ";";
    }
    if between == ";" {
        bytes.push(b'm');
    }
}

/// The nearest colour of the palette: of the cube, or one of the 24 greys 8, 18, … 238.
fn nearest(rgb: [u8; 3]) -> u8 {
    let step = |value: u8| (0_u8..).zip(STEPS).min_by_key(|(_, step)| step.abs_diff(value)).unwrap_or((0, 0));
    let [red, green, blue] = rgb.map(step);
    let grey = rgb.iter().map(|&value| u32::from(value)).sum::<u32>() / 3;
    let grey_index = u8::try_from(grey.saturating_sub(3) / 10).unwrap_or(23).min(23);
    let grey_value = 8 + 10 * grey_index;
    if distance(rgb, [grey_value; 3]) < distance(rgb, [red.1, green.1, blue.1]) {
        232 + grey_index
    } else {
        16 + 36 * red.0 + 6 * green.0 + blue.0
    }
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_terminal_knows_is_taken_from_its_names() {
        assert_eq!(Depth::of("xterm-256color", "truecolor"), Some(Depth::Millions));
        assert_eq!(Depth::of("xterm-256color", ""), Some(Depth::Palette));
        assert_eq!(Depth::of("dumb", "truecolor"), None);
        assert_eq!(Depth::of("", ""), None);
    }

    #[test]
    fn palette_colours_are_the_nearest() {
        for (rgb, index) in [
            ([0, 0, 0], 16),
            ([255, 255, 255], 231),
            ([255, 0, 0], 196),
            ([95, 135, 175], 67),
            ([128, 128, 128], 244),
            ([9, 8, 7], 232),
            ([240, 238, 239], 255),
        ] {
            assert_eq!(nearest(rgb), index, "{rgb:?}");
        }
    }

    #[test]
    fn only_the_half_that_changed_is_said() {
        let [a, b] = [Tone::Index(1), Tone::Index(2)];
        let said = |before, after| {
            let mut bytes = Vec::new();
            change(&mut bytes, before, after);
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(said(None, [a, b]), "\x1b[38;5;1;48;5;2m");
        assert_eq!(said(Some([a, b]), [b, b]), "\x1b[38;5;2m");
        assert_eq!(said(Some([a, a]), [a, b]), "\x1b[48;5;2m");
        assert_eq!(said(Some([a, b]), [a, b]), "");
    }
}
