//! Files, and what else Landlock knows (landlock(7)): which paths a thread may open, and how.
//!
//! Rules name directories where files are replaced or come and go, since Landlock keeps the file and not its name. Rights
//! that the running kernel does not know are left out by the crate, so that an old kernel refuses less and not more.
//! What is open already stays open.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

/// The newest set of rights that this was tried with.
const TRIED: ABI = ABI::V7;

/// The port of DNS: an answer that is too long for a datagram comes over TCP.
const DNS: u16 = 53;

/// What the C library reads to look a name up: its own configuration and that of its modules, the modules themselves,
/// and what a network manager leaves at run time.
pub(super) const FOR_NAMES: [&str; 7] =
    ["/etc", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share", "/run"];

/// How a path, and all below it, may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and listed.
    Read,
    /// Read, listed and removed.
    Remove,
    /// Read, listed, made, written, replaced and removed.
    Change,
    /// Opened as devices are: read, written, controlled.
    Device,
}

impl Access {
    fn rights(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        match self {
            Self::Read => read,
            Self::Remove => read | AccessFs::RemoveFile,
            Self::Change => {
                read | AccessFs::RemoveFile | AccessFs::MakeReg | AccessFs::WriteFile | AccessFs::Truncate
            }
            Self::Device => read | AccessFs::WriteFile | AccessFs::IoctlDev,
        }
    }
}

/// Confines this thread, and those that it starts, to these paths. No TCP is left, but to `dns` servers.
///
/// # Errors
/// Why it could not be, as a clause.
pub(super) fn confine(paths: &[(PathBuf, Access)], dns: bool) -> Result<(), String> {
    let status = enforce(paths, dns).map_err(|error| error.to_string())?;
    match status {
        LandlockStatus::Available { .. } => Ok(()),
        LandlockStatus::NotEnabled => {
            Err("Landlock is switched off; `landlock` is missing in the kernel's parameter \
                                           lsm="
                .to_owned())
        }
        LandlockStatus::NotImplemented => {
            Err("this kernel has no Landlock (Linux 5.13 or later, built with CONFIG_SECURITY_LANDLOCK)"
                .to_owned())
        }
    }
}

fn enforce(paths: &[(PathBuf, Access)], dns: bool) -> Result<LandlockStatus, RulesetError> {
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(TRIED))?
        .handle_access(AccessNet::from_all(TRIED))?
        .scope(Scope::from_all(TRIED))?
        .create()?;
    for (path, access) in paths {
        if let Some(rule) = rule(path, *access) {
            rules = rules.add_rule(rule)?;
        }
    }
    if dns {
        rules = rules.add_rule(NetPort::new(DNS, AccessNet::ConnectTcp))?;
    }
    Ok(rules.restrict_self()?.landlock)
}

/// `None` where there is no such path: what does not exist cannot be opened.
fn rule(path: &Path, access: Access) -> Option<PathBeneath<PathFd>> {
    Some(PathBeneath::new(PathFd::new(path).ok()?, access.rights()))
}
