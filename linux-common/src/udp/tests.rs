//! Tests of the socket on loopback, with and without segmentation offload.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::wait::Waiter;

const BUFFER: usize = 200_000;

/// Everything that arrives until `want` datagrams are there; gives up after ten seconds.
fn receive(socket: &mut Socket, want: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let waiter = Waiter::new().unwrap();
    let deadline = Clock.now() + Duration::from_secs(10);
    let mut got = Vec::new();
    while got.len() < want && Clock.now() < deadline {
        let _ = waiter.wait([Some(socket.as_fd())], Some(deadline)).unwrap();
        socket.receive_batch(|from, datagram| got.push((from, datagram.to_vec()))).unwrap();
    }
    got
}

fn loopback(address: impl Into<std::net::IpAddr>) -> Socket {
    Socket::bind((address.into(), 0).into(), BUFFER).unwrap()
}

fn without_gso(mut socket: Socket) -> Socket {
    socket.gso = false;
    socket
}

fn without_gro(mut socket: Socket) -> Socket {
    nix::sys::socket::setsockopt(&socket.fd, nix::sys::socket::sockopt::UdpGroSegment, &false).unwrap();
    socket.inbox = sys::Inbox::new(SINGLE_SLOTS.0, SINGLE_SLOTS.1);
    socket.gro = false;
    socket
}

/// Bytes that differ from datagram to datagram and within each.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Sends `bytes` in datagrams of `segment_len` and checks that exactly these arrive, in order.
fn check_delivery(sender: &mut Socket, receiver: &mut Socket, bytes: &[u8], segment_len: usize) {
    let transmit = Transmit { to: receiver.local(), len: bytes.len(), segment_len };
    assert_eq!(sender.send(bytes, &transmit), Sent::All);
    let want: VecDeque<&[u8]> = bytes.chunks(segment_len).collect();
    let got = receive(receiver, want.len());
    assert_eq!(got.iter().map(|(_, datagram)| &datagram[..]).collect::<VecDeque<_>>(), want);
    assert!(got.iter().all(|(from, _)| *from == sender.local()));
}

#[test]
fn batches_arrive_byte_for_byte_with_and_without_kernel_segmentation() {
    for (gso, gro) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut sender = loopback(Ipv4Addr::LOCALHOST);
        let mut receiver = loopback(Ipv4Addr::LOCALHOST);
        if !gso {
            sender = without_gso(sender);
        }
        if !gro {
            receiver = without_gro(receiver);
        }
        // One short, one full, several with a last segment of one byte, several full.
        for (len, segment_len) in [(1, 1200), (1200, 1200), (3 * 1200 + 1, 1200), (12_000, 1200), (5, 2)] {
            check_delivery(&mut sender, &mut receiver, &pattern(len), segment_len);
        }
        assert_eq!(receiver.counts().received, 1 + 1 + 4 + 10 + 3);
        assert_eq!(sender.counts().sent, receiver.counts().received);
        assert_eq!((sender.counts().not_sent, receiver.counts().kernel_drops), (0, 0));
    }
}

#[test]
fn batch_larger_than_one_system_call_is_split_between_datagrams() {
    for segment_len in [100, 1200] {
        let mut sender = loopback(Ipv4Addr::LOCALHOST);
        let mut receiver = Socket::bind((Ipv4Addr::LOCALHOST, 0).into(), 4_000_000).unwrap();
        check_delivery(&mut sender, &mut receiver, &pattern(65 * segment_len + 7), segment_len);
        check_delivery(&mut without_gso(sender), &mut receiver, &pattern(65 * segment_len + 7), segment_len);
    }
}

#[test]
fn datagrams_are_never_received_as_one() {
    let mut sender = loopback(Ipv4Addr::LOCALHOST);
    let mut receiver = loopback(Ipv4Addr::LOCALHOST);
    for len in [10, 10, 3, 0, 10] {
        let transmit = Transmit { to: receiver.local(), len, segment_len: 10 };
        assert_eq!(sender.send(&pattern(10), &transmit), Sent::All);
    }
    let lengths: Vec<usize> = receive(&mut receiver, 4).iter().map(|(_, datagram)| datagram.len()).collect();
    assert_eq!(lengths, [10, 10, 3, 10], "a transmit of no bytes is no datagram");
}

#[test]
fn ipv4_peers_of_an_ipv6_socket_have_plain_addresses() {
    let mut both = Socket::bind_any(0, BUFFER).unwrap();
    let mut peer = loopback(Ipv4Addr::LOCALHOST);
    let to_both = (Ipv4Addr::LOCALHOST, both.local().port()).into();
    assert_eq!(peer.send(b"ping", &Transmit { to: to_both, len: 4, segment_len: 4 }), Sent::All);
    assert_eq!(receive(&mut both, 1), [(peer.local(), b"ping".to_vec())]);
    let bytes = pattern(2500);
    let transmit = Transmit { to: peer.local(), len: bytes.len(), segment_len: 1200 };
    assert_eq!(both.send(&bytes, &transmit), Sent::All);
    let got: Vec<Vec<u8>> = receive(&mut peer, 3).into_iter().map(|(_, datagram)| datagram).collect();
    assert_eq!(got.concat(), bytes);
}

#[test]
fn ipv6_works_where_the_machine_has_it() {
    let Ok(mut sender) = Socket::bind((Ipv6Addr::LOCALHOST, 0).into(), BUFFER) else {
        return assert!(!has_ipv6_loopback(), "::1 exists but cannot be bound");
    };
    let mut receiver = loopback(Ipv6Addr::LOCALHOST);
    check_delivery(&mut sender, &mut receiver, &pattern(2401), 1200);
}

#[test]
fn peer_that_is_gone_ends_nothing() {
    let mut sender = loopback(Ipv4Addr::LOCALHOST);
    let mut other = loopback(Ipv4Addr::LOCALHOST);
    let gone = loopback(Ipv4Addr::LOCALHOST).local();
    for _ in 0..10 {
        let _ = sender.send(&pattern(2400), &Transmit { to: gone, len: 2400, segment_len: 1200 });
        assert_eq!(sender.receive_batch(|_, _| panic!("nobody sent anything")).unwrap(), 0);
    }
    check_delivery(&mut sender, &mut other, &pattern(1201), 1200);
}

#[test]
fn address_of_another_family_is_a_loss_and_no_reason_to_stop_segmenting() {
    let mut sender = loopback(Ipv4Addr::LOCALHOST);
    let transmit = Transmit { to: "[2001:db8::1]:9".parse().unwrap(), len: 2400, segment_len: 1200 };
    let Sent::Lost { datagrams: 2, .. } = sender.send(&pattern(2400), &transmit) else {
        panic!("it went somewhere")
    };
    assert_eq!(sender.counts().not_sent, 2);
    assert!(sender.sends_segments());
}

#[test]
fn datagram_that_does_not_fit_whole_is_refused() {
    let sender = loopback(Ipv4Addr::LOCALHOST);
    let to = loopback(Ipv4Addr::LOCALHOST).local();
    // So long that the loopback interface with its MTU of 65 536 refuses it too.
    let bytes = pattern(65_507 + 1);
    let sent = sys::send(sender.fd.as_fd(), &bytes, bytes.len(), &SockaddrStorage::from(to));
    assert_eq!(sent.map_err(SendTrouble::from), Err(SendTrouble::TooLong));
}

#[test]
fn kernel_drops_are_counted_apart() {
    let mut sender = loopback(Ipv4Addr::LOCALHOST);
    let mut receiver = Socket::bind((Ipv4Addr::LOCALHOST, 0).into(), 4096).unwrap();
    let bytes = pattern(1200);
    let transmit = Transmit { to: receiver.local(), len: 1200, segment_len: 1200 };
    for _ in 0..50 {
        assert_eq!(sender.send(&bytes, &transmit), Sent::All);
    }
    let mut got = 0;
    while receiver.receive_batch(|_, _| got += 1).unwrap() > 0 {}
    assert!(got < 50, "the buffer of {} bytes held all", receiver.receive_buffer().granted);
    // The kernel tells with a datagram that it queued after the drops.
    assert_eq!(sender.send(&bytes, &transmit), Sent::All);
    got += receive(&mut receiver, 1).len() as u64;
    assert_eq!(receiver.counts().kernel_drops, 51 - got);
}

#[test]
fn longer_datagram_than_a_slot_is_thrown_away_whole() {
    let mut sender = loopback(Ipv4Addr::LOCALHOST);
    let mut receiver = without_gro(loopback(Ipv4Addr::LOCALHOST));
    let long = pattern(SINGLE_SLOTS.1 + 1);
    let to = receiver.local();
    assert_eq!(sender.send(&long, &Transmit { to, len: long.len(), segment_len: long.len() }), Sent::All);
    assert_eq!(sender.send(b"short", &Transmit { to, len: 5, segment_len: 5 }), Sent::All);
    assert_eq!(receive(&mut receiver, 1), [(sender.local(), b"short".to_vec())]);
    assert_eq!(receiver.counts().too_long, 1);
}

#[test]
fn short_receive_buffer_names_the_line_that_raises_the_limit() {
    let granted = |granted| ReceiveBuffer { asked: 2_000_000, granted };
    assert!(granted(425_984).advice().unwrap().ends_with("sudo sysctl -w net.core.rmem_max=2000000"));
    assert_eq!(granted(4_000_000).advice(), None);
    let socket = Socket::bind((Ipv4Addr::LOCALHOST, 0).into(), 50_000).unwrap();
    assert_eq!(socket.receive_buffer(), ReceiveBuffer { asked: 50_000, granted: 100_000 });
}

#[test]
fn taken_port_and_foreign_address_are_named() {
    let first = loopback(Ipv4Addr::LOCALHOST);
    let second = Socket::bind(first.local(), BUFFER).err().unwrap();
    assert_eq!(second.exit, crate::exit::Exit::Network);
    assert!(second.message.contains(&format!("ss -ulpn 'sport = :{}'", first.local().port())), "{second}");
    let foreign = Socket::bind("192.0.2.1:0".parse().unwrap(), BUFFER).err().unwrap();
    assert!(foreign.message.contains("ip address"), "{foreign}");
}

fn has_ipv6_loopback() -> bool {
    let table = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    table.lines().any(|line| line.starts_with("00000000000000000000000000000001 "))
}
