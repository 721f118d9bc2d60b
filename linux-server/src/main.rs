//! The display side of Sealcam: sealed datagrams in, pixels on the framebuffer out.

mod args;
mod canvas;
mod decode;
mod fit;
mod painter;
mod sink;
mod status;

use std::process::ExitCode;

use sealcam_linux::exit::Exit;
use sealcam_linux::log;

fn main() -> ExitCode {
    let args = args::Args::from_command_line();
    log::say(format_args!("sealcam-server cannot receive pictures yet, nor {:?}.", args.command));
    ExitCode::from(Exit::Other as u8)
}
