//! The subcommands: keys and trust. What can be pasted goes to standard output, everything else to the log.

use std::net::SocketAddr;
use std::path::Path;

use sealcam_core::key::Fingerprint;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::host_port::HostPort;
use sealcam_linux::key_file::KeyFile;
use sealcam_linux::log;
use sealcam_linux::memory;
use sealcam_linux::state::State;
use sealcam_linux::trust::cameras::{self, Authorized};
use sealcam_linux::trust::{AuthorizedCameras, Camera, DisplayConf};
use sealcam_linux::{addresses, answer};

use crate::args::PORT;

/// Prints the fingerprint of the display's key, which is made if there is none.
pub(crate) fn fingerprint(state: Option<&Path>) -> Result<()> {
    let state = open(state)?;
    let key = KeyFile::Display.load_or_make(&state)?;
    answer::print(&key.modulus().fingerprint().to_string())
}

/// Prints the command that makes a camera trust this display, once for each address that it might use.
pub(crate) fn identity(state: Option<&Path>) -> Result<()> {
    let state = open(state)?;
    let key = KeyFile::Display.load_or_make(&state)?;
    let any = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, PORT));
    let commands = trust_commands(any, key.modulus().fingerprint());
    if commands.is_empty() {
        log::say(format_args!(
            "This machine has no address that others could reach: connect it to a network first."
        ));
        return answer::print(&trust_command("ADDRESS:5000", key.modulus().fingerprint()));
    }
    log::say(format_args!(
        "Run one of these at the camera, as the user that runs sealcam-client there. If sealcam-server listens on \
         another port than {PORT}, change it."
    ));
    answer::print(&commands.join("\n"))
}

/// Lets a camera in.
pub(crate) fn authorize(state: Option<&Path>, line: &str) -> Result<()> {
    let camera: Camera = line.parse().map_err(|problem| {
        Failure::new(
            Exit::Usage,
            format!(
                "That is not a camera's line: {problem}. Paste what `sealcam-client identity` prints there."
            ),
        )
    })?;
    let state = open(state)?;
    let (name, fingerprint) = (camera.name.clone(), camera.modulus.fingerprint());
    match cameras::authorize(&state, camera)? {
        Authorized::Added => log::say(format_args!("Camera {name} ({fingerprint}) may connect from now on.")),
        Authorized::Already => {
            log::say(format_args!("Camera {name} ({fingerprint}) may connect already. Nothing was changed."));
        }
    }
    Ok(())
}

/// Lists the cameras that may connect.
pub(crate) fn cameras(state: Option<&Path>) -> Result<()> {
    let state = open(state)?;
    let list = AuthorizedCameras::load(&state)?;
    let lines: Vec<String> = list
        .cameras()
        .map(|camera| format!("{:<32} {}", camera.name, camera.modulus.fingerprint()))
        .collect();
    if lines.is_empty() {
        log::say(format_args!(
            "No camera may connect. `sealcam-client identity`, run at a camera, prints how to let it in."
        ));
        return Ok(());
    }
    answer::print(&lines.join("\n"))
}

/// Lets a camera in no more.
pub(crate) fn forget(state: Option<&Path>, name: &str) -> Result<()> {
    let state = open(state)?;
    let camera = cameras::forget(&state, name)?;
    log::say(format_args!(
        "Camera {} ({}) may no longer connect.",
        camera.name,
        camera.modulus.fingerprint()
    ));
    Ok(())
}

/// The commands that make a camera trust a display that listens at `listen`; none without a network.
pub(crate) fn trust_commands(listen: SocketAddr, fingerprint: Fingerprint) -> Vec<String> {
    addresses::reachable_at(listen)
        .into_iter()
        .map(|address| {
            format!("sealcam-client trust {}", DisplayConf { place: HostPort::from(address), fingerprint })
        })
        .collect()
}

fn trust_command(place: &str, fingerprint: Fingerprint) -> String {
    format!("sealcam-client trust {place} {fingerprint}")
}

/// Opens the state directory and says which it is: root's, a service's and a user's differ.
pub(crate) fn open(given: Option<&Path>) -> Result<State> {
    let _ = memory::protect();
    let state = State::open(given)?;
    log::say(format_args!("State directory: {state}"));
    Ok(state)
}
