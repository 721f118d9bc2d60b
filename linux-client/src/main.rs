//! The camera side of Sealcam.

mod source;

fn main() {}
