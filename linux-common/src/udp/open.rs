//! Opening a UDP socket with all its options, and the words for when that fails.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, getsockname, getsockopt, setsockopt, socket,
    sockopt,
};

use super::{ReceiveBuffer, sys};
use crate::exit::{Exit, Failure};

/// A bound socket and what the kernel granted it.
pub(super) struct Opened {
    pub(super) fd: OwnedFd,
    pub(super) local: SocketAddr,
    pub(super) buffer: ReceiveBuffer,
    pub(super) gso: bool,
    pub(super) gro: bool,
}

/// Opens, sets up and binds a socket.
pub(super) fn open(address: SocketAddr, receive_buffer: usize) -> nix::Result<Opened> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let fd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &false)?;
        sys::set_df_v6(fd.as_fd())?;
    }
    sys::set_df_v4(fd.as_fd())?;
    // Only a count that is missing if the kernel cannot tell.
    let _ = setsockopt(&fd, sockopt::RxqOvfl, &1);
    let buffer = ask_for_buffer(&fd, receive_buffer)?;
    // A kernel that cannot segment must be found out now: one that does not know the option would send the whole
    // batch as one datagram.
    let gso = getsockopt(&fd, sockopt::UdpGsoSegment).is_ok();
    let gro = setsockopt(&fd, sockopt::UdpGroSegment, &true).is_ok();
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    let bound = getsockname::<SockaddrStorage>(fd.as_raw_fd())?;
    let port = bound
        .as_sockaddr_in()
        .map(nix::sys::socket::SockaddrIn::port)
        .or_else(|| bound.as_sockaddr_in6().map(nix::sys::socket::SockaddrIn6::port));
    Ok(Opened { fd, local: SocketAddr::new(address.ip(), port.unwrap_or(address.port())), buffer, gso, gro })
}

/// Asks for a receive buffer beyond the system's limit, which root may have, then for what anyone may have.
fn ask_for_buffer(fd: &OwnedFd, asked: usize) -> nix::Result<ReceiveBuffer> {
    // The kernel doubles the value and keeps it in an int.
    let asked = asked.min(usize::try_from(i32::MAX / 2).unwrap_or(usize::MAX));
    if setsockopt(fd, sockopt::RcvBufForce, &asked).is_err() {
        setsockopt(fd, sockopt::RcvBuf, &asked)?;
    }
    Ok(ReceiveBuffer { asked, granted: getsockopt(fd, sockopt::RcvBuf)? })
}

/// Why `address` could not be bound, and what to do.
pub(super) fn failure(address: SocketAddr, errno: Errno) -> Failure {
    let port = address.port();
    let advice = match errno {
        Errno::EADDRINUSE => format!(
            "Another program has UDP port {port}; `ss -ulpn 'sport = :{port}'` names it. End it or listen on \
             another port."
        ),
        Errno::EACCES | Errno::EPERM if port != 0 && port < 1024 => {
            "Ports below 1024 are for root; choose a higher one.".to_owned()
        }
        Errno::EACCES | Errno::EPERM => "The system's security policy forbids it.".to_owned(),
        Errno::EADDRNOTAVAIL => {
            "This machine has no such address; `ip address` lists those that it has.".to_owned()
        }
        Errno::EAFNOSUPPORT => "This machine has no IPv6; give an IPv4 address.".to_owned(),
        _ => "The network of this machine is not set up for it.".to_owned(),
    };
    Failure::new(Exit::Network, format!("Cannot listen on UDP {address}: {}. {advice}", errno.desc()))
}
