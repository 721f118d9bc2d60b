//! Which compiler, linker and standard library build for a target, and what to install when there is none.
//!
//! Tried in this order:
//!
//! 1. the active toolchain, where it has the target's standard library (`rustup target add`, or the host itself);
//! 2. Debian's own compiler with Debian's library for the target (`rustc-web`, `libstd-rust-web-dev:arm64`);
//! 3. Debian's compiler with the library built from Debian's source of it (`rust-web-src`).
//!
//! Nothing here installs anything, and rustup is never asked for anything. A build with another compiler has a target
//! directory of its own, for the two would throw out each other's work.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::need;
use crate::process;

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// A target that something of the project is built for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The name on our command line.
    pub(crate) name: &'static str,
    /// Rust's name for it.
    pub(crate) triple: &'static str,
    /// The C compiler that links for it from another machine, and its Debian packages.
    linker: Option<(&'static str, &'static [&'static str])>,
    /// The user-mode emulator of `qemu-user-static`.
    pub(crate) emulator: Option<&'static str>,
    /// Debian's packages that bring the standard library or its source.
    library: &'static [&'static str],
}

/// 64-bit ARM Linux: Raspberry Pi 3 and later.
pub(crate) const AARCH64: Target = Target {
    name: "aarch64",
    triple: "aarch64-unknown-linux-gnu",
    linker: Some(("aarch64-linux-gnu-gcc", &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"])),
    emulator: Some("qemu-aarch64-static"),
    library: &["rustc-web", "libstd-rust-web-dev:arm64"],
};

/// 32-bit ARM Linux with hardware floating point: a Raspberry Pi 2 and later with a 32-bit system.
pub(crate) const ARMV7: Target = Target {
    name: "armv7",
    triple: "armv7-unknown-linux-gnueabihf",
    linker: Some(("arm-linux-gnueabihf-gcc", &["gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"])),
    emulator: Some("qemu-arm-static"),
    library: &["rustc-web", "rust-web-src"],
};

/// 64-bit PC.
pub(crate) const X86_64: Target = Target {
    name: "x86_64",
    triple: "x86_64-unknown-linux-gnu",
    linker: Some(("x86_64-linux-gnu-gcc", &["gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"])),
    emulator: None,
    library: &["rustc-web"],
};

/// A microcontroller without an operating system, on which only the core has a place.
pub(crate) const THUMBV7EM: Target = Target {
    name: "thumbv7em",
    triple: "thumbv7em-none-eabihf",
    linker: None,
    emulator: None,
    library: &["rustc-web", "rust-web-src"],
};

/// Where the standard library for a target comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Library {
    Active,
    Debian,
    DebianSource,
}

/// How to build for a target on this machine.
#[derive(Debug)]
pub(crate) struct Toolchain {
    target: &'static Target,
    library: Library,
}

impl Toolchain {
    /// Looks for what builds for this target; fails with the lines that install it.
    pub(crate) fn find(target: &'static Target) -> Result<Self> {
        let library = find_library(target);
        let linker_missing = target
            .linker
            .filter(|(linker, _)| !links_here(target) && process::find_program(linker).is_none());
        let mut debian: Vec<&str> = linker_missing.map_or(&[][..], |(_, packages)| packages).to_vec();
        match library {
            Some(library) if debian.is_empty() => return Ok(Self { target, library }),
            Some(_) => {
                let line = need::paste_line(&debian);
                return Err(Failure::new(format!(
                    "No linker for {}. Install it:\n    {line}",
                    target.triple
                )));
            }
            None => {}
        }
        let with_rustup = format!("rustup target add {}", target.triple);
        let with_rustup = if debian.is_empty() {
            with_rustup
        } else {
            format!("{with_rustup} && {}", need::paste_line(&debian))
        };
        debian.splice(0..0, target.library.iter().copied());
        Err(Failure::new(format!(
            "No Rust standard library for {}. With rustup:\n    {with_rustup}\nwith Debian 12's packages instead:\n    {}",
            target.triple,
            need::paste_line(&debian)
        )))
    }

    /// `cargo VERB --target …` with the compiler, the linker and the target directory. `std` is what the target has of
    /// the standard library, as `-Zbuild-std` takes it.
    pub(crate) fn cargo(&self, verb: &str, std: &str) -> Command {
        let mut command = process::cargo();
        command.args([verb, "--target", self.target.triple]);
        if self.library == Library::DebianSource {
            command.arg(format!("-Zbuild-std={std}")).env("RUSTC_BOOTSTRAP", "1");
        }
        if self.library != Library::Active {
            command.env("RUSTC", DEBIAN_RUSTC).env("RUSTDOC", "/usr/bin/rustdoc");
            command.arg("--target-dir").arg(process::root().join("target/cross"));
            // With the intermediate files in a shared place the directory of its own would be in vain.
            command.env_remove("CARGO_BUILD_BUILD_DIR");
        }
        if let Some((linker, _)) = self.target.linker.filter(|_| !links_here(self.target)) {
            set_unless_set(&mut command, &self.variable("LINKER"), linker);
        }
        if let Some(emulator) = self.target.emulator.filter(|_| !links_here(self.target)) {
            set_unless_set(&mut command, &self.variable("RUNNER"), emulator);
        }
        command
    }

    /// The C compiler for this target.
    pub(crate) fn c_compiler(&self) -> &'static str {
        self.target.linker.filter(|_| !links_here(self.target)).map_or("cc", |(linker, _)| linker)
    }

    /// What compiles, in words.
    pub(crate) fn described(&self) -> &'static str {
        match self.library {
            Library::Active => "the active toolchain",
            Library::Debian => "Debian's rustc",
            Library::DebianSource => "Debian's rustc, the standard library built from source",
        }
    }

    /// The name of Cargo's variable for one setting of this target.
    pub(crate) fn variable(&self, setting: &str) -> String {
        format!("CARGO_TARGET_{}_{setting}", self.target.triple.to_uppercase().replace('-', "_"))
    }
}

/// Every package with which each target can be built here without rustup, for `cargo xtask setup`.
pub(crate) fn debian_packages(targets: &[&'static Target]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for target in targets {
        let linker = target.linker.map_or(&[][..], |(_, packages)| packages);
        packages.extend(
            target
                .library
                .iter()
                .chain(linker)
                .copied()
                .filter(|package| !packages.contains(package))
                .collect::<Vec<_>>(),
        );
    }
    packages
}

fn find_library(target: &Target) -> Option<Library> {
    let active = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if has_library(&active, target) {
        return Some(Library::Active);
    }
    let debian = DEBIAN_RUSTC.as_ref();
    if has_library(debian, target) {
        return Some(Library::Debian);
    }
    let sysroot = process::read(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"])).ok()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.toml");
    source.exists().then_some(Library::DebianSource)
}

fn has_library(rustc: &std::ffi::OsStr, target: &Target) -> bool {
    let asked =
        process::read(Command::new(rustc).args(["--print", "target-libdir", "--target", target.triple]));
    let directory = asked.map(|printed| PathBuf::from(printed.trim()));
    directory.is_ok_and(|directory| directory.read_dir().is_ok_and(|mut entries| entries.next().is_some()))
}

/// Whether the host's own linker is the one for this target, and its programs run here.
fn links_here(target: &Target) -> bool {
    cfg!(target_os = "linux") && target.triple.starts_with(std::env::consts::ARCH)
}

fn set_unless_set(command: &mut Command, name: &str, value: &str) {
    if std::env::var_os(name).is_none() {
        command.env(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument_list(command: &Command) -> Vec<String> {
        command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn debians_compiler_builds_in_a_directory_of_its_own() {
        let command = Toolchain { target: &AARCH64, library: Library::Debian }.cargo("build", "std");
        let arguments = argument_list(&command);
        assert!(arguments.contains(&"--target-dir".into()), "{arguments:?}");
        assert!(!arguments.iter().any(|argument| argument.starts_with("-Z")), "{arguments:?}");
        assert!(
            command.get_envs().any(|(name, value)| name == "RUSTC" && value == Some(DEBIAN_RUSTC.as_ref()))
        );
    }

    #[test]
    fn a_library_built_from_source_is_what_the_target_has_of_it() {
        let command =
            Toolchain { target: &THUMBV7EM, library: Library::DebianSource }.cargo("build", "core,alloc");
        assert!(argument_list(&command).contains(&"-Zbuild-std=core,alloc".into()));
        assert!(command.get_envs().any(|(name, value)| name == "RUSTC_BOOTSTRAP" && value.is_some()));
    }

    #[test]
    fn the_active_toolchain_is_left_as_it_is() {
        let command = Toolchain { target: &X86_64, library: Library::Active }.cargo("build", "std");
        assert_eq!(argument_list(&command), ["build", "--target", "x86_64-unknown-linux-gnu"]);
        assert!(command.get_envs().all(|(name, _)| name != "RUSTC"));
    }

    #[test]
    fn settings_of_a_target_are_named_as_cargo_names_them() {
        let toolchain = Toolchain { target: &AARCH64, library: Library::Active };
        assert_eq!(toolchain.variable("RUNNER"), "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER");
    }

    #[test]
    fn packages_are_named_once() {
        let packages = debian_packages(&[&AARCH64, &THUMBV7EM]);
        assert_eq!(packages.iter().filter(|package| **package == "rustc-web").count(), 1, "{packages:?}");
        assert!(
            packages.contains(&"rust-web-src") && packages.contains(&"libc6-dev-arm64-cross"),
            "{packages:?}"
        );
    }
}
