//! System calls: seccomp (seccomp(2)) lets a thread make those that it needs and no other. Which those are stands in
//! `calls/filter.rs`.
//!
//! A call that is refused fails as if the kernel did not have it, and the thread goes on: the C library looks for newer
//! calls first and does without.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod filter;

/// What a thread may do besides computing and using what is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// Open, list and look at files.
    pub(super) read_files: bool,
    /// Make, replace and remove them.
    pub(super) change_files: bool,
    /// Control devices: all of ioctl(2) but what injects input, changes what a terminal is, or signals.
    pub(super) control_devices: bool,
    /// Send and receive by sockets that are open, and accept.
    pub(super) use_sockets: bool,
    /// Open sockets for the kernel's tables of addresses.
    pub(super) list_addresses: bool,
    /// Open sockets for name servers, and for other programs on this machine.
    pub(super) open_sockets: bool,
    /// Map code from files.
    pub(super) load_code: bool,
    /// What the libraries of X and Wayland want besides.
    pub(super) desktop: bool,
}

/// Confines this thread, and those that it starts, to these calls.
///
/// # Errors
/// Why it could not be, as a clause.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn confine(calls: Calls) -> Result<(), String> {
    let program = filter::program(calls).map_err(|error| error.to_string())?;
    seccompiler::apply_filter(&program)
        .map_err(|error| format!("this kernel does not filter them (CONFIG_SECCOMP_FILTER): {error}"))
}

/// Elsewhere nobody has drawn up a list.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn confine(_: Calls) -> Result<(), String> {
    Err(format!("this program has no list of them for this processor ({})", std::env::consts::ARCH))
}
