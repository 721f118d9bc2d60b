//! What an attacker could time costs the same work in every case (docs/protocol.md §4, §12): counted, not timed.
//!
//! `benches/equal_time.rs` times the same, once, by hand.

use subtle::Choice;

use super::*;
use crate::key::{DisplayKey, MODULUS_LEN, Modulus};
use crate::output::Opened;
use crate::work::{self, Work};

/// A display's key that finds whatever it was told to find.
struct Told {
    modulus: Modulus,
    valid: bool,
    secret: u8,
}

impl DisplayKey for Told {
    fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    fn oaep_decrypt(&mut self, _ciphertext: &[u8; MODULUS_LEN], out: &mut [u8; 32]) -> Choice {
        out.fill(self.secret);
        Choice::from(u8::from(self.valid))
    }
}

/// A handshake up to the private operation, whose result is this.
fn decrypted(valid: bool, secret: u8) -> (Both, Opened) {
    let mut both = Both::new();
    let mut key = Told { modulus: *both.key.modulus(), valid, secret };
    for _ in 0..10 {
        both.poll_client();
        let mut buf = [0; 1200];
        loop {
            match both.server.poll(both.now, &mut buf) {
                Output::Decrypt(ticket) => return (both, ticket.open(&mut key)),
                Output::Transmit(Transmit { len, .. }) => {
                    let _dropped = both.client.handle_datagram(both.now, address(1), &mut buf[..len]);
                }
                Output::Event(_) => {}
                Output::Wait(_) => break,
            }
        }
    }
    panic!("no ticket");
}

#[test]
fn a_rejected_key_transport_costs_the_work_of_a_good_one() {
    let completed = |valid, secret| {
        let (mut both, opened) = decrypted(valid, secret);
        let ((), work) = work::of(|| both.server.complete(both.now, opened));
        let mut buf = [0; 1200];
        let Output::Transmit(sent) = both.server.poll(both.now, &mut buf) else { panic!("no ACCEPT") };
        (work, sent.len)
    };
    let good = completed(true, 1);
    assert!(good.0.macs > 1 && good.0.hashes > 1, "{good:?}");
    for other in [completed(true, 0), completed(false, 1), completed(false, 0), completed(false, 0xFF)] {
        assert_eq!(other, good);
    }
}

/// Everything up to KEY, which the display has not seen.
fn keyed() -> (Both, Vec<u8>) {
    let mut both = Both::new();
    let mut buf = [0; 1200];
    for _ in 0..10 {
        while let Output::Transmit(Transmit { len, .. }) = both.client.poll(both.now, &mut buf) {
            if buf[0] == 0x03 {
                return (both, buf[..len].to_vec());
            }
            let _dropped = both.server.handle_datagram(both.now, address(2), &mut buf[..len]);
        }
        both.poll_server();
    }
    panic!("no KEY");
}

#[test]
fn a_wrong_cookie_costs_the_same_work_wherever_it_is_wrong() {
    let (mut both, key) = keyed();
    let mac1_key = both.client.display.mac1_key;
    let mut asked = |key: &[u8]| {
        let mut key = key.to_vec();
        let (covered, mac1) = key.split_last_chunk_mut().unwrap();
        *mac1 = crate::handshake::schedule::mac1(&mac1_key, covered);
        work::of(|| both.server.handle_datagram(both.now, address(2), &mut key).err())
    };
    // mac1, the window's key, the cookie; the first byte only says which window.
    let work = Work { macs: 3, ..Work::default() };
    for byte in 45..76 {
        let mut wrong = key.clone();
        wrong[byte] ^= 1;
        assert_eq!(asked(&wrong), (Some(Discard::Cookie), work), "byte {byte}");
    }
    assert_eq!(asked(&key).0, None);
}

#[test]
fn a_packet_is_refused_by_the_same_work_wherever_its_tag_is_wrong() {
    let mut both = Both::in_epoch(1);
    let mut buf = [0; 1200];
    let channel = &mut both.client.link.as_mut().unwrap().channel;
    let len = channel.seal(both.now, &mut buf, |out| message::emit_ping(out, 1)).unwrap();
    for wrong in 1..=10 {
        let mut forged = buf[..len].to_vec();
        forged[len - wrong] ^= 1;
        let (refused, work) =
            work::of(|| both.server.handle_datagram(both.now, address(2), &mut forged).err());
        assert_eq!((refused, work), (Some(Discard::Tag), Work { tags: 1, ..Work::default() }));
    }
}
