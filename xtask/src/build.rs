//! `cargo xtask build`: both programs, for this machine or another.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::need;
use crate::process;
use crate::say::say;
use crate::toolchain::{self, Target, Toolchain};

/// The packages of the two programs.
const PROGRAMS: [&str; 2] = ["sealcam-client", "sealcam-server"];

const TARGETS: [&Target; 3] = [&toolchain::AARCH64, &toolchain::ARMV7, &toolchain::X86_64];

/// What to build.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    /// For which machine.
    pub(crate) target: &'static Target,
    /// With the C library inside, so that it does not matter which one the machine has.
    pub(crate) static_library: bool,
    /// Optimised.
    pub(crate) release: bool,
}

/// Both programs as files.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The camera's program.
    pub(crate) client: PathBuf,
    /// The display's program.
    pub(crate) server: PathBuf,
}

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result {
    let wish = parse(arguments)?;
    build_for(&wish).map(|_| ())
}

/// Builds both for the machine wished for, and tells where they lie.
pub(crate) fn build_for(wish: &Wish) -> Result<Programs> {
    let [client, server] = build_packages(wish, PROGRAMS)?;
    Ok(Programs { client, server })
}

/// Builds packages that have one program each, of the same name, for the machine wished for.
pub(crate) fn build_packages<const N: usize>(wish: &Wish, packages: [&str; N]) -> Result<[PathBuf; N]> {
    let toolchain = Toolchain::find(wish.target)?;
    need::libclang()?;
    say(format_args!("building for {} with {}", wish.target.triple, toolchain.described()))?;
    let mut command = toolchain.cargo("build", "std,panic_unwind");
    if wish.release {
        command.arg("--release");
    }
    if wish.static_library {
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        command.env("RUSTFLAGS", format!("{flags} -C target-feature=+crt-static").trim_start());
    }
    build(command, packages)
}

/// Builds both for this machine as `cargo test` does, so that the two share what they compile.
pub(crate) fn build_here() -> Result<Programs> {
    need::libclang()?;
    let mut command = process::cargo();
    command.arg("build");
    let [client, server] = build(command, PROGRAMS)?;
    Ok(Programs { client, server })
}

fn build<const N: usize>(mut command: Command, packages: [&str; N]) -> Result<[PathBuf; N]> {
    for package in packages {
        command.args(["-p", package]);
    }
    // The messages tell where the programs lie, whatever Cargo's configuration says of target directories.
    let messages = process::run_and_read(command.arg("--message-format=json-render-diagnostics"))?;
    let find = |name: &str| {
        let path = executables(&messages).find(|path| path.file_name().is_some_and(|file| file == name));
        path.ok_or_else(|| Failure::new(format!("cargo built no program `{name}`.")))
    };
    let mut programs = [const { PathBuf::new() }; N];
    for (program, package) in programs.iter_mut().zip(packages) {
        *program = find(package)?;
    }
    for path in &programs {
        let bytes =
            fs::metadata(path).map_err(|error| Failure::new(format!("{}: {error}.", path.display())))?.len();
        say(format_args!("{} kB  {}", bytes / 1000, path.display()))?;
    }
    Ok(programs)
}

/// The programs that `--message-format=json` names.
pub(crate) fn executables(messages: &str) -> impl Iterator<Item = PathBuf> {
    let values = messages.lines().filter_map(|line| line.split_once(r#""executable":""#));
    values.filter_map(|(_, rest)| rest.split_once('"')).map(|(path, _)| PathBuf::from(path))
}

fn parse(arguments: &[String]) -> Result<Wish> {
    let (mut target, mut static_library, mut release) = (None, false, false);
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--static" => static_library = true,
            "--release" => release = true,
            "--target" => target = words.next(),
            _ if word.starts_with("--target=") => target = word.strip_prefix("--target="),
            _ => return Err(Failure::usage(format!("`build` does not know `{word}`."))),
        }
    }
    let names = TARGETS.map(|target| target.name).join(", ");
    let name =
        target.ok_or_else(|| Failure::usage(format!("`build` wants --target and one of: {names}.")))?;
    let known = TARGETS.into_iter().find(|target| target.name == name || target.triple == name);
    let target =
        known.ok_or_else(|| Failure::usage(format!("There is no target `{name}`; there are: {names}.")))?;
    Ok(Wish { target, static_library, release })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn the_wish_is_read_from_the_command_line() {
        let wish = parse(&words("--target aarch64 --static")).unwrap();
        assert_eq!(wish, Wish { target: &toolchain::AARCH64, static_library: true, release: false });
        let wish = parse(&words("--release --target=armv7-unknown-linux-gnueabihf")).unwrap();
        assert_eq!(wish, Wish { target: &toolchain::ARMV7, static_library: false, release: true });
    }

    #[test]
    fn a_wrong_command_line_is_refused_with_the_choices() {
        for line in ["", "--target", "--target riscv64"] {
            let failure = parse(&words(line)).unwrap_err();
            assert_eq!(failure.exit_code(), 2);
            assert!(failure.to_string().contains("aarch64, armv7, x86_64"), "{failure}");
        }
        assert_eq!(parse(&words("--target aarch64 --fast")).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn programs_are_found_in_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","executable":null,"fresh":true}"#,
            "\n",
            r#"{"reason":"compiler-artifact","executable":"/t/release/sealcam-client","fresh":true}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\n",
        );
        let found: Vec<_> = executables(messages).collect();
        assert_eq!(found, [PathBuf::from("/t/release/sealcam-client")]);
    }
}
