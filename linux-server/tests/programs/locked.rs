//! That keys in memory stay out of the swap, and that nobody else sees them: as the kernel tells it of both programs
//! while they run, under every limit that there may be on locked memory (docs/protocol.md §13).

use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::process::Command;

use base64ct::{Base64, Encoding};
use nix::unistd::Uid;

use super::world::{CAMERA_KEY, DISPLAY_KEY, House, Program};

/// A mapping of a process, from its /proc/PID/smaps.
struct Mapping {
    range: Range<u64>,
    /// What it is named, with its permissions before it.
    what: String,
    /// The kernel's abbreviations of what holds for it; proc_pid_smaps(5).
    flags: String,
}

impl Mapping {
    fn is_locked(&self) -> bool {
        self.flags.split_whitespace().any(|flag| flag == "lo")
    }

    /// Memory of devices and the kernel's own is never swapped, and not locked either.
    fn can_be_swapped(&self) -> bool {
        let special = |flag| ["io", "pf", "mm", "de"].contains(&flag);
        self.what.starts_with("rw") && !self.flags.split_whitespace().any(special)
    }
}

/// A number of kB in /proc/PID/status, in bytes.
fn status(program: &Program, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// How much it may lock; `None` without a limit.
fn limit(program: &Program) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{}/limits", program.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory")).unwrap();
    line.split_whitespace().next().unwrap().parse().ok()
}

/// A program's mappings and its memory; `None` where the kernel shows them to nobody, as the program has asked for.
fn look_into(program: &Program) -> Option<(Vec<Mapping>, File)> {
    let path = |name: &str| format!("/proc/{}/{name}", program.id());
    let memory = match File::open(path("mem")) {
        Ok(memory) => memory,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            return None;
        }
    };
    assert!(Uid::effective().is_root(), "the same user can look into a program that has keys");
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in fs::read_to_string(path("smaps")).unwrap().lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap();
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            mappings.last_mut().unwrap().flags = flags.to_owned();
        } else if let Some((start, end)) = first.split_once('-') {
            let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            let what = format!("{} {}", words.next().unwrap(), words.nth(3).unwrap_or(""));
            mappings.push(Mapping { range: start..end, what, flags: String::new() });
        }
    }
    Some((mappings, memory))
}

/// Sixteen bytes of each prime of a key, as its numbers stand in memory: the lowest first.
fn pieces_of_primes(pem: &[u8]) -> [Vec<u8>; 2] {
    let text: String = str::from_utf8(pem).unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    let der = Base64::decode_vec(&text).unwrap();
    // An INTEGER of 193 bytes with a zero in front; the first two of these are p and q (RFC 8017 appendix A.1.2).
    let starts = der.windows(4).enumerate().filter(|(_, bytes)| *bytes == [0x02, 0x81, 0xc1, 0x00]);
    let pieces = starts.map(|(at, _)| der[at + 4..][150..166].iter().rev().copied().collect());
    pieces.take(2).collect::<Vec<_>>().try_into().unwrap()
}

/// Whether these are the round keys of an AES-128 key, as processors with instructions for AES want them: eleven times
/// four words, each but the first of four the sum of the one before it and the one four places before (FIPS 197 §5.2).
fn is_aes_schedule(words: &[u32]) -> bool {
    let sum = |at: usize| at.is_multiple_of(4) || words[at] == words[at - 1] ^ words[at - 4];
    (4..44).all(sum) && (0..44).all(|at| words[at] != 0)
}

/// In which mappings there are keys: pieces of the private key, round keys of the session's packets.
fn find_keys(mappings: &[Mapping], memory: &File, pem: &[u8]) -> Vec<(usize, &'static str)> {
    let pieces = pieces_of_primes(pem);
    let mut found = Vec::new();
    for (index, mapping) in mappings.iter().enumerate().filter(|(_, mapping)| mapping.can_be_swapped()) {
        let mut bytes = vec![0; usize::try_from(mapping.range.end - mapping.range.start).unwrap()];
        if memory.read_exact_at(&mut bytes, mapping.range.start).is_err() {
            // It was given back since the list was made: the program goes on. The heap and the stack are not.
            continue;
        }
        let holds = |piece: &Vec<u8>| bytes.windows(16).any(|window| window == piece);
        if pieces.iter().any(holds) {
            found.push((index, "private"));
        }
        let word = |bytes: &[u8]| u32::from_ne_bytes(*bytes.first_chunk().unwrap());
        let words: Vec<u32> = bytes.chunks_exact(4).map(word).collect();
        if words.windows(44).any(is_aes_schedule) {
            found.push((index, "packets"));
        }
    }
    found
}

/// Whether this machine's processor has instructions for AES.
fn has_aes() -> bool {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap();
    let mut flags = cpu.lines().filter(|line| line.starts_with("flags") || line.starts_with("Features"));
    flags.any(|line| line.split_whitespace().any(|flag| flag == "aes"))
}

const COMPLAINT: &str = "may be written to the swap";

/// What must hold of a program with this key and keys of a session.
fn check(program: &Program, pem: &[u8]) {
    let (limit, locked) = (limit(program), status(program, "VmLck"));
    let complains = program.log().contains(COMPLAINT);
    println!("limit {limit:?}, locked {locked}, resident {}", status(program, "VmRSS"));
    match limit {
        None => assert!(locked >= status(program, "VmRSS"), "{locked}"),
        Some(limit @ 0x80_0000..) => {
            assert!(locked > status(program, "VmStk") && locked < limit, "{locked} of {limit}");
        }
        Some(limit) => assert!(locked < limit.max(1) && complains, "{locked} of {limit}: {}", program.log()),
    }
    let little = limit.is_some_and(|limit| limit < 0x80_0000);
    assert_eq!(complains, little, "{}", program.log());
    let Some((mappings, memory)) = look_into(program) else { return };
    let found = find_keys(&mappings, &memory, pem);
    assert!(found.iter().any(|(_, which)| *which == "private"));
    assert_eq!(found.iter().any(|(_, which)| *which == "packets"), has_aes());
    for (index, which) in found {
        let Mapping { what, flags, .. } = &mappings[index];
        assert_eq!(mappings[index].is_locked(), !little, "{which} keys are in {what}:{flags}");
    }
    if limit.is_none() {
        for mapping in mappings.iter().filter(|mapping| mapping.can_be_swapped()) {
            assert!(mapping.is_locked(), "{}:{}", mapping.what, mapping.flags);
        }
    }
}

/// Whether this user may do that to a program.
fn can(under: &[&str]) -> bool {
    Command::new(under[0]).args(&under[1..]).arg("true").output().unwrap().status.success()
}

/// Shows pictures with programs that are started so; how much memory the display takes then.
fn show(under: &[&str]) -> u64 {
    let mut house = House::new();
    house.under = under.iter().map(|word| (*word).to_owned()).collect();
    let (display, camera) = house.stream("-", &["--source", "pattern"]);
    display.output("pictures", |bytes| (bytes.len() > 100_000).then_some(()));
    check(&display, DISPLAY_KEY);
    check(&camera, CAMERA_KEY);
    let resident = status(&display, "VmRSS");
    camera.stop();
    display.stop();
    resident
}

/// Root without what lets it lift its limit or pass over it.
const NO_CAPABILITIES: [&str; 2] = ["setpriv", "--bounding-set=-all"];

/// `prlimit` with this hard and soft limit, for programs that cannot lift it.
fn limited(bytes: &str) -> Vec<&str> {
    let rest = if Uid::effective().is_root() { &NO_CAPABILITIES[..] } else { &[] };
    [&["prlimit", bytes], rest].concat()
}

#[test]
fn without_a_limit_everything_is_locked_and_no_more_memory_is_used() {
    let nothing = show(&limited("--memlock=0:0"));
    // The soft limit is for the programs to raise.
    let under = limited("--memlock=4096:unlimited");
    let everything = if can(&under) { show(&under) } else { show(&[]) };
    println!("resident with nothing locked: {nothing}, with everything: {everything}");
    assert!(everything < nothing * 2, "{nothing} {everything}");
}

#[test]
fn with_the_usual_limit_of_8_mib_keys_are_locked() {
    let under = limited("--memlock=8388608:8388608");
    // Who may not even have that much has what there is.
    show(if can(&under) { &under } else { &[] });
}

#[test]
fn where_nothing_may_be_locked_the_programs_say_so_and_work() {
    show(&limited("--memlock=0:0"));
    show(&limited("--memlock=65536:65536"));
}

#[test]
fn who_may_lift_the_limit_does() {
    let under = ["prlimit", "--memlock=0:0"];
    let can_lift = can(&[&under[..], &["prlimit", "--memlock=unlimited:unlimited"]].concat());
    let mut house = House::new();
    house.under = under.map(str::to_owned).to_vec();
    let display = house.display("-");
    assert_eq!(limit(&display), if can_lift { None } else { Some(0) });
    if can_lift {
        assert!(status(&display, "VmLck") >= status(&display, "VmRSS"));
    } else {
        // Root without CAP_SYS_RESOURCE may lock the heap whatever the limit is, but never a stack that is to grow.
        assert!(status(&display, "VmLck") < status(&display, "VmStk"));
        display.line(COMPLAINT);
    }
    display.stop();
}

#[test]
fn commands_that_pair_lock_their_keys_too() {
    let house = House::of_strangers();
    let (mut pair, code) = house.pair(&["--listen", "127.0.0.1:0"]);
    let mut joining = house.join("camera", &code);
    assert_eq!(pair.digits(), joining.digits());
    for program in [&pair, &joining] {
        assert!(status(program, "VmLck") > 0 || program.log().contains(COMPLAINT), "{}", program.log());
    }
    pair.answer("n");
    assert_eq!((pair.exit(), joining.exit()), (4, 4));
}
