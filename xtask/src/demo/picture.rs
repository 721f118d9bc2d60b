//! Enough of PNG to tell a picture from a file that only bears its name.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, Result};

/// Width and height in pixels of a PNG file.
pub(super) fn size(path: &Path) -> Result<(u32, u32)> {
    let bytes = fs::read(path)
        .map_err(|error| Failure::new(format!("No picture was left: {}: {error}.", path.display())))?;
    parse_size(&bytes).ok_or_else(|| Failure::new(format!("{} is not a PNG picture.", path.display())))
}

/// The signature, the length and name of the first block, then width and height (PNG, third edition, §5.2 and §11.2.1).
fn parse_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    let (width, rest) = header.split_first_chunk::<4>()?;
    let (height, _) = rest.split_first_chunk::<4>()?;
    let size = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
    (size.0 > 0 && size.1 > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_read_from_the_header() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0";
        assert_eq!(parse_size(png), Some((640, 480)));
        assert_eq!(parse_size(&png[..20]), None);
        assert_eq!(parse_size(b"\xff\xd8\xff"), None);
    }
}
