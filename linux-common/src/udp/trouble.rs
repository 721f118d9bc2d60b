//! Why a datagram could not be sent, by cause, and what to do about it.

use std::fmt;

use nix::errno::Errno;

/// Why datagrams were not sent. `Display` says what it means and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendTrouble {
    /// The network takes less than the stream (EAGAIN, ENOBUFS, ENOMEM).
    Full,
    /// The interface's MTU is smaller than the datagram (EMSGSIZE): datagrams are never fragmented.
    TooLong,
    /// No route, no network, or nobody there (ENETUNREACH, EHOSTUNREACH, ENETDOWN, ECONNREFUSED and the like).
    Unreachable(Errno),
    /// A firewall of this machine forbids it (EPERM, EACCES).
    Forbidden(Errno),
    /// Anything else.
    Other(Errno),
}

impl From<Errno> for SendTrouble {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM => Self::Full,
            Errno::EMSGSIZE => Self::TooLong,
            Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::ENETDOWN
            | Errno::EHOSTDOWN
            | Errno::ENONET
            | Errno::ECONNREFUSED
            | Errno::EPROTO
            | Errno::EADDRNOTAVAIL
            | Errno::EAFNOSUPPORT
            | Errno::ENODEV
            | Errno::ENXIO => Self::Unreachable(errno),
            Errno::EPERM | Errno::EACCES => Self::Forbidden(errno),
            _ => Self::Other(errno),
        }
    }
}

impl fmt::Display for SendTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the network is slower than the stream"),
            Self::TooLong => f.write_str(
                "the network interface takes no datagrams of 1200 bytes; its MTU must be at least 1280 (see `ip link`)",
            ),
            Self::Unreachable(errno) => {
                write!(f, "the other end cannot be reached: {} (see `ip route`)", errno.desc())
            }
            Self::Forbidden(errno) => write!(f, "a firewall of this machine forbids it: {}", errno.desc()),
            Self::Other(errno) => write!(f, "{}", errno.desc()),
        }
    }
}
