//! Secrets are gone when they are dropped, and nothing prints them (docs/protocol.md §6, §13).
//!
//! Memory is read back through /proc/self/mem, so that the compiler has no say in it. `linux-common/tests/memory`
//! does the same for private keys, which lie on the heap.

extern crate std;

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::vec;
use std::vec::Vec;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::handshake::cookie::CookieJar;
use crate::handshake::schedule::{EpochSecret, HandshakeSecret};
use crate::key::Secret;
use crate::session::rekey::Initiator;
use crate::session::suite::PacketKey;
use crate::session::{Channel, Side};
use crate::time::Instant;
use crate::unprinted::assert_unprinted;
use crate::wire::data::Header;

/// What is public in here, wherever it stands: transcripts are made of this byte.
const PUBLIC: u64 = 0x0404_0404_0404_0404;

fn read(address: usize, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    let memory = File::open("/proc/self/mem").ok()?;
    memory.read_exact_at(&mut bytes, u64::try_from(address).ok()?).ok()?;
    Some(bytes)
}

/// Whether memory can be read so: not where an emulator's addresses are not those of the system.
fn can_read() -> bool {
    let known = *b"read as it stands in memory";
    let can = read(known.as_ptr().addr(), known.len()).as_deref() == Some(&known);
    assert!(can || cfg!(not(target_arch = "x86_64")), "this test needs /proc/self/mem");
    can
}

/// The words of a value that may be secret before it is dropped, and how many of them are still there afterwards.
fn dropped<T>(value: T) -> (usize, usize) {
    // Clearing a Vec drops its contents in place and writes nothing else to their memory.
    let mut place = vec![value];
    let (address, len) = (place.as_ptr().addr(), size_of::<T>());
    let before = read(address, len).unwrap();
    place.clear();
    let after = read(address, len).unwrap();
    let word = |bytes: &[u8]| u64::from_ne_bytes(*bytes.first_chunk().unwrap());
    let words = before.chunks_exact(8).zip(after.chunks_exact(8)).map(|(a, b)| (word(a), word(b)));
    // Counters, times, lengths and flags are small.
    let secret: Vec<_> = words.filter(|(before, _)| *before > 1 << 40 && *before != PUBLIC).collect();
    (secret.len(), secret.iter().filter(|(before, after)| before == after).count())
}

/// Another in each test: what a finished one has left on a stack is not looked for in the next.
fn epoch(of: u8) -> EpochSecret {
    HandshakeSecret::new(Secret::new([of; 32]), [0x82; 32], &[4; 32]).into_epoch([4; 32])
}

#[test]
fn secrets_of_a_session_are_gone_when_it_is_dropped() {
    if !can_read() {
        return;
    }
    // Seen at all: what is not wiped stays.
    assert_eq!(dropped([0x81_u8; 32]), (4, 4));
    assert_eq!(dropped(Secret::new([0x81; 32])), (4, 0));
    assert_eq!(dropped(HandshakeSecret::new(Secret::new([0x81; 32]), [0x82; 32], &[4; 32])), (4, 0));
    assert_eq!(dropped(epoch(0x87)), (4, 0));
    assert_eq!(dropped(CookieJar::new([0x83; 32], Instant::ZERO)), (4, 0));
    // Eleven round keys and an HMAC with its two halves.
    let (secret, left) = dropped(PacketKey::new(&Secret::new([0x84; 32]), 1));
    assert!(secret >= 30 && left == 0, "{left} of {secret}");
}

/// The words of a value's memory. Some may never have been written, and hold what the stack held before.
fn words<T>(value: &T) -> Vec<u64> {
    words_at(core::ptr::from_ref(value).addr(), size_of::<T>())
}

fn words_at(address: usize, len: usize) -> Vec<u64> {
    let memory = read(address, len).unwrap();
    memory.chunks_exact(8).map(|bytes| u64::from_ne_bytes(*bytes.first_chunk().unwrap())).collect()
}

/// The secret words of a session in its first epoch: of the key for one direction, for the other, and E_0.
fn secrets_of(channel: &Channel) -> [BTreeSet<u64>; 3] {
    let here: BTreeSet<u64> = words(channel).into_iter().collect();
    let key = |base: Secret| -> BTreeSet<u64> { words(&PacketKey::new(&base, 0)).into_iter().collect() };
    let (c2s, s2c) = (key(channel.secret().base_c2s()), key(channel.secret().base_s2c()));
    // What both have in common is no secret, but what every HMAC begins with.
    let alone =
        |key: &BTreeSet<u64>, other| key.difference(other).filter(|it| here.contains(it)).copied().collect();
    let secret = words(channel.secret().secret()).into_iter().collect();
    let found: [BTreeSet<u64>; 3] = [alone(&c2s, &s2c), alone(&s2c, &c2s), secret];
    assert!(found[0].len() >= 30 && found[1].len() >= 30 && found[2].len() == 4 && found[2].is_subset(&here));
    found
}

/// Whether a whole copy of these words has gone from the places where they stood.
fn gone(secret: &BTreeSet<u64>, before: &[u64], after: &[u64]) -> bool {
    let stood = before.iter().zip(after).filter(|(before, _)| secret.contains(before));
    stood.filter(|(before, after)| before != after).count() >= secret.len()
}

#[test]
fn keys_of_a_session_are_gone_when_it_is_dropped() {
    if !can_read() {
        return;
    }
    let mut place = vec![Channel::new(Side::Camera, 1, epoch(0x85), Instant::ZERO)];
    let (secrets, before) = (secrets_of(&place[0]), words(&place[0]));
    let address = place.as_ptr().addr();
    place.clear();
    let after = words_at(address, size_of::<Channel>());
    assert!(secrets.iter().all(|secret| gone(secret, &before, &after)));
}

/// Hands a PING from one end to the other.
fn ping(from: &mut Channel, to: &mut Channel, now: Instant) {
    let mut buf = [0; 60];
    let len = from.seal(now, &mut buf, |out| out.put(&[4, 0, 0, 0, 1])).unwrap();
    let (header, head) = Header::parse(&buf[..len]).unwrap();
    assert!(to.open(now, Duration::ZERO, &header, head, &mut buf[..len]).is_ok());
}

#[test]
fn keys_of_an_epoch_are_gone_from_memory_when_its_time_is_over() {
    if !can_read() {
        return;
    }
    let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
    let next = |channel: &Channel| channel.secret().next(&[5; 1216], &[6; 1120], &[7; 64]);
    let mut camera = Channel::new(Side::Camera, 1, epoch(0x86), at(0));
    let mut display = Channel::new(Side::Display, 1, epoch(0x86), at(0));
    let [c2s, s2c, secret] = secrets_of(&camera);
    let (theirs, ours) = (next(&camera), next(&display));
    let before = words(&display);
    display.prepare(ours, at(1));
    assert!(gone(&secret, &before, &words(&display)));
    let before = words(&camera);
    camera.advance(theirs, at(1));
    // E_0 and the key that the camera sealed with go at once; the display still may send under the other.
    let after = words(&camera);
    assert!(gone(&secret, &before, &after) && gone(&c2s, &before, &after));
    let before = words(&display);
    ping(&mut camera, &mut display, at(1));
    assert!(gone(&s2c, &before, &words(&display)));
    ping(&mut display, &mut camera, at(1));
    // The old receive keys, when nothing is taken under them any more.
    for (channel, key) in [(&mut camera, &s2c), (&mut display, &c2s)] {
        let before = words(channel);
        assert!(before.iter().filter(|word| key.contains(word)).count() >= key.len());
        assert!(!channel.has_previous(at(4)));
        assert!(gone(key, &before, &words(channel)));
    }
}

#[test]
fn the_secrets_of_an_exchange_are_gone_when_it_is_over() {
    if !can_read() {
        return;
    }
    let exchange = Initiator::new(1, &mut ChaCha20Rng::seed_from_u64(1)).unwrap();
    // The share goes over the wire and is no secret: what of the rest is still there?
    let place = vec![exchange];
    let address = place.as_ptr().addr();
    let before = read(address, size_of::<Initiator>()).unwrap();
    let mut drawn = [0; 96];
    rand_core::Rng::fill_bytes(&mut ChaCha20Rng::seed_from_u64(1), &mut drawn);
    let holds = |memory: &[u8], part: &[u8]| memory.windows(part.len()).any(|window| window == part);
    let parts: Vec<&[u8]> = drawn.chunks_exact(32).collect();
    assert!(parts.iter().all(|part| holds(&before, part)), "an ML-KEM seed and an X25519 secret");
    let mut place = place;
    place.clear();
    let after = read(address, size_of::<Initiator>()).unwrap();
    assert!(parts.iter().all(|part| !holds(&after, &part[..16]) && !holds(&after, &part[16..])));
}

#[test]
fn nothing_that_holds_a_secret_can_be_printed() {
    use crate::handshake::initiator::{AwaitingAccept, AwaitingCookie, Cookied, Established};
    use crate::handshake::responder::{Place, Responder};
    use crate::handshake::slot::Ready;
    use crate::output::{Opened, Output, Ticket};
    use crate::pairing::PairSecret;
    use crate::session::rekey::{self, Answer};

    assert_unprinted!(Secret, PairSecret, HandshakeSecret, EpochSecret, PacketKey, Channel, CookieJar);
    assert_unprinted!(Initiator, rekey::Responder, Answer);
    assert_unprinted!(AwaitingCookie, AwaitingAccept, Established, Cookied, Responder, Place, Ready);
    assert_unprinted!(Ticket, Opened, Output);
    // While what is public can.
    assert!(std::format!("{:?}", SocketAddr::from((Ipv4Addr::LOCALHOST, 1))).contains("127"));
}

#[cfg(feature = "rsa")]
#[test]
fn no_private_key_and_nothing_that_uses_one_can_be_printed() {
    use crate::client::Client;
    use crate::rsa::{PrivateKey, SoftwareCameraKey, SoftwareDisplayKey, SoftwareRsa};
    use crate::server::Server;

    type Rng = ChaCha20Rng;
    assert_unprinted!(PrivateKey, SoftwareDisplayKey<Rng>, SoftwareCameraKey<Rng>);
    assert_unprinted!(
        Client<'_, Rng, SoftwareCameraKey<Rng>, SoftwareRsa<Rng>>,
        Server<'_, Rng, SoftwareRsa<Rng>>
    );
}
