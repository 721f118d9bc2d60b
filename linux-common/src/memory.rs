//! This process's memory as a whole: nobody else looks into it, and the keys in it stay out of the swap
//! (docs/protocol.md §13).
//!
//! What is wiped and when is the business of whoever holds a secret.

use std::ops::Range;
use std::{fs, io};

use nix::libc::{self, rlim_t};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use crate::log::say;

#[expect(unsafe_code, reason = "nix does not wrap mlock2(2)")]
mod sys;

/// What must be left of the limit to let the main thread's stack grow: several times what it has been seen to take.
const STACK_ROOM: rlim_t = 4 << 20;

/// Keeps what is in this process's memory to itself: no core dump, no debugger of another process of the same user.
/// Call it first in `main`.
///
/// # Errors
/// The kernel's; there is no reason to go on without.
pub fn protect() -> io::Result<()> {
    Ok(prctl::set_dumpable(false)?)
}

/// Keeps keys out of the swap, as far as this process may lock memory; where it may not, one line of the log says so
/// and what to do. Call it on the main thread, once the key is loaded and before capabilities are dropped.
///
/// * Without a limit, or where root can lift it, nothing of this process is swapped, whatever it maps later.
/// * With one (8 MiB is usual), what is locked are the heap as far as it has grown, in which the private key's numbers
///   lie, and the main thread's stack, where sessions have their secrets. Not locked are heap that is added later, and
///   other threads' memory: pictures, and what the `rsa` crate may leave of a decryption's intermediate values in the
///   display's key thread.
///
/// Hibernation writes everything to the disk, locked or not.
pub fn lock() {
    let limit = raised_limit();
    if limit == RLIM_INFINITY && lock_all().is_ok() {
        return;
    }
    if let Err(why) = lock_keys(limit) {
        say(format_args!(
            "Keys in this program's memory may be written to the swap: {why}. To keep them out of it, allow this \
             program to lock memory: LimitMEMLOCK=infinity in its unit, or a line `USER - memlock unlimited` in \
             /etc/security/limits.conf."
        ));
    }
}

/// Lifts the limit on locked memory as far as this process may; the limit then.
fn raised_limit() -> rlim_t {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_MEMLOCK) else { return 0 };
    // Beyond the hard limit only with CAP_SYS_RESOURCE.
    let lift = |limit: &rlim_t| setrlimit(Resource::RLIMIT_MEMLOCK, *limit, *limit).is_ok();
    [RLIM_INFINITY, hard].into_iter().find(lift).unwrap_or(soft)
}

/// Everything, now and later. Only where there is no limit: with one, what is mapped later and goes beyond it would
/// fail once the capability to pass over it is dropped.
///
/// ONFAULT locks a page when it is first used and not when it is mapped, so that no memory is taken that would not be
/// anyway: threads' stacks and malloc's arenas reserve 150 MB and more. What is used are 5 to 35 MB, up to 1080p, and
/// that the smallest device with 512 MB can spare: a picture that waits for the swap is late in any case.
fn lock_all() -> nix::Result<()> {
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault)
}

/// The heap and the main thread's stack; or why not.
fn lock_keys(limit: rlim_t) -> Result<(), String> {
    let maps = fs::read_to_string("/proc/self/maps").map_err(|error| format!("/proc/self/maps: {error}"))?;
    let refused = |errno| match limit {
        RLIM_INFINITY => format!("mlock2: {errno}"),
        limit => format!("mlock2: {errno}; this process may lock {limit} bytes"),
    };
    let mut left = limit;
    for range in mappings(&maps, "[heap]")? {
        left = left.saturating_sub(rlim_t::try_from(range.len()).unwrap_or(rlim_t::MAX));
        sys::lock_on_fault(range).map_err(refused)?;
    }
    // A locked stack grows locked, and where the limit does not let it, the process is killed: rather not locked.
    if left < STACK_ROOM {
        return Err(format!("this process may lock {limit} bytes, which is too little for the stack"));
    }
    for range in mappings(&maps, "[stack]")? {
        sys::lock_on_fault(range).map_err(refused)?;
    }
    Ok(())
}

/// The mappings of this name in a /proc/PID/maps, at least one.
fn mappings(maps: &str, name: &str) -> Result<Vec<Range<usize>>, String> {
    let named = maps.lines().filter(|line| line.split_whitespace().nth(5) == Some(name));
    let ranges = named.filter_map(|line| {
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        let address = |hex| usize::from_str_radix(hex, 16).ok();
        Some(address(start)?..address(end)?)
    });
    let ranges: Vec<_> = ranges.collect();
    if ranges.is_empty() { Err(format!("there is no {name} in /proc/self/maps")) } else { Ok(ranges) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55983a9f0000-55983ab00000 r-xp 00010000 fe:00 1234   /usr/bin/sealcam-server [heap]
55983abe3000-55983ac04000 rw-p 00000000 00:00 0      [heap]
55983ac04000-55983ac05000 rw-p 00000000 00:00 0      [heap]
7f0000000000-7f0000021000 rw-p 00000000 00:00 0
7ffeeeae9000-7ffeeebab000 rw-p 00000000 00:00 0      [stack]
";

    #[test]
    fn mappings_are_found_by_their_whole_name() {
        let found = |name| mappings(MAPS, name).unwrap();
        assert_eq!(found("[heap]"), [0x5598_3abe_3000..0x5598_3ac0_4000, 0x5598_3ac0_4000..0x5598_3ac0_5000]);
        assert_eq!(found("[stack]").first(), Some(&(0x7ffe_eeae_9000..0x7ffe_eeba_b000)));
        for (maps, name) in [(MAPS, "[vdso]"), ("x-y rw-p 0 0 0 [heap]\n\n", "[heap]"), ("", "[heap]")] {
            assert!(mappings(maps, name).unwrap_err().contains(name), "{maps}");
        }
    }

    #[test]
    fn this_process_has_one_stack_and_it_is_found() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        assert_eq!(mappings(&maps, "[stack]").unwrap().len(), 1);
    }

    #[test]
    fn stack_is_not_locked_where_it_could_not_grow() {
        let why = lock_keys(STACK_ROOM - 1).unwrap_err();
        assert!(why.contains("4194303 bytes"), "{why}");
    }
}
