//! `cargo xtask`: everything a developer runs. One file a command; this one finds the command and tells its outcome.
//!
//! Depends on nothing but the standard library, so that it starts at once on a fresh machine. It imports none of the
//! project's crates, it runs them.

mod build;
mod ci;
mod clock;
mod cross;
mod demo;
mod deny;
mod failure;
mod flood;
mod folder;
mod fuzz;
mod lint;
mod lock;
mod model;
mod need;
mod pair;
mod process;
mod program;
mod say;
mod setup;
#[allow(unsafe_code, reason = "signals have no safe form in the standard library")]
mod sys;
mod test;
mod tidy;
mod toolchain;
mod vm;

use std::process::ExitCode;

use crate::ci::STEPS;
use crate::failure::{Failure, Result};

const HELP: &str = "\
Usage: cargo xtask COMMAND

  demo [--seconds N]     both programs over loopback with a synthetic picture, shown here
  test [ARGUMENTS]       all tests that run on this machine; the arguments go to `cargo test`
  build --target aarch64|armv7|x86_64 [--static] [--release]
                         both programs, for that machine
  vm [CASE…] [--all] [--list] [--keep] [--release] [--machine virt|raspi3b|x86] [--fb NAME] [--cache DIR]
                         the programs on real kernel drivers in emulated machines; without CASE the fast set
  flood [--datagrams N] [--rate N] [--runs N]
                         forged, replayed and reflected datagrams at a display, beside a live stream
  model [NAME…]          the protocol's models in docs/model, where Verifpal is installed
  deny [--db DIR]        licences, sources and second versions of dependencies, where cargo-deny is installed; with a
                         clone of RustSec's advisory-db known weaknesses too
  fuzz SECONDS [TARGET…] made-up inputs for parsers, both sides of the protocol and the decoder; so long for each
  fuzz --seeds           writes the inputs anew that they begin with
  setup                  installs the Debian packages that `ci` needs (root), or names them
  ci                     every step below, in this order; the first failure ends it
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(arguments: &[String]) -> Result {
    let Some((command, rest)) = arguments.split_first() else {
        return Err(Failure::usage(format!("which command?\n\n{}", help())));
    };
    match command.as_str() {
        "demo" => return demo::run(rest),
        "test" => return test::run(rest),
        "flood" => return flood::run(rest),
        "build" => return build::run(rest),
        "vm" => return vm::run(rest),
        "model" => return model::run(rest),
        "deny" => return deny::run(rest),
        "fuzz" => return fuzz::run(rest),
        "help" | "--help" | "-h" => {
            print!("{}", help());
            return Ok(());
        }
        _ => {}
    }
    let plain = match command.as_str() {
        "ci" => ci::run,
        "setup" => setup::run,
        name => {
            let step = STEPS.iter().find(|step| step.name == name);
            step.ok_or_else(|| Failure::usage(format!("there is no command `{name}`.\n\n{}", help())))?.run
        }
    };
    match rest {
        [] => plain(),
        [word, ..] => Err(Failure::usage(format!("`{command}` takes no arguments, not `{word}`."))),
    }
}

fn help() -> String {
    let steps = STEPS.iter().map(|step| format!("    {:<21}{}\n", step.name, step.about));
    std::iter::once(String::from(HELP)).chain(steps).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> Failure {
        dispatch(&line.split_whitespace().map(String::from).collect::<Vec<_>>()).unwrap_err()
    }

    #[test]
    fn an_unknown_command_is_refused_with_the_list() {
        for line in ["", "fly"] {
            let failure = refused(line);
            assert_eq!(failure.exit_code(), 2);
            assert!(failure.to_string().contains("bare-metal"), "{failure}");
        }
    }

    #[test]
    fn a_word_too_many_is_refused() {
        assert_eq!(refused("tidy everything").exit_code(), 2);
    }

    #[test]
    fn ci_begins_and_ends_with_tests() {
        let names = STEPS.map(|step| step.name);
        assert_eq!((names.first(), names.last()), (Some(&"test"), Some(&"vm")));
    }
}
