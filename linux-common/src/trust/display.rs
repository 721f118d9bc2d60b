//! The one display that a camera sends to: the file `display.conf`, one line `host:port SHA256:…`.

use std::fmt;
use std::str::FromStr;

use sealcam_core::key::Fingerprint;

use super::{bad_file, parse_fingerprint, read_text, says_nothing};
use crate::exit::{Exit, Failure, Result};
use crate::host_port::HostPort;
use crate::state::State;

/// The name of the file in the state directory.
pub const FILE: &str = "display.conf";

/// Where the display is, and the fingerprint that its key must have. `Display` and `FromStr` are inverse, but for
/// white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayConf {
    /// Where it is; looked up again at every handshake.
    pub place: HostPort,
    /// The pin: no other key is ever accepted.
    pub fingerprint: Fingerprint,
}

/// What [`trust`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// This is the first display.
    First,
    /// It was trusted already, at this place.
    Already,
    /// The same display at a new place; it was here before.
    Moved(HostPort),
    /// Another display, on demand, in place of this one.
    Replaced(DisplayConf),
}

/// Trusts `display` from now on; a running camera takes it up within a second. A display with another fingerprint
/// takes the place of the one that is trusted only if `replace` says so; the same at another place always.
///
/// # Errors
/// [`Exit::Trust`] if another display is trusted and `replace` is false; [`Exit::State`] if the file cannot be read
/// or written. Nothing is changed then. With `replace`, a file with bad lines is replaced as well.
pub fn trust(state: &State, display: &DisplayConf, replace: bool) -> Result<Trusted> {
    let lock = state.lock()?;
    let known = match DisplayConf::load(state) {
        Err(_) if replace => None,
        other => other?,
    };
    let trusted = match known {
        None => Trusted::First,
        Some(known) if known == *display => return Ok(Trusted::Already),
        Some(known) if known.fingerprint == display.fingerprint => Trusted::Moved(known.place),
        Some(known) if replace => Trusted::Replaced(known),
        Some(known) => return Err(changed(&known, display)),
    };
    lock.replace(FILE, format!("{display}\n").as_bytes())?;
    Ok(trusted)
}

/// Whether [`trust`] would take `display`; for asking before work that would be in vain.
///
/// # Errors
/// As [`trust`].
pub fn may_trust(state: &State, display: &DisplayConf, replace: bool) -> Result<()> {
    if replace {
        return Ok(());
    }
    match DisplayConf::load(state)? {
        Some(known) if known.fingerprint != display.fingerprint => Err(changed(&known, display)),
        _ => Ok(()),
    }
}

impl DisplayConf {
    /// Reads the file; `None` if there is none, or nothing but comments in it: no display is trusted.
    ///
    /// # Errors
    /// [`Exit::State`], naming each bad line by its number.
    pub fn load(state: &State) -> Result<Option<Self>> {
        let text = read_text(state, FILE)?.unwrap_or_default();
        let mut found = None;
        let mut problems = Vec::new();
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !says_nothing(line)) {
            match line.parse() {
                Ok(_) if found.is_some() => {
                    problems.push(format!("line {}: a second display; a camera has one", i + 1));
                }
                Ok(display) => found = Some(display),
                Err(problem) => problems.push(format!("line {}: {problem}", i + 1)),
            }
        }
        if problems.is_empty() { Ok(found) } else { Err(bad_file(state, FILE, &problems)) }
    }
}

impl FromStr for DisplayConf {
    /// What is wrong: a sentence without its full stop.
    type Err = String;

    fn from_str(line: &str) -> std::result::Result<Self, String> {
        let mut words = line.split_whitespace();
        let place = words.next().ok_or("the line is empty")?.parse()?;
        let fingerprint = parse_fingerprint(words.next().ok_or("the fingerprint is missing")?)?;
        if words.next().is_some() {
            return Err("something stands after the fingerprint".to_owned());
        }
        Ok(Self { place, fingerprint })
    }
}

impl fmt::Display for DisplayConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.fingerprint)
    }
}

fn changed(known: &DisplayConf, display: &DisplayConf) -> Failure {
    Failure::new(
        Exit::Trust,
        format!(
            "This camera trusts another display, and nothing was changed.\n  \
             trusted: {known}\n  \
             refused: {display}\n\
             If the display has a new key (a new device, a new SD card) and you read this fingerprint from its own \
             screen, run: sealcam-client trust --replace {display}\n\
             If not, someone may be trying to take its place."
        ),
    )
}
