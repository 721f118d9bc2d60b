//! `cargo xtask ci`: everything that must hold before a change goes in, each step also a command of its own.

use crate::clock::{Stopwatch, spoken};
use crate::failure::Result;
use crate::{cross, fuzz, lint, test, tidy, vm};

/// One thing that is checked.
#[derive(Debug)]
pub(crate) struct Step {
    /// The command's name.
    pub(crate) name: &'static str,
    /// What it checks, for the help.
    pub(crate) about: &'static str,
    /// Checks it.
    pub(crate) run: fn() -> Result,
}

/// All of them, in order. The first is the test command of the README; another test run comes last, so that the output
/// ends with what a test runner says.
pub(crate) const STEPS: [Step; 10] = [
    Step { name: "test", about: "all tests that run on this machine", run: || test::run(&[]) },
    Step { name: "tidy", about: "the house rules that no compiler checks", run: tidy::run },
    Step { name: "clippy", about: "clippy, warnings denied", run: lint::clippy },
    Step { name: "fmt", about: "the layout of the source text", run: lint::fmt },
    Step { name: "doc", about: "the documentation, warnings denied", run: lint::doc },
    Step { name: "cross", about: "both programs built for aarch64 and started", run: cross::cross },
    Step {
        name: "bare-metal",
        about: "the core for thumbv7em, without and with an allocator",
        run: cross::bare_metal,
    },
    Step { name: "emulated", about: "the core's tests as aarch64 code", run: cross::emulated },
    Step { name: "fuzz", about: "made-up inputs for a few seconds a target", run: fuzz::short },
    Step { name: "vm", about: "the programs on real kernel drivers in emulated machines", run: vm::fast },
];

/// The command: every step, until one fails.
pub(crate) fn run() -> Result {
    let whole = Stopwatch::start();
    for (at, step) in STEPS.iter().enumerate() {
        println!("\n== {} ({} of {}): {}", step.name, at + 1, STEPS.len(), step.about);
        let watch = Stopwatch::start();
        let outcome = (step.run)();
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        println!("== {} {word} in {}", step.name, spoken(watch.elapsed()));
        outcome?;
    }
    println!("== ci passed in {}", spoken(whole.elapsed()));
    Ok(())
}
