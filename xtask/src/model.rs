//! `cargo xtask model`: the models of the protocol in `docs/model`, checked by Verifpal and compared with what each says
//! must come out.
//!
//! Verifpal is a tool that a developer installs, no dependency of the project, and its runs take minutes, so this is no
//! step of `ci`. That the heads of the models can be read and fit their queries, the ordinary tests see to.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::clock::{Stopwatch, spoken};
use crate::failure::{Failure, Result};
use crate::{process, sys};

/// Where the models lie, from the top folder on.
const FOLDER: &str = "docs/model";
/// How long one model may take. The slowest wants 208 s of a processor, which took 17 minutes on a busy machine.
const LIMIT: Duration = Duration::from_secs(40 * 60);
/// The version that the results in `docs/model/README.md` come from.
const VERSION: &str = "1.6.7";
/// The kinds of query, and the letter that stands for each in a result code.
const KINDS: [(&str, char); 5] = [
    ("confidentiality?", 'c'),
    ("authentication?", 'a'),
    ("freshness?", 'f'),
    ("unlinkability?", 'u'),
    ("equivalence?", 'e'),
];

/// What comes out of one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// No attack was found.
    Holds,
    /// An attack was found.
    Fails,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
        }
    }
}

/// A query as the model writes it, and what must come out of it.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    text: String,
    letter: char,
    expected: Outcome,
}

/// A model as far as this command has to understand it.
#[derive(Debug)]
struct Model {
    /// The file's name without its ending.
    name: String,
    /// How many runs of each party Verifpal lets overlap.
    sessions: u8,
    queries: Vec<Query>,
}

/// The command: the models named, or all.
pub(crate) fn run(names: &[String]) -> Result {
    let models = chosen(read_all()?, names)?;
    let verifpal = process::find_program("verifpal").ok_or_else(|| Failure::new(missing()))?;
    let version = process::read(Command::new(&verifpal).arg("--version"))?;
    let version = version.trim().trim_start_matches("verifpal ");
    if version != VERSION {
        println!("This is Verifpal {version}; the results in {FOLDER}/README.md are those of {VERSION}.");
    }
    sys::note_interrupts();
    let mut wrong = 0_usize;
    for model in &models {
        let watch = Stopwatch::start();
        let outcome = check(&verifpal, model);
        let took = spoken(watch.elapsed());
        match outcome {
            Ok(differences) if differences.is_empty() => {
                let count = model.queries.len();
                println!("{}: all {count} queries as expected, in {took}", model.name);
            }
            Ok(differences) => {
                wrong += 1;
                println!("{}: NOT as expected, in {took}\n{}", model.name, differences.join("\n"));
            }
            Err(failure) if sys::interrupted() => return Err(failure),
            Err(failure) => {
                wrong += 1;
                println!("{}: no result\n{failure}", model.name);
            }
        }
    }
    match wrong {
        0 => Ok(()),
        _ => Err(Failure::new(format!("model: {wrong} of {} models did not do as they must.", models.len()))),
    }
}

/// Lets Verifpal work on one model; what came out differently than it must.
fn check(verifpal: &Path, model: &Model) -> Result<Vec<String>> {
    let mut command = Command::new(verifpal);
    let sessions = model.sessions.to_string();
    command.args(["verify", "--quiet", "--result-code", "--sessions", sessions.as_str()]);
    // It takes no file name of more than 64 characters, so it is started beside the models.
    command.arg(format!("{}.vp", model.name)).current_dir(process::root().join(FOLDER));
    println!("$ {}", process::shown(&command));
    let printed = process::read_within(&mut command, LIMIT)?;
    differences(model, &result_code(&printed)?)
}

/// All models, by name.
fn read_all() -> Result<Vec<Model>> {
    let folder = process::root().join(FOLDER);
    let failed = |error| Failure::new(format!("{}: {error}.", folder.display()));
    let entries = fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut models = Vec::new();
    for path in entries.map_err(failed)?.iter().map(fs::DirEntry::path) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".vp")) else {
            continue;
        };
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::new(format!("{}: {error}.", path.display())))?;
        models.push(parse(name, &text)?);
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(models)
}

fn chosen(models: Vec<Model>, names: &[String]) -> Result<Vec<Model>> {
    if let Some(unknown) = names.iter().find(|name| !models.iter().any(|model| model.name == **name)) {
        let known: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        return Err(Failure::usage(format!(
            "There is no model `{unknown}`; there are {}.",
            known.join(", ")
        )));
    }
    Ok(models.into_iter().filter(|model| names.is_empty() || names.contains(&model.name)).collect())
}

/// Reads a model's head, `// sessions: 2` and one `// expect: query 1 holds` for each query in order, and its queries.
/// What follows the outcome, after a colon, is for the reader.
fn parse(name: &str, text: &str) -> Result<Model> {
    let bad = |line: &str| Failure::new(format!("{FOLDER}/{name}.vp: `{line}` makes no sense."));
    let mut sessions = None;
    let mut expected = Vec::new();
    for line in text.lines() {
        if let Some(value) = line.strip_prefix("// sessions:") {
            let count = value.trim().parse::<u8>().ok().filter(|count| (1..=16).contains(count));
            let first = sessions.replace(count.ok_or_else(|| bad(line))?).is_none();
            first.then_some(()).ok_or_else(|| bad(line))?;
        } else if let Some(value) = line.strip_prefix("// expect:") {
            let (number, outcome) = expectation(value).ok_or_else(|| bad(line))?;
            // In order, so that none is forgotten and none stands there twice.
            (number == expected.len() + 1).then_some(()).ok_or_else(|| bad(line))?;
            expected.push(outcome);
        }
    }
    let sessions =
        sessions.ok_or_else(|| Failure::new(format!("{FOLDER}/{name}.vp has no `// sessions:`.")))?;
    let asked: Vec<_> = text.lines().filter_map(query).collect();
    if asked.is_empty() || asked.len() != expected.len() {
        let counts = format!("{} queries and {} expectations", asked.len(), expected.len());
        return Err(Failure::new(format!("{FOLDER}/{name}.vp has {counts}.")));
    }
    let queries = asked.into_iter().zip(expected);
    let queries = queries.map(|((letter, text), expected)| Query { text, letter, expected }).collect();
    Ok(Model { name: name.into(), sessions, queries })
}

/// ` query 2 fails: why` as number and outcome.
fn expectation(value: &str) -> Option<(usize, Outcome)> {
    let (number, rest) = value.trim_start().strip_prefix("query ")?.split_once(' ')?;
    let word = rest.split_once(':').map_or(rest, |(word, _)| word).trim_end();
    let outcome = [Outcome::Holds, Outcome::Fails].into_iter().find(|outcome| outcome.word() == word)?;
    Some((number.parse().ok()?, outcome))
}

/// The letter and the text of the query that a line asks, if it asks one.
fn query(line: &str) -> Option<(char, String)> {
    let line = line.trim();
    let (_, letter) = KINDS.iter().find(|(word, _)| line.starts_with(word))?;
    Some((*letter, line.trim_end_matches('[').into()))
}

/// What Verifpal printed last, `c0a1`: a letter for each query's kind, and 1 where an attack was found.
fn result_code(printed: &str) -> Result<Vec<(char, Outcome)>> {
    let code = printed.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut characters = code.chars();
    let mut outcomes = Vec::new();
    while let Some(letter) = characters.next() {
        let outcome = match characters.next() {
            Some('0') => Outcome::Holds,
            Some('1') => Outcome::Fails,
            _ => return Err(no_code(printed)),
        };
        if !KINDS.iter().any(|(_, known)| *known == letter) {
            return Err(no_code(printed));
        }
        outcomes.push((letter, outcome));
    }
    if outcomes.is_empty() { Err(no_code(printed)) } else { Ok(outcomes) }
}

fn no_code(printed: &str) -> Failure {
    Failure::new(format!("Verifpal printed no result code but this:\n{}", printed.trim_end()))
}

/// One sentence for each query that came out otherwise than it must.
fn differences(model: &Model, found: &[(char, Outcome)]) -> Result<Vec<String>> {
    let kinds = model.queries.iter().map(|query| query.letter);
    if !kinds.eq(found.iter().map(|(letter, _)| *letter)) {
        return Err(Failure::new(format!("Verifpal answered other queries than {}.vp asks.", model.name)));
    }
    let pairs = model.queries.iter().zip(found).enumerate();
    let wrong = pairs.filter(|(_, (query, (_, outcome)))| query.expected != *outcome);
    let told = wrong.map(|(at, (query, _))| {
        let why = match query.expected {
            Outcome::Holds => "must hold, and there is an attack",
            Outcome::Fails => "must fail, and no attack was found",
        };
        format!("  query {}, {}: {why}", at + 1, query.text)
    });
    Ok(told.collect())
}

fn missing() -> String {
    format!(
        "The models are checked by Verifpal, a program that is not on PATH here. It is a tool, no part of the project, and \
         is built in some minutes:\n    RUSTC_BOOTSTRAP=1 cargo install verifpal --version {VERSION} --ignore-rust-version\n\
         (The variable lets a stable compiler take what Verifpal uses of a later one.) {FOLDER}/README.md has the results \
         of the last run."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
// Made up.
// sessions: 1
// expect: query 1 holds: for a reason, with: colons
// expect: query 2 fails
attacker[active]
queries[
	confidentiality? video
	authentication? Camera -> Display: sig[
		precondition[Display -> Camera: done]
	]
]
";

    fn model() -> Model {
        parse("made-up", TEXT).unwrap()
    }

    #[test]
    fn a_head_and_its_queries_are_read() {
        let model = model();
        let queries: Vec<_> = model.queries.iter().map(|q| (q.letter, q.text.as_str(), q.expected)).collect();
        assert_eq!(model.sessions, 1);
        assert_eq!(
            queries,
            [
                ('c', "confidentiality? video", Outcome::Holds),
                ('a', "authentication? Camera -> Display: sig", Outcome::Fails)
            ]
        );
    }

    #[test]
    fn a_head_that_does_not_fit_is_refused() {
        for (old, new) in [
            ("// sessions: 1\n", ""),
            ("// sessions: 1\n", "// sessions: 1\n// sessions: 2\n"),
            ("sessions: 1", "sessions: 0"),
            ("sessions: 1", "sessions: many"),
            ("// expect: query 2 fails\n", ""),
            ("query 2 fails", "query 3 fails"),
            ("query 2 fails", "query 1 fails"),
            ("query 2 fails", "query 2 falters"),
            ("query 2 fails", "query 2 fails and holds"),
            ("query 2 fails", "2 fails"),
            ("\tconfidentiality? video\n", ""),
        ] {
            assert!(TEXT.contains(old), "{old}");
            assert!(parse("made-up", &TEXT.replacen(old, new, 1)).is_err(), "{old:?} as {new:?}");
        }
    }

    #[test]
    fn the_result_code_is_the_last_line_printed() {
        let code = result_code("Warning ! something\n\nc0a1\n\n").unwrap();
        assert_eq!(code, [('c', Outcome::Holds), ('a', Outcome::Fails)]);
        for printed in ["", "\n", "c0a", "c0a2", "x0", "error: no such file\n"] {
            assert!(result_code(printed).is_err(), "{printed:?}");
        }
    }

    #[test]
    fn only_the_outcome_that_must_be_is_taken() {
        let told = |code: &str| differences(&model(), &result_code(code).unwrap());
        assert!(told("c0a1").unwrap().is_empty());
        let both = told("c1a0").unwrap();
        assert_eq!(both.len(), 2);
        assert!(both[0].contains("query 1, confidentiality? video: must hold"), "{both:?}");
        assert!(both[1].contains("query 2") && both[1].contains("must fail"), "{both:?}");
        for other in ["c0", "a0a1", "c0a1f0"] {
            assert!(told(other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_models_of_this_project_can_be_read_and_are_described() {
        let models = read_all().unwrap();
        let readme = fs::read_to_string(process::root().join(FOLDER).join("README.md")).unwrap();
        assert!(models.iter().any(|model| model.name == "main"));
        for model in &models {
            assert!(readme.contains(&format!("| `{}` |", model.name)), "{} has no row", model.name);
        }
    }

    #[test]
    fn an_unknown_model_is_refused_with_the_list() {
        let failure = chosen(vec![model()], &["other".into()]).unwrap_err();
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.to_string().contains("made-up"), "{failure}");
        assert_eq!(chosen(vec![model()], &[]).unwrap().len(), 1);
    }
}
