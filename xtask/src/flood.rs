//! `cargo xtask flood`: a display under attack from the camera's own address, beside a live stream.
//!
//! ```text
//! camera ═══▶ relay ═══▶ display         the relay hears what passes; the flood goes out of its socket,
//!        ◀═══       ◀═══     ▲           so that the display takes it for the camera's
//!                   └─ flood ┘
//! ```
//! Four kinds of run: without a flood, and with forged, replayed and reflected datagrams. Of each flood the best of a
//! few runs counts, for other work on the machine loses frames too: it may lose no more than the run without.

mod ammunition;
mod relay;

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use self::ammunition::{Ammunition, Kind};
use self::relay::Relay;
use crate::build::{self, Programs};
use crate::clock::Stopwatch;
use crate::failure::{Failure, Result};
use crate::folder::TemporaryFolder;
use crate::pair::Pair;
use crate::program::Program;
use crate::sys;

/// What the camera sends meanwhile.
const STREAM: [&str; 4] = ["--size", "1280x720", "--fps", "30"];
/// How long the stream runs before anything is measured.
const SETTLED: Duration = Duration::from_secs(3);
/// How long it may take until the relay has heard what floods are made of.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
/// Resident memory may grow by so much, kB.
const GROWTH: u64 = 1024;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    datagrams: u64,
    /// A second.
    rate: u64,
    runs: u32,
}

/// What one run came to.
#[derive(Debug)]
struct Outcome {
    /// Frames that came whole, and that were given up.
    whole: u64,
    lost: u64,
    /// Resident memory before and after, kB.
    resident: (u64, u64),
    /// The most lines that the display's log grew by in one second.
    lines: usize,
    refused: String,
}

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result {
    let options = Options::parse(arguments)?;
    println!("Building both programs (a first build takes minutes).");
    let programs = build::build_here()?;
    sys::note_interrupts();
    let mut allowed = None;
    let mut failed = Vec::new();
    for kind in [None, Some(Kind::Forged), Some(Kind::Replayed), Some(Kind::Reflected)] {
        let name = kind.map_or("without a flood", Kind::name);
        let mut best: Option<Outcome> = None;
        for number in 1..=options.runs {
            let outcome = attack(&programs, kind, &options)?;
            println!("{name}, {number} of {}: {}", options.runs, outcome.words());
            let is_enough = allowed.is_none_or(|allowed| outcome.lost <= allowed);
            if best.as_ref().is_none_or(|best| outcome.lost < best.lost) {
                best = Some(outcome);
            }
            if kind.is_some() && is_enough {
                break;
            }
        }
        let Some(best) = best else { continue };
        failed.extend(best.faults(allowed).into_iter().map(|fault| format!("{name}: {fault}")));
        allowed = allowed.or(Some(best.lost));
    }
    match failed.as_slice() {
        [] => Ok(()),
        faults => Err(Failure::new(faults.join("\n"))),
    }
}

/// One run: the stream, and a flood beside it.
fn attack(programs: &Programs, kind: Option<Kind>, options: &Options) -> Result<Outcome> {
    let folder = TemporaryFolder::make("flood")?;
    let pair = Pair::make(programs, folder.path())?;
    let relay = Relay::to(pair.address())?;
    let mut display = pair.start_server("-", Stdio::null())?;
    let mut camera = pair.start_client(&[&STREAM[..], &["--to", relay.address()]].concat())?;
    let ammunition = prepare(&relay, kind, &mut display, &mut camera)?;
    let before = display.resident()?;
    let lines = fire(&relay, &ammunition, options, &display)?;
    let after = display.resident()?;
    // The camera first: frames that it had begun arrive.
    camera.stop()?;
    display.stop()?;
    judge(&display, (before, after), lines)
}

/// Lets the stream settle, and the relay hear what the flood is made of.
fn prepare(
    relay: &Relay,
    kind: Option<Kind>,
    display: &mut Program,
    camera: &mut Program,
) -> Result<Ammunition> {
    let watch = Stopwatch::start();
    while watch.elapsed() < HEARD_WITHIN {
        for program in [&mut *display, &mut *camera] {
            if program.has_ended()? || sys::interrupted() {
                return Err(Failure::new(format!("A program ended early:\n{}", program.last_lines())));
            }
        }
        thread::sleep(Duration::from_millis(50));
        if watch.elapsed() >= SETTLED
            && let Some(ammunition) = relay.with_heard(|heard| Ammunition::make(kind, heard))
        {
            return Ok(ammunition);
        }
    }
    Err(Failure::new(format!("No stream came about:\n{}\n{}", display.last_lines(), camera.last_lines())))
}

/// Sends the flood, evenly; says the most lines that the display's log grew by in a second.
fn fire(relay: &Relay, ammunition: &Ammunition, options: &Options, display: &Program) -> Result<usize> {
    let watch = Stopwatch::start();
    let (mut sent, mut second, mut most) = (0, 0, 0);
    let mut known = display.log().lines().count();
    while sent < options.datagrams {
        if sys::interrupted() {
            return Err(Failure::new("The flood was interrupted."));
        }
        let elapsed = watch.elapsed();
        let due = (elapsed.as_micros() * u128::from(options.rate) / 1_000_000).min(options.datagrams.into());
        while u128::from(sent) < due {
            ammunition.with(sent, |datagram| relay.strike(datagram));
            sent += 1;
        }
        if elapsed.as_secs() > second {
            second = elapsed.as_secs();
            let lines = display.log().lines().count();
            most = most.max(lines - known);
            known = lines;
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(most)
}

/// Reads what the display said at its end.
fn judge(display: &Program, resident: (u64, u64), lines: usize) -> Result<Outcome> {
    let log = display.log();
    let said = log.lines().rev().find_map(|line| line.split_once("received: "));
    let find = |text: &str, word: &str| text.split_once(word)?.0.rsplit([' ', ',']).next()?.parse().ok();
    let read = said.and_then(|(_, said)| {
        let lost = find(said, " given up")?;
        let refused = said.split_once("refused: ").map_or("", |(_, why)| why).to_owned();
        Some(Outcome { whole: find(said, " frames whole")?, lost, resident, lines, refused })
    });
    read.ok_or_else(|| {
        Failure::new(format!("The display did not say what it received:\n{}", display.last_lines()))
    })
}

impl Outcome {
    fn words(&self) -> String {
        let Self { whole, lost, resident: (before, after), lines, refused } = self;
        format!(
            "{whole} frames whole, {lost} lost; {before} kB resident before, {after} after; at most {lines} lines of \
             log in a second; refused: {refused}"
        )
    }

    /// What is wrong with it, where a run without a flood lost so many frames.
    fn faults(&self, allowed: Option<u64>) -> Vec<String> {
        let (before, after) = self.resident;
        let lost = allowed.filter(|allowed| self.lost > *allowed);
        let lost = lost.map(|allowed| format!("{} frames were lost, and {allowed} without it", self.lost));
        let grown = (after > before + GROWTH).then(|| format!("memory grew from {before} to {after} kB"));
        let talk = (self.lines > 1).then(|| format!("{} lines of log in one second", self.lines));
        let nothing = (self.whole == 0).then(|| "no frame came at all".to_owned());
        [lost, grown, talk, nothing].into_iter().flatten().collect()
    }
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { datagrams: 1_000_000, rate: 20_000, runs: 3 };
        let mut words = arguments.iter().flat_map(|word| word.splitn(2, '='));
        while let Some(word) = words.next() {
            let number =
                words.next().and_then(|value| value.parse::<u32>().ok()).filter(|number| *number > 0);
            let number = number.ok_or_else(|| Failure::usage(format!("`{word}` wants a number behind it.")));
            match word {
                "--datagrams" => options.datagrams = number?.into(),
                "--rate" => options.rate = number?.into(),
                "--runs" => options.runs = number?,
                _ => return Err(Failure::usage(format!("`flood` does not know `{word}`."))),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn numbers_are_read_and_nonsense_is_refused() {
        let options = parse("--rate=5 --datagrams 70 --runs 2").unwrap();
        assert_eq!(options, Options { datagrams: 70, rate: 5, runs: 2 });
        for line in ["--rate", "--rate 0", "--rate x", "--speed 4"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn what_a_flood_may_not_do_is_found() {
        let good = || Outcome { whole: 9, lost: 1, resident: (5000, 6000), lines: 1, refused: String::new() };
        assert_eq!(good().faults(Some(1)), Vec::<String>::new());
        assert_eq!(good().faults(None), Vec::<String>::new());
        let lost = Outcome { lost: 2, ..good() };
        let grown = Outcome { resident: (5000, 6100), ..good() };
        let talk = Outcome { lines: 2, ..good() };
        let nothing = Outcome { whole: 0, ..good() };
        for bad in [lost, grown, talk, nothing] {
            assert_eq!(bad.faults(Some(1)).len(), 1, "{bad:?}");
        }
    }
}
