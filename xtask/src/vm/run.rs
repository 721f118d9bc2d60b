//! A case from its start to its end: one machine, or two on a cable, each with a folder of its own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::case::{Board, Case};
use super::chart::Frames;
use super::compare::Judge;
use super::guest::Guest;
use super::initramfs::Base;
use super::machine::Pieces;
use super::programs::Programs;
use super::session::{Session, Shared};
use crate::failure::{Failure, Result};
use crate::folder::TemporaryFolder;
use crate::lock;
use crate::process;

/// What every case is given.
#[derive(Debug)]
pub(super) struct Supplies<'a> {
    pub(super) base: &'a Base,
    pub(super) programs: &'a Programs,
    pub(super) frames: &'a Frames,
}

/// Where the log and screens of every case are kept, and the programs that the guests run.
fn folder() -> PathBuf {
    process::root().join("target/vm")
}

/// Makes that folder this run's own, for as long as what is returned lives.
pub(super) fn reserve() -> Result<File> {
    let folder = folder();
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::new(format!("The results' folder, {}: {error}.", folder.display())))?;
    lock::take(&folder.join("lock"), Duration::ZERO, "Wait for its end, or run this in another clone.")
}

/// Where a case's log and screens are kept.
pub(super) fn results(case: &Case) -> PathBuf {
    folder().join(&case.name)
}

/// Runs it. The failure is the reason; its log and screens then lie in [`results`], and else only where `keep` says so.
pub(super) fn run(case: &Case, supplies: &Supplies<'_>, keep: bool) -> Result {
    let results = results(case);
    let fail = |error: std::io::Error| Failure::new(format!("{}: {error}.", results.display()));
    if results.exists() {
        fs::remove_dir_all(&results).map_err(fail)?;
    }
    fs::create_dir_all(&results).map_err(fail)?;
    let folder = TemporaryFolder::make("vm")?;
    let outcome = play(case, supplies, folder.path(), &results);
    if outcome.is_ok() && !keep {
        fs::remove_dir_all(&results).map_err(fail)?;
    }
    outcome
}

fn play(case: &Case, supplies: &Supplies<'_>, folder: &Path, results: &Path) -> Result {
    let shared = Shared::default();
    let two = case.guests.len() > 1;
    let outcomes: Vec<Result> = thread::scope(|scope| {
        let boards = case.guests.iter().zip(1_u8..);
        let threads: Vec<_> = boards
            .map(|(board, number)| {
                let shared = &shared;
                let prefix = if two { format!("{number}-") } else { String::new() };
                scope.spawn(move || {
                    let command = prepare(case, board, number, supplies, folder)?;
                    let own = folder.join(number.to_string());
                    let guest = Guest::start(command, &own)?;
                    let judge = Judge { frames: &supplies.frames.pictures, depth: board.fb.depth };
                    let (board, prefix) = (*board, prefix.as_str());
                    let mut session =
                        Session { guest, board, judge, shared, results, prefix, screens: BTreeMap::new() };
                    let outcome = session.play(case.limit);
                    let log = results.join(format!("{prefix}console.log"));
                    let console = session.guest.console();
                    fs::write(&log, &console)
                        .map_err(|error| Failure::new(format!("{}: {error}.", log.display())))?;
                    outcome.map_err(|failure| with_kernel_fault(failure, &console))
                })
            })
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.map(|end| end.unwrap_or_else(|_| Err(Failure::new("xtask panicked; see above.")))).collect()
    });
    // The one that failed first says more than the other, which was stopped for it.
    let mut failures: Vec<Failure> = outcomes.into_iter().filter_map(Result::err).collect();
    failures.sort_by_key(|failure| failure.to_string().starts_with("The other"));
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// A kernel that failed says more than what did not come about after it.
fn with_kernel_fault(failure: Failure, console: &str) -> Failure {
    let fault = console.lines().find(|line| {
        ["Internal error: Oops", "BUG: ", "Kernel panic"].iter().any(|words| line.contains(words))
    });
    match fault {
        Some(line) => {
            Failure::new(format!("{failure}\nThe guest's kernel failed before that: {}", line.trim()))
        }
        None => failure,
    }
}

/// Makes a guest's folder with what it starts from.
fn prepare(
    case: &Case,
    board: &Board,
    number: u8,
    supplies: &Supplies<'_>,
    folder: &Path,
) -> Result<Command> {
    let own = folder.join(number.to_string());
    fs::create_dir(&own).map_err(|error| Failure::new(format!("{}: {error}.", own.display())))?;
    let initrd = own.join("initrd");
    supplies.base.write(&initrd, case, number, supplies.frames, supplies.programs)?;
    let cable = [number, 3 - number.min(2)].map(|end| folder.join(format!("cable-{end}")));
    let [ours, theirs] = &cable;
    board.command(&Pieces {
        kernel: &supplies.base.kernel,
        release: &supplies.base.release,
        initrd: &initrd,
        folder: &own,
        cable: (case.guests.len() > 1).then_some([ours.as_path(), theirs.as_path()]),
        number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_failed_is_named_beside_what_did_not_come_about() {
        let sound = with_kernel_fault(Failure::new("It did not come."), "[ 1.0] usb 1-1: found\n");
        assert_eq!(sound.to_string(), "It did not come.");
        let console = "[ 1.0] usb\n[28.84] Internal error: Oops: 0000000096000004 [#1] SMP\n[29.0] more\n";
        let fault = with_kernel_fault(Failure::new("It did not come."), console).to_string();
        assert!(fault.starts_with("It did not come.") && fault.contains("[28.84] Internal error"), "{fault}");
    }
}
