//! The camera side of Sealcam: MJPEG in, sealed datagrams out.

mod args;
mod command;
mod pair;
mod report;
mod run;
mod source;

use std::process::ExitCode;

use sealcam_linux::exit::Result;
use sealcam_linux::log;

use args::{Args, Command};

fn main() -> ExitCode {
    match run(Args::from_command_line()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::say(format_args!("sealcam-client: {failure}"));
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(args: Args) -> Result<()> {
    let state = args.state.as_deref();
    match args.command {
        None => run::stream(args.stream, state),
        Some(Command::Cameras) => source::print_cameras(),
        Some(Command::Fingerprint) => command::fingerprint(state),
        Some(Command::Identity { name }) => command::identity(state, name.as_deref()),
        Some(Command::Pair { code, replace }) => pair::pair(state, code, replace),
        Some(Command::Trust { place, fingerprint, replace }) => {
            command::trust(state, place, fingerprint, replace)
        }
    }
}
