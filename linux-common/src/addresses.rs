//! This machine's own addresses, for telling how others can connect.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{SockaddrIn, SockaddrIn6, SockaddrStorage};

/// The addresses at which others could reach a socket bound to `listen`, the likeliest first: `listen` itself, or
/// where that stands for all addresses, those of the interfaces that are up, without loopback and without IPv6
/// link-local ones (which mean nothing without an interface of the other machine). May be empty: no network yet.
#[must_use]
pub fn reachable_at(listen: SocketAddr) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    let mut addresses: Vec<IpAddr> = interface_addresses();
    addresses.retain(|address| is_reachable(address) && (listen.is_ipv6() || address.is_ipv4()));
    addresses.sort_by_key(rank);
    addresses.dedup();
    addresses.into_iter().map(|address| SocketAddr::new(address, listen.port())).collect()
}

fn interface_addresses() -> Vec<IpAddr> {
    let up = InterfaceFlags::IFF_UP;
    let Ok(interfaces) = getifaddrs() else { return Vec::new() };
    interfaces
        .filter(|interface| interface.flags.contains(up))
        .filter_map(|interface| interface.address.as_ref().and_then(ip))
        .collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4: &SockaddrIn| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6: &SockaddrIn6| IpAddr::V6(v6.ip())))
}

fn is_reachable(address: &IpAddr) -> bool {
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    !address.is_loopback() && !address.is_unspecified() && !link_local
}

/// IPv4 first, since it is what people type; its self-assigned addresses (two devices on one cable) last.
fn rank(address: &IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) if Ipv4Addr::is_link_local(v4) => 2,
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_address_is_the_only_one() {
        for listen in ["127.0.0.1:5000", "[2001:db8::1]:7"] {
            assert_eq!(reachable_at(listen.parse().unwrap()), [listen.parse().unwrap()]);
        }
    }

    #[test]
    fn addresses_of_interfaces_carry_the_port_and_are_no_loopback() {
        for address in reachable_at("[::]:5000".parse().unwrap()) {
            assert_eq!(address.port(), 5000);
            assert!(is_reachable(&address.ip()));
        }
        assert!(reachable_at("0.0.0.0:5000".parse().unwrap()).iter().all(SocketAddr::is_ipv4));
    }

    #[test]
    fn typed_most_often_comes_first() {
        let mut addresses: Vec<IpAddr> =
            ["169.254.7.7", "2001:db8::1", "10.0.0.1"].map(|text| text.parse().unwrap()).into();
        addresses.sort_by_key(rank);
        let texts: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(texts, ["10.0.0.1", "2001:db8::1", "169.254.7.7"]);
    }

    #[test]
    fn loopback_and_link_local_are_not_for_others() {
        for text in ["127.0.0.1", "::1", "fe80::1", "0.0.0.0", "::"] {
            assert!(!is_reachable(&text.parse().unwrap()), "{text}");
        }
    }
}
