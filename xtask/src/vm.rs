//! `cargo xtask vm`: the programs on real kernel drivers, in emulated machines.
//!
//! Each case boots Debian's kernel in QEMU with a USB camera of software, which Debian's own `uvcvideo` drives, and a
//! framebuffer, and reads the screen back from outside. `docs/testing.md` tells what that proves and what not.

mod case;
mod chart;
mod compare;
mod control;
mod cpio;
mod debian;
mod guest;
mod initramfs;
mod machine;
mod modules;
mod monitor;
mod options;
mod picture;
mod programs;
mod raspi;
mod run;
mod session;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use self::case::{Board, Case};
use self::chart::{Chart, Frames};
use self::initramfs::Base;
use self::options::{Options, Wanted};
use self::programs::Programs;
use self::run::Supplies;
use crate::clock::{Stopwatch, spoken};
use crate::failure::{Failure, Result};
use crate::folder::TemporaryFolder;
use crate::need;
use crate::say::say;
use crate::sys;

/// The programs of this machine that every case needs, with their packages.
const TOOLS: [(&str, &str); 3] =
    [("cjpeg", "libjpeg-turbo-progs"), ("djpeg", "libjpeg-turbo-progs"), ("fdtput", "device-tree-compiler")];

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result {
    let options = Options::parse(arguments)?;
    let cases = select(case::all()?, &options)?;
    if options.list {
        return cases.iter().try_for_each(list);
    }
    // From here on a wish to stop is heeded between and within cases, and nothing is left running.
    sys::note_interrupts();
    need::programs(&tools(&cases))?;
    let _lock = run::reserve()?;
    let mut store = Store::new(options.cache.clone(), options.release);
    let mut failed = 0;
    for case in &cases {
        store.provide(case)?;
    }
    for case in &cases {
        let watch = Stopwatch::start();
        let outcome = store.run(case, options.keep);
        let seconds = spoken(watch.elapsed());
        match outcome {
            Ok(()) => say(format_args!("ok {} ({seconds})", case.name))?,
            Err(failure) => {
                failed += 1;
                say(format_args!("FAILED {} ({seconds})", case.name))?;
                say(format_args!("    {}", failure.to_string().replace('\n', "\n    ")))?;
                say(format_args!("    Its log and screens: {}", run::results(case).display()))?;
            }
        }
        if sys::interrupted() {
            return Err(Failure::new("vm was interrupted."));
        }
    }
    say(format_args!("{} passed, {failed} failed", cases.len() - failed))?;
    if failed == 0 {
        Ok(())
    } else {
        Err(Failure::new(format!("vm: {failed} of {} cases failed.", cases.len())))
    }
}

/// The step of `cargo xtask ci`.
pub(crate) fn fast() -> Result {
    run(&[])
}

/// The packages that `cargo xtask setup` installs for [`fast`], as far as they are missing.
pub(crate) fn missing_packages() -> Vec<&'static str> {
    let emulators = machine::Machine::all().iter().filter(|machine| machine.name != "x86");
    let wanted: Vec<_> = TOOLS.into_iter().chain(emulators.map(|machine| machine.emulator)).collect();
    need::missing_programs(&wanted)
}

fn tools(cases: &[Case]) -> Vec<(&'static str, &'static str)> {
    let boards = cases.iter().flat_map(|case| &case.guests);
    TOOLS.into_iter().chain(boards.map(|board| board.machine.emulator)).collect()
}

/// The cases wished for, on the machine wished for.
fn select(all: Vec<Case>, options: &Options) -> Result<Vec<Case>> {
    let cases = match &options.wanted {
        Wanted::Fast if !options.list => all.into_iter().filter(|case| case.is_fast).collect(),
        Wanted::Fast | Wanted::All => all,
        Wanted::Named(names) => {
            let find = |name: &String| {
                let found = all.iter().find(|case| case.name == *name).cloned();
                found.ok_or_else(|| {
                    Failure::usage(format!("There is no case `{name}`; `cargo xtask vm --list` names them."))
                })
            };
            names.iter().map(find).collect::<Result<Vec<_>>>()?
        }
    };
    if options.machine.is_none() && options.fb.is_none() {
        return Ok(cases);
    }
    // Who names a case wants it; of all cases, those are run that show elsewhere what they say.
    let moved: Vec<_> = cases.into_iter().map(|case| elsewhere(case, options)).collect();
    let first_refusal = moved.iter().find_map(|case| case.as_ref().err().map(ToString::to_string));
    if matches!(options.wanted, Wanted::Named(_)) {
        return moved.into_iter().collect();
    }
    let moved: Vec<_> = moved.into_iter().filter_map(Result::ok).collect();
    match first_refusal {
        Some(refusal) if moved.is_empty() => Err(Failure::usage(refusal)),
        _ => Ok(moved),
    }
}

/// The case on another machine or framebuffer than it says. Where no framebuffer is asked for by name it is one with the
/// same pixels: elsewhere a case about 16 bits would pass at 32.
fn elsewhere(mut case: Case, options: &Options) -> Result<Case> {
    let refused = |why: String| Err(Failure::usage(format!("{} {why}", case.name)));
    let [Board { machine, fb, width, line, .. }] = case.guests[..] else {
        return refused("is about two machines: it takes no other.".into());
    };
    let machine = options.machine.unwrap_or(machine);
    let all = || machine::Framebuffer::all().iter().filter(|fb| machine.has(fb));
    let alike = || all().find(|other| other.pixels() == fb.pixels());
    let chosen = options.fb.or_else(|| Some(fb).filter(|fb| machine.has(fb))).or_else(alike);
    let Some(chosen) = chosen.filter(|fb| machine.has(fb)) else {
        let names: Vec<_> = all().map(|fb| fb.name).collect();
        let wanted = options.fb.unwrap_or(fb).name;
        return refused(format!(
            "wants the framebuffer `{wanted}`, and the machine {} has none like it, but: {}. --fb takes one of these.",
            machine.name,
            names.join(", ")
        ));
    };
    if line > width && !machine.has_long_lines() {
        return refused(format!("is about long lines: the machine {} has none.", machine.name));
    }
    for board in &mut case.guests {
        (board.machine, board.fb) = (machine, chosen);
    }
    Ok(case)
}

fn list(case: &Case) -> Result {
    let boards: Vec<_> =
        case.guests.iter().map(|board| format!("{}/{}", board.machine.name, board.fb.name)).collect();
    let fast = if case.is_fast { "fast" } else { "" };
    let boards = boards.join("+");
    let limit = case.limit.as_secs();
    say(format_args!("{:<44} {boards:<22} {limit:>4} s  {fast:<4}  {}", case.name, case.shows))
}

/// What cases share, each thing made when the first case wants it.
#[derive(Debug)]
struct Store {
    cache: PathBuf,
    release: bool,
    bases: BTreeMap<&'static str, Base>,
    programs: BTreeMap<(&'static str, bool), Programs>,
    frames: BTreeMap<Chart, Frames>,
}

impl Store {
    fn new(cache: PathBuf, release: bool) -> Self {
        Self { cache, release, bases: BTreeMap::new(), programs: BTreeMap::new(), frames: BTreeMap::new() }
    }

    /// Makes what a case wants and is not there yet.
    fn provide(&mut self, case: &Case) -> Result {
        for Board { machine, .. } in &case.guests {
            let architecture = machine.architecture;
            if !self.bases.contains_key(architecture) {
                self.bases.insert(architecture, Base::fetch(&self.cache, architecture)?);
            }
            let build = (architecture, case.is_static);
            if !self.programs.contains_key(&build) {
                self.programs.insert(build, Programs::build(machine, case.is_static, self.release)?);
            }
        }
        if let Entry::Vacant(vacant) = self.frames.entry(case.pictures) {
            let folder = TemporaryFolder::make("chart")?;
            vacant.insert(case.pictures.frames(folder.path())?);
        }
        Ok(())
    }

    fn run(&self, case: &Case, keep: bool) -> Result {
        // Two machines of one case are of one architecture.
        let architecture = case.guests.first().map(|board| board.machine.architecture).unwrap_or_default();
        let supplies = self.bases.get(architecture).zip(self.programs.get(&(architecture, case.is_static)));
        let supplies = supplies.zip(self.frames.get(&case.pictures));
        let ((base, programs), frames) =
            supplies.ok_or_else(|| Failure::new("Nothing was made for this case."))?;
        run::run(case, &Supplies { base, programs, frames }, keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        Options::parse(&line.split_whitespace().map(String::from).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn without_a_name_the_fast_ones_are_run_and_all_are_listed() {
        let all = case::all().unwrap();
        let fast = select(all.clone(), &options("")).unwrap();
        assert!(!fast.is_empty() && fast.iter().all(|case| case.is_fast));
        assert_eq!(select(all.clone(), &options("--list")).unwrap().len(), all.len());
        assert_eq!(select(all.clone(), &options("--all")).unwrap().len(), all.len());
    }

    #[test]
    fn a_case_is_chosen_by_name_and_may_be_put_on_another_machine() {
        let all = case::all().unwrap();
        let chosen = select(all.clone(), &options("picture-at-32-bits --machine raspi3b")).unwrap();
        assert_eq!((chosen.len(), chosen[0].guests[0].machine.name), (1, "raspi3b"));
        assert_eq!(chosen[0].guests[0].fb.name, "pi32");
        let failure = select(all.clone(), &options("picture-at-32-bits --fb pi16")).unwrap_err();
        assert!(failure.to_string().contains("virtio, cirrus"), "{failure}");
        assert_eq!(select(all, &options("no-such-case")).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn all_cases_are_put_elsewhere_but_those_that_would_show_nothing_there() {
        let all = case::all().unwrap();
        let moved = select(all.clone(), &options("--all --machine x86")).unwrap();
        assert!(moved.len() > all.len() / 2);
        for case in moved {
            let [board] = case.guests[..] else { panic!("{} is about two", case.name) };
            let original = all.iter().find(|one| one.name == case.name).unwrap().guests[0];
            assert_eq!(board.machine.name, "x86");
            assert_eq!((board.fb.pixels(), board.line), (original.fb.pixels(), board.width), "{}", case.name);
        }
        let refused = |line: &str| select(all.clone(), &options(line)).unwrap_err().to_string();
        assert!(refused("two-machines-on-a-cable --machine x86").contains("two machines"));
        assert!(refused("picture-at-24-bits --machine x86").contains("virtio, cirrus, vga16"));
        assert!(refused("picture-in-long-lines --machine virt").contains("long lines"));
        assert!(refused("--all --machine x86 --fb pi16").contains("`pi16`"));
    }
}
