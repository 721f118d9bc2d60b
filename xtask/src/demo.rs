//! `cargo xtask demo`: both programs over loopback with the synthetic picture, on any machine and without a camera.
//!
//! Keys are made for the occasion in a temporary directory and each side is told of the other, with the same commands
//! that a person would type. Nothing stays behind but, where there is no place to show a picture, a PNG of it.

mod picture;
mod summary;

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use self::summary::Summary;
use crate::build;
use crate::clock::Stopwatch;
use crate::failure::{Failure, Result};
use crate::folder::TemporaryFolder;
use crate::pair::Pair;
use crate::process;
use crate::program::Program;
use crate::sys;

/// How long the picture runs where nobody watches it.
const UNWATCHED: Duration = Duration::from_secs(5);

/// How long the first picture may take on a slow machine; on an ordinary one it takes well under a second.
const FIRST_PICTURE_WITHIN: Duration = Duration::from_secs(30);

/// The display program's exit code when it cannot use its sink.
const SINK_REFUSED: i32 = 7;

/// Where the picture is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sink {
    Window,
    Terminal,
    Snapshot(PathBuf),
}

/// What became of one sink.
enum Shown {
    Frames(Summary),
    /// It cannot be used here; the display program's last lines.
    Refused(String),
}

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result {
    let seconds = parse(arguments)?;
    println!("Building both programs (a first build takes minutes).");
    let programs = build::build_here()?;
    // From here on there are programs to stop and keys to remove.
    sys::note_interrupts();
    let folder = TemporaryFolder::make("demo")?;
    println!("Making an RSA key for each side and telling each of the other.");
    let pair = Pair::make(&programs, folder.path())?;
    for sink in sinks() {
        if sys::interrupted() {
            return Err(Failure::new("The demo was interrupted before it showed anything."));
        }
        match show(&pair, &sink, seconds)? {
            Shown::Frames(summary) => return report(&summary, &sink),
            Shown::Refused(why) => {
                println!("The display program cannot use `{}` here:\n{why}", sink.argument())
            }
        }
    }
    Err(Failure::new("There was no place to show a picture."))
}

impl Sink {
    fn argument(&self) -> String {
        match self {
            Self::Window => "window".into(),
            Self::Terminal => "terminal".into(),
            Self::Snapshot(path) => format!("snapshot:{}", path.display()),
        }
    }
}

/// The places to show the picture, best first.
fn sinks() -> Vec<Sink> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let window = (set("DISPLAY") || set("WAYLAND_DISPLAY")).then_some(Sink::Window);
    let snapshot = Sink::Snapshot(process::root().join("target/demo/picture.png"));
    let last = if std::io::stdout().is_terminal() { Sink::Terminal } else { snapshot };
    window.into_iter().chain([last]).collect()
}

/// Runs both programs until the time is up, somebody interrupts, or one of them ends.
fn show(pair: &Pair<'_>, sink: &Sink, seconds: Option<Duration>) -> Result<Shown> {
    let limit = match sink {
        Sink::Snapshot(path) => {
            clear(path)?;
            Some(seconds.unwrap_or(UNWATCHED))
        }
        Sink::Window | Sink::Terminal => seconds,
    };
    let picture = match sink {
        Sink::Terminal => Stdio::inherit(),
        Sink::Window | Sink::Snapshot(_) => Stdio::null(),
    };
    match limit {
        Some(limit) => println!("Showing it for {} s: {}", limit.as_secs(), sink.argument()),
        None => println!("Showing it until Ctrl-C: {}", sink.argument()),
    }
    let mut server = pair.start_server(&sink.argument(), picture)?;
    let mut client = pair.start_client(&[])?;
    let ended_by_itself = watch(&mut server, &mut client, sink, limit)?;
    // The display first: when the camera closes, the display says so in the place of the picture.
    let status = server.stop()?;
    client.stop()?;
    if status.code() == Some(SINK_REFUSED) && *sink == Sink::Window {
        return Ok(Shown::Refused(server.last_lines()));
    }
    judge(&server, &client, status, ended_by_itself).map(Shown::Frames)
}

/// Waits, and tells which program ended by itself, if one did.
fn watch(
    server: &mut Program,
    client: &mut Program,
    sink: &Sink,
    limit: Option<Duration>,
) -> Result<Option<&'static str>> {
    let mut watch = Stopwatch::start();
    if let Sink::Snapshot(path) = sink {
        while !path.exists() && watch.elapsed() < FIRST_PICTURE_WITHIN {
            if sys::interrupted() || server.has_ended()? || client.has_ended()? {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        watch = Stopwatch::start();
    }
    while !sys::interrupted() && limit.is_none_or(|limit| watch.elapsed() < limit) {
        if server.has_ended()? {
            return Ok(Some("display"));
        }
        if client.has_ended()? {
            return Ok(Some("camera"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(None)
}

/// A demo that showed no frame, or whose programs failed, has failed.
fn judge(
    server: &Program,
    client: &Program,
    status: ExitStatus,
    ended_by_itself: Option<&str>,
) -> Result<Summary> {
    let summary = Summary::find(&server.log());
    let frames = summary.as_ref().map_or(0, |summary| summary.frames);
    let verdict = match (ended_by_itself, summary) {
        // A window closed by its user ends the display program, and well.
        (None | Some("display"), Some(summary)) if frames > 0 && status.success() => return Ok(summary),
        (Some(side), _) => format!("The {side} program ended by itself; {frames} frames were shown."),
        (None, None) => format!("The display program ended ({status}) and did not say what it showed."),
        (None, Some(_)) if frames == 0 => "No frame was shown.".into(),
        (None, Some(_)) => format!("The display program ended badly ({status}) after {frames} frames."),
    };
    let (display, camera) = (server.last_lines(), client.last_lines());
    Err(Failure::new(format!(
        "{verdict}\n-- the display program's last lines:\n{display}\n-- the camera program's:\n{camera}"
    )))
}

fn report(summary: &Summary, sink: &Sink) -> Result {
    println!("The display program says: {}", summary.text);
    if let Sink::Snapshot(path) = sink {
        let (width, height) = picture::size(path)?;
        println!(
            "(A snapshot is written less often than frames come.) The last, {width}x{height}: {}",
            path.display()
        );
    }
    Ok(())
}

/// Makes room for the snapshot, so that an old one is not taken for a new.
fn clear(path: &Path) -> Result {
    let fail = |error: std::io::Error| Failure::new(format!("{}: {error}.", path.display()));
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(fail)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fail(error)),
        _ => Ok(()),
    }
}

fn parse(arguments: &[String]) -> Result<Option<Duration>> {
    let words: Vec<&str> = arguments.iter().flat_map(|word| word.splitn(2, '=')).collect();
    match words.as_slice() {
        [] => Ok(None),
        ["--seconds", number] => match number.parse::<u32>() {
            Ok(number) if number > 0 => Ok(Some(Duration::from_secs(number.into()))),
            _ => Err(Failure::usage(format!("`--seconds` wants a number of seconds, not `{number}`."))),
        },
        _ => Err(Failure::usage("`demo` takes `--seconds N` and nothing else.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn seconds_are_read_from_the_command_line() {
        assert_eq!(parse(&[]).unwrap(), None);
        assert_eq!(parse(&words("--seconds 7")).unwrap(), Some(Duration::from_secs(7)));
        assert_eq!(parse(&words("--seconds=7")).unwrap(), Some(Duration::from_secs(7)));
        for line in ["--seconds", "--seconds 0", "--seconds x", "--seconds 1 2", "--fast"] {
            assert_eq!(parse(&words(line)).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
