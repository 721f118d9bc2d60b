//! What stands in memory, byte for byte: that strangers leave nothing there, and that private keys are gone when they
//! are dropped (docs/protocol.md §4, §7, §13).
//!
//! Memory is read as the kernel sees it, through /proc/self/mem, so that the compiler has no say in it. What the core
//! wipes of its own, it tests itself (`core/src/wiped.rs`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests; clippy only exempts the tests")]

mod pair;
#[expect(unsafe_code, reason = "an allocator is unsafe by nature")]
mod sys;

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;

use sealcam_core::discard::Discard;
use sealcam_core::output::Output;
use sealcam_core::rsa::PrivateKey;
use sealcam_core::time::Instant;
use sealcam_linux::random::OsRng;

use self::pair::{Dice, DisplayServer, Pair, hello};

#[global_allocator]
static ALLOCATOR: sys::Watching = sys::Watching;

/// A value's bytes, padding and all.
fn memory<T: ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; size_of_val(value)];
    let address = u64::try_from(std::ptr::from_ref(value).addr()).unwrap();
    File::open("/proc/self/mem").unwrap().read_exact_at(&mut bytes, address).unwrap();
    bytes
}

/// By how much each word that differs has grown.
fn growth(before: &[u8], after: &[u8]) -> Vec<u64> {
    assert_eq!(before.len(), after.len());
    let word = |bytes: &[u8]| u64::from_ne_bytes(*bytes.first_chunk().unwrap());
    let words = before.chunks_exact(8).zip(after.chunks_exact(8));
    let grown: Vec<u64> = words.filter(|(a, b)| a != b).map(|(a, b)| word(b).wrapping_sub(word(a))).collect();
    assert_eq!(before.chunks_exact(8).remainder(), after.chunks_exact(8).remainder());
    grown
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

#[test]
fn memory_is_read_as_it_is() {
    let mut value = [1_u64, 2, 3];
    let before = memory(&value);
    value[1] = 9;
    assert_eq!(growth(&before, &memory(&value)), [7]);
    assert_eq!(memory(&[1_u8, 2, 3][..]), [1, 2, 3]);
}

/// What is called next finds this byte wherever it leaves something unwritten: between the fields of what it keeps.
#[inline(never)]
fn stain_the_stack(byte: u8) {
    std::hint::black_box([byte; 1 << 16]);
}

/// Hands a HELLO to the display: whether that address gets a COOKIE, and nothing more.
fn is_answered(server: &mut DisplayServer<'_>, from: SocketAddr, hello: &[u8]) -> bool {
    let mut buf = *hello.first_chunk::<1200>().unwrap();
    server.handle_datagram(Instant::ZERO, from, &mut buf).unwrap();
    let Output::Transmit(sent) = server.poll(Instant::ZERO, &mut buf) else { return false };
    let cookie = (sent.to, sent.len, buf[0]) == (from, 476, 0x02);
    cookie && matches!(server.poll(Instant::ZERO, &mut buf), Output::Wait(_))
}

#[test]
fn a_million_hellos_leave_the_memory_of_the_display_as_it_was() {
    let (rounds, seed) = (setting("TEST_ROUNDS", 100_000).next_multiple_of(16), setting("TEST_SEED", 7));
    println!("TEST_SEED={seed} TEST_ROUNDS={rounds}");
    let mut dice = Dice(seed);
    let mut store = vec![0; DisplayServer::store_len(8 * 1152)];
    let store_place = (store.as_ptr().addr(), store.len());
    let mut server = Box::new(pair::server(&mut store));
    let display = server.fingerprint();
    // The queue of COOKIEs that are owed has 16 places. They are written to in turn and keep what they held last, so
    // the last 16 HELLOs are the same before and after. What lies between the fields of a place is nobody's: it is
    // what the stack held, found by staining that.
    let askers: Vec<SocketAddr> =
        (0..16).map(|count| ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 1024 + count).into()).collect();
    let same = hello(&display, &[5; 32]);
    let last_sixteen = |server: &mut DisplayServer<'_>, stain: u8| {
        for from in &askers {
            stain_the_stack(stain);
            assert!(is_answered(server, *from, &same));
        }
        memory(server)
    };
    let first = last_sixteen(&mut server, 0);
    let mut unwritten = vec![false; first.len()];
    for stain in 1..=20 {
        let again = last_sixteen(&mut server, stain * 12);
        let differs = first.iter().zip(&again).map(|(a, b)| a != b);
        unwritten.iter_mut().zip(differs).for_each(|(unwritten, differs)| *unwritten |= differs);
    }
    let lent = || {
        let mut bytes = vec![0; store_place.1];
        let mem = File::open("/proc/self/mem").unwrap();
        mem.read_exact_at(&mut bytes, u64::try_from(store_place.0).unwrap()).unwrap();
        bytes
    };
    let (before, lent_before) = (memory(&*server), lent());
    for _ in 0..rounds {
        let mut random = [0; 32];
        random.chunks_exact_mut(8).for_each(|place| place.copy_from_slice(&dice.next().to_ne_bytes()));
        let [a, b, c, d, e, f, ..] = dice.next().to_ne_bytes();
        let port = u16::from_ne_bytes([e, f]);
        let from = match e % 2 {
            0 => SocketAddr::from(([a, b, c, d], port)),
            _ => SocketAddr::from((dice.next().to_ne_bytes().map(u16::from), port)),
        };
        assert!(is_answered(&mut server, from, &hello(&display, &random)));
    }
    let after = last_sixteen(&mut server, 0);
    // Datagrams in, datagrams out, bytes out: three counters, and nothing else of the display's.
    let count = rounds + 16;
    let word = |bytes: &[u8]| u64::from_ne_bytes(*bytes.first_chunk().unwrap());
    let mut grown = Vec::new();
    for (at, (a, b)) in
        before.chunks_exact(8).zip(after.chunks_exact(8)).enumerate().filter(|(_, (a, b))| a != b)
    {
        let by = word(b).wrapping_sub(word(a));
        match by == count || by == count * 476 {
            true => grown.push(by),
            false => {
                assert!((0..8).all(|i| a[i] == b[i] || unwritten[at * 8 + i]), "{at}: {a:02x?} {b:02x?}")
            }
        }
    }
    assert_eq!(grown, [count, count, count * 476]);
    let unwritten = unwritten.iter().filter(|it| **it).count();
    println!("{} bytes, {unwritten} of them counters or between fields", after.len());
    assert!(unwritten < 100);
    assert!(lent() == lent_before);
}

#[test]
fn a_forged_packet_changes_no_byte_of_the_display_but_counters() {
    let mut store = vec![0; DisplayServer::store_len(8 * 1152)];
    let mut pair = Pair::connected(&mut store);
    let packet = pair.packet_kept_back();
    let before_all = pair.server.stats();
    let elsewhere = SocketAddr::from(([203, 0, 113, 9], 9));
    let mut refused = 0;
    for bit in 0..packet.len() * 8 {
        let mut forged = packet.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let whole = forged.clone();
        let before = memory(&*pair.server);
        let why = pair.server.handle_datagram(pair.now, elsewhere, &mut forged).err().unwrap();
        // Datagrams in, those thrown away for this reason; and wrong tags in this epoch.
        let expected = if why == Discard::Tag { 3 } else { 2 };
        assert_eq!(growth(&before, &memory(&*pair.server)), vec![1; expected], "bit {bit}: {why:?}");
        assert_eq!(forged, whole, "bit {bit}: nothing was decrypted");
        refused += 1;
    }
    let after = pair.server.stats();
    assert_eq!(after.discarded_in_all() - before_all.discarded_in_all(), refused);
    assert!(after.discarded(Discard::Tag) > 100);
    // The packet itself is as good as ever.
    let before = memory(&*pair.server);
    assert!(pair.server.handle_datagram(pair.now, pair.camera, &mut packet.clone()).is_ok());
    assert!(growth(&before, &memory(&*pair.server)).len() > 3);
}

/// The numbers of the key that must stay secret, each by 16 bytes of it as they stand in memory.
fn secrets_of(pem: &str) -> &'static [[u8; 16]] {
    let der = pair::der_of(pem);
    let numbers = pair::numbers_in(&der);
    // version, n, e, d, p, q, dp, dq, qinv (RFC 8017 appendix A.1.2): all from d on.
    assert_eq!(numbers.len(), 9);
    let words = numbers[3..].iter().map(|number| {
        let low: Vec<u8> = number.iter().rev().skip(32).take(16).copied().collect();
        *low.first_chunk().unwrap()
    });
    words.collect::<Vec<_>>().leak()
}

#[test]
fn private_keys_are_wiped_before_their_memory_is_given_back() {
    let pem = include_str!("../../../core/tests/data/TEST-ONLY-display-key.pem");
    let secrets = secrets_of(pem);
    let read = || PrivateKey::read_pem(pem.as_bytes()).unwrap();
    // Seen at all: a copy that nobody wipes.
    let copy = [&[0; 5][..], &secrets[0], &[0; 5]].concat();
    assert_eq!(sys::given_back(secrets, || drop(copy)), 1);
    // The `rsa` crate keeps p a second time, beside qinv, and does not wipe that (rc.20): known, and no more than that.
    let p = secrets[1..2].to_vec().leak();
    let others = [&secrets[..1], &secrets[2..]].concat().leak();
    for (secrets, known) in [(&*others, 0), (&*p, 1)] {
        let private = read();
        assert!(sys::given_back(secrets, || drop(private)) <= known, "a key without a role");
        let display = read().into_display_key(OsRng);
        assert!(sys::given_back(secrets, || drop(display)) <= known, "a display's key");
        let camera = read().into_camera_key(OsRng);
        assert!(sys::given_back(secrets, || drop(camera)) <= known, "a camera's key");
    }
}
