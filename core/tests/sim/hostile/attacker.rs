//! Somebody on the path who holds every datagram in his hands, and has no key.
//!
//! He knows the display's fingerprint, so that HELLO, COOKIE and KEY can have a right MAC; he sends from any address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use sealcam_core::key::Fingerprint;

use super::damage;
use super::recordings::Recordings;
use super::tally::Tally;
use super::temper::Temper;
use crate::world::forge::{ONLY_VERSION_1, hello};
use crate::world::ms;
use crate::world::network::{Captured, Heading, below, chance, unit};

pub(super) const DISPLAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5000);
/// His own machine, from which he answers.
const OWN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)), 1);
/// Addresses that he makes use of and whose owners have nothing to do with it: nobody there answers.
const NOBODY: [SocketAddr; 3] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)), 9),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 9),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 9),
];

pub(super) fn is_nobody(address: SocketAddr) -> bool {
    NOBODY.contains(&address)
}

/// What he does besides losing, holding back and delaying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mischief {
    /// The same datagram twice.
    Duplicate,
    /// Some bits of it flipped.
    Flip,
    /// Bytes cut off or put on.
    Cut,
    /// One of this round again, whole or under the marks of now.
    Replay,
    /// One of a round before it.
    ReplayEarlier,
    /// Back to its sender.
    Reflect,
    /// From another address than its sender's.
    Move,
    /// One that nobody sent.
    Forge,
}

impl Mischief {
    pub(super) const ALL: [Self; 8] = [
        Self::Duplicate,
        Self::Flip,
        Self::Cut,
        Self::Replay,
        Self::ReplayEarlier,
        Self::Reflect,
        Self::Move,
        Self::Forge,
    ];
}

pub(super) struct Attacker {
    display: Fingerprint,
    /// Where the camera is.
    camera: SocketAddr,
    pub(super) temper: Temper,
    /// How long the path takes, and how much longer at most.
    delay: Duration,
    jitter: Duration,
    /// The last datagram of each type and direction: the marks of now.
    latest: Vec<Captured>,
}

impl Attacker {
    pub(super) fn new(display: Fingerprint, camera: SocketAddr, dice: &mut ChaCha20Rng) -> Self {
        let delay = Duration::from_micros(200 + u64::from(dice.next_u32() % 30_000));
        let jitter = Duration::from_micros(u64::from(dice.next_u32() % 10_000));
        Self { display, camera, temper: Temper::HONEST, delay, jitter, latest: Vec::new() }
    }

    /// The camera is elsewhere from now on, or said to be.
    pub(super) const fn camera_is_at(&mut self, camera: SocketAddr) {
        self.camera = camera;
    }

    /// What becomes of a datagram, and what comes with it: when, and as what.
    pub(super) fn meet(
        &mut self,
        sent: &Captured,
        recordings: &mut Recordings,
        tally: &mut Tally,
        dice: &mut ChaCha20Rng,
    ) -> Vec<(Duration, Captured)> {
        let now = sent.at;
        recordings.keep(sent, dice);
        self.remember(sent);
        tally.sent += 1;
        let mut arrivals = Vec::new();
        let mut lost = chance(dice, self.temper.lose(sent.heading));
        tally.lost += u64::from(lost);
        for (mischief, share) in self.temper.mischiefs(sent.bytes[0] != 0x10, dice) {
            if !chance(dice, share) {
                continue;
            }
            let Some(made) = self.make(mischief, sent, recordings, dice) else { continue };
            if self.temper.spares_handshakes && made.bytes.first() != Some(&0x10) {
                continue;
            }
            tally.mischief(mischief);
            let of_it = matches!(mischief, Mischief::Flip | Mischief::Cut | Mischief::Move);
            lost |= of_it && chance(dice, self.temper.instead);
            arrivals.push((now + self.any_time(dice), made));
        }
        let mut at = now + self.delay + self.jitter.mul_f64(unit(dice));
        if chance(dice, self.temper.hold) {
            tally.held += 1;
            at += ms(1 << below(dice, 14));
        }
        if let Some(delay) = self.temper.delay.filter(|_| sent.heading == Heading::Up) {
            tally.delayed += 1;
            match delay.of(sent) {
                Some(longer) => at += longer,
                None => lost = true,
            }
        }
        if let Some(whole) = self.forward(sent).filter(|_| !lost) {
            arrivals.push((at, whole));
        }
        // As the core counts time.
        arrivals
            .iter_mut()
            .for_each(|(at, _)| *at = Duration::from_micros(u64::try_from(at.as_micros()).unwrap()));
        arrivals
    }

    /// The datagram on its way, which leads by his own machine if he wants it to.
    fn forward(&self, sent: &Captured) -> Option<Captured> {
        let mut whole = sent.clone();
        match sent.heading {
            Heading::Up if self.temper.relays => whole.from = OWN,
            Heading::Down if sent.to == OWN => {
                whole.to = self.camera;
                return self.temper.relays.then_some(whole);
            }
            _ => {}
        }
        Some(whole)
    }

    fn remember(&mut self, sent: &Captured) {
        let alike = |other: &Captured| (other.heading, other.bytes[0]) == (sent.heading, sent.bytes[0]);
        match self.latest.iter_mut().find(|other| alike(other)) {
            Some(place) => place.clone_from(sent),
            None => self.latest.push(sent.clone()),
        }
    }

    fn latest(&self, heading: Heading, kind: u8) -> Option<&[u8]> {
        let it = self.latest.iter().find(|sent| sent.heading == heading && sent.bytes[0] == kind);
        it.map(|sent| &sent.bytes[..])
    }

    /// Before the datagram itself, with it, or after it.
    fn any_time(&self, dice: &mut ChaCha20Rng) -> Duration {
        match below(dice, 8) {
            0 => ms(1 << below(dice, 11)),
            1..4 => self.delay / 2,
            _ => self.delay.mul_f64(2.0 * unit(dice)),
        }
    }

    fn make(
        &self,
        mischief: Mischief,
        sent: &Captured,
        recordings: &Recordings,
        dice: &mut ChaCha20Rng,
    ) -> Option<Captured> {
        let mut made = sent.clone();
        match mischief {
            Mischief::Duplicate => {}
            Mischief::Flip => {
                damage::flip(&mut made.bytes, dice);
                self.finish(&mut made.bytes, dice);
            }
            Mischief::Cut => {
                damage::cut(&mut made.bytes, dice);
                self.finish(&mut made.bytes, dice);
            }
            Mischief::Replay => made = self.again(recordings.own(dice)?, dice),
            Mischief::ReplayEarlier => made = self.again(recordings.earlier(dice)?, dice),
            Mischief::Reflect => {
                (made.heading, made.from, made.to) = (sent.heading.other(), sent.to, sent.from);
                self.disguise(&mut made, dice);
            }
            Mischief::Move => made.from = self.elsewhere(dice),
            Mischief::Forge => made = self.forge(dice),
        }
        Some(made)
    }

    /// To where the receiver is now, from where its peer is, from where it was, or from elsewhere.
    fn again(&self, recorded: &Captured, dice: &mut ChaCha20Rng) -> Captured {
        let mut again = recorded.clone();
        let (there, back) = self.ends(recorded.heading);
        again.to = there;
        match below(dice, 4) {
            0 => {}
            1 => again.from = self.elsewhere(dice),
            _ => again.from = back,
        }
        self.disguise(&mut again, dice);
        again
    }

    /// Where a datagram of this direction goes to now, and comes from.
    const fn ends(&self, heading: Heading) -> (SocketAddr, SocketAddr) {
        match heading {
            Heading::Up => (DISPLAY, self.camera),
            Heading::Down => (self.camera, DISPLAY),
        }
    }

    /// Every other time with the marks of now: the CID, the attempt, the cookie.
    fn disguise(&self, made: &mut Captured, dice: &mut ChaCha20Rng) {
        if below(dice, 2) == 0 {
            return;
        }
        let host = match made.bytes.first() {
            Some(0x10) => self.latest(made.heading, 0x10),
            Some(0x02) => self.latest(Heading::Up, 0x01),
            Some(0x03) => self.latest(Heading::Down, 0x02),
            Some(0x04) => self.latest(Heading::Up, 0x03),
            _ => None,
        };
        if let Some(host) = host {
            damage::transplant(&mut made.bytes, host);
            self.finish(&mut made.bytes, dice);
        }
    }

    /// Every other time under the right MAC.
    fn finish(&self, datagram: &mut [u8], dice: &mut ChaCha20Rng) {
        if below(dice, 2) == 0 {
            damage::sign(datagram, &self.display);
        }
    }

    fn elsewhere(&self, dice: &mut ChaCha20Rng) -> SocketAddr {
        let mut near = self.camera;
        near.set_port(near.port() ^ 1);
        let all = [NOBODY[0], NOBODY[1], NOBODY[2], OWN, near];
        all[below(dice, if self.temper.receives { all.len() } else { NOBODY.len() })]
    }

    /// Something that nobody has sent, mostly from where the peer is.
    fn forge(&self, dice: &mut ChaCha20Rng) -> Captured {
        let heading = if below(dice, 2) == 0 { Heading::Up } else { Heading::Down };
        let (to, back) = self.ends(heading);
        let from = if below(dice, 4) == 0 { self.elsewhere(dice) } else { back };
        let bytes = match below(dice, 4) {
            0 => self.forged_packet(heading, dice),
            1 if heading == Heading::Up => {
                let mut client_random = [0; 32];
                dice.fill_bytes(&mut client_random);
                Some(hello(&self.display, &client_random, ONLY_VERSION_1))
            }
            2 if heading == Heading::Up => self.forged_key(dice),
            _ => None,
        };
        let bytes = bytes.unwrap_or_else(|| {
            let mut noise = damage::noise(dice);
            self.finish(&mut noise, dice);
            noise
        });
        Captured { at: Duration::ZERO, heading, from, to, bytes }
    }

    /// The head of the last packet, with its epoch or another, a counter near it or far ahead, and noise behind it.
    fn forged_packet(&self, heading: Heading, dice: &mut ChaCha20Rng) -> Option<Vec<u8>> {
        let packet = self.latest(heading, 0x10)?;
        let mut bytes = vec![0; 17 + below(dice, 1184)];
        dice.fill_bytes(&mut bytes);
        bytes[..6].copy_from_slice(&packet[..6]);
        if below(dice, 4) == 0 {
            bytes[5] ^= 0x10 << below(dice, 3);
        }
        if below(dice, 2) == 0 {
            bytes[6..9].copy_from_slice(&packet[6..9]);
        }
        Some(bytes)
    }

    /// The camera's last KEY, with a right MAC and a good cookie, and a signature that is none.
    fn forged_key(&self, dice: &mut ChaCha20Rng) -> Option<Vec<u8>> {
        let mut bytes = self.latest(Heading::Up, 0x03)?.to_vec();
        dice.fill_bytes(&mut bytes[532..]);
        damage::sign(&mut bytes, &self.display);
        Some(bytes)
    }
}
