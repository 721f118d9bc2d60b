//! Debian's packages as files: the guests' kernel and the few programs that are not the project's own.
//!
//! They are named, never installed: apt keeps a state of its own in the cache folder, for the guest's architecture, so
//! that neither root nor a foreign architecture of this machine is needed. Where they come from is what this machine's
//! apt is told in its configuration. What was unpacked once is used from then on, without the network.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::lock;
use crate::process;
use crate::say::say;

/// How long apt may take for its lists, or for one package.
const FETCH_WITHIN: Duration = Duration::from_secs(600);
const UNPACK_WITHIN: Duration = Duration::from_secs(120);

/// How long another run may take, which fetches the same packages.
const OTHERS_WITHIN: Duration = Duration::from_secs(1200);

/// What the cache wants in all, for people.
const ROOM: &str = "about 1 GB";

/// The cached packages of one architecture.
#[derive(Debug)]
pub(super) struct Packages {
    folder: PathBuf,
    /// Debian's name of it: `arm64`.
    architecture: &'static str,
    /// What apt complained of when it brought its lists up to date, if it did; it takes no such thing for a failure.
    complaints: RefCell<Option<String>>,
    /// Held as long as this is in use: two runs must not unpack into each other's hands.
    _lock: File,
}

impl Packages {
    /// Opens the cache, which is made where there is none.
    pub(super) fn open(cache: &Path, architecture: &'static str) -> Result<Self> {
        let folder = cache.join(architecture);
        let fail = |error: std::io::Error| {
            Failure::new(format!(
                "The cache for Debian's packages, {}: {error}. It wants {ROOM}; --cache DIR puts it elsewhere.",
                folder.display()
            ))
        };
        for part in ["apt/state/lists/partial", "apt/cache/archives/partial", "unpacked"] {
            fs::create_dir_all(folder.join(part)).map_err(fail)?;
        }
        let lock = lock::take(&folder.join("lock"), OTHERS_WITHIN, "--cache DIR takes another folder.")?;
        // Nothing is installed, as far as this apt knows.
        fs::write(folder.join("apt/status"), "").map_err(fail)?;
        Ok(Self { folder, architecture, complaints: RefCell::new(None), _lock: lock })
    }

    /// The folders into which these packages were unpacked, one for each; fetched if they are not there yet.
    pub(super) fn unpacked(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        if names.iter().any(|name| !self.place(name).exists()) {
            self.update()?;
        }
        names.iter().map(|name| self.fetch(name)).collect()
    }

    /// The folder of the package that `meta` depends on and whose name starts with `prefix`, as `linux-image-arm64` leads
    /// to the present kernel.
    pub(super) fn newest(&self, meta: &str, prefix: &str) -> Result<(String, PathBuf)> {
        let known = fs::read_dir(self.folder.join("unpacked")).into_iter().flatten().flatten();
        let mut known: Vec<String> =
            known.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        known.retain(|name| name.starts_with(prefix) && !name.contains('~'));
        known.sort_by_key(|name| by_version(name));
        let name = match known.pop() {
            Some(name) => name,
            None => {
                self.update()?;
                let answer = self.apt("apt-cache", &["depends", meta])?;
                dependency(&answer, prefix).ok_or_else(|| {
                    Failure::new(format!(
                        "The package `{meta}` is in none of this machine's sources of packages, or leads to no `{prefix}…`. \
                         They must be Debian's (12)."
                    ))
                })?
            }
        };
        Ok((name.clone(), self.fetch(&name)?))
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join("unpacked").join(name)
    }

    /// Brings apt's own lists up to date, once.
    fn update(&self) -> Result {
        if self.complaints.borrow().is_some() {
            return Ok(());
        }
        say(format_args!("asking apt for the packages of {}", self.architecture))?;
        let said = self.apt("apt-get", &["update"])?;
        let complaints = said.lines().filter(|line| line.starts_with("W: ") || line.starts_with("E: "));
        let complaints: Vec<String> = complaints.map(|line| format!("{line}\n")).collect();
        self.complaints.replace(Some(complaints.concat()));
        Ok(())
    }

    /// One package, downloaded and unpacked beside its place, so that half of one never stands there.
    fn fetch(&self, name: &str) -> Result<PathBuf> {
        let place = self.place(name);
        if place.exists() {
            return Ok(place);
        }
        say(format_args!("fetching {name}"))?;
        let fail = |what: &str, path: &Path, error: std::io::Error| {
            Failure::new(format!("{what} {}: {error}.", path.display()))
        };
        let half = self.place(&format!("{name}~"));
        if half.exists() {
            fs::remove_dir_all(&half).map_err(|error| fail("Removing", &half, error))?;
        }
        fs::create_dir_all(&half).map_err(|error| fail("Making", &half, error))?;
        let mut download = self.command("apt-get", &["download", name]);
        process::read_within(download.current_dir(&half), FETCH_WITHIN)
            .map_err(|failure| self.explained(name, &failure))?;
        let file = fs::read_dir(&half).into_iter().flatten().flatten().map(|entry| entry.path()).next();
        let file = file.ok_or_else(|| Failure::new(format!("apt-get downloaded no file of {name}.")))?;
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("--extract").arg(&file).arg(&half);
        process::read_within(&mut unpack, UNPACK_WITHIN).map_err(|failure| self.explained(name, &failure))?;
        fs::remove_file(&file).map_err(|error| fail("Removing", &file, error))?;
        fs::rename(&half, &place).map_err(|error| fail("Renaming", &half, error))?;
        Ok(place)
    }

    fn apt(&self, program: &str, words: &[&str]) -> Result<String> {
        process::read_within(&mut self.command(program, words), FETCH_WITHIN)
            .map_err(|failure| self.explained("the lists of packages", &failure))
    }

    /// apt with a state of its own. It then drops no privileges either, for its own user could not write there.
    fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        let apt = self.folder.join("apt");
        for (setting, part) in
            [("Dir::State", "state"), ("Dir::State::status", "status"), ("Dir::Cache", "cache")]
        {
            command.arg("-o").arg(format!("{setting}={}", apt.join(part).display()));
        }
        let architecture = self.architecture;
        command.args(["-o", &format!("APT::Architecture={architecture}")]);
        command.args(["-o", &format!("APT::Architectures={architecture}")]);
        command.args([
            "-o",
            "APT::Sandbox::User=root",
            "-o",
            "Acquire::Retries=2",
            "-o",
            "Acquire::http::Timeout=30",
        ]);
        command.arg("-q").args(words);
        command
    }

    fn explained(&self, what: &str, failure: &Failure) -> Failure {
        let complaints = self.complaints.borrow();
        let complaints = complaints.as_deref().unwrap_or_default();
        let folder = self.folder.display();
        Failure::new(format!(
            "{failure}\n{complaints}So {what} could not be had for the guests. That needs apt with Debian's sources, the \
             network, and {ROOM} of room in {folder} (--cache DIR puts it elsewhere). A package that Debian has under \
             another name now wants a change in xtask/src/vm/initramfs.rs."
        ))
    }
}

/// The package of that beginning that `apt-cache depends` names.
fn dependency(answer: &str, prefix: &str) -> Option<String> {
    let named = answer.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    // With more than one architecture the name has one behind a colon.
    let mut bare = named.filter_map(|name| name.split(':').next());
    bare.find(|name| name.starts_with(prefix)).map(String::from)
}

/// What sorts names as their numbers go: 6.1.0-9 before 6.1.0-10.
fn by_version(name: &str) -> String {
    let mut key = String::new();
    let mut rest = name;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (text, number) = rest.split_at(start);
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        key.push_str(&format!("{text}{:0>12}", &number[..end]));
        rest = &number[end..];
    }
    key + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_sort_by_their_numbers() {
        let mut names =
            ["linux-image-6.1.0-10-arm64", "linux-image-6.1.0-9-arm64", "linux-image-6.10.1-1-arm64"];
        names.sort_by_key(|name| by_version(name));
        assert_eq!(names.map(|name| &name[12..20]), ["6.1.0-9-", "6.1.0-10", "6.10.1-1"]);
    }
    use crate::folder::TemporaryFolder;

    #[test]
    fn the_kernel_is_found_among_the_dependencies() {
        let answer = "linux-image-arm64\n  Depends: other\n  Depends: linux-image-6.1.0-50-arm64\n  Suggests: linux-image-9\n";
        assert_eq!(dependency(answer, "linux-image-6").unwrap(), "linux-image-6.1.0-50-arm64");
        assert_eq!(
            dependency("  Depends: linux-image-6.1:arm64\n", "linux-image-6").unwrap(),
            "linux-image-6.1"
        );
        assert_eq!(dependency("linux-image-arm64\n", "linux-image-6"), None);
    }

    #[test]
    fn what_was_unpacked_is_taken_without_the_network() {
        let folder = TemporaryFolder::make("debian").unwrap();
        let packages = Packages::open(folder.path(), "arm64").unwrap();
        for name in ["linux-image-6.1.0-9-arm64", "linux-image-6.1.0-10-arm64~", "busybox-static"] {
            fs::create_dir_all(packages.place(name)).unwrap();
        }
        assert_eq!(packages.unpacked(&["busybox-static"]).unwrap(), [packages.place("busybox-static")]);
        assert_eq!(
            packages.newest("linux-image-arm64", "linux-image-6").unwrap().0,
            "linux-image-6.1.0-9-arm64"
        );
    }

    #[test]
    fn a_cache_that_cannot_be_made_is_told_with_what_to_do() {
        let folder = TemporaryFolder::make("debian").unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let failure = Packages::open(&file, "arm64").unwrap_err().to_string();
        assert!(failure.contains("--cache DIR"), "{failure}");
    }

    #[test]
    fn apt_is_kept_to_the_cache_and_a_failure_says_what_it_needs() {
        let folder = TemporaryFolder::make("debian").unwrap();
        let packages = Packages::open(folder.path(), "arm64").unwrap();
        let shown = process::shown(&packages.command("apt-get", &["download", "busybox-static"]));
        for setting in ["Dir::State=", "Dir::State::status=", "Dir::Cache="] {
            assert!(shown.contains(&format!("{setting}{}", folder.path().display())), "{shown}");
        }
        let explained =
            || packages.explained("busybox", &Failure::new("No space left on device.")).to_string();
        let failure = explained();
        assert!(failure.starts_with("No space left on device.\nSo busybox could not be had"), "{failure}");
        packages.complaints.replace(Some("W: Failed to fetch\n".into()));
        assert!(explained().contains("\nW: Failed to fetch\nSo busybox"), "{}", explained());
    }
}
