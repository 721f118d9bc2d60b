//! What the system must have besides the Rust toolchain, and the Debian packages that bring it.
//!
//! A missing package is named in one line to paste before a build script can fail over it. Packages are installed
//! without being asked for in three places only: [`libclang`], which every build needs, [`programs`], which `cargo xtask
//! vm` needs, and [`install`] (`cargo xtask setup`), all only for root on a system with apt.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process;

/// Makes sure that bindgen, with which the `v4l` crate is built, finds libclang and the kernel's header.
pub(crate) fn libclang() -> Result {
    let mut packages = Vec::new();
    if find_libclang().is_none() {
        packages.push(libclang_package());
    }
    if !Path::new("/usr/include/linux/videodev2.h").exists() {
        packages.push("libc6-dev");
    }
    if packages.is_empty() {
        return Ok(());
    }
    if may_install() {
        return install(&packages);
    }
    Err(Failure::new(format!(
        "The camera program is built with bindgen, which needs libclang and the C library's headers. Install them:\n    {}",
        paste_line(&packages)
    )))
}

/// Makes sure that a program is on `PATH`, else names its package.
pub(crate) fn program(name: &str, package: &str) -> Result {
    if process::find_program(name).is_some() {
        return Ok(());
    }
    Err(Failure::new(format!("The program `{name}` is missing. Install it:\n    {}", paste_line(&[package]))))
}

/// Makes sure that programs are on `PATH`; each is given with its package. Installed where that is allowed, else named.
pub(crate) fn programs(wanted: &[(&str, &'static str)]) -> Result {
    let packages = missing_programs(wanted);
    if packages.is_empty() {
        return Ok(());
    }
    if may_install() {
        install(&packages)?;
        return match wanted.iter().find(|(program, _)| process::find_program(program).is_none()) {
            None => Ok(()),
            Some((program, package)) => Err(Failure::new(format!(
                "The package `{package}` was installed, and `{program}` is still not on PATH."
            ))),
        };
    }
    Err(Failure::new(format!("Programs of Debian are missing. Install them:\n    {}", paste_line(&packages))))
}

/// The packages of those of these programs that are not on `PATH`, each once.
pub(crate) fn missing_programs(wanted: &[(&str, &'static str)]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for (program, package) in wanted {
        if process::find_program(program).is_none() && !packages.contains(package) {
            packages.push(*package);
        }
    }
    packages
}

/// Installs Debian packages, as root. All in one command, because some must be of the same version as others.
pub(crate) fn install(packages: &[&str]) -> Result {
    if packages.iter().any(|package| package.ends_with(":arm64")) && !has_architecture("arm64")? {
        process::run(Command::new("dpkg").args(["--add-architecture", "arm64"]))?;
    }
    process::run(apt().arg("update"))?;
    process::run(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// Whether packages can be installed here without asking anybody: root, and apt.
pub(crate) fn may_install() -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    root && process::find_program("apt-get").is_some()
}

/// The line that installs these packages, for a person to paste.
pub(crate) fn paste_line(packages: &[&str]) -> String {
    let foreign = packages.iter().any(|package| package.ends_with(":arm64"));
    let foreign = if foreign { "sudo dpkg --add-architecture arm64 && " } else { "" };
    let packages = packages.join(" ");
    format!("{foreign}sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}")
}

/// Debian 12's package is the library alone. Its number changes with the release; `libclang-dev` is everywhere, and large.
pub(crate) fn libclang_package() -> &'static str {
    let known = process::succeeds(Command::new("apt-cache").args(["show", "libclang1-14"]));
    if known { "libclang1-14" } else { "libclang-dev" }
}

/// libclang where the `clang-sys` crate would find it, or some of it: it also asks `llvm-config` and `LD_LIBRARY_PATH`.
pub(crate) fn find_libclang() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from) {
        return if given.is_file() { Some(given) } else { libclang_in(&given, 0) };
    }
    let llvm = process::read(Command::new("llvm-config").arg("--libdir")).ok();
    let llvm = llvm.map(|directory| PathBuf::from(directory.trim()));
    let listed = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let listed = std::env::split_paths(&listed).chain(llvm).find_map(|directory| libclang_in(&directory, 0));
    listed.or_else(|| {
        ["/usr/local/lib", "/usr/lib64", "/usr/lib"].iter().find_map(|top| libclang_in(Path::new(top), 2))
    })
}

/// libclang in a directory or at most `depth` levels below it.
fn libclang_in(directory: &Path, depth: u8) -> Option<PathBuf> {
    let entries: Vec<_> = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path()).collect();
    let found = entries.iter().find(|path| path.file_name().is_some_and(is_libclang) && path.exists());
    found.cloned().or_else(|| {
        let below = depth.checked_sub(1)?;
        entries.iter().filter(|path| path.is_dir()).find_map(|path| libclang_in(path, below))
    })
}

/// The names that `clang-sys` 1.x takes: `libclang.so`, `libclang-14.so`, `libclang.so.1`, `libclang-14.so.1`.
fn is_libclang(name: &OsStr) -> bool {
    let Some(rest) = name.to_str().and_then(|name| name.strip_prefix("libclang")) else { return false };
    let Some((version, suffix)) = rest.split_once(".so") else { return false };
    let version_fits = version.is_empty() || version.starts_with('-') && !version.starts_with("-cpp");
    version_fits && (suffix.is_empty() || suffix.starts_with('.'))
}

fn has_architecture(name: &str) -> Result<bool> {
    let foreign = process::read(Command::new("dpkg").arg("--print-foreign-architectures"))?;
    let native = process::read(Command::new("dpkg").arg("--print-architecture"))?;
    Ok(foreign.lines().chain(native.lines()).any(|line| line.trim() == name))
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-q", "-o", "Acquire::Retries=3"]).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libclang_is_known_by_its_names() {
        for name in
            ["libclang.so", "libclang-14.so", "libclang.so.1", "libclang-14.so.1", "libclang-14.so.14.0.6"]
        {
            assert!(is_libclang(OsStr::new(name)), "{name}");
        }
        for name in [
            "libclang-cpp.so.14",
            "libclang-cpp.so",
            "libclang.a",
            "libclangfoo.so",
            "libclang.sofa",
            "clang.so",
        ] {
            assert!(!is_libclang(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_package_of_two_missing_programs_is_named_once() {
        let wanted = [("no-such-program-1", "one"), ("sh", "dash"), ("no-such-program-2", "one")];
        assert_eq!(missing_programs(&wanted), ["one"]);
    }

    #[test]
    fn a_foreign_package_brings_the_line_that_allows_it() {
        assert!(!paste_line(&["libclang1-14"]).contains("add-architecture"));
        let line = paste_line(&["rustc-web", "libstd-rust-web-dev:arm64"]);
        assert!(line.starts_with("sudo dpkg --add-architecture arm64 && sudo apt-get update"), "{line}");
        assert!(line.ends_with("rustc-web libstd-rust-web-dev:arm64"), "{line}");
    }
}
