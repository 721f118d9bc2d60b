//! The rules for Rust files: how a file opens, how long it is, where `unsafe` and the standard library may stand.

use super::Finding;
use super::code::code_only;

/// A file this long or longer wants to be two.
const TOO_LONG: usize = 400;

/// Every rule for one file; `path` is relative to the top folder, `tests_from` the number of lines that are no test.
pub(super) fn check(path: &str, text: &str, tests_from: usize) -> Vec<Finding> {
    let code = code_only(text);
    let source = Source { path, text, code: &code, tests_from };
    let mut findings = Vec::new();
    findings.extend(source.opening());
    findings.extend(source.length());
    findings.extend(source.unsafe_code());
    findings.extend(source.leftovers());
    findings.extend(source.standard_library_in_core());
    findings
}

/// Whether a file holds tests or measurements only, by its name alone.
pub(super) fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "benches" | "fuzz" | "tests.rs"))
}

/// The files that this one declares as modules for tests only.
pub(super) fn test_modules(path: &str, text: &str) -> Vec<String> {
    let folder = match path.rsplit_once('/') {
        Some((folder, "lib.rs" | "main.rs")) => folder,
        _ => path.trim_end_matches(".rs"),
    };
    let lines: Vec<&str> = text.lines().collect();
    let declared = test_attributes(&lines)
        .filter_map(|at| item_after(&lines, at)?.strip_prefix("mod ")?.strip_suffix(';'));
    declared.map(|name| format!("{folder}/{name}.rs")).collect()
}

/// How many lines come before the unit tests at the end.
pub(super) fn lines_before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = test_attributes(&lines)
        .find(|at| item_after(&lines, *at).is_some_and(|item| item.starts_with("mod tests")));
    tests.unwrap_or(lines.len())
}

/// Whether `word` stands in `line` by itself and not as a part of a longer name.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

fn test_attributes(lines: &[&str]) -> impl Iterator<Item = usize> {
    lines.iter().enumerate().filter(|(_, line)| **line == "#[cfg(test)]").map(|(at, _)| at)
}

/// The first line after the attributes that follow line `at`.
fn item_after<'a>(lines: &[&'a str], at: usize) -> Option<&'a str> {
    lines.iter().skip(at).find(|line| !line.starts_with("#[")).copied()
}

struct Source<'a> {
    path: &'a str,
    text: &'a str,
    code: &'a str,
    tests_from: usize,
}

impl Source<'_> {
    fn opening(&self) -> Option<Finding> {
        let opens = self.text.lines().next().is_some_and(|line| line.starts_with("//! "));
        (!opens).then(|| self.finding(1, "a file opens with `//!`: what it is for, and what it does not do"))
    }

    fn length(&self) -> Option<Finding> {
        let too_long = self.tests_from >= TOO_LONG;
        let message =
            format!("{} lines without its tests; a file has fewer than {TOO_LONG}", self.tests_from);
        too_long.then(|| self.finding(0, message))
    }

    fn unsafe_code(&self) -> Vec<Finding> {
        let allowed = self.path.ends_with("/sys.rs");
        self.lines_of_code(
            |line| !allowed && has_word(line, "unsafe"),
            "unsafe code stands in files named sys.rs only",
        )
    }

    fn leftovers(&self) -> Vec<Finding> {
        let unfinished = ["todo", "unimplemented", "dbg"];
        let unfinished = |line: &str| {
            unfinished.iter().any(|name| has_word(line, name) && line.contains(&format!("{name}!")))
        };
        let mut findings = self.lines_of_code(unfinished, "left unfinished");
        let ignored = |line: &str| line.replace(' ', "").contains("#[ignore");
        findings.extend(self.lines_of_code(ignored, "a test that does not run proves nothing"));
        // These stand in comments, so the whole text is looked at; spelled apart, or this line would be found.
        let marks = [concat!("FIX", "ME"), concat!("XX", "X")];
        let marked =
            self.text.lines().enumerate().filter(|(_, line)| marks.iter().any(|mark| has_word(line, mark)));
        findings.extend(
            marked.map(|(at, _)| self.finding(at + 1, "a note to oneself: do it, or say what holds now")),
        );
        findings
    }

    fn standard_library_in_core(&self) -> Vec<Finding> {
        let in_core = self.path.starts_with("core/src/");
        let uses = |line: &str| {
            has_word(line, "std") && (line.contains("std::") || line.contains("extern crate std"))
        };
        let findings =
            self.lines_of_code(|line| in_core && uses(line), "core is `no_std`: `core::` or `alloc::`");
        findings.into_iter().filter(|finding| finding.line <= self.tests_from).collect()
    }

    fn lines_of_code(&self, breaks: impl Fn(&str) -> bool, message: &str) -> Vec<Finding> {
        let lines = self.code.lines().enumerate().filter(|(_, line)| breaks(line));
        lines.map(|(at, _)| self.finding(at + 1, message)).collect()
    }

    fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding::new(self.path, line, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_found(path: &str, text: &str) -> Vec<usize> {
        let tests_from = if is_test_file(path) { 0 } else { lines_before_tests(text) };
        check(path, text, tests_from).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_tidy_file_is_left_alone() {
        let text = "//! What it is for.\n\n/// Not unsafe, not std::fs.\npub fn unsafe_sounding() -> &'static str {\n    \"unsafe todo!()\"\n}\n";
        assert_eq!(lines_found("core/src/a.rs", text), []);
    }

    #[test]
    fn a_file_without_an_opening_is_found() {
        assert_eq!(lines_found("a/src/main.rs", "fn main() {}\n"), [1]);
        assert_eq!(lines_found("a/src/main.rs", "//!\nfn main() {}\n"), [1]);
    }

    #[test]
    fn unsafe_code_is_found_outside_sys() {
        let text = "//! A.\nfn f() { unsafe { g() } }\n";
        assert_eq!(lines_found("a/src/b.rs", text), [2]);
        assert_eq!(lines_found("a/src/b/sys.rs", text), []);
        assert_eq!(lines_found("a/src/nosys.rs", text), [2]);
    }

    #[test]
    fn leftovers_are_found_in_code_and_marks_in_comments() {
        let text = format!(
            "//! A.\nfn f() {{ todo!() }}\nfn g() {{ dbg!(1); }}\n// {}: later\n    #[ignore = \"slow\"]\n",
            concat!("FIX", "ME")
        );
        let mut found = lines_found("a/src/b.rs", &text);
        found.sort_unstable();
        assert_eq!(found, [2, 3, 4, 5]);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_are_not_counted() {
        let long = format!("//! A.\n{}", "// line\n".repeat(TOO_LONG - 1));
        assert_eq!(lines_found("a/src/b.rs", &long), [0]);
        assert_eq!(lines_found("a/tests/b.rs", &long), []);
        let tested = format!(
            "//! A.\n#[cfg(test)]\n#[expect(unused)]\nmod tests {{\n{}}}\n",
            "// line\n".repeat(TOO_LONG)
        );
        assert_eq!(lines_before_tests(&tested), 1);
        assert_eq!(lines_found("a/src/b.rs", &tested), []);
    }

    #[test]
    fn the_standard_library_is_found_in_core_but_not_in_its_tests() {
        let text = "//! A.\nuse std::fmt;\n#[cfg(test)]\nmod tests {\n    extern crate std;\n    use std::vec::Vec;\n}\n";
        assert_eq!(lines_found("core/src/a.rs", text), [2]);
        assert_eq!(lines_found("linux-common/src/a.rs", text), []);
    }

    #[test]
    fn a_module_for_tests_alone_is_known_by_its_declaration() {
        let text =
            "//! A.\n#[cfg(test)]\n#[path_free]\nmod answers;\npub mod b;\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(test_modules("core/src/lib.rs", text), ["core/src/answers.rs"]);
        assert_eq!(test_modules("core/src/a.rs", text), ["core/src/a/answers.rs"]);
    }

    #[test]
    fn a_word_stands_by_itself() {
        assert!(has_word("(unsafe)", "unsafe"));
        assert!(!has_word("unsafe_code not_unsafe", "unsafe"));
    }
}
