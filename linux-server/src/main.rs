//! The display side of Sealcam: sealed datagrams in, pixels on the framebuffer out.

mod args;
mod buffer;
mod canvas;
mod command;
mod decode;
mod essence;
mod fit;
mod key_worker;
mod painter;
mod pair;
mod report;
mod run;
mod sink;
mod status;
#[cfg(test)]
#[path = "../../core/src/unprinted.rs"]
mod unprinted;

use std::process::ExitCode;

use sealcam_linux::exit::Result;
use sealcam_linux::log;

use args::{Args, Command};

fn main() -> ExitCode {
    match run(&Args::from_command_line()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::say(format_args!("sealcam-server: {failure}"));
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let state = args.state.as_deref();
    match &args.command {
        None => run::show(&args.run, state),
        Some(Command::Pair(args)) => pair::pair(args, state),
        Some(Command::Fingerprint) => command::fingerprint(state),
        Some(Command::Identity) => command::identity(state),
        Some(Command::Authorize { line }) => command::authorize(state, &line.join(" ")),
        Some(Command::Cameras) => command::cameras(state),
        Some(Command::Forget { name }) => command::forget(state, name),
    }
}
