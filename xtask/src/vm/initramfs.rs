//! What a guest has on board, as one file that the kernel unpacks: busybox, the modules and settings of its machine, the
//! C library where it is to have one, and the case with its pictures, keys and programs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::case::{Board, Case};
use super::chart::Frames;
use super::cpio::Archive;
use super::debian::Packages;
use super::modules::{self, Modules};
use super::programs::Programs;
use crate::failure::{Failure, Result};
use crate::process;

/// Modules for what cases plug in, load and change.
const DEVICES: [&str; 3] = ["vhci-hcd", "uvcvideo", "vivid"];
const NETWORK: [&str; 1] = ["sch_netem"];

/// The C library, and what `tc` wants beside it.
const LIBRARIES: [&str; 10] = [
    "libc6",
    "libgcc-s1",
    "libbpf1",
    "libelf1",
    "libmnl0",
    "libbsd0",
    "libmd0",
    "libcap2",
    "libxtables12",
    "zlib1g",
];

/// The files of Debian that the guests of one architecture are made of.
#[derive(Debug)]
pub(super) struct Base {
    /// The kernel's package, unpacked, and the kernel's release.
    pub(super) kernel: PathBuf,
    pub(super) release: String,
    modules: Modules,
    busybox: PathBuf,
    libraries: Vec<PathBuf>,
    traffic_control: PathBuf,
}

impl Base {
    /// Takes them from the cache, or fetches them into it.
    pub(super) fn fetch(cache: &Path, architecture: &'static str) -> Result<Self> {
        let packages = Packages::open(cache, architecture)?;
        let prefix = "linux-image-";
        let (package, kernel) =
            packages.newest(&format!("linux-image-{architecture}"), &format!("{prefix}6"))?;
        let release = package.strip_prefix(prefix).unwrap_or_default().to_owned();
        let one = |name: &str, file: &str| {
            let folders = packages.unpacked(&[name])?;
            whole(folders.into_iter().collect::<PathBuf>().join(file))
        };
        whole(kernel.join(format!("boot/vmlinuz-{release}")))?;
        Ok(Self {
            modules: Modules::find(&kernel.join("lib/modules").join(&release))?,
            busybox: one("busybox-static", "bin/busybox")?,
            traffic_control: one("iproute2", "sbin/tc")?,
            libraries: packages.unpacked(&LIBRARIES)?,
            kernel,
            release,
        })
    }

    /// Writes a guest's file; `number` is 1 or, where there are two guests, 2 for the second.
    pub(super) fn write(
        &self,
        file: &Path,
        case: &Case,
        number: u8,
        frames: &Frames,
        programs: &Programs,
    ) -> Result {
        let fail = |error: io::Error| Failure::new(format!("Making {}: {error}.", file.display()));
        let Some(board) = case.guests.get(usize::from(number) - 1) else { return Ok(()) };
        let out = fs::File::create(file).map_err(fail)?;
        let mut archive = Archive::new(io::BufWriter::new(out));
        self.add_system(&mut archive, case.is_static).map_err(fail)?;
        self.add_modules(&mut archive, board)?;
        add_case(&mut archive, case, number, frames).map_err(fail)?;
        for program in programs.files()? {
            archive.copy("vm/bin", &program).map_err(fail)?;
        }
        archive.finish().map(|_| ()).map_err(fail)
    }

    fn add_system(&self, archive: &mut Archive<impl io::Write>, is_static: bool) -> io::Result<()> {
        for folder in ["proc", "sys", "dev", "tmp", "run", "root", "log", "sbin", "lib", "vm"] {
            archive.folder(folder)?;
        }
        archive.device("dev/console", 5, 1)?;
        archive.device("dev/null", 1, 3)?;
        archive.copy("bin", &self.busybox)?;
        archive.link("bin/sh", "busybox")?;
        if is_static {
            return Ok(());
        }
        archive.copy("sbin", &self.traffic_control)?;
        for library in self.libraries.iter().flat_map(|package| shared_objects(package)) {
            archive.copy("lib", &library)?;
            // The loader is looked for under a name with another folder on a PC.
            if library.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux-x86")) {
                archive.copy("lib64", &library)?;
            }
        }
        Ok(())
    }

    fn add_modules(&self, archive: &mut Archive<impl io::Write>, board: &Board) -> Result {
        let mut wanted = [board.machine.modules, board.machine.nic_modules, board.fb.modules].concat();
        wanted.extend(DEVICES);
        wanted.extend(NETWORK);
        let folder = format!("lib/modules/{}", self.release);
        let modules = self.modules.closure(&wanted)?;
        let mut add = || {
            archive.file(&format!("{folder}/modules.dep"), modules::index(&modules).as_bytes())?;
            for module in &modules {
                archive.file(&format!("{folder}/{}.ko", module.name), &fs::read(&module.file)?)?;
            }
            Ok(())
        };
        add().map_err(|error: io::Error| Failure::new(format!("The kernel's modules: {error}.")))
    }
}

/// A file of an unpacked package. Where it is not, or empty, somebody has been in the cache, or a disk was full.
fn whole(file: PathBuf) -> Result<PathBuf> {
    if fs::metadata(&file).is_ok_and(|file| file.is_file() && file.len() > 0) {
        return Ok(file);
    }
    Err(Failure::new(format!(
        "{} is not there, or empty. Remove the folder of that package, and it is fetched again.",
        file.display()
    )))
}

fn add_case(
    archive: &mut Archive<impl io::Write>,
    case: &Case,
    number: u8,
    frames: &Frames,
) -> io::Result<()> {
    let here = process::root().join("xtask/vm");
    archive.program("init", &fs::read(here.join("init"))?)?;
    archive.file("vm/lib.sh", &fs::read(here.join("lib.sh"))?)?;
    archive.file("vm/case.sh", case.script.as_bytes())?;
    archive.file("vm/settings", settings(case, number).as_bytes())?;
    let size = format!("{}x{}", case.pictures.width, case.pictures.height);
    for (at, jpeg) in frames.jpegs.iter().enumerate() {
        archive.file(&format!("vm/pictures/{size}/{}.jpg", at + 1), jpeg)?;
    }
    for (owner, key) in [("display", "display_key.pem"), ("camera", "camera_key.pem")] {
        let source = process::root().join(format!("core/tests/data/TEST-ONLY-{owner}-key.pem"));
        archive.private(&format!("vm/state/{owner}/{key}"), &fs::read(source)?)?;
    }
    Ok(())
}

/// What the guest's scripts want to know, as shell variables.
fn settings(case: &Case, number: u8) -> String {
    let Some(board) = case.guests.get(usize::from(number) - 1) else { return String::new() };
    let modules = [board.machine.modules, board.fb.modules].concat().join(" ");
    let Board { machine, fb, width, height, .. } = board;
    let mut lines = format!(
        "GUEST={number}\nCONTROL={}\nMODULES='{modules}'\nFB={}\nDEPTH={}\nSIZE={width}x{height}\nLIMIT={}\n",
        machine.control,
        fb.name,
        fb.depth,
        case.limit.as_secs()
    );
    if case.guests.len() > 1 {
        let modules = board.machine.nic_modules.join(" ");
        lines +=
            &format!("NIC={}\nNIC_MODULES='{modules}'\nADDRESS=10.9.0.{number}/24\n", board.machine.nic_name);
    }
    lines
}

/// The libraries of an unpacked package by the names under which programs ask for them: `libc.so.6`, and the loader.
fn shared_objects(package: &Path) -> Vec<PathBuf> {
    let is_asked_for = |name: &str| match name.split_once(".so.") {
        Some((_, version)) => version.chars().all(|c| c.is_ascii_digit()),
        None => false,
    };
    let mut found = Vec::new();
    for top in ["lib", "usr/lib"].map(|top| package.join(top)) {
        let folders = fs::read_dir(&top).into_iter().flatten().flatten().map(|entry| entry.path());
        for folder in folders.filter(|path| path.is_dir()).chain([top.clone()]) {
            let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            found.extend(
                files.filter(|path| path.is_file()).filter(|path| {
                    path.file_name().is_some_and(|name| is_asked_for(&name.to_string_lossy()))
                }),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::TemporaryFolder;

    #[test]
    fn a_package_that_lost_a_file_is_named_with_what_to_do() {
        let folder = TemporaryFolder::make("lost").unwrap();
        let file = folder.path().join("busybox");
        for _ in 0..2 {
            let failure = whole(file.clone()).unwrap_err().to_string();
            assert!(
                failure.contains("busybox is not there") && failure.contains("fetched again"),
                "{failure}"
            );
            fs::write(&file, "").unwrap();
        }
        fs::write(&file, "program").unwrap();
        assert_eq!(whole(file.clone()).unwrap(), file);
    }

    #[test]
    fn libraries_are_found_by_the_names_that_programs_ask_for() {
        let folder = TemporaryFolder::make("libraries").unwrap();
        for name in [
            "lib/arm/libc.so.6",
            "lib/ld-linux.so.1",
            "usr/lib/arm/libelf-0.1.so",
            "usr/lib/arm/libelf.so.1.2",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("libelf-0.1.so", folder.path().join("usr/lib/arm/libelf.so.1")).unwrap();
        let mut found = shared_objects(folder.path());
        found.sort();
        let expected = ["lib/arm/libc.so.6", "lib/ld-linux.so.1", "usr/lib/arm/libelf.so.1"];
        assert_eq!(found, expected.map(|name| folder.path().join(name)));
    }
}
