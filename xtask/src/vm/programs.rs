//! The project's programs as the guests get them: built for their architecture, without what only a debugger reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::machine::Machine;
use crate::build::{self, Wish};
use crate::failure::{Failure, Result};
use crate::process;
use crate::toolchain::Toolchain;

const PACKAGES: [&str; 3] = ["sealcam-client", "sealcam-server", "usb-camera"];

/// A folder with the programs of one build, under their own names.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Builds them. Not optimised unless asked for: `cross` has just built those, and how fast a program is, a guest does
    /// not show.
    pub(super) fn build(machine: &Machine, is_static: bool, release: bool) -> Result<Self> {
        let wish = Wish { target: machine.target, static_library: is_static, release };
        let programs = build::build_packages(&wish, PACKAGES)?;
        let link = if is_static { "static" } else { "dynamic" };
        let profile = if release { "release" } else { "dev" };
        // A copy, for the other kind of linking writes to the same place.
        let folder =
            process::root().join(format!("target/vm/programs/{}-{link}-{profile}", machine.target.name));
        fs::create_dir_all(&folder)
            .map_err(|error| Failure::new(format!("{}: {error}.", folder.display())))?;
        let compiler = Toolchain::find(machine.target)?.c_compiler();
        for (program, name) in programs.iter().zip(PACKAGES) {
            strip(compiler, program, &folder.join(name))?;
        }
        if !is_static {
            let fault = process::root().join("xtask/vm/fault.c");
            let mut command = Command::new(compiler);
            command.args(["-shared", "-fPIC", "-O1", "-o"]).arg(folder.join("fault.so")).arg(fault);
            process::read_within(&mut command, Duration::from_secs(60))?;
        }
        Ok(Self { folder })
    }

    /// All files.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>> {
        let fail = |error: std::io::Error| Failure::new(format!("{}: {error}.", self.folder.display()));
        let entries: std::io::Result<Vec<_>> = fs::read_dir(&self.folder).map_err(fail)?.collect();
        Ok(entries.map_err(fail)?.iter().map(fs::DirEntry::path).collect())
    }
}

/// Copies a program without its debugging information, which is most of it; as it is, where there is no such tool.
fn strip(compiler: &str, program: &Path, to: &Path) -> Result {
    let tool = compiler.strip_suffix("gcc").map_or("strip".into(), |prefix| format!("{prefix}strip"));
    let stripped = process::succeeds(Command::new(tool).arg("-o").arg(to).arg(program));
    let copied = if stripped { Ok(0) } else { fs::copy(program, to) };
    copied.map(|_| ()).map_err(|error| Failure::new(format!("{}: {error}.", to.display())))
}
