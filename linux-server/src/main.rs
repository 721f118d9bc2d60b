//! The display side of Sealcam: sealed datagrams in, pixels on the framebuffer out.

mod canvas;
mod decode;
mod fit;
mod painter;
mod sink;
mod status;

fn main() {}
