//! What the screen says when it has no live picture to show: the words, chosen from what is known.
//!
//! The network loop tells the [`Situation`]; the painter, which alone knows what stands on the screen, adds the
//! [`Gap`]. Nothing here reads a clock or touches a sink; `status/text.rs` draws the words.

mod font;
pub(crate) mod text;

use std::time::Duration;

/// The words of a screen without a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// In large letters.
    pub(crate) title: String,
    /// Paragraphs; long ones are wrapped.
    pub(crate) lines: Vec<String>,
    /// Whether a picture that was there is missing, so that the title should stand out.
    pub(crate) alarm: bool,
}

/// What the display knows about its cameras, apart from the pictures themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Situation {
    /// How it stands with the camera whose picture is wanted.
    pub(crate) link: Link,
    /// How to connect a camera: commands, this display's fingerprint and addresses; a paragraph each. Shown as
    /// long as no camera is connected.
    pub(crate) how_to_connect: Vec<String>,
}

/// How it stands with the camera whose picture is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// No camera has connected yet.
    Waiting,
    /// The camera of this name is connected, and its source is in this state.
    Connected {
        /// Its name.
        camera: String,
        /// What its source of pictures does.
        source: SourceState,
    },
    /// The camera of this name was connected.
    Lost {
        /// Its name.
        camera: String,
        /// Why it no longer is: a clause such as `nothing has come from it for 5 s`.
        why: String,
    },
}

/// What a camera says of its source of pictures (the states of the STATUS message, docs/protocol.md §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceState {
    /// It is being opened.
    Starting,
    /// It gives pictures.
    Capturing,
    /// No camera is plugged in.
    NoCamera,
    /// A camera is there and gives no pictures.
    CameraError,
    /// It was told to pause.
    Paused,
}

/// Why the painter has no live picture, as far as it can see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Gap {
    /// How long the newest picture has been there; `None` if it never had one.
    pub(crate) age: Option<Duration>,
    /// Frames that came after it and could not be decoded.
    pub(crate) undecodable: u64,
    /// Frames that came after it and were too old by the time they could be shown.
    pub(crate) late: u64,
}

impl Situation {
    /// Whether a picture of this camera can still be followed by another: not once it is gone, or another camera's
    /// pictures are wanted.
    pub(crate) fn expects(&self, name: &str) -> bool {
        match &self.link {
            Link::Waiting => true,
            Link::Connected { camera, .. } => camera == name,
            Link::Lost { .. } => false,
        }
    }

    /// Before anything is known.
    pub(crate) const fn unknown() -> Self {
        Self { link: Link::Waiting, how_to_connect: Vec::new() }
    }

    /// What the screen should say.
    pub(crate) fn statement(&self, gap: Gap) -> Statement {
        let mut lines = Vec::new();
        if let Some(age) = gap.age {
            lines.push(format!("No fresh picture for {}.", span(age)));
        }
        lines.push(if gap.undecodable > 0 {
            format!("Frames do arrive, but the last {} could not be decoded.", gap.undecodable)
        } else if gap.late > 0 {
            "Frames do arrive, but too late to be shown: the link or this machine does not keep up with them. \
             Smaller pictures may help (sealcam-client --size)."
                .to_owned()
        } else {
            self.link.reason(gap)
        });
        if !matches!(self.link, Link::Connected { .. }) {
            lines.extend(self.how_to_connect.iter().cloned());
        }
        let alarm = gap.age.is_some();
        let title = if alarm { "NO LIVE PICTURE" } else { self.link.title() };
        Statement { title: title.to_owned(), lines, alarm }
    }
}

impl Link {
    /// The title as long as there was no picture yet.
    const fn title(&self) -> &'static str {
        match self {
            Self::Waiting => "Waiting for a camera",
            Self::Connected { .. } => "Camera connected",
            Self::Lost { .. } => "Camera lost",
        }
    }

    fn reason(&self, gap: Gap) -> String {
        match self {
            Self::Waiting => "No camera is connected.".to_owned(),
            Self::Lost { camera, why } => format!("{camera} is no longer connected: {why}."),
            Self::Connected { camera, source } => match source {
                SourceState::Starting => format!("{camera} is connected and opening its camera."),
                SourceState::Capturing if gap.age.is_none() => {
                    format!("{camera} is connected; its first picture is on the way.")
                }
                SourceState::Capturing => format!("{camera} is connected, but its pictures do not arrive."),
                SourceState::NoCamera => format!("{camera} says: camera unplugged."),
                SourceState::CameraError => format!("{camera} says: the camera gives no pictures."),
                SourceState::Paused => format!("{camera} says: paused."),
            },
        }
    }
}

/// A span as a person says it, in whole units, so that it changes once a second at most.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn situation(link: Link) -> Situation {
        Situation { link, how_to_connect: vec!["sealcam-client trust 10.0.0.2:5000 SHA256:abc".to_owned()] }
    }

    fn connected(source: SourceState) -> Situation {
        situation(Link::Connected { camera: "porch".to_owned(), source })
    }

    #[test]
    fn waiting_says_how_to_connect_and_raises_no_alarm() {
        let said = situation(Link::Waiting).statement(Gap::default());
        assert_eq!(said.title, "Waiting for a camera");
        assert!(said.lines.iter().any(|line| line.contains("trust 10.0.0.2:5000")));
        assert!(!said.alarm);
    }

    #[test]
    fn a_missing_picture_is_an_alarm_that_says_how_long_and_why() {
        let gap = Gap { age: Some(Duration::from_millis(12_900)), ..Gap::default() };
        let said = connected(SourceState::NoCamera).statement(gap);
        assert_eq!(said.title, "NO LIVE PICTURE");
        assert_eq!(said.lines, ["No fresh picture for 12 s.", "porch says: camera unplugged."]);
        assert!(said.alarm);
    }

    #[test]
    fn a_lost_camera_is_named_with_the_reason_and_the_way_back() {
        let link =
            Link::Lost { camera: "porch".to_owned(), why: "nothing has come from it for 5 s".to_owned() };
        let said = situation(link).statement(Gap { age: Some(Duration::from_secs(61)), ..Gap::default() });
        assert_eq!(said.lines[0], "No fresh picture for 1 min 1 s.");
        assert_eq!(said.lines[1], "porch is no longer connected: nothing has come from it for 5 s.");
        assert_eq!(said.lines.len(), 3);
    }

    #[test]
    fn frames_that_cannot_be_decoded_are_the_reason_given() {
        let gap = Gap { age: Some(Duration::from_secs(2)), undecodable: 31, late: 2 };
        let said = connected(SourceState::Capturing).statement(gap);
        assert_eq!(said.lines[1], "Frames do arrive, but the last 31 could not be decoded.");
    }

    #[test]
    fn frames_that_come_too_late_to_be_shown_are_the_reason_given() {
        let gap = Gap { age: Some(Duration::from_secs(2)), undecodable: 0, late: 4 };
        let said = connected(SourceState::Capturing).statement(gap);
        assert!(said.lines[1].starts_with("Frames do arrive, but too late to be shown"), "{said:?}");
    }

    #[test]
    fn spans_are_told_in_whole_units() {
        for (seconds, told) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), told);
        }
    }
}
