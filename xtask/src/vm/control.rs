//! The words between a guest and this program: one line asks, one line answers.
//!
//! A line that asks starts with a mark; what stands before it, and lines without it, are noise that a serial port makes
//! when it is opened.

/// Starts what a guest asks.
const MARK: &str = "@vm ";

/// What a guest asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// A line for the log.
    Say(String),
    /// The screen, kept under this name.
    Screendump(String),
    /// Whether the screen is as it was when it was kept under this name.
    Same(String),
    /// Whether the screen shows the camera's pictures.
    Shows(View),
    /// Raises a flag that the other guest sees.
    Raise(String),
    /// Whether this flag was raised.
    IsRaised(String),
    /// Why the case fails.
    Failed(String),
    /// The case has ended with this status.
    Exit(i32),
}

/// How a picture is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// Pixel for pixel.
    Exact,
    /// As large as the screen allows.
    Scaled,
    /// Anything but a damaged picture.
    Sound,
    /// The display's own words.
    Words,
    /// Such words that tell of a missing picture.
    Alarm,
}

impl Request {
    /// What a line asks for; `None` for noise, and words of explanation for what makes no sense.
    pub(super) fn parse(line: &str) -> Option<Result<Self, String>> {
        let (_, asked) = line.rsplit_once(MARK)?;
        let asked = asked.trim();
        let (verb, rest) = asked.split_once(' ').unwrap_or((asked, ""));
        let text = rest.to_owned();
        let request = match (verb, rest) {
            ("say", _) => Self::Say(text),
            ("failed", _) => Self::Failed(text),
            ("screendump", name) if is_name(name) => Self::Screendump(text),
            ("same", name) if is_name(name) => Self::Same(text),
            ("raise", name) if is_name(name) => Self::Raise(text),
            ("is-raised", name) if is_name(name) => Self::IsRaised(text),
            ("shows", "exact") => Self::Shows(View::Exact),
            ("shows", "scaled") => Self::Shows(View::Scaled),
            ("shows", "sound") => Self::Shows(View::Sound),
            ("shows", "words") => Self::Shows(View::Words),
            ("shows", "alarm") => Self::Shows(View::Alarm),
            ("exit", number) => match number.parse() {
                Ok(number) => Self::Exit(number),
                Err(_) => return Some(Err(format!("`exit {number}` tells no number"))),
            },
            _ => return Some(Err(format!("`{asked}` is not understood"))),
        };
        Some(Ok(request))
    }
}

/// A line that answers: `ok` or `no`, and more words.
pub(super) fn answer(outcome: &Result<String, String>) -> String {
    let (word, text) = match outcome {
        Ok(text) => ("ok", text),
        Err(text) => ("no", text),
    };
    format!("{word} {}\n", text.replace('\n', "; "))
}

/// Names become files' names.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_behind_their_mark() {
        let read = |line: &str| Request::parse(line).map(Result::unwrap);
        assert_eq!(read("@vm say all is well\r\n"), Some(Request::Say("all is well".into())));
        assert_eq!(read("\u{fffd}x@vm screendump before-1"), Some(Request::Screendump("before-1".into())));
        assert_eq!(read("@vm shows exact"), Some(Request::Shows(View::Exact)));
        assert_eq!(read("@vm is-raised ready"), Some(Request::IsRaised("ready".into())));
        assert_eq!(read("@vm exit 3"), Some(Request::Exit(3)));
        assert_eq!(read("\u{fffd}\u{fffd}"), None);
    }

    #[test]
    fn nonsense_is_told() {
        for line in [
            "@vm ",
            "@vm dance",
            "@vm exit",
            "@vm exit x",
            "@vm shows nothing",
            "@vm screendump ../a",
            "@vm same",
        ] {
            assert!(Request::parse(line).unwrap().is_err(), "{line}");
        }
    }

    #[test]
    fn an_answer_is_one_line() {
        assert_eq!(answer(&Ok("3".into())), "ok 3\n");
        assert_eq!(answer(&Err("a\nb".into())), "no a; b\n");
    }
}
