//! The display's list of cameras that may connect: the file `authorized_cameras`.
//!
//! One identity line a camera, at most [`MAX_CAMERAS`]; blank lines and those that begin with `#` are kept as they
//! are. No two cameras have the same key or the same name.

use std::fmt;

use sealcam_core::key::{Fingerprint, Modulus};

use super::{Camera, Name, bad_file, parse_fingerprint, read_text, says_nothing};
use crate::exit::{Exit, Failure, Result};
use crate::state::State;

/// The name of the file in the state directory.
pub const FILE: &str = "authorized_cameras";

/// The most cameras of one display.
pub const MAX_CAMERAS: usize = 16;

/// The cameras that may connect, and the comments between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthorizedCameras {
    lines: Vec<Line>,
}

/// What [`authorize`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorized {
    /// The camera is new in the list.
    Added,
    /// It was in the list already, with this key and name.
    Already,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    Comment(String),
    Camera(Box<Camera>),
}

/// Lets `camera` connect from now on; a running display takes it up within a second.
///
/// # Errors
/// [`Exit::Trust`] if its key has another name, its name another key, or the list is full; [`Exit::State`] if the
/// file cannot be read or written. Nothing is changed then.
pub fn authorize(state: &State, camera: Camera) -> Result<Authorized> {
    let lock = state.lock()?;
    let mut list = AuthorizedCameras::load(state)?;
    let authorized = list.add(camera)?;
    if authorized == Authorized::Added {
        lock.replace(FILE, list.to_string().as_bytes())?;
    }
    Ok(authorized)
}

/// Lets the camera of this name, or of this fingerprint (`SHA256:…`), connect no more, and gives it back. A running
/// display ends its session within a second.
///
/// # Errors
/// [`Exit::Trust`] if there is none; [`Exit::State`] if the file cannot be read or written.
pub fn forget(state: &State, which: &str) -> Result<Camera> {
    let lock = state.lock()?;
    let mut list = AuthorizedCameras::load(state)?;
    let camera = list.remove(which)?;
    lock.replace(FILE, list.to_string().as_bytes())?;
    Ok(camera)
}

impl AuthorizedCameras {
    /// Reads the file; an empty list if there is none.
    ///
    /// # Errors
    /// [`Exit::State`], naming each bad line by its number; then nothing of the file may be used.
    pub fn load(state: &State) -> Result<Self> {
        let text = read_text(state, FILE)?.unwrap_or_default();
        Self::parse(&text).map_err(|problems| bad_file(state, FILE, &problems))
    }

    /// The cameras, in the order of the file.
    pub fn cameras(&self) -> impl Iterator<Item = &Camera> {
        self.lines.iter().filter_map(|line| match line {
            Line::Camera(camera) => Some(&**camera),
            Line::Comment(_) => None,
        })
    }

    /// The camera with this fingerprint.
    #[must_use]
    pub fn find(&self, camera: Fingerprint) -> Option<&Camera> {
        self.cameras().find(|known| known.modulus.fingerprint() == camera)
    }

    /// Whether one more camera finds room.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.cameras().count() < MAX_CAMERAS
    }

    /// The camera of this name.
    #[must_use]
    pub fn named(&self, name: &Name) -> Option<&Camera> {
        self.cameras().find(|known| known.name == *name)
    }

    /// A name that no camera has: `camera-1`, or with the next number that is free.
    #[must_use]
    pub fn free_name(&self) -> Name {
        let mut names = (1..).map(|number| Name(format!("camera-{number}")));
        names.find(|name| self.named(name).is_none()).unwrap_or_else(|| Name("camera".to_owned()))
    }

    fn parse(text: &str) -> std::result::Result<Self, Vec<String>> {
        let mut list = Self::default();
        let mut problems = Vec::new();
        for (i, line) in text.lines().enumerate() {
            if says_nothing(line) {
                list.lines.push(Line::Comment(line.to_owned()));
                continue;
            }
            let camera = line.parse().and_then(|camera: Camera| match list.conflict(&camera) {
                Some(conflict) => Err(conflict.to_string()),
                None => Ok(Line::Camera(Box::new(camera))),
            });
            match camera {
                Ok(line) => list.lines.push(line),
                Err(problem) => problems.push(format!("line {}: {problem}", i + 1)),
            }
        }
        if problems.is_empty() { Ok(list) } else { Err(problems) }
    }

    fn add(&mut self, camera: Camera) -> Result<Authorized> {
        if self.cameras().any(|known| *known == camera) {
            return Ok(Authorized::Already);
        }
        if let Some(conflict) = self.conflict(&camera) {
            let advice = conflict.advice();
            return Err(Failure::new(
                Exit::Trust,
                format!("{} was not authorized: {conflict}. {advice}", camera.name),
            ));
        }
        self.lines.push(Line::Camera(Box::new(camera)));
        Ok(Authorized::Added)
    }

    fn remove(&mut self, which: &str) -> Result<Camera> {
        let fingerprint = parse_fingerprint(which).ok();
        let found = self.lines.iter().position(|line| match line {
            Line::Camera(known) => {
                known.name.as_str() == which || Some(known.modulus.fingerprint()) == fingerprint
            }
            Line::Comment(_) => false,
        });
        if let Some(i) = found
            && let Line::Camera(camera) = self.lines.remove(i)
        {
            return Ok(*camera);
        }
        let names: Vec<&str> = self.cameras().map(|camera| camera.name.as_str()).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Err(Failure::new(
            Exit::Trust,
            format!("No camera {which} is authorized, so nothing was forgotten. Authorized: {known}."),
        ))
    }

    /// Why this camera cannot be in the list besides those that are.
    fn conflict(&self, camera: &Camera) -> Option<Conflict> {
        let with_key = |modulus: &Modulus| self.cameras().find(|known| known.modulus == *modulus);
        if let Some(known) = with_key(&camera.modulus) {
            return Some(Conflict::Key { name: known.name.to_string() });
        }
        if self.cameras().any(|known| known.name == camera.name) {
            return Some(Conflict::Name { name: camera.name.to_string() });
        }
        (self.cameras().count() >= MAX_CAMERAS).then_some(Conflict::Full)
    }
}

impl fmt::Display for AuthorizedCameras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| match line {
            Line::Comment(text) => writeln!(f, "{text}"),
            Line::Camera(camera) => writeln!(f, "{camera}"),
        })
    }
}

enum Conflict {
    Key { name: String },
    Name { name: String },
    Full,
}

impl Conflict {
    fn advice(&self) -> String {
        match self {
            Self::Key { name } => format!("To rename it, first run: sealcam-server forget {name}"),
            Self::Name { name } => format!(
                "If that camera has a new key and you know why, first run: sealcam-server forget {name}; if this is \
                 another camera, give it another name at the end of the line."
            ),
            Self::Full => "First run sealcam-server forget NAME for one that is gone.".to_owned(),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { name } => write!(f, "a camera with the same key is in the list as {name}"),
            Self::Name { name } => write!(f, "another camera, with another key, is in the list as {name}"),
            Self::Full => write!(f, "{MAX_CAMERAS} cameras are in the list already, which is the most"),
        }
    }
}
