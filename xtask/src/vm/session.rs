//! One guest while its case runs: answers what it asks until it says how the case ended, or its time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::case::Board;
use super::compare::{self, Judge};
use super::control::{Request, View};
use super::guest::Guest;
use super::picture::Picture;
use crate::clock::{Stopwatch, spoken};
use crate::failure::{Failure, Result};
use crate::sys;

/// What the guests of a case share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    flags: Mutex<BTreeSet<String>>,
    /// One has failed: the other need not go on.
    is_over: AtomicBool,
}

/// One guest, and what is known of it.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) guest: Guest,
    pub(super) board: Board,
    pub(super) judge: Judge<'a>,
    pub(super) shared: &'a Shared,
    /// Where screens are kept.
    pub(super) results: &'a Path,
    /// Tells its files from the other guest's: empty, `1-` or `2-`.
    pub(super) prefix: &'a str,
    pub(super) screens: BTreeMap<String, Picture>,
}

impl Session<'_> {
    /// Until the case has ended. A failure is its reason.
    pub(super) fn play(&mut self, limit: Duration) -> Result {
        let outcome = self.answer_until_exit(limit);
        if outcome.is_err() {
            self.shared.is_over.store(true, Ordering::Relaxed);
            // The reason is known already; a machine that has gone has no screen either.
            if let Ok(screen) = self.guest.screendump() {
                let _ = self.keep("at-the-end", &screen);
            }
        }
        outcome
    }

    fn answer_until_exit(&mut self, limit: Duration) -> Result {
        let watch = Stopwatch::start();
        let mut why = None;
        loop {
            if sys::interrupted() {
                return Err(Failure::new("Interrupted."));
            }
            if self.shared.is_over.load(Ordering::Relaxed) {
                return Err(Failure::new("The other guest's part failed."));
            }
            if watch.elapsed() > limit {
                let last = last_lines(&self.guest.console());
                let limit = spoken(limit);
                return Err(Failure::new(format!(
                    "It took longer than its limit of {limit}. Its last words:\n{last}"
                )));
            }
            match self.guest.ask()? {
                None => {}
                Some(Err(nonsense)) => self.guest.answer(&Err(nonsense)),
                Some(Ok(Request::Exit(0))) if why.is_none() => return Ok(()),
                Some(Ok(Request::Exit(status))) => {
                    let last = last_lines(&self.guest.console());
                    return Err(Failure::new(why.unwrap_or_else(|| {
                        format!(
                            "Its script ended with status {status} without a reason. Its last words:\n{last}"
                        )
                    })));
                }
                Some(Ok(Request::Failed(text))) => {
                    why = Some(text);
                    self.guest.answer(&Ok(String::new()));
                }
                Some(Ok(request)) => {
                    let answer = self.carry_out(request)?;
                    self.guest.answer(&answer);
                }
            }
        }
    }

    fn carry_out(&mut self, request: Request) -> Result<std::result::Result<String, String>> {
        let flags = || self.shared.flags.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match request {
            Request::Raise(flag) => {
                flags().insert(flag);
                Ok(String::new())
            }
            Request::IsRaised(flag) if flags().contains(&flag) => Ok(String::new()),
            Request::IsRaised(flag) => Err(format!("{flag} was not raised")),
            Request::Screendump(name) => {
                let screen = self.guest.screendump()?;
                self.keep(&name, &screen)?;
                self.screens.insert(name, screen);
                Ok(String::new())
            }
            Request::Same(name) => {
                let screen = self.guest.screendump()?;
                let same = match self.screens.get(&name) {
                    Some(other) => compare::same(&screen, other).map(|()| String::new()),
                    None => Err(format!("no screen was kept as {name}")),
                };
                if same.is_ok() {
                    self.keep(&format!("as-{name}"), &screen)?;
                }
                same
            }
            Request::Shows(view) => self.shows(view)?,
            // The console has it too.
            Request::Say(_) | Request::Failed(_) | Request::Exit(_) => Ok(String::new()),
        })
    }

    fn shows(&mut self, view: View) -> Result<std::result::Result<String, String>> {
        let whole = self.guest.screendump()?;
        let Board { width, height, .. } = self.board;
        let screen = whole.cropped(width, height);
        let line = self.board.line;
        if (whole.width, whole.height) != (line, height) {
            let Picture { width, height: rows, .. } = whole;
            return Ok(Err(format!("the screen is {width}x{rows}, not {line}x{height}")));
        }
        // What a line has beyond the picture is not the program's to paint on.
        let beyond = whole.mean(width, 0, whole.width, whole.height);
        if whole.width > width && beyond != [0.0; 3] {
            return Ok(Err(format!("beyond the right edge of the picture it is not black but {beyond:.1?}")));
        }
        let (name, seen) = match view {
            View::Exact => ("exact", self.judge.exact(&screen).map(|number| number.to_string())),
            View::Scaled => ("scaled", self.judge.scaled(&screen).map(|number| number.to_string())),
            View::Sound => ("sound", self.judge.sound(&screen)),
            View::Words => ("words", compare::words(&screen).map(|_| String::new())),
            View::Alarm => ("alarm", compare::alarm(&screen).map(|()| String::new())),
        };
        if seen.is_err() == (view == View::Sound) {
            self.keep(name, &whole)?;
        }
        Ok(seen)
    }

    /// Keeps a screen as a picture that people can look at.
    fn keep(&self, name: &str, screen: &Picture) -> Result {
        let number = fs::read_dir(self.results).into_iter().flatten().count();
        let path = self.results.join(format!("{}{number:02}-{name}.png", self.prefix));
        fs::write(&path, screen.to_png())
            .map_err(|error| Failure::new(format!("{}: {error}.", path.display())))
    }
}

/// The end of a console, indented.
fn last_lines(console: &str) -> String {
    let lines: Vec<&str> = console.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return "    (none)".into();
    }
    let skipped = lines.len().saturating_sub(8);
    lines.iter().skip(skipped).map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
