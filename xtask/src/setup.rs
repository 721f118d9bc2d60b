//! `cargo xtask setup`: installs the Debian packages that the other commands may ask for.

use crate::failure::{Failure, Result};
use crate::need;
use crate::process;
use crate::toolchain::{self, AARCH64, THUMBV7EM, Toolchain};
use crate::vm;

/// The command: installs what `cargo xtask ci` needs and this machine lacks, or names it.
pub(crate) fn run() -> Result {
    let packages = missing();
    if packages.is_empty() {
        println!("Nothing is missing.");
        return Ok(());
    }
    if need::may_install() {
        return need::install(&packages);
    }
    let line = need::paste_line(&packages);
    Err(Failure::new(format!(
        "Packages are installed by root where there is apt. The line to paste:\n    {line}"
    )))
}

fn missing() -> Vec<&'static str> {
    let mut packages = Vec::new();
    if need::find_libclang().is_none() {
        packages.push(need::libclang_package());
    }
    if process::find_program("git").is_none() {
        packages.push("git");
    }
    // For the witness in `docs/peer`, which the tests of the programs run.
    packages.extend(["python3", "openssl"].into_iter().filter(|name| process::find_program(name).is_none()));
    if process::find_program("c++").is_none() {
        packages.push("g++");
    }
    if Toolchain::find(&AARCH64).is_err() || Toolchain::find(&THUMBV7EM).is_err() {
        packages.extend(toolchain::debian_packages(&[&AARCH64, &THUMBV7EM]));
    }
    if AARCH64.emulator.is_some_and(|emulator| process::find_program(emulator).is_none()) {
        packages.push("qemu-user-static");
    }
    packages.extend(vm::missing_packages());
    packages
}
