//! `cargo xtask fuzz`: inputs made by libFuzzer for the targets in `core/fuzz`, for so many seconds each.
//!
//! cargo-fuzz is not needed: what it adds to a build are the flags below. They are unstable, and `RUSTC_BOOTSTRAP` lets a
//! stable compiler take them. What a run finds lies in `target/fuzz`, never in the tree.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::build;
use crate::clock::Stopwatch;
use crate::failure::{Failure, Result};
use crate::need;
use crate::process;
use crate::say::say;
use crate::sys;

/// The target, the longest input that is worth trying, and what it is about.
const TARGETS: [(&str, u32, &str); 6] = [
    ("wire", 1300, "every parser of the wire"),
    ("client", 4096, "the camera's side in every state"),
    ("server", 4096, "the display's side in every state"),
    ("mjpeg", 8192, "pictures out of a stream"),
    ("jpeg", 8192, "a picture's markers, and tables put in"),
    ("decode", 16_384, "the display's decoder"),
];

/// What opens the core's door to what is private.
const DOOR: &str = "--cfg fuzzing";
/// Coverage as libFuzzer wants it, as cargo-fuzz 0.13 asks for it.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];
/// Where coverage is measured. In the arithmetic of ciphers it tells nothing and takes two thirds of the time.
const COVERED: [&str; 4] = ["sealcam-core", "sealcam-fuzz", "zune-core", "zune-jpeg"];
/// One input takes this long at most, on a slow and busy machine; and this much memory.
const INPUT_SECONDS: u64 = 60;
const MEMORY_MB: u64 = 2048;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Wish<'a> {
    /// So many seconds for each of these.
    Run(u64, Vec<&'a str>),
    /// The seeds written anew.
    Seeds,
}

/// What libFuzzer says at its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    runs: u64,
    per_second: u64,
    edges: u64,
    /// Files with inputs that it fell over.
    findings: Vec<String>,
}

/// A few seconds for each target: the step of `ci`, which sees above all that they build and start.
pub(crate) fn short() -> Result {
    fuzz(5, &TARGETS.map(|(name, ..)| name))
}

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result {
    match parse(arguments)? {
        Wish::Seeds => seeds(),
        Wish::Run(seconds, targets) => fuzz(seconds, &targets),
    }
}

fn parse(arguments: &[String]) -> Result<Wish<'_>> {
    let known = TARGETS.map(|(name, ..)| name);
    let usage = |why: String| {
        let list: String =
            TARGETS.iter().map(|(name, _, about)| format!("\n    {name:<10}{about}")).collect();
        Failure::usage(format!("{why} Usage: cargo xtask fuzz SECONDS [TARGET…]; the targets are:{list}"))
    };
    match arguments {
        [] => Err(usage("`fuzz` wants to know for how long.".into())),
        [word] if word == "--seeds" => Ok(Wish::Seeds),
        [seconds, names @ ..] => {
            let number = seconds.parse().ok().filter(|seconds| *seconds > 0);
            let number = number.ok_or_else(|| usage(format!("`{seconds}` is no number of seconds.")))?;
            if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
                return Err(usage(format!("There is no target `{name}`.")));
            }
            let wanted = |name: &&str| names.is_empty() || names.iter().any(|wanted| wanted == name);
            Ok(Wish::Run(number, known.into_iter().filter(wanted).collect()))
        }
    }
}

/// Runs these targets one after another; all of them, also when one has found something.
fn fuzz(seconds: u64, targets: &[&str]) -> Result {
    sys::note_interrupts();
    let folder = process::root().join("target/fuzz");
    let programs = build_targets(&folder, targets)?;
    let mut found = Vec::new();
    for (name, program) in targets.iter().zip(&programs) {
        let tally = run_target(name, program, &folder.join(name), seconds)?;
        let Tally { runs, per_second, edges, findings } = tally;
        say(format_args!("{name}: {runs} runs, {per_second}/s, {edges} edges, {} findings", findings.len()))?;
        for finding in findings {
            say(format_args!("    again: {} {finding}", program.display()))?;
            found.push(finding);
        }
        if sys::interrupted() {
            return Err(Failure::new("Interrupted."));
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} inputs make a target fall over. The reports are in the logs beside them:\n    {}",
        found.len(),
        found.join("\n    ")
    )))
}

/// The programs of these targets, in their order.
fn build_targets(folder: &Path, targets: &[&str]) -> Result<Vec<PathBuf>> {
    need::program("c++", "g++")?;
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let host = process::read(Command::new(&rustc).arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
    let libraries = process::read(Command::new(&rustc).args(["--print", "target-libdir"]))?;
    let mut flags = DOOR.to_owned();
    if has_address_sanitizer(Path::new(libraries.trim())) {
        flags.push_str(" -Zsanitizer=address");
    } else {
        say("this toolchain has no AddressSanitizer: wrong accesses to memory will go unseen")?;
    }
    let mut command = process::cargo();
    command
        .args([
            "build",
            "--release",
            "--locked",
            "--manifest-path",
            "core/fuzz/Cargo.toml",
            "--target",
            &host,
        ])
        .arg("--target-dir")
        .arg(folder.join("build"))
        .arg("-Zprofile-rustflags")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", flags);
    for package in COVERED {
        let list = COVERAGE.map(|flag| format!("'{flag}'")).join(",");
        command.args(["--config", &format!("profile.release.package.{package}.rustflags=[{list}]")]);
    }
    for target in targets {
        command.args(["--bin", target]);
    }
    let messages = process::run_and_read(command.arg("--message-format=json-render-diagnostics"))?;
    let find = |name: &&str| {
        let path =
            build::executables(&messages).find(|path| path.file_name().is_some_and(|file| file == *name));
        path.ok_or_else(|| Failure::new(format!("cargo built no program `{name}`.")))
    };
    targets.iter().map(find).collect()
}

fn has_address_sanitizer(libraries: &Path) -> bool {
    let mut entries = libraries.read_dir().into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().ends_with("_rt.asan.a"))
}

/// Runs one target. Its log, the inputs that it keeps and those that it falls over stay in `folder`.
fn run_target(name: &str, program: &Path, folder: &Path, seconds: u64) -> Result<Tally> {
    let fail = |error: std::io::Error| Failure::new(format!("{}: {error}.", folder.display()));
    let (kept, log) = (folder.join("corpus"), folder.join("log"));
    fs::create_dir_all(&kept).map_err(fail)?;
    let output = File::create(&log).map_err(fail)?;
    let longest = TARGETS.iter().find(|(known, ..)| *known == name).map_or(4096, |(_, longest, _)| *longest);
    let mut command = Command::new(program);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-max_len={longest}"))
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .arg("-print_final_stats=1")
        .args([&kept, &process::root().join("core/fuzz/corpus").join(name)])
        .current_dir(process::root())
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(fail)?)
        .stderr(output);
    say(format_args!("{name}: {seconds} s, log in {}", log.display()))?;
    let mut child = command.spawn().map_err(fail)?;
    let (watch, limit) = (Stopwatch::start(), Duration::from_secs(seconds + 3 * INPUT_SECONDS));
    let status = loop {
        if let Some(status) = child.try_wait().map_err(fail)? {
            break status;
        }
        if sys::interrupted() || watch.elapsed() > limit {
            process::end(&mut child);
            let why = if sys::interrupted() { "was interrupted" } else { "did not come to its end" };
            return Err(Failure::new(format!("The target {name} {why}; its log is {}.", log.display())));
        }
        thread::sleep(LOOK_AGAIN);
    };
    let said = fs::read(&log).map_err(fail)?;
    let tally = tally(&String::from_utf8_lossy(&said));
    if !status.success() && tally.findings.is_empty() || tally.runs == 0 {
        return Err(Failure::new(format!(
            "The target {name} failed ({status}); its log is {}.",
            log.display()
        )));
    }
    Ok(tally)
}

/// Reads libFuzzer's log.
fn tally(log: &str) -> Tally {
    let mut tally = Tally::default();
    for line in log.lines() {
        let stat = |name: &str| line.strip_prefix(name)?.trim().parse().ok();
        if let Some(runs) = stat("stat::number_of_executed_units:") {
            tally.runs = runs;
        }
        if let Some(per_second) = stat("stat::average_exec_per_sec:") {
            tally.per_second = per_second;
        }
        let mut words = line.split_whitespace().skip_while(|word| *word != "cov:").skip(1);
        if let Some(edges) = words.next().and_then(|word| word.parse().ok()) {
            tally.edges = edges;
        }
        if let Some((_, file)) = line.split_once("Test unit written to ") {
            tally.findings.push(file.trim().to_owned());
        }
    }
    tally
}

/// Writes `core/fuzz/corpus` anew, from a run of a camera and a display.
fn seeds() -> Result {
    for program in build_targets(&process::root().join("target/fuzz"), &["seeds"])? {
        process::run(&mut Command::new(program))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn targets_are_taken_by_name_or_all_of_them() {
        assert_eq!(parse(&words("60 server wire")).unwrap(), Wish::Run(60, vec!["wire", "server"]));
        assert_eq!(parse(&words("5")).unwrap(), Wish::Run(5, TARGETS.map(|(name, ..)| name).to_vec()));
        assert_eq!(parse(&words("--seeds")).unwrap(), Wish::Seeds);
    }

    #[test]
    fn a_wrong_command_line_is_refused_with_the_list() {
        for line in ["", "0", "soon", "5 moon", "--seeds 5"] {
            let failure = parse(&words(line)).unwrap_err();
            assert!(failure.exit_code() == 2 && failure.to_string().contains("decode"), "{line}: {failure}");
        }
    }

    #[test]
    fn a_log_is_read_to_its_end() {
        let log = "#2\tINITED cov: 110 ft: 111 corp: 1/1b exec/s: 0 rss: 40Mb\n\
            #9\tNEW    cov: 252 ft: 300 corp: 2/9b lim: 4 exec/s: 0\n\
            Done 90210 runs in 6 second(s)\n\
            stat::number_of_executed_units: 90210\nstat::average_exec_per_sec:     15035\n";
        let calm = Tally { runs: 90210, per_second: 15035, edges: 252, findings: Vec::new() };
        assert_eq!(tally(log), calm);
        let crashed = format!("{log}artifact_prefix='a/'; Test unit written to a/crash-07\n");
        assert_eq!(tally(&crashed).findings, ["a/crash-07"]);
    }

    #[test]
    fn every_target_is_built_and_has_seeds() {
        let core = process::root().join("core/fuzz");
        let manifest = fs::read_to_string(core.join("Cargo.toml")).unwrap();
        let built = manifest.lines().filter_map(|line| line.strip_prefix("path = \"targets/")).count();
        assert_eq!(built, TARGETS.len() + 1, "the targets, and what writes the seeds");
        for (name, ..) in TARGETS {
            assert!(manifest.contains(&format!("\"targets/{name}.rs\"")), "{name}");
            assert!(
                core.join("corpus").join(name).read_dir().is_ok_and(|mut seeds| seeds.next().is_some()),
                "{name}"
            );
        }
    }
}
