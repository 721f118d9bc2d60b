//! The table of attacks in docs/testing.md: none of them lacks a row, and every test that a row names is there.
//!
//! Whether a test proves what its row says is for review.

use super::Finding;

/// The document that has the table.
pub(super) const TABLE: &str = "docs/testing.md";

const HEADING: &str = "## The attacks";
/// Numbered from 1.
const ATTACKS: usize = 68;

/// The table is whole, and its tests are where it says. `files` are all that may be named, with their contents.
pub(super) fn check(table: &str, files: &[(&str, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = [false; ATTACKS];
    for (line, cells) in rows(table) {
        let mut find = |message: String| findings.push(Finding::new(TABLE, line, message));
        let (Some(first), Some(last)) = (cells.first(), cells.last()) else { continue };
        let Ok(number) = first.parse::<usize>() else { continue };
        match number.checked_sub(1).and_then(|at| seen.get_mut(at)) {
            None => find(format!("there is no attack {number}")),
            Some(true) => find(format!("attack {number} has a second row")),
            Some(seen) => *seen = true,
        }
        match named(last) {
            None => find(format!("attack {number} names no `test` in a `file`")),
            Some(tests) => {
                let missing = tests.iter().filter(|(test, path)| !is_there(test, path, files));
                missing.for_each(|(test, path)| find(format!("there is no test `{test}` in `{path}`")));
            }
        }
    }
    let missing = seen.iter().enumerate().filter(|(_, seen)| !**seen);
    findings.extend(missing.map(|(at, _)| Finding::new(TABLE, 0, format!("attack {} has no row", at + 1))));
    findings
}

/// The rows of the table and the lines on which they stand; the heading's two among them.
fn rows(table: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let lines = table.lines().enumerate().skip_while(|(_, line)| *line != HEADING).skip(1);
    let lines = lines.take_while(|(_, line)| !line.starts_with("## "));
    lines.filter_map(|(at, line)| {
        let cells = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        Some((at + 1, cells.split('|').map(str::trim).collect()))
    })
}

/// The tests in a cell like `` `a`, `b` in `file`; `c` in `other` ``: each with its file. `None` if it is not like that.
fn named(cell: &str) -> Option<Vec<(&str, &str)>> {
    let (mut named, mut tests) = (Vec::new(), Vec::new());
    let mut spans = cell.split('`').skip(1).step_by(2);
    for span in &mut spans {
        if span.ends_with(".rs") {
            if tests.is_empty() {
                return None;
            }
            named.extend(tests.drain(..).map(|test| (test, span)));
        } else {
            tests.push(span);
        }
    }
    (tests.is_empty() && !named.is_empty()).then_some(named)
}

/// Whether the file has this function, and Cargo runs it as a test.
fn is_there(test: &str, path: &str, files: &[(&str, String)]) -> bool {
    let Some((_, text)) = files.iter().find(|(file, _)| *file == path) else { return false };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let opening = format!("fn {test}()");
    lines.iter().enumerate().filter(|(_, line)| line.starts_with(&opening)).any(|(at, _)| {
        let before = lines.get(..at).unwrap_or_default().iter().rev();
        before.take_while(|line| line.starts_with("#[")).any(|line| *line == "#[test]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "//! A.\n#[test]\nfn a() {}\n\n    #[test]\n    #[cfg(unix)]\n    fn b() {}\n\nfn c() {}\n";

    fn files() -> Vec<(&'static str, String)> {
        vec![("x/a.rs", FILE.to_owned()), ("x/b.rs", "#[test]\nfn d() {}\n".to_owned())]
    }

    /// A table in which every attack but the first has a good row.
    fn table(first: &str) -> String {
        let rest: String = (2..=ATTACKS).map(|n| format!("| {n} | is tried | `a` in `x/a.rs` |\n")).collect();
        format!(
            "# Tests\n| 1 | no | `z` in `z.rs` |\n\n{HEADING}\n\n| # | what | test |\n| --- | --- | --- |\n{first}{rest}\n## Next\n| 1 | no | `z` in `z.rs` |\n"
        )
    }

    fn found(first: &str) -> Vec<(usize, String)> {
        check(&table(first), &files()).into_iter().map(|finding| (finding.line, finding.message)).collect()
    }

    #[test]
    fn a_whole_table_of_tests_that_exist_is_left_alone() {
        assert_eq!(found("| 1 | is tried | `a`, `b` in `x/a.rs`; and again: `d` in `x/b.rs` |\n"), []);
    }

    #[test]
    fn an_attack_without_a_row_is_found() {
        assert_eq!(found(""), [(0, "attack 1 has no row".into())]);
        assert_eq!(check("# Tests\n", &files()).len(), ATTACKS);
    }

    #[test]
    fn a_row_that_names_no_test_is_found() {
        for cell in ["", "later", "`a`", "`x/a.rs`", "`a` in `x/a.rs`, `b`"] {
            let expected = "attack 1 names no `test` in a `file`".into();
            assert_eq!(found(&format!("| 1 | is tried | {cell} |\n")), [(8, expected)], "{cell}");
        }
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        // Not in that file, no such file, a function that is no test, a part of a name.
        for (test, path) in [("d", "x/a.rs"), ("a", "x/z.rs"), ("c", "x/a.rs"), ("", "x/a.rs")] {
            let expected = format!("there is no test `{test}` in `{path}`");
            assert_eq!(found(&format!("| 1 | is tried | `{test}` in `{path}` |\n")), [(8, expected)]);
        }
    }

    #[test]
    fn a_number_that_is_no_attack_or_comes_twice_is_found() {
        let rows = "| 1 | is tried | `a` in `x/a.rs` |\n| 69 | is tried | `a` in `x/a.rs` |\n| 0 | is tried | `a` in `x/a.rs` |\n| 1 | is tried | `a` in `x/a.rs` |\n";
        let messages: Vec<_> = found(rows).into_iter().map(|(_, message)| message).collect();
        assert_eq!(messages, ["there is no attack 69", "there is no attack 0", "attack 1 has a second row"]);
    }
}
