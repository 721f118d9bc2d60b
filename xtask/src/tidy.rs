//! `cargo xtask tidy`: the house rules that no compiler checks.
//!
//! Every check is a function from text to findings, tested on a text that breaks its rule. What git knows of or would
//! add is looked at, build output is not.

mod cite;
mod code;
mod rust;
mod tree;

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// Counted from 1; 0 where the file as a whole is meant.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// The command.
pub(crate) fn run() -> Result {
    crate::need::program("git", "git")?;
    let root = process::root();
    let listed = process::read(Command::new("git").current_dir(root).args([
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    // A file that was removed and not yet committed is still listed.
    let paths: Vec<&str> = listed.split_terminator('\0').filter(|path| root.join(path).exists()).collect();
    let findings = look(root, &paths)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files", paths.len());
            Ok(())
        }
        count => {
            Err(Failure::new(format!("tidy: {count} places break a house rule (docs/CONTRIBUTING.md).")))
        }
    }
}

fn look(root: &Path, paths: &[&str]) -> Result<Vec<Finding>> {
    let protocol = fs::read_to_string(root.join("docs/protocol.md")).ok();
    let sections = protocol.as_deref().map(cite::sections);
    let mut findings = tree::licences(paths);
    for &path in paths {
        let bytes = fs::read(root.join(path)).map_err(|error| Failure::new(format!("{path}: {error}.")))?;
        findings.extend(tree::size(path, bytes.len()));
        // A picture or a recorded stream has no lines to look at.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        findings.extend(tree::machine_names(path, &text));
        if path.ends_with("Cargo.lock") {
            findings.extend(tree::lock(path, &text));
        }
        if path.ends_with(".rs") {
            findings.extend(rust::check(path, &text));
        }
        if let Some(sections) = &sections {
            findings.extend(cite::check(path, &text, sections));
        }
    }
    Ok(findings)
}
