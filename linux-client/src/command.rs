//! The subcommands that concern keys and trust. What can be pasted goes to standard output, everything else to the log.

use std::path::Path;

use sealcam_core::key::Fingerprint;
use sealcam_linux::answer;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::host_port::HostPort;
use sealcam_linux::key_file::KeyFile;
use sealcam_linux::log;
use sealcam_linux::memory;
use sealcam_linux::state::State;
use sealcam_linux::trust::display::{self, Trusted};
use sealcam_linux::trust::{Camera, DisplayConf, Name};

/// Prints the fingerprint of the camera's key, which is made if there is none.
pub(crate) fn fingerprint(state: Option<&Path>) -> Result<()> {
    let state = open(state)?;
    let key = KeyFile::Camera.load_or_make(&state)?;
    answer::print(&key.modulus().fingerprint().to_string())
}

/// Prints the command that lets this camera in.
pub(crate) fn identity(state: Option<&Path>, name: Option<&str>) -> Result<()> {
    let name = match name {
        None => Name::of_host(),
        Some(text) => {
            text.parse().map_err(|problem| Failure::new(Exit::Usage, format!("--name: {problem}.")))?
        }
    };
    let state = open(state)?;
    let key = KeyFile::Camera.load_or_make(&state)?;
    log::say(format_args!("Run this on the display, as the user that runs sealcam-server there:"));
    answer::print(&authorize_command(*key.modulus(), name))
}

/// Trusts a display.
pub(crate) fn trust(
    state: Option<&Path>,
    place: HostPort,
    fingerprint: Fingerprint,
    replace: bool,
) -> Result<()> {
    let state = open(state)?;
    let conf = DisplayConf { place, fingerprint };
    match display::trust(&state, &conf, replace)? {
        Trusted::First => log::say(format_args!("This camera now trusts the display {conf}.")),
        Trusted::Already => {
            log::say(format_args!("This camera trusts that display already. Nothing was changed."))
        }
        Trusted::Moved(from) => {
            log::say(format_args!("The same display, now looked for at {} instead of {from}.", conf.place));
        }
        Trusted::Replaced(old) => {
            log::say(format_args!("This camera now trusts the display {conf}, and no longer {old}."));
        }
    }
    Ok(())
}

/// The command that lets a camera in, to be pasted on the display.
pub(crate) fn authorize_command(modulus: sealcam_core::key::Modulus, name: Name) -> String {
    format!("sealcam-server authorize '{}'", Camera { modulus, name })
}

/// Opens the state directory and says which it is: root's, a service's and a user's differ.
pub(crate) fn open(given: Option<&Path>) -> Result<State> {
    let _ = memory::protect();
    let state = State::open(given)?;
    log::say(format_args!("State directory: {state}"));
    Ok(state)
}
