//! Citations of the protocol's description name sections that it has.

use super::Finding;

// Spelled apart, or the next function's own text would be a citation.
const CITED: &str = concat!("protocol.md", " §");

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
}
