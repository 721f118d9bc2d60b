//! `cargo xtask cross`, `bare-metal` and `emulated`: the project on machines other than this one.
//!
//! Emulated programs show that the code is right for ARM; how fast it is they cannot show.

use std::path::Path;
use std::process::Command;

use crate::build::{self, Wish};
use crate::failure::{Failure, Result};
use crate::need;
use crate::process;
use crate::toolchain::{AARCH64, THUMBV7EM, Toolchain};

/// Where the ARM system's loader lies, without which no dynamically linked program of its starts.
const LOADER: &str = "/lib/ld-linux-aarch64.so.1";

/// Builds both programs for 64-bit ARM and starts each. Not optimised: so the dependencies are compiled once for this
/// and for [`emulated`], and optimising proves nothing more.
pub(crate) fn cross() -> Result {
    let emulator = emulator()?;
    let programs = build::build_for(&Wish { target: &AARCH64, static_library: false, release: false })?;
    for (program, name) in [(&programs.client, "sealcam-client"), (&programs.server, "sealcam-server")] {
        let version = process::read(start(emulator, program).arg("--version"))?;
        if !version.starts_with(name) {
            return Err(Failure::new(format!(
                "`{name} --version` printed {version:?} instead of its name and version."
            )));
        }
        let help = process::read(start(emulator, program).arg("--help"))?;
        if !help.contains("Usage") {
            return Err(Failure::new(format!("`{name} --help` tells no usage, but {help:?}.")));
        }
        println!("{} runs on {}", version.trim(), AARCH64.name);
    }
    Ok(())
}

/// Runs the core's tests as 64-bit ARM code.
pub(crate) fn emulated() -> Result {
    emulator()?;
    let toolchain = Toolchain::find(&AARCH64)?;
    process::run(toolchain.cargo("test", "std,panic_unwind").args(["-p", "sealcam-core"]))
}

/// Builds the core for a machine without an operating system, without and with an allocator.
pub(crate) fn bare_metal() -> Result {
    let toolchain = Toolchain::find(&THUMBV7EM)?;
    let core = ["-p", "sealcam-core", "--no-default-features"];
    process::run(toolchain.cargo("build", "core").args(core))?;
    process::run(toolchain.cargo("build", "core,alloc").args(core).args(["--features", "rsa"]))
}

/// What runs the target's programs here: nothing on a machine of its own kind.
fn emulator() -> Result<Option<&'static str>> {
    if cfg!(target_arch = "aarch64") {
        return Ok(None);
    }
    if !Path::new(LOADER).exists() {
        let line = need::paste_line(&["libc6:arm64", "libgcc-s1:arm64"]);
        return Err(Failure::new(format!(
            "There is no {LOADER} to start ARM programs with. Install it:\n    {line}"
        )));
    }
    if let Some(emulator) = AARCH64.emulator {
        need::program(emulator, "qemu-user-static")?;
    }
    Ok(AARCH64.emulator)
}

fn start(emulator: Option<&str>, program: &Path) -> Command {
    let Some(emulator) = emulator else { return Command::new(program) };
    let mut command = Command::new(emulator);
    command.arg(program);
    command
}
