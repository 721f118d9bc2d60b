//! The system calls that nix cannot make as needed: `recvmmsg` into buffers that are used again (nix 0.31 leaves the
//! lengths of the last call in its headers), `sendmmsg` without allocation, and the option that sets DF.
//!
//! Nothing here decides anything; [`super`] does.

use std::mem;
use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{SockaddrLike, SockaddrStorage};

/// The most messages of one system call.
pub(super) const MAX_MESSAGES: usize = 64;

/// Room for the two control messages that are asked for, UDP_GRO (an int) and SO_RXQ_OVFL (a u32), with alignment.
const CONTROL_LEN: usize = 64;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_LEN]);

/// What the kernel said about one received message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Message {
    /// Who sent it, if that is an IP address.
    pub(super) from: Option<SocketAddr>,
    /// Bytes in its slot.
    pub(super) len: usize,
    /// Bytes of each datagram in it (UDP_GRO), if there is more than one.
    pub(super) segment_len: Option<usize>,
    /// The kernel's count of what it dropped for want of buffer, if it said.
    pub(super) drops: Option<u32>,
    /// The message was longer than its slot.
    pub(super) truncated: bool,
}

/// Slots for received messages, all allocated once.
pub(super) struct Inbox {
    bytes: Box<[u8]>,
    slot_len: usize,
    controls: Box<[Control]>,
    messages: Box<[Message]>,
}

impl Inbox {
    /// `slots` (at most [`MAX_MESSAGES`]) of `slot_len` bytes each.
    pub(super) fn new(slots: usize, slot_len: usize) -> Self {
        let slots = slots.min(MAX_MESSAGES);
        Self {
            // Zeroed memory of this size comes from the kernel untouched: it costs nothing until a message fills it.
            bytes: vec![0; slots * slot_len].into_boxed_slice(),
            slot_len,
            controls: vec![Control([0; CONTROL_LEN]); slots].into_boxed_slice(),
            messages: vec![Message::default(); slots].into_boxed_slice(),
        }
    }

    /// How many messages one call can take.
    pub(super) fn slots(&self) -> usize {
        self.messages.len()
    }

    /// The `i`th message of the last call of [`receive`] and its bytes.
    pub(super) fn message(&mut self, i: usize) -> (Message, &mut [u8]) {
        let message = self.messages[i];
        let slot = &mut self.bytes[i * self.slot_len..][..self.slot_len];
        (message, &mut slot[..message.len])
    }
}

/// Takes as many messages as wait and as `inbox` has slots for; says how many. Never blocks.
pub(super) fn receive(fd: BorrowedFd<'_>, inbox: &mut Inbox) -> nix::Result<usize> {
    let mut names = [EMPTY_NAME; MAX_MESSAGES];
    let mut iovecs = [EMPTY_IOVEC; MAX_MESSAGES];
    let mut headers = [EMPTY_HEADER; MAX_MESSAGES];
    let slots = inbox.bytes.chunks_exact_mut(inbox.slot_len).zip(inbox.controls.iter_mut());
    for ((((slot, control), name), iovec), header) in slots.zip(&mut names).zip(&mut iovecs).zip(&mut headers)
    {
        *iovec = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
        let header = &mut header.msg_hdr;
        header.msg_name = ptr::from_mut(name).cast();
        header.msg_namelen = mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        header.msg_iov = iovec;
        header.msg_iovlen = 1;
        header.msg_control = ptr::from_mut(control).cast();
        header.msg_controllen = CONTROL_LEN as _;
    }
    let count = inbox.messages.len() as libc::c_uint;
    // SAFETY: the first `count` headers were filled above (there are as many slots, controls, names and iovecs), and
    // each points to memory of the length it states that lives and is not otherwise used until the call returns.
    let received = unsafe {
        libc::recvmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _, ptr::null_mut())
    };
    let received = Errno::result(received)? as usize;
    for (message, header) in inbox.messages.iter_mut().zip(&headers).take(received) {
        *message = read_message(header, inbox.slot_len);
    }
    Ok(received)
}

/// Sends `bytes` as datagrams of `segment_len` bytes (the last may be shorter) to one address, [`MAX_MESSAGES`] at
/// most; says how many datagrams went out. Never blocks.
pub(super) fn send(
    fd: BorrowedFd<'_>,
    bytes: &[u8],
    segment_len: usize,
    to: &SockaddrStorage,
) -> nix::Result<usize> {
    let mut iovecs = [EMPTY_IOVEC; MAX_MESSAGES];
    let mut headers = [EMPTY_HEADER; MAX_MESSAGES];
    let mut count = 0;
    for ((segment, iovec), header) in bytes.chunks(segment_len).zip(&mut iovecs).zip(&mut headers) {
        *iovec = libc::iovec { iov_base: segment.as_ptr().cast_mut().cast(), iov_len: segment.len() };
        let header = &mut header.msg_hdr;
        header.msg_name = to.as_ptr().cast_mut().cast();
        header.msg_namelen = to.len();
        header.msg_iov = iovec;
        header.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: the first `count` headers were filled above; each points to an address and one iovec that live until
    // the call returns, and `sendmmsg` only reads what they point to.
    let sent =
        unsafe { libc::sendmmsg(fd.as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _) };
    Ok(Errno::result(sent)? as usize)
}

/// Sets DF on every datagram to IPv4 peers; an IPv6 socket has them too, under mapped addresses.
///
/// PROBE, not DO: the size of the path that an ICMP message claims is not believed, since anyone can forge one.
pub(super) fn set_df_v4(fd: BorrowedFd<'_>) -> nix::Result<()> {
    set_option(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)
}

/// Forbids fragments to IPv6 peers; PROBE for the reason above.
pub(super) fn set_df_v6(fd: BorrowedFd<'_>) -> nix::Result<()> {
    set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)
}

fn set_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> nix::Result<()> {
    let len = mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which lives until the call returns.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, ptr::from_ref(&value).cast(), len) };
    Errno::result(result).map(drop)
}

/// Reads what the kernel wrote for one message; `header` must be one that `recvmmsg` has filled.
fn read_message(header: &libc::mmsghdr, slot_len: usize) -> Message {
    let len = header.msg_len as usize;
    let header = &header.msg_hdr;
    let mut message = Message {
        from: read_name(header),
        len: len.min(slot_len),
        truncated: header.msg_flags & libc::MSG_TRUNC != 0,
        ..Message::default()
    };
    // SAFETY: `msg_control` and `msg_controllen` describe the control buffer as the kernel filled it.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give null or a control message that lies whole within the buffer, which is
    // aligned for it.
    while let Some(found) = unsafe { control.as_ref() } {
        // SAFETY: `control` is a control message within the buffer (above).
        let value = unsafe { libc::CMSG_DATA(control) };
        match (found.cmsg_level, found.cmsg_type) {
            (libc::SOL_UDP, libc::UDP_GRO) => {
                // SAFETY: the kernel puts an int after the header of UDP_GRO.
                let segment_len = unsafe { value.cast::<libc::c_int>().read_unaligned() };
                message.segment_len =
                    usize::try_from(segment_len).ok().filter(|&segment_len| segment_len > 0);
            }
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                // SAFETY: the kernel puts a u32 after the header of SO_RXQ_OVFL.
                message.drops = Some(unsafe { value.cast::<u32>().read_unaligned() });
            }
            _ => {}
        }
        // SAFETY: `control` is a control message of this header.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    message
}

fn read_name(header: &libc::msghdr) -> Option<SocketAddr> {
    // SAFETY: `msg_name` points to a sockaddr_storage of which the kernel filled `msg_namelen` bytes.
    let name = unsafe { SockaddrStorage::from_raw(header.msg_name.cast(), Some(header.msg_namelen)) }?;
    let v4 = name.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| name.as_sockaddr_in6().map(|v6| SocketAddr::V6(SocketAddrV6::from(*v6))))
}

// SAFETY: zeroes are a valid sockaddr_storage (address family AF_UNSPEC).
const EMPTY_NAME: libc::sockaddr_storage = unsafe { mem::zeroed() };
const EMPTY_IOVEC: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
// SAFETY: zeroes are a valid mmsghdr: null pointers with lengths of zero.
const EMPTY_HEADER: libc::mmsghdr = unsafe { mem::zeroed() };
