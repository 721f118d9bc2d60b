//! Whom a program trusts: the text formats of docs/protocol.md §5 and the files that hold them.
//!
//! The display's `authorized_cameras` is [`cameras`], the camera's `display.conf` is [`display`]. Every change is
//! made under the state directory's lock and replaces the file whole. A file with a bad line is refused as a whole,
//! with the number of each bad line: half a list of whom to trust is no list. Keys are not made here.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64Unpadded, Encoding};
use nix::unistd::gethostname;
use sealcam_core::key::{Fingerprint, MODULUS_LEN, Modulus};

use crate::exit::{Exit, Failure, Result};
use crate::state::State;

pub use cameras::{Authorized, AuthorizedCameras};
pub use display::{DisplayConf, Trusted};

pub mod cameras;
pub mod display;

/// The word that begins a camera's identity line, and names its version.
const CAMERA_WORD: &str = "scl1-camera";

/// Characters of base64 that 384 bytes take, and 32 bytes.
const MODULUS_TEXT_LEN: usize = 512;
const FINGERPRINT_TEXT_LEN: usize = 43;

/// The longest name of a camera.
const NAME_MAX: usize = 32;

/// Far more than 16 cameras and their comments take.
const FILE_MAX: usize = 64 * 1024;

/// A camera's public key and its name: one identity line, `scl1-camera <512 characters of base64> name`.
/// `Display` and `FromStr` are inverse, but for white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    /// Its public key.
    pub modulus: Modulus,
    /// Its name on this display.
    pub name: Name,
}

impl FromStr for Camera {
    /// What is wrong: part of a sentence.
    type Err = String;

    /// Parses an identity line as it was pasted.
    fn from_str(line: &str) -> std::result::Result<Self, String> {
        let mut words = line.split_whitespace();
        if words.next() != Some(CAMERA_WORD) {
            return Err(format!("it does not begin with {CAMERA_WORD}"));
        }
        let key = words.next().ok_or("the key is missing")?;
        let name = words.next().ok_or("the name after the key is missing")?;
        if words.next().is_some() {
            return Err("something stands after the name".to_owned());
        }
        if key.len() != MODULUS_TEXT_LEN {
            return Err(format!("the key has {} characters instead of {MODULUS_TEXT_LEN}", key.len()));
        }
        let mut bytes = [0; MODULUS_LEN];
        Base64Unpadded::decode(key, &mut bytes).map_err(|_| "the key is not base64")?;
        let modulus = Modulus::new(&bytes).ok_or("the key is not the modulus of a 3072-bit RSA key")?;
        Ok(Self { modulus, name: name.parse()? })
    }
}

impl fmt::Display for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; MODULUS_TEXT_LEN];
        let key = Base64Unpadded::encode(self.modulus.as_bytes(), &mut text).map_err(|_| fmt::Error)?;
        write!(f, "{CAMERA_WORD} {key} {}", self.name)
    }
}

/// A camera's name: 1 to 32 letters, digits, `.`, `_` and `-`, the first a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// This machine's name, with `-` for whatever a [`Name`] cannot hold; `camera` if nothing is left.
    #[must_use]
    pub fn of_host() -> Self {
        Self::from_host(&gethostname().unwrap_or_default().to_string_lossy())
    }

    fn from_host(host: &str) -> Self {
        let allowed = |c: char| if is_name_char(c) { c } else { '-' };
        let name: String =
            host.chars().map(allowed).skip_while(|c| !c.is_ascii_alphanumeric()).take(NAME_MAX).collect();
        Self(if name.is_empty() { "camera".to_owned() } else { name })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    /// What is wrong: part of a sentence.
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let good_start = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if good_start && text.len() <= NAME_MAX && text.chars().all(is_name_char) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "the name is not made of 1 to {NAME_MAX} letters, digits, '.', '_' and '-' with a letter or digit first"
        ))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses a fingerprint as it is printed: `SHA256:` and 43 characters of unpadded base64.
///
/// # Errors
/// What is wrong: a sentence without its full stop.
pub fn parse_fingerprint(text: &str) -> std::result::Result<Fingerprint, String> {
    let mut bytes = [0; 32];
    text.strip_prefix("SHA256:")
        .filter(|base64| base64.len() == FINGERPRINT_TEXT_LEN)
        .and_then(|base64| Base64Unpadded::decode(base64, &mut bytes).ok())
        .ok_or("a fingerprint is SHA256: and 43 letters, digits, '+' and '/', as `fingerprint` prints it")?;
    Ok(Fingerprint(bytes))
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-".contains(c)
}

/// The text of the file `name`, `None` if there is none.
fn read_text(state: &State, name: &str) -> Result<Option<String>> {
    let Some(bytes) = state.read(name, FILE_MAX)? else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count();
        bad_file(state, name, &[format!("line {line}: it is not text")])
    })?;
    Ok(Some(text.to_owned()))
}

fn bad_file(state: &State, name: &str, problems: &[String]) -> Failure {
    let path = state.file(name);
    let list: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    Failure::new(
        Exit::State,
        format!("{} is not used until these are put right or taken out:{list}", path.display()),
    )
}

/// Whether a line of a trust file says nothing: blank, or a comment.
fn says_nothing(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

#[cfg(test)]
mod tests;
