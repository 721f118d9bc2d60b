//! A case: one file in `xtask/vm/cases`, whose name tells the behaviour and whose head tells what it needs.
//!
//! ```text
//! # shows: what a person reads in the list
//! # machine: virt              (two machines, one behind the other, are joined by a cable)
//! # fb: virtio                 (one for each machine)
//! # size: 640x480
//! # line: 800                  (pixels from row to row, where that is more than are shown)
//! # pictures: 640x480 no-dht   (what the camera sends)
//! # programs: static
//! # limit: 120                 (seconds)
//! # fast: yes
//! ```
//!
//! The rest is a script that the guest runs after `xtask/vm/lib.sh`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::chart::Chart;
use super::machine::{Framebuffer, Machine};
use crate::failure::{Failure, Result};
use crate::process;

/// One case.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) shows: String,
    /// One machine, or two.
    pub(super) guests: Vec<Board>,
    pub(super) pictures: Chart,
    /// The programs bring their C library, and the guest has none.
    pub(super) is_static: bool,
    /// How long it may take, from the start of the machine.
    pub(super) limit: Duration,
    /// Part of what is run where nothing else is asked for.
    pub(super) is_fast: bool,
    pub(super) script: String,
}

/// A machine with its screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Board {
    pub(super) machine: &'static Machine,
    pub(super) fb: &'static Framebuffer,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Pixels from one row to the next.
    pub(super) line: usize,
}

/// All cases, by name.
pub(super) fn all() -> Result<Vec<Case>> {
    let folder = process::root().join("xtask/vm/cases");
    let fail = |path: &Path, error: std::io::Error| Failure::new(format!("{}: {error}.", path.display()));
    let mut cases = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| fail(&folder, error))? {
        let path = entry.map_err(|error| fail(&folder, error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".sh")) else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(|error| fail(&path, error))?;
        let case = Case::parse(name, &text);
        cases.push(case.map_err(|why| Failure::new(format!("{}: {why}.", path.display())))?);
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

impl Case {
    fn parse(name: &str, text: &str) -> std::result::Result<Self, String> {
        let head = Head { lines: text.lines().take_while(|line| line.starts_with('#')).collect() };
        head.check()?;
        let machines: Vec<_> =
            head.word("machine", "virt").split(' ').map(machine).collect::<std::result::Result<_, _>>()?;
        let fbs: Vec<_> =
            head.word("fb", "virtio").split(' ').map(framebuffer).collect::<std::result::Result<_, _>>()?;
        if machines.len() != fbs.len() || machines.len() > 2 {
            return Err("it wants one or two machines, and as many words behind `fb`".into());
        }
        let (width, height) = size(head.word("size", "640x480"))?;
        let line = number(head.word("line", &width.to_string()))?;
        let guests =
            machines.into_iter().zip(fbs).map(|(machine, fb)| Board { machine, fb, width, height, line });
        let guests: Vec<Board> = guests.collect();
        if let Some(board) = guests.iter().find(|board| !board.machine.has(board.fb)) {
            return Err(format!("the machine {} has no framebuffer `{}`", board.machine.name, board.fb.name));
        }
        let pictures = head.word("pictures", "640x480");
        let (pictures, has_tables) =
            pictures.strip_suffix(" no-dht").map_or((pictures, true), |pictures| (pictures, false));
        let (across, down) = size(pictures)?;
        Ok(Self {
            name: name.to_owned(),
            shows: head.find("shows").ok_or("it does not say what it shows")?.to_owned(),
            guests,
            pictures: Chart { width: across, height: down, has_tables },
            is_static: head.flag("programs", "dynamic", "static")?,
            limit: Duration::from_secs(number(head.find("limit").ok_or("it has no limit")?)? as u64),
            is_fast: head.flag("fast", "no", "yes")?,
            script: text.to_owned(),
        })
    }
}

/// The machine of a name.
pub(super) fn machine(name: &str) -> std::result::Result<&'static Machine, String> {
    Machine::all()
        .iter()
        .find(|machine| machine.name == name)
        .ok_or_else(|| format!("there is no machine `{name}`"))
}

/// The framebuffer of a name.
pub(super) fn framebuffer(name: &str) -> std::result::Result<&'static Framebuffer, String> {
    Framebuffer::all()
        .iter()
        .find(|fb| fb.name == name)
        .ok_or_else(|| format!("there is no framebuffer `{name}`"))
}

/// The comment at the top of a case.
struct Head<'a> {
    lines: Vec<&'a str>,
}

impl<'a> Head<'a> {
    const KEYS: [&'static str; 9] =
        ["shows", "machine", "fb", "size", "line", "pictures", "programs", "limit", "fast"];

    /// A key that is misspelt would be missed in silence.
    fn check(&self) -> std::result::Result<(), String> {
        let key = |line: &&'a str| {
            line.trim_start_matches('#').trim().split_once(':').map_or(*line, |(key, _)| key)
        };
        match self.lines.iter().map(key).find(|key| !Self::KEYS.contains(key)) {
            Some(key) => Err(format!("`{key}` is none of the words of its head: {}", Self::KEYS.join(", "))),
            None => Ok(()),
        }
    }

    fn find(&self, key: &str) -> Option<&'a str> {
        let value = |line: &&'a str| line.strip_prefix("# ")?.strip_prefix(key)?.strip_prefix(':');
        self.lines.iter().find_map(value).map(str::trim)
    }

    fn word<'b>(&self, key: &str, otherwise: &'b str) -> &'b str
    where
        'a: 'b,
    {
        self.find(key).unwrap_or(otherwise)
    }

    /// One of two words, the first being meant where none is given.
    fn flag(&self, key: &str, no: &str, yes: &str) -> std::result::Result<bool, String> {
        match self.word(key, no) {
            word if word == no => Ok(false),
            word if word == yes => Ok(true),
            word => Err(format!("`{key}` is {no} or {yes}, not `{word}`")),
        }
    }
}

fn size(text: &str) -> std::result::Result<(usize, usize), String> {
    let (width, height) =
        text.split_once('x').ok_or_else(|| format!("`{text}` is no size such as 640x480"))?;
    Ok((number(width)?, number(height)?))
}

fn number(text: &str) -> std::result::Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=4096).contains(number));
    number.ok_or_else(|| format!("`{text}` is no number from 1 to 4096"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_and_the_rest_has_its_usual_values() {
        let case = Case::parse("a", "# shows: A picture.\n# limit: 90\nplug_in\n").unwrap();
        assert_eq!((case.name.as_str(), case.shows.as_str()), ("a", "A picture."));
        assert_eq!(case.limit, Duration::from_secs(90));
        let [board] = case.guests[..] else { panic!("{:?}", case.guests) };
        assert_eq!((board.machine.name, board.fb.name), ("virt", "virtio"));
        assert_eq!((board.width, board.height, board.line), (640, 480, 640));
        assert_eq!(case.pictures, Chart { width: 640, height: 480, has_tables: true });
        assert!(!case.is_static && !case.is_fast);
        assert!(case.script.ends_with("plug_in\n"));
    }

    #[test]
    fn every_word_of_a_head_has_its_effect() {
        let text = "# shows: Two.\n# machine: virt raspi3b\n# fb: none pi16\n# size: 320x240\n# line: 400\n\
                    # pictures: 160x120 no-dht\n# programs: static\n# limit: 9\n# fast: yes\n";
        let case = Case::parse("b", text).unwrap();
        let boards: Vec<_> =
            case.guests.iter().map(|board| (board.machine.name, board.fb.depth, board.line)).collect();
        assert_eq!(boards, [("virt", 0, 400), ("raspi3b", 16, 400)]);
        assert!(!case.pictures.has_tables && case.is_static && case.is_fast);
    }

    #[test]
    fn a_head_that_makes_no_sense_is_refused() {
        for (line, complaint) in [
            ("# machine: amiga", "`amiga`"),
            ("# machine: virt virt", "as many words"),
            ("# machine: raspi3b", "no framebuffer `virtio`"),
            ("# fb: vga", "`vga`"),
            ("# size: large", "`large`"),
            ("# size: 0x5", "`0`"),
            ("# fast: perhaps", "yes or"),
            ("# colour: blue", "`colour`"),
            ("# just words", "just words"),
        ] {
            let text = format!("# shows: A.\n# limit: 9\n{line}\n");
            let why = Case::parse("c", &text).unwrap_err();
            assert!(
                why.contains(complaint) || line.contains("fast") && why.contains("no or yes"),
                "{line}: {why}"
            );
        }
        assert!(Case::parse("d", "# limit: 9\n").unwrap_err().contains("what it shows"));
        assert!(Case::parse("d", "# shows: A.\n").unwrap_err().contains("limit"));
    }

    #[test]
    fn the_cases_that_are_there_can_be_read() {
        let cases = all().unwrap();
        assert!(cases.iter().any(|case| case.is_fast));
        for case in &cases {
            assert!(
                case.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{}",
                case.name
            );
        }
    }
}
