//! From strangers to a session: HELLO, COOKIE, KEY, ACCEPT (docs/protocol.md §3, §4, §6).

pub(crate) mod bucket;
pub(crate) mod cookie;
mod enrolled;
pub(crate) mod initiator;
pub(crate) mod responder;
pub(crate) mod schedule;
pub(crate) mod slot;
pub(crate) mod window;

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::hash;
use crate::key::{Fingerprint, Modulus};
use crate::wire::message::Purpose;

/// Whose a handshake or a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// An enrolled camera's.
    Camera(Fingerprint),
    /// That of somebody who knows the pairing window's secret.
    Pairing,
}

impl Whose {
    pub(crate) const fn purpose(self) -> Purpose {
        match self {
            Self::Camera(_) => Purpose::Pictures,
            Self::Pairing => Purpose::Pairing,
        }
    }
}

/// A display as a camera or the display itself knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DisplayIdentity {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) mac1_key: [u8; 32],
}

impl DisplayIdentity {
    pub(crate) fn new(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, mac1_key: schedule::mac1_key(&fingerprint) }
    }

    pub(crate) fn of(modulus: &Modulus) -> Self {
        Self::new(modulus.fingerprint())
    }

    /// Whether `mac1` is right, in constant time.
    pub(crate) fn has_mac1(&self, covered: &[u8], mac1: &[u8; 16]) -> bool {
        hash::equal(&schedule::mac1(&self.mac1_key, covered), mac1).into()
    }
}

/// An address with its IPv4 form told apart from its IPv6 form: 16 bytes and the port (docs/protocol.md §3.2).
pub(crate) fn mapped(address: SocketAddr) -> [u8; 18] {
    let [high, low] = address.port().to_be_bytes();
    let mut bytes = [0; 18];
    for (to, from) in bytes.iter_mut().zip(v6(address.ip()).octets().into_iter().chain([high, low])) {
        *to = from;
    }
    bytes
}

/// What counts as one place in the network: an IPv4 address, or an IPv6 /64.
pub(crate) fn neighbourhood(address: SocketAddr) -> u128 {
    let ip = v6(address.ip());
    match ip.to_ipv4_mapped() {
        Some(_) => ip.to_bits(),
        None => ip.to_bits() >> 64,
    }
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}
