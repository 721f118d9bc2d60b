//! Which system calls a thread may make, by the kernel's names.
//!
//! No list has a call that starts a program, traces one, or loads code into the kernel. They are the same on 64-bit ARM
//! and x86-64, but for older names that only the latter has.

use std::collections::BTreeMap;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::getpid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::Calls;

/// Computing, waiting, and using what is open.
const ALWAYS: &[libc::c_long] = &[
    // Memory. What may be executed is below.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads, and the end of them.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    // Signals of its own.
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Time and chance.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getrandom,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    // What is open.
    libc::SYS_close,
    libc::SYS_eventfd2,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    // Who and where it is.
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getuid,
    libc::SYS_uname,
    // To confine itself further.
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_restrict_self,
    libc::SYS_seccomp,
];

const READ_FILES: &[libc::c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getdents64,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_readlinkat,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_statx,
];

const CHANGE_FILES: &[libc::c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchown,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
];

const USE_SOCKETS: &[libc::c_long] = &[
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
];

const OPEN_SOCKETS: &[libc::c_long] = &[libc::SYS_bind, libc::SYS_connect, libc::SYS_setsockopt];

const DESKTOP: &[libc::c_long] = &[
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_fallocate,
    libc::SYS_memfd_create,
    libc::SYS_mkdirat,
    libc::SYS_pipe2,
    libc::SYS_prlimit64,
    libc::SYS_pselect6,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    libc::SYS_shmget,
    libc::SYS_sysinfo,
];

/// Older names of calls above, which the C library uses where there are any.
#[cfg(target_arch = "x86_64")]
mod older {
    use nix::libc;

    pub(super) const ALWAYS: &[libc::c_long] = &[libc::SYS_poll, libc::SYS_time];
    pub(super) const READ_FILES: &[libc::c_long] =
        &[libc::SYS_access, libc::SYS_lstat, libc::SYS_open, libc::SYS_readlink, libc::SYS_stat];
    pub(super) const CHANGE_FILES: &[libc::c_long] = &[libc::SYS_chmod, libc::SYS_rename, libc::SYS_unlink];
    pub(super) const DESKTOP: &[libc::c_long] =
        &[libc::SYS_dup2, libc::SYS_epoll_wait, libc::SYS_mkdir, libc::SYS_pipe, libc::SYS_select];
}

#[cfg(not(target_arch = "x86_64"))]
mod older {
    use nix::libc;

    pub(super) const ALWAYS: &[libc::c_long] = &[];
    pub(super) const READ_FILES: &[libc::c_long] = &[];
    pub(super) const CHANGE_FILES: &[libc::c_long] = &[];
    pub(super) const DESKTOP: &[libc::c_long] = &[];
}

/// What one asks of any descriptor to see what it is, what waits there, or not to wait for it.
const HARMLESS: [u64; 5] = [libc::TCGETS, libc::TCGETS2, libc::TCFLSH, libc::FIONBIO, libc::FIONREAD];

/// Has a process signalled that need not be this one, when something comes (asm-generic/sockios.h).
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;

/// Puts input into a terminal as if it were typed, or changes who takes its input; signals.
const REACHES_OTHERS: [u64; 6] =
    [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD, libc::FIOASYNC, FIOSETOWN, SIOCSPGRP];

/// What is asked and set of a descriptor that is open. Who is signalled when something comes is not among it.
const OF_DESCRIPTORS: [libc::c_int; 4] = [libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC];

/// Memory that is shared by its descriptor.
const SEALS: [libc::c_int; 2] = [libc::F_ADD_SEALS, libc::F_GET_SEALS];

/// Names a thread or its memory; takes rights away from itself.
const OWN_AFFAIRS: [libc::c_int; 6] = [
    libc::PR_SET_NAME,
    libc::PR_SET_VMA,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_CAPBSET_READ,
    libc::PR_CAPBSET_DROP,
    libc::PR_CAP_AMBIENT,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filter, as the kernel takes it.
pub(super) fn program(calls: Calls) -> Result<BpfProgram, BackendError> {
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    let refused = SeccompAction::Errno(Errno::ENOSYS as u32);
    SeccompFilter::new(rules(calls)?, refused, SeccompAction::Allow, processor)?.try_into()
}

fn rules(calls: Calls) -> Result<Rules, BackendError> {
    let lists: [(bool, &[libc::c_long], &[libc::c_long]); 6] = [
        (true, ALWAYS, older::ALWAYS),
        (calls.read_files, READ_FILES, older::READ_FILES),
        (calls.change_files, CHANGE_FILES, older::CHANGE_FILES),
        (calls.use_sockets, USE_SOCKETS, &[]),
        (calls.list_addresses || calls.open_sockets, OPEN_SOCKETS, &[]),
        (calls.desktop, DESKTOP, older::DESKTOP),
    ];
    let chosen = lists.into_iter().filter(|(chosen, ..)| *chosen);
    let names = chosen.flat_map(|(_, newer, older)| newer.iter().chain(older));
    // A call without a rule is allowed whatever its arguments.
    let mut rules: Rules = names.map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_clone, vec![all(&[has(0, flag(libc::CLONE_THREAD), flag(libc::CLONE_THREAD))?])?]);
    rules.insert(libc::SYS_tgkill, vec![all(&[is(0, number(getpid().as_raw()))?])?]);
    // Asked for, never set.
    rules.entry(libc::SYS_prlimit64).or_insert(vec![all(&[is(0, 0)?, whole(2, 0)?])?]);
    rules.insert(libc::SYS_prctl, any(OWN_AFFAIRS.iter().map(|option| is(0, flag(*option))))?);
    rules.insert(libc::SYS_ioctl, ioctl(calls.control_devices)?);
    rules.insert(libc::SYS_fcntl, descriptors(calls.desktop)?);
    let sockets = sockets(calls)?;
    if !sockets.is_empty() {
        rules.insert(libc::SYS_socket, sockets);
    }
    if calls.desktop {
        rules.insert(libc::SYS_shmat, vec![all(&[has(2, flag(libc::SHM_EXEC), 0)?])?]);
    }
    let (executable, both) = (flag(libc::PROT_EXEC), flag(libc::PROT_EXEC | libc::PROT_WRITE));
    let data = all(&[has(2, executable, 0)?])?;
    rules.insert(libc::SYS_mprotect, vec![data.clone()]);
    // Code is mapped from files, and never such as can be written.
    let code = calls.load_code.then(|| all(&[has(2, both, executable)?]));
    rules.insert(libc::SYS_mmap, [data].into_iter().chain(code.transpose()?).collect());
    Ok(rules)
}

fn ioctl(any_device: bool) -> Result<Vec<SeccompRule>, BackendError> {
    if any_device {
        let none_of_these: Result<Vec<_>, _> =
            REACHES_OTHERS.iter().map(|request| compare(1, SeccompCmpOp::Ne, *request)).collect();
        return Ok(vec![all(&none_of_these?)?]);
    }
    any(HARMLESS.iter().map(|request| is(1, *request)))
}

fn descriptors(sealed: bool) -> Result<Vec<SeccompRule>, BackendError> {
    let seals = SEALS.iter().filter(|_| sealed);
    let mut rules = any(OF_DESCRIPTORS.iter().chain(seals).map(|what| is(1, flag(*what))))?;
    rules.push(all(&[is(1, flag(libc::F_SETFL))?, has(2, flag(libc::O_ASYNC), 0)?])?);
    Ok(rules)
}

/// Datagrams and streams of IP, sockets with a name in the file system, and the kernel's tables of addresses.
fn sockets(calls: Calls) -> Result<Vec<SeccompRule>, BackendError> {
    let mut rules = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX].iter().filter(|_| calls.open_sockets) {
        for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
            rules.push(all(&[is(0, flag(*family))?, has(1, KIND, flag(kind))?])?);
        }
    }
    if calls.list_addresses {
        rules.push(all(&[is(0, flag(libc::AF_NETLINK))?, is(2, flag(libc::NETLINK_ROUTE))?])?);
    }
    Ok(rules)
}

/// The bits of a socket's type that are not flags.
const KIND: u64 = 0xF;

/// One of these holds.
fn any(
    conditions: impl Iterator<Item = Result<SeccompCondition, BackendError>>,
) -> Result<Vec<SeccompRule>, BackendError> {
    conditions.map(|condition| all(&[condition?])).collect()
}

/// All of these hold.
fn all(conditions: &[SeccompCondition]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.to_vec())
}

/// Argument `place` is `value`, in the 32 bits that the kernel looks at.
fn is(place: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    compare(place, SeccompCmpOp::Eq, value)
}

/// Argument `place` has just the bits `value` of `mask`.
fn has(place: u8, mask: u64, value: u64) -> Result<SeccompCondition, BackendError> {
    compare(place, SeccompCmpOp::MaskedEq(mask), value)
}

fn compare(place: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(place, SeccompCmpArgLen::Dword, how, value)
}

/// Argument `place` is `value`, in all of its 64 bits.
fn whole(place: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(place, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value)
}

/// The C library's constants are signed; none of those above is negative.
fn flag(constant: libc::c_int) -> u64 {
    u64::from(constant.unsigned_abs())
}

fn number(pid: libc::pid_t) -> u64 {
    u64::from(pid.unsigned_abs())
}
