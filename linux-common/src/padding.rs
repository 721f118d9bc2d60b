//! `--padding`: how much of the pictures' size the wire gives away (docs/protocol.md §10).

use sealcam_core::config::Padding;

/// Reads a policy's name.
///
/// # Errors
/// Which names there are.
pub fn parse(text: &str) -> Result<Padding, String> {
    match text {
        "chunk" => Ok(Padding::Chunk),
        "bucket" => Ok(Padding::Bucket),
        "constant" => Ok(Padding::Constant),
        _ => Err("the policies are chunk, bucket and constant".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_by_name_and_others_refused() {
        assert_eq!(parse("bucket"), Ok(Padding::Bucket));
        assert!(parse("none").is_err_and(|why| why.contains("chunk")));
    }
}
