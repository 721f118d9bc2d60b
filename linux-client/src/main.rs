//! The camera side of Sealcam.

mod args;
mod source;

use std::process::ExitCode;

use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::log;

use args::{Args, Command};

fn main() -> ExitCode {
    match run(&Args::from_command_line()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::say(format_args!("{failure}"));
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(args: &Args) -> Result<()> {
    match args.command {
        Some(Command::Cameras) => source::print_cameras(),
        _ => Err(Failure::new(Exit::Other, "This part of the program is not written yet.")),
    }
}
