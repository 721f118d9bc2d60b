//! Running other programs: shown before they run in a form that can be pasted, their failure told in one sentence.

use std::ffi::OsStr;
use std::io::{PipeReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::clock::{Stopwatch, spoken};
use crate::failure::{Failure, Result};
use crate::say::say;
use crate::sys;

/// How long a program that was asked to end may take, and how often it is looked whether it has.
const END_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The top folder of the project.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// The cargo that started this program, to be run in the top folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Shows the command, runs it with our own output, and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result {
    say(format_args!("$ {}", shown(command)))?;
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` failed ({status}).", shown(command))))
}

/// Runs the command quietly and returns what it printed to stdout.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| not_started(command, &error))?;
    printed(command, &output)
}

/// Shows the command, runs it with its progress (stderr) on ours, and returns what it printed to stdout. It is ended when
/// this program is to end (where [`sys::note_interrupts`] was called): a build takes minutes.
pub(crate) fn run_and_read(command: &mut Command) -> Result<String> {
    say(format_args!("$ {}", shown(command)))?;
    let (reader, writer) = std::io::pipe().map_err(|error| not_started(command, &error))?;
    command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::inherit());
    // What it printed is for programs to read and does not explain a failure; that is on stderr already.
    finished(command, reader, None, sys::interrupted)
        .map_err(|(complaint, _)| Failure::new(format!("`{}` {complaint}.", shown(command))))
}

/// Runs the command quietly and returns all that it printed. It is ended when it takes longer than `limit`, and when
/// this program is to end.
pub(crate) fn read_within(command: &mut Command, limit: Duration) -> Result<String> {
    let pipe = std::io::pipe().and_then(|(reader, writer)| Ok((reader, writer.try_clone()?, writer)));
    let (reader, out, err) = pipe.map_err(|error| not_started(command, &error))?;
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    finished(command, reader, Some(limit), sys::interrupted).map_err(|(complaint, printed)| {
        Failure::new(format!("`{}` {complaint}.\n{}", shown(command), ends_of(printed.trim_end())))
    })
}

/// The beginning and the end of what a program printed: with a full disk, `tar` complains of every file.
fn ends_of(printed: &str) -> String {
    const HEAD: usize = 3;
    const TAIL: usize = 12;
    let lines: Vec<&str> = printed.lines().collect();
    let left_out = lines.len().saturating_sub(HEAD + TAIL);
    if left_out == 0 {
        return printed.to_owned();
    }
    let (head, tail) = (lines.iter().take(HEAD), lines.iter().skip(HEAD + left_out));
    let between = format!("(and {left_out} lines more)");
    head.copied().chain([between.as_str()]).chain(tail.copied()).collect::<Vec<_>>().join("\n")
}

/// Starts the command, which writes to the other end of `reader`, and waits until it has ended or has to be ended. What
/// it printed; where it went wrong, how, and what it had printed until then.
fn finished(
    command: &mut Command,
    mut reader: PipeReader,
    limit: Option<Duration>,
    is_to_end: fn() -> bool,
) -> std::result::Result<String, (String, String)> {
    let mut child =
        command.spawn().map_err(|error| (format!("could not be started: {error}"), String::new()))?;
    // The command holds the pipe's writing ends too, and the reader would wait for them for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (all_read, reading) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is all there is to tell; nobody may be left to tell it to.
        let _ = reader.read_to_end(&mut bytes);
        let _ = all_read.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    let watch = Stopwatch::start();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Ok(status),
            Ok(None) if is_to_end() => break Err("was interrupted".to_owned()),
            Ok(None) => {}
            Err(error) => break Err(format!("could not be watched: {error}")),
        }
        if let Some(limit) = limit.filter(|limit| watch.elapsed() > *limit) {
            break Err(format!("was not done within {}", spoken(limit)));
        }
        thread::sleep(LOOK_AGAIN);
    };
    if status.is_err() {
        end(&mut child);
    }
    // Not for ever: what the command has started may outlive it and hold the pipe.
    let printed = reading.recv_timeout(END_WITHIN).unwrap_or_default();
    match status {
        Ok(status) if status.success() => Ok(printed),
        Ok(status) => Err((format!("failed ({status})"), printed)),
        Err(why) => Err((why, printed)),
    }
}

/// Asks a program to end, and makes it end when it takes too long.
pub(crate) fn end(child: &mut Child) {
    // Nothing is left to be done about one that cannot be ended.
    let _ = end_within(child, END_WITHIN);
}

/// The same with this much patience; how it ended.
pub(crate) fn end_within(child: &mut Child, patience: Duration) -> std::io::Result<ExitStatus> {
    sys::terminate(child);
    let watch = Stopwatch::start();
    while watch.elapsed() < patience && matches!(child.try_wait(), Ok(None)) {
        thread::sleep(LOOK_AGAIN);
    }
    // Does nothing to a program that has ended.
    child.kill()?;
    child.wait()
}

/// Whether the command can be started and ends well; it is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Where `PATH` leads for a program's name.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// The command as one would type it, with the variables that it sets in front.
pub(crate) fn shown(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={}", name.to_string_lossy(), quoted(value)))
    });
    // Cargo is known to us by its full path, to the reader by its name.
    let program = Path::new(command.get_program());
    let program = if program.ends_with("cargo") { OsStr::new("cargo") } else { program.as_os_str() };
    let words = std::iter::once(program).chain(command.get_args()).map(quoted);
    set.chain(words).collect::<Vec<_>>().join(" ")
}

fn printed(command: &Command, output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("`{}` failed ({}).\n{}", shown(command), output.status, complaint.trim_end())))
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` could not be started: {error}.", shown(command)))
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_command_can_be_pasted() {
        let mut command = Command::new("/opt/bin/cargo");
        command.args(["build", "a b", "it's"]).env("FLAGS", "-D warnings").env_remove("GONE");
        assert_eq!(shown(&command), r"FLAGS='-D warnings' cargo build 'a b' 'it'\''s'");
    }

    #[test]
    fn a_failing_program_is_a_failure_that_names_it() {
        let failure = run(&mut Command::new("false")).unwrap_err().to_string();
        assert!(failure.starts_with("`false` failed"), "{failure}");
        let failure = read(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err().to_string();
        assert!(failure.ends_with("why"), "{failure}");
    }

    #[test]
    fn a_program_that_takes_too_long_is_ended_and_what_it_said_is_told() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo half; exec sleep 600"]);
        let failure = read_within(&mut command, Duration::from_millis(300)).unwrap_err().to_string();
        assert!(failure.contains("was not done within 0.3 s") && failure.ends_with("half"), "{failure}");
        let said = read_within(Command::new("sh").args(["-c", "echo a; echo b >&2"]), END_WITHIN).unwrap();
        assert_eq!(said, "a\nb\n");
        let failure =
            read_within(Command::new("sh").args(["-c", "echo why; exit 3"]), END_WITHIN).unwrap_err();
        assert!(failure.to_string().ends_with("why"), "{failure}");
    }

    #[test]
    fn a_program_is_ended_when_this_one_is_to_end() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exec sleep 600"]).stdout(writer);
        let (complaint, _) = finished(&mut command, reader, None, || true).unwrap_err();
        assert_eq!(complaint, "was interrupted");
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo done; echo aside >&2"]).stdout(writer);
        assert_eq!(finished(&mut command, reader, None, || false).unwrap(), "done\n");
    }

    #[test]
    fn of_a_long_complaint_the_ends_are_told() {
        let long: String = (1..=4000).map(|line| format!("{line}\n")).collect();
        let told = ends_of(long.trim_end());
        assert!(
            told.starts_with("1\n2\n3\n(and 3985 lines more)\n3989\n") && told.ends_with("\n4000"),
            "{told}"
        );
        assert_eq!(ends_of("a\nb"), "a\nb");
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure_that_says_so() {
        let failure = read(&mut Command::new("no-such-program-here")).unwrap_err().to_string();
        assert!(failure.contains("could not be started"), "{failure}");
    }
}
