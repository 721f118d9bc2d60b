//! Capabilities: all are given up but those without which a thread cannot go on (capabilities(7)).
//!
//! None is needed by a user in the group `video`. What is kept is kept for root, who reads the files of others and
//! switches consoles by capability alone.

use std::path::Path;

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::stat::stat;
use nix::unistd::Uid;

use super::files::Access;

/// Gives up all capabilities of this thread and of those that it starts, but for `keep`; says which of those it has.
pub(super) fn give_up(keep: &CapsHashSet) -> Result<Vec<Capability>, CapsError> {
    let held = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet = held.intersection(keep).copied().collect();
    // These two bear on programs started later, and none is; only who may change them has anything in them.
    let _ = caps::clear(None, CapSet::Ambient);
    let _ = caps::clear(None, CapSet::Bounding);
    caps::clear(None, CapSet::Inheritable)?;
    // What is effective must be permitted, so it goes first.
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    let mut kept: Vec<Capability> = kept.into_iter().collect();
    kept.sort_by_key(Capability::index);
    Ok(kept)
}

/// What root needs to go on using these files: those of others are open to it by capability alone.
pub(super) fn for_files<'a>(files: impl Iterator<Item = (&'a Path, Access)>) -> CapsHashSet {
    let mut needed = CapsHashSet::new();
    if !Uid::effective().is_root() {
        return needed;
    }
    for (path, access) in files {
        if stat(path).is_ok_and(|found| found.st_uid != 0) {
            needed.insert(Capability::CAP_DAC_READ_SEARCH);
            if access == Access::Change {
                // Made by root, given to the directory's owner (`state/file.rs`).
                needed.extend([Capability::CAP_DAC_OVERRIDE, Capability::CAP_CHOWN, Capability::CAP_FOWNER]);
            }
        }
    }
    needed
}
