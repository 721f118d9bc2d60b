//! `cargo xtask tidy`: the house rules that no compiler checks.
//!
//! Every check is a function from text to findings, tested on a text that breaks its rule. What git knows of or would
//! add is looked at, build output is not.

mod attacks;
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
    let mut findings = tree::licences(paths);
    let mut texts = Vec::new();
    for &path in paths {
        let bytes = fs::read(root.join(path)).map_err(|error| Failure::new(format!("{path}: {error}.")))?;
        findings.extend(tree::size(path, bytes.len()));
        // A picture or a recorded stream has no lines to look at.
        if let Ok(text) = String::from_utf8(bytes) {
            texts.push((path, text));
        }
    }
    let is_rust = |path: &str| path.ends_with(".rs");
    let rust_files = texts.iter().filter(|(path, _)| is_rust(path));
    let test_files: Vec<String> =
        rust_files.flat_map(|(path, text)| rust::test_modules(path, text)).collect();
    let protocol = texts.iter().find(|(path, _)| *path == "docs/protocol.md");
    let sections = protocol.map(|(_, text)| cite::sections(text));
    let manifest = texts.iter().find(|(path, _)| *path == "Cargo.toml").map_or("", |(_, text)| text);
    let mut sources = Vec::new();
    for (path, text) in &texts {
        let tests_only =
            rust::is_test_file(path) || path.ends_with(".md") || test_files.iter().any(|file| file == path);
        let tests_from = if tests_only { 0 } else { rust::lines_before_tests(text) };
        findings.extend(tree::machine_names(path, text, tests_from));
        if path.ends_with("Cargo.lock") {
            findings.extend(tree::lock(path, text));
            findings.extend(tree::candidates(path, text, manifest));
        }
        if is_rust(path) {
            findings.extend(rust::check(path, text, tests_from));
            sources.push((*path, text.as_str(), tests_from));
        }
        if let Some(sections) = &sections {
            findings.extend(cite::check(path, text, sections));
        }
    }
    if let Some((_, protocol)) = protocol {
        findings.extend(cite::both_ways(protocol, &sources));
    }
    let table = texts.iter().find(|(path, _)| *path == attacks::TABLE);
    findings.extend(attacks::check(table.map_or("", |(_, text)| text), &texts));
    Ok(findings)
}
