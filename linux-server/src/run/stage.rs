//! Which camera is shown, and what the screen should know about it: the first that is connected stays until it goes.

use std::borrow::Cow;

use sealcam_core::CaptureState;
use sealcam_core::key::Fingerprint;
use sealcam_core::output::{Event, SessionEnd};
use sealcam_linux::trust::AuthorizedCameras;

use crate::report;
use crate::status::{Link, Situation, SourceState};

/// The connected cameras, the one that is shown first.
pub(crate) struct Stage {
    connected: Vec<Actor>,
    /// The camera that went last, and why.
    lost: Option<(String, String)>,
    how_to_connect: Vec<String>,
    changed: bool,
}

struct Actor {
    camera: Fingerprint,
    name: String,
    source: SourceState,
}

impl Stage {
    /// Nobody is connected. `commands` make a camera trust this display.
    pub(crate) fn new(commands: Vec<String>, fingerprint: Fingerprint) -> Self {
        Self {
            connected: Vec::new(),
            lost: None,
            how_to_connect: lesson(commands, fingerprint),
            changed: true,
        }
    }

    /// How to connect a camera, a paragraph each.
    pub(crate) fn how_to_connect(&self) -> Vec<String> {
        self.how_to_connect.clone()
    }

    /// Whether this camera's frames are shown.
    pub(crate) fn shows(&self, camera: Fingerprint) -> bool {
        self.connected.first().is_some_and(|actor| actor.camera == camera)
    }

    /// The camera's name.
    pub(crate) fn name<'s>(&'s self, camera: Fingerprint, list: &AuthorizedCameras) -> Cow<'s, str> {
        match self.connected.iter().find(|actor| actor.camera == camera) {
            Some(actor) => Cow::Borrowed(&actor.name),
            None => Cow::Owned(report::camera_name(list, camera)),
        }
    }

    /// Takes notice of an event.
    pub(crate) fn event(&mut self, event: &Event, list: &AuthorizedCameras) {
        match event {
            Event::Connected { camera, .. } => {
                if !self.connected.iter().any(|actor| actor.camera == *camera) {
                    let name = report::camera_name(list, *camera);
                    self.connected.push(Actor { camera: *camera, name, source: SourceState::Starting });
                }
            }
            // Its new session follows: it keeps its place.
            Event::Disconnected { why: SessionEnd::Replaced, .. } => return,
            Event::Disconnected { camera, why } => {
                let name = self.name(*camera, list).into_owned();
                self.connected.retain(|actor| actor.camera != *camera);
                self.lost = Some((name, report::end(*why).to_owned()));
            }
            Event::CameraState { camera, state } => {
                if let Some(actor) = self.connected.iter_mut().find(|actor| actor.camera == *camera) {
                    actor.source = source(*state);
                }
            }
            _ => return,
        }
        self.changed = true;
    }

    /// What the screen should know, if it has changed.
    pub(crate) fn situation(&mut self) -> Option<Situation> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let link = match (self.connected.first(), &self.lost) {
            (Some(actor), _) => Link::Connected { camera: actor.name.clone(), source: actor.source },
            (None, Some((camera, why))) => Link::Lost { camera: camera.clone(), why: why.clone() },
            (None, None) => Link::Waiting,
        };
        Some(Situation { link, how_to_connect: self.how_to_connect.clone() })
    }
}

fn source(state: CaptureState) -> SourceState {
    match state {
        CaptureState::Starting => SourceState::Starting,
        CaptureState::Capturing => SourceState::Capturing,
        CaptureState::NoCamera => SourceState::NoCamera,
        CaptureState::CameraError => SourceState::CameraError,
        CaptureState::Paused => SourceState::Paused,
    }
}

fn lesson(commands: Vec<String>, fingerprint: Fingerprint) -> Vec<String> {
    let at_camera = match commands.as_slice() {
        [] => format!("1. Connect this machine to a network. Its key is {fingerprint}."),
        commands => format!("1. At the camera: {}", commands.join("   or: ")),
    };
    vec![
        at_camera,
        "2. At the camera: sealcam-client identity, and run here what it prints.".to_owned(),
        "3. At the camera: sealcam-client".to_owned(),
        "In place of 1 and 2, with one code and a yes: sealcam-server pair, here.".to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const PORCH: Fingerprint = Fingerprint([1; 32]);
    const YARD: Fingerprint = Fingerprint([2; 32]);

    fn connected(camera: Fingerprint) -> Event {
        Event::Connected { camera, peer: SocketAddr::from(([192, 0, 2, 1], 7)) }
    }

    #[test]
    fn the_first_camera_is_shown_until_it_goes() {
        let list = AuthorizedCameras::default();
        let mut stage = Stage::new(Vec::new(), PORCH);
        assert!(matches!(stage.situation(), Some(Situation { link: Link::Waiting, .. })));
        assert_eq!(stage.situation(), None);
        for camera in [PORCH, YARD] {
            stage.event(&connected(camera), &list);
        }
        assert!(stage.shows(PORCH) && !stage.shows(YARD));
        stage.event(&Event::Disconnected { camera: PORCH, why: SessionEnd::Silent }, &list);
        assert!(stage.shows(YARD));
        stage.event(&Event::Disconnected { camera: YARD, why: SessionEnd::Silent }, &list);
        let Some(Situation { link: Link::Lost { why, .. }, .. }) = stage.situation() else {
            panic!("all are gone")
        };
        assert!(why.contains("5 s"));
    }

    #[test]
    fn camera_that_connects_anew_keeps_its_place() {
        let list = AuthorizedCameras::default();
        let mut stage = Stage::new(Vec::new(), PORCH);
        let replaced = Event::Disconnected { camera: PORCH, why: SessionEnd::Replaced };
        for event in [connected(PORCH), connected(YARD), replaced, connected(PORCH)] {
            stage.event(&event, &list);
        }
        assert!(stage.shows(PORCH));
        stage.event(&Event::Disconnected { camera: PORCH, why: SessionEnd::Silent }, &list);
        assert!(stage.shows(YARD) && !stage.shows(PORCH));
    }

    #[test]
    fn what_the_camera_says_of_its_source_is_on_the_screen() {
        let list = AuthorizedCameras::default();
        let mut stage = Stage::new(Vec::new(), PORCH);
        stage.event(&connected(PORCH), &list);
        stage.event(&Event::CameraState { camera: PORCH, state: CaptureState::NoCamera }, &list);
        let link = stage.situation().map(|situation| situation.link);
        assert!(matches!(link, Some(Link::Connected { source: SourceState::NoCamera, .. })), "{link:?}");
    }
}
