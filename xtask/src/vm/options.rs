//! The command line of `cargo xtask vm`.

use std::path::PathBuf;

use super::case;
use super::machine::{Framebuffer, Machine};
use crate::failure::{Failure, Result};

/// What was asked for.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) wanted: Wanted,
    pub(super) list: bool,
    pub(super) keep: bool,
    pub(super) release: bool,
    pub(super) machine: Option<&'static Machine>,
    pub(super) fb: Option<&'static Framebuffer>,
    /// Where Debian's packages are kept.
    pub(super) cache: PathBuf,
}

/// Which cases.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Fast,
    All,
    Named(Vec<String>),
}

impl Options {
    /// Reads the words behind `vm`.
    pub(super) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            wanted: Wanted::Fast,
            list: false,
            keep: false,
            release: false,
            machine: None,
            fb: None,
            cache: PathBuf::new(),
        };
        let (mut names, mut all, mut cache) = (Vec::new(), false, None);
        let mut words =
            arguments.iter().flat_map(|word| word.splitn(if word.starts_with("--") { 2 } else { 1 }, '='));
        while let Some(word) = words.next() {
            let mut value = || {
                let value = words.next();
                value.ok_or_else(|| Failure::usage(format!("`{word}` wants a word behind it.")))
            };
            match word {
                "--all" => all = true,
                "--list" => options.list = true,
                "--keep" => options.keep = true,
                "--release" => options.release = true,
                "--machine" => options.machine = Some(case::machine(value()?).map_err(usage)?),
                "--fb" => options.fb = Some(case::framebuffer(value()?).map_err(usage)?),
                "--cache" => cache = Some(PathBuf::from(value()?)),
                _ if word.starts_with('-') => {
                    return Err(Failure::usage(format!("`vm` does not know `{word}`.")));
                }
                name => names.push(name.to_owned()),
            }
        }
        options.wanted = match (all, names.is_empty()) {
            (false, true) => Wanted::Fast,
            (true, true) => Wanted::All,
            (false, false) => Wanted::Named(names),
            (true, false) => {
                return Err(Failure::usage("`--all` and the names of cases do not go together."));
            }
        };
        options.cache = cache.or_else(usual_cache).ok_or_else(|| {
            Failure::usage(
                "There is no home directory to keep Debian's packages in; say where with --cache DIR.",
            )
        })?;
        Ok(options)
    }
}

/// Outside the project, so that a fresh clone finds it.
fn usual_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let caches = set("XDG_CACHE_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    caches.map(|folder| folder.join("sealcam-vm"))
}

fn usage(why: String) -> Failure {
    Failure::usage(format!("There is no such choice: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_in_any_order() {
        let options = parse("--keep a --machine=x86 b --fb vga16 --cache=/c --release").unwrap();
        assert_eq!(options.wanted, Wanted::Named(vec!["a".into(), "b".into()]));
        assert!(options.keep && options.release && !options.list);
        assert_eq!((options.machine.unwrap().name, options.fb.unwrap().name), ("x86", "vga16"));
        assert_eq!(options.cache, PathBuf::from("/c"));
        assert_eq!(parse("--cache /c").unwrap().wanted, Wanted::Fast);
        assert_eq!(parse("--all --cache /c").unwrap().wanted, Wanted::All);
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        for line in ["--fly", "--machine", "--machine amiga", "--fb=big", "--all a", "--cache"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
