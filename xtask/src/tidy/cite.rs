//! Citations of the protocol's description name sections that it has, and every section with a rule is cited: by the
//! code that carries it out, and by a test.

use super::Finding;

// Spelled apart, or the next function's own text would be a citation.
const CITED: &str = concat!("protocol.md", " §");

/// Sections that state no rule for a program of this version: a version to come, known answers, the threat model.
const NO_RULE: [&str; 3] = ["15", "18", "19"];

/// A file that may cite: its path, its text, and the number of its lines that are no test.
pub(super) type Source<'a> = (&'a str, &'a str, usize);

/// The numbers of its sections, from headings like `## 2. The protocol` and `### 2.3 Layouts`.
pub(super) fn sections(protocol: &str) -> Vec<String> {
    let headings = protocol.lines().filter(|line| line.starts_with('#'));
    let numbers = headings.map(|line| number(line.trim_start_matches('#').trim_start()));
    numbers.filter(|number| !number.is_empty()).collect()
}

/// Every section cited in this file exists.
pub(super) fn check(path: &str, text: &str, sections: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let missing = cited(line).into_iter().filter(|number| !sections.contains(number));
        findings.extend(
            missing.map(|number| {
                Finding::new(path, at + 1, format!("docs/protocol.md has no section {number}"))
            }),
        );
    }
    findings
}

/// Every section with a rule is cited by some line of code and by some line of a test.
pub(super) fn both_ways(protocol: &str, sources: &[Source<'_>]) -> Vec<Finding> {
    let sections = sections(protocol);
    let (mut by_code, mut by_test) = (Vec::new(), Vec::new());
    for (_, text, tests_from) in sources {
        for (at, line) in text.lines().enumerate() {
            if at < *tests_from { &mut by_code } else { &mut by_test }.extend(cited(line));
        }
    }
    let mut findings = Vec::new();
    for section in sections.iter().filter(|section| !NO_RULE.contains(&section.as_str())) {
        for (by, whom) in [(&by_code, "code"), (&by_test, "test")] {
            if !by.contains(section) {
                let message = format!("no {whom} cites section {section}");
                findings.push(Finding::new("docs/protocol.md", 0, message));
            }
        }
    }
    findings
}

/// The numbers that one line cites: the one after the document's name and those joined to it, as in `§2.3, §2.4 and §3`.
fn cited(line: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    for (at, _) in line.match_indices(CITED) {
        let mut rest = line.get(at + CITED.len()..);
        while let Some(text) = rest {
            let number = number(text);
            let after = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            // An empty number is a citation broken off, which no section answers to.
            numbers.push(number);
            let joined =
                [", §", " and §", "–§", "-§", " or §"].iter().find_map(|joint| after.strip_prefix(joint));
            rest = joined;
        }
    }
    numbers
}

/// The section number that a text starts with, without the point after it.
fn number(text: &str) -> String {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.get(..end).unwrap_or_default().trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOCOL: &str = "# Title\n## 2. The protocol\n### 2.3 Layouts\ntext 2.9\n#### 2.3.1 HELLO\n";

    #[test]
    fn sections_are_the_numbered_headings() {
        assert_eq!(sections(PROTOCOL), ["2", "2.3", "2.3.1"]);
    }

    #[test]
    fn a_citation_of_no_section_is_found() {
        let sections = sections(PROTOCOL);
        let good = format!("// docs/{CITED}2.3, §2.3.1 and §2.\n");
        assert_eq!(check("a.rs", &good, &sections), []);
        let bad = format!("//! A.\n// docs/{CITED}2.3 and §2.9\n");
        let found = check("a.rs", &bad, &sections);
        assert_eq!(found, [Finding::new("a.rs", 2, "docs/protocol.md has no section 2.9")]);
        assert_eq!(check("a.rs", &format!("// docs/{CITED}x\n"), &sections).len(), 1);
    }

    #[test]
    fn a_section_that_no_code_or_no_test_cites_is_found() {
        let line = |number: &str| format!("// docs/{CITED}{number}\n");
        let code = line("2, §2.3 and §2.3.1");
        let tested = format!("{}{}", line("2.3"), line("2, §2.3.1"));
        let both = format!("{code}{tested}");
        assert_eq!(both_ways(PROTOCOL, &[("a.rs", &code, 1), ("tests/a.rs", &tested, 0)]), []);
        assert_eq!(both_ways(PROTOCOL, &[("a.rs", &both, 1)]), [], "unit tests are tests");
        let found = |sources: &[Source<'_>]| {
            let findings = both_ways(PROTOCOL, sources).into_iter();
            findings.map(|finding| finding.message).collect::<Vec<_>>()
        };
        let tests_alone = found(&[("tests/a.rs", &both, 0)]);
        assert_eq!(tests_alone, ["2", "2.3", "2.3.1"].map(|it| format!("no code cites section {it}")));
        let code_alone = found(&[("a.rs", &code, 1), ("tests/a.rs", &line("2.3, §2"), 0)]);
        assert_eq!(code_alone, ["no test cites section 2.3.1"]);
    }

    #[test]
    fn a_section_without_a_rule_need_not_be_cited() {
        assert_eq!(both_ways("## 15. Reserved\n## 19. Threats\n", &[]), []);
        assert_eq!(both_ways("## 15. Reserved\n### 15.1 A rule\n", &[]).len(), 2);
    }
}
