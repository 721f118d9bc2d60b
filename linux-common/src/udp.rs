//! The UDP socket: datagrams in and out in batches, with the kernel's segmentation (GSO, GRO) where it works.
//!
//! What arrives from the network can end nothing here: a send that fails is a value that is counted and may be
//! logged ([`Sent::Lost`]), and errors that ICMP or a firewall cause are passed over when receiving.
//! The socket never blocks; [`crate::wait`] waits for it. It knows nothing of what the datagrams hold.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use sealcam_core::output::Transmit;

use crate::exit::Result;

pub use trouble::SendTrouble;

mod open;
#[expect(unsafe_code, reason = "recvmmsg and sendmmsg take headers full of raw pointers")]
mod sys;
mod trouble;

/// A call of [`Socket::receive_batch`] ends after the system call that brings it to so many datagrams.
const BATCH: usize = 64;

/// With GRO, one message holds up to 64 KiB of datagrams; without, one datagram, of which the protocol's longest has
/// 1200 bytes.
const GRO_SLOTS: (usize, usize) = (4, 65_536);
const SINGLE_SLOTS: (usize, usize) = (32, 2048);

/// What the kernel takes as one GSO send: at most 64 segments (UDP_MAX_SEGMENTS) and 65 507 bytes over IPv4.
const GSO_SEGMENTS: usize = 64;
const GSO_BYTES: usize = 65_507;

/// A bound, unconnected UDP socket.
pub struct Socket {
    fd: OwnedFd,
    local: SocketAddr,
    inbox: sys::Inbox,
    buffer: ReceiveBuffer,
    gso: bool,
    gro: bool,
    /// The kernel's count of drops as it last told it; it wraps.
    told_drops: u32,
    counts: Counts,
}

/// What one [`Socket::send`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what was lost should be counted or logged, seldom"]
pub enum Sent {
    /// All datagrams are in the kernel's hands.
    All,
    /// So many datagrams, the last ones, were not sent. Carry on: the protocol repairs or repeats what matters.
    Lost {
        /// How many.
        datagrams: usize,
        /// Why.
        why: SendTrouble,
    },
}

/// Datagrams since the socket was bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Handed to the kernel.
    pub sent: u64,
    /// Not sent ([`Sent::Lost`]).
    pub not_sent: u64,
    /// Received and handed on.
    pub received: u64,
    /// Received, but longer than any of the protocol's, and thrown away.
    pub too_long: u64,
    /// Dropped by the kernel since the receive buffer was full (SO_RXQ_OVFL), as far as it has told: it tells with
    /// the next datagram that it does deliver. Not lost by the network.
    pub kernel_drops: u64,
}

/// The receive buffer that was asked for and what the kernel granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiveBuffer {
    /// Bytes asked for, as SO_RCVBUF and net.core.rmem_max count them.
    pub asked: usize,
    /// Bytes granted, as the kernel accounts them: twice what SO_RCVBUF was set to. A datagram of 1200 bytes takes
    /// about 2300 of these.
    pub granted: usize,
}

impl Socket {
    /// Binds `address` and asks for a receive buffer of `receive_buffer` bytes (as SO_RCVBUF counts them; see
    /// [`Socket::receive_buffer`]). `[::]` takes IPv4 too.
    ///
    /// # Errors
    /// [`Exit::Network`](crate::exit::Exit::Network) with what to do: port taken, not allowed, no such address.
    pub fn bind(address: SocketAddr, receive_buffer: usize) -> Result<Self> {
        Self::open(address, receive_buffer).map_err(|errno| open::failure(address, errno))
    }

    /// Binds `port` (0: any free one) of all addresses, IPv6 and IPv4; of IPv4 alone where the machine has no IPv6.
    ///
    /// # Errors
    /// As [`Socket::bind`].
    pub fn bind_any(port: u16, receive_buffer: usize) -> Result<Self> {
        match Self::open((Ipv6Addr::UNSPECIFIED, port).into(), receive_buffer) {
            Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) => {
                Self::bind((Ipv4Addr::UNSPECIFIED, port).into(), receive_buffer)
            }
            other => other.map_err(|errno| open::failure((Ipv6Addr::UNSPECIFIED, port).into(), errno)),
        }
    }

    fn open(address: SocketAddr, receive_buffer: usize) -> nix::Result<Self> {
        let opened = open::open(address, receive_buffer)?;
        let (slots, slot_len) = if opened.gro { GRO_SLOTS } else { SINGLE_SLOTS };
        Ok(Self {
            fd: opened.fd,
            local: opened.local,
            inbox: sys::Inbox::new(slots, slot_len),
            buffer: opened.buffer,
            gso: opened.gso,
            gro: opened.gro,
            told_drops: 0,
            counts: Counts::default(),
        })
    }

    /// The address that is bound, with its real port.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What the kernel granted of the receive buffer.
    #[must_use]
    pub fn receive_buffer(&self) -> ReceiveBuffer {
        self.buffer
    }

    /// What was sent, received and lost so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether datagrams are sent in batches by the kernel (GSO); turns false when it or the path refuses.
    #[must_use]
    pub fn sends_segments(&self) -> bool {
        self.gso
    }

    /// Whether the kernel may hand over datagrams in batches (GRO).
    #[must_use]
    pub fn receives_segments(&self) -> bool {
        self.gro
    }

    /// Sends the datagrams that the core's `poll` put into `buf`: its first `transmit.len` bytes, in pieces of
    /// `transmit.segment_len`. It never blocks, and no result is a reason to stop.
    pub fn send(&mut self, buf: &[u8], transmit: &Transmit) -> Sent {
        let bytes = &buf[..transmit.len];
        let segment_len = transmit.segment_len.clamp(1, GSO_BYTES);
        let to = SockaddrStorage::from(self.for_kernel(transmit.to));
        let per_call = GSO_SEGMENTS.min(GSO_BYTES / segment_len) * segment_len;
        let mut sent = 0;
        let mut trouble = None;
        for batch in bytes.chunks(per_call) {
            let (datagrams, errno) = self.send_batch(batch, segment_len, &to);
            sent += datagrams;
            if let Some(errno) = errno {
                trouble = Some(SendTrouble::from(errno));
                break;
            }
        }
        let lost = bytes.len().div_ceil(segment_len) - sent;
        self.counts.sent += sent as u64;
        self.counts.not_sent += lost as u64;
        trouble.map_or(Sent::All, |why| Sent::Lost { datagrams: lost, why })
    }

    /// Takes what has arrived and gives each datagram, and who sent it, to `handle`; says how many datagrams there
    /// were. It never blocks and takes a bounded number (some 64 to 320), so that other work gets its turn: wait
    /// again after each call. IPv4 senders are plain IPv4 addresses, whatever the socket is.
    ///
    /// # Errors
    /// The kernel's, none of which the network can cause.
    pub fn receive_batch(&mut self, mut handle: impl FnMut(SocketAddr, &mut [u8])) -> io::Result<usize> {
        let mut handled = 0;
        while handled < BATCH {
            let messages = match sys::receive(self.fd.as_fd(), &mut self.inbox) {
                Ok(messages) => messages,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => break,
                // An error that an earlier datagram left behind; taking it has cleared it.
                Err(errno) if !matches!(SendTrouble::from(errno), SendTrouble::Other(_)) => break,
                Err(errno) => return Err(errno.into()),
            };
            for i in 0..messages {
                handled += self.hand_on(i, &mut handle);
            }
            if messages < self.inbox.slots() {
                break;
            }
        }
        Ok(handled)
    }

    /// Gives the `i`th received message to `handle`, datagram by datagram; says how many there were.
    fn hand_on(&mut self, i: usize, handle: &mut impl FnMut(SocketAddr, &mut [u8])) -> usize {
        let (message, bytes) = self.inbox.message(i);
        if let Some(drops) = message.drops {
            // Told by datagrams that may overtake each other by a little; a step back is not a wrap.
            let step = drops.wrapping_sub(self.told_drops);
            if step <= u32::MAX / 2 {
                self.counts.kernel_drops += u64::from(step);
                self.told_drops = drops;
            }
        }
        if message.truncated {
            self.counts.too_long += 1;
            return 1;
        }
        let Some(from) = message.from.map(plain) else { return 0 };
        let mut datagrams = 0;
        match message.segment_len {
            Some(segment_len) => {
                for datagram in bytes.chunks_mut(segment_len) {
                    handle(from, datagram);
                    datagrams += 1;
                }
            }
            None => {
                handle(from, bytes);
                datagrams = 1;
            }
        }
        self.counts.received += datagrams as u64;
        datagrams
    }

    /// Sends what fits one GSO call; says how many datagrams went out, and what stopped the rest.
    fn send_batch(
        &mut self,
        batch: &[u8],
        segment_len: usize,
        to: &SockaddrStorage,
    ) -> (usize, Option<Errno>) {
        if !self.gso || batch.len() <= segment_len {
            return self.send_singly(batch, segment_len, to);
        }
        match self.send_segments(batch, segment_len, to) {
            Ok(()) => (batch.len().div_ceil(segment_len), None),
            // EIO: the interface cannot checksum segments; the others: this kernel or this path does not do it.
            Err(Errno::EIO | Errno::EINVAL | Errno::EMSGSIZE | Errno::ENOPROTOOPT | Errno::EOPNOTSUPP) => {
                let (sent, errno) = self.send_singly(batch, segment_len, to);
                // If a single datagram cannot be sent either, segmentation is not at fault.
                self.gso = sent == 0;
                (sent, errno)
            }
            Err(errno) => (0, Some(errno)),
        }
    }

    fn send_segments(&self, batch: &[u8], segment_len: usize, to: &SockaddrStorage) -> nix::Result<()> {
        let segment_len = u16::try_from(segment_len).map_err(|_| Errno::EMSGSIZE)?;
        let control = [ControlMessage::UdpGsoSegments(&segment_len)];
        loop {
            let parts = [io::IoSlice::new(batch)];
            match sendmsg(self.fd.as_raw_fd(), &parts, &control, MsgFlags::MSG_DONTWAIT, Some(to)) {
                Err(Errno::EINTR) => {}
                other => return other.map(drop),
            }
        }
    }

    fn send_singly(&self, batch: &[u8], segment_len: usize, to: &SockaddrStorage) -> (usize, Option<Errno>) {
        let mut sent = 0;
        while let Some(rest) = batch.get(sent * segment_len..).filter(|rest| !rest.is_empty()) {
            match sys::send(self.fd.as_fd(), rest, segment_len, to) {
                Ok(datagrams) => sent += datagrams,
                Err(Errno::EINTR) => {}
                Err(errno) => return (sent, Some(errno)),
            }
        }
        (sent, None)
    }

    /// The address as this socket's family needs it.
    fn for_kernel(&self, to: SocketAddr) -> SocketAddr {
        match (self.local, to) {
            (SocketAddr::V6(_), SocketAddr::V4(to)) => {
                SocketAddrV6::new(to.ip().to_ipv6_mapped(), to.port(), 0, 0).into()
            }
            _ => to,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl ReceiveBuffer {
    /// What to tell the user if the kernel granted less than was asked for: the line that raises its limit.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        let Self { asked, granted } = self;
        let wanted = asked.saturating_mul(2);
        (*granted < wanted).then(|| {
            format!(
                "The kernel grants a receive buffer of {granted} bytes where {wanted} are wanted: parts of large \
                 frames may be dropped. To allow it: sudo sysctl -w net.core.rmem_max={asked}"
            )
        })
    }
}

/// IPv4-mapped IPv6 addresses as the IPv4 addresses that they are.
fn plain(from: SocketAddr) -> SocketAddr {
    match from {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => (v4, v6.port()).into(),
            None => from,
        },
        SocketAddr::V4(_) => from,
    }
}

#[cfg(test)]
mod tests;
