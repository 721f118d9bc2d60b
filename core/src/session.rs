//! One session's packet keys: which epochs live, which key seals, what a received packet may be opened with.
//!
//! The receive order of docs/protocol.md §7 is this file's [`Channel::open`]; the life of an epoch (§8) is
//! [`Channel::advance`] for the camera and [`Channel::prepare`] for the display. What packets say is not known here.

pub(crate) mod closing;
pub(crate) mod rekey;
pub(crate) mod replay;
pub(crate) mod suite;

use core::time::Duration;

use subtle::Choice;

use self::replay::{Peek, ReplayWindow};
use self::suite::PacketKey;
use crate::discard::Discard;
use crate::handshake::schedule::EpochSecret;
use crate::key::Secret;
use crate::time::Instant;
use crate::wire::data::{Header, MAX_LEN, METADATA_LEN, TAG_LEN};
use crate::wire::read::Writer;

/// An epoch's keys are not used after this (docs/protocol.md §8).
pub(crate) const MAX_EPOCH_AGE: Duration = Duration::from_secs(900);
/// Nor beyond this counter.
pub(crate) const MAX_CTR: u32 = 1 << 26;
/// Wrong tags after which an epoch is given up (docs/protocol.md §8; RFC 9147 §4.5.3).
const MAX_FORGERIES: u64 = 1 << 32;
/// Bounds of the time for which the previous epoch's packets are still taken.
const MIN_GRACE: Duration = Duration::from_secs(1);
const MAX_GRACE: Duration = Duration::from_secs(3);

/// Which end of the session this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Camera,
    Display,
}

/// Nothing may be sealed any more, or it does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SealError {
    /// The counter or the age of the epoch is at its limit: erase the session.
    Expired,
    /// The buffer is too small.
    NoRoom,
}

/// A packet that was found authentic; its plaintext stands in the datagram's own bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opened<'a> {
    pub(crate) epoch: u64,
    /// Its counter is the highest so far, in the newest epoch: an older epoch's packet was delayed.
    pub(crate) newest: bool,
    /// It is the first packet of a new epoch.
    pub(crate) epoch_began: bool,
    pub(crate) plaintext: &'a [u8],
}

/// The keys of one session in both directions. Neither cloned nor copied: two copies could repeat a counter
/// (docs/protocol.md §14).
pub(crate) struct Channel {
    side: Side,
    peer_cid: u32,
    secret: EpochSecret,
    current: Epoch,
    /// Receive keys of the epoch before, and when they are erased (unset until the new epoch's first packet).
    previous: Option<(Incoming, Option<Instant>)>,
    /// Display only: answered with KEX_RESP, not yet used by the camera.
    next: Option<Epoch>,
}

struct Epoch {
    outgoing: Outgoing,
    incoming: Incoming,
}

struct Outgoing {
    key: PacketKey,
    kid: u8,
    ctr: u32,
    derived_at: Instant,
}

struct Incoming {
    key: PacketKey,
    number: u64,
    window: ReplayWindow,
    derived_at: Instant,
    forgeries: u64,
}

impl Channel {
    /// Epoch 0 of a new session. `peer_cid` goes on every packet that is sealed.
    pub(crate) fn new(side: Side, peer_cid: u32, secret: EpochSecret, now: Instant) -> Self {
        let current = Epoch::new(side, &secret, now);
        Self { side, peer_cid, secret, current, previous: None, next: None }
    }

    /// The epoch that this end seals in.
    pub(crate) const fn epoch(&self) -> u64 {
        self.current.incoming.number
    }

    /// The secret that the next exchange builds on.
    pub(crate) const fn secret(&self) -> &EpochSecret {
        &self.secret
    }

    /// Writes one packet to the front of `buf`: `message` puts the plaintext. Returns the packet's length.
    pub(crate) fn seal(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        message: impl FnOnce(&mut Writer<'_>) -> Option<()>,
    ) -> Result<usize, SealError> {
        let peer_cid = self.peer_cid;
        let outgoing = &mut self.current.outgoing;
        if outgoing.ctr >= MAX_CTR || now.since(outgoing.derived_at) >= MAX_EPOCH_AGE {
            return Err(SealError::Expired);
        }
        outgoing.seal(peer_cid, buf, message)
    }

    /// Opens a packet in place, in the normative order: counter, window, tag, and only then anything else.
    pub(crate) fn open<'d>(
        &mut self,
        now: Instant,
        rtt: Duration,
        header: &Header,
        header_len: usize,
        datagram: &'d mut [u8],
    ) -> Result<Opened<'d>, Discard> {
        self.expire(now);
        let (incoming, began) = self.incoming(header.kid).ok_or(Discard::UnknownEpoch)?;
        let newest = incoming.check(now, header, header_len, datagram)?;
        let epoch = incoming.number;
        let plaintext = incoming.decrypt(header, header_len, datagram).ok_or(Discard::Malformed)?;
        if began {
            self.promote();
        }
        // A packet of the epoch before says nothing of where the camera is now.
        let newest = newest && epoch == self.current.incoming.number;
        if let Some((_, erase_at @ None)) = &mut self.previous
            && epoch == self.current.incoming.number
        {
            *erase_at = Some(now + (rtt * 3).clamp(MIN_GRACE, MAX_GRACE));
        }
        Ok(Opened { epoch, newest, epoch_began: began, plaintext })
    }

    /// Camera: the exchange is done, everything is sealed in the new epoch from now on.
    pub(crate) fn advance(&mut self, secret: EpochSecret, now: Instant) {
        let epoch = Epoch::new(self.side, &secret, now);
        self.secret = secret;
        self.enter(epoch);
    }

    /// Display: the exchange is answered; the new epoch begins with the camera's first packet in it.
    pub(crate) fn prepare(&mut self, secret: EpochSecret, now: Instant) {
        self.next = Some(Epoch::new(self.side, &secret, now));
        self.secret = secret;
    }

    /// Whether keys of an older epoch are still taken; no rekey begins until they are gone.
    pub(crate) fn has_previous(&mut self, now: Instant) -> bool {
        self.expire(now);
        self.previous.is_some()
    }

    /// Whether the previous epoch's keys stay until the first packet of the new one comes.
    pub(crate) const fn awaits_new_epoch(&self) -> bool {
        matches!(self.previous, Some((_, None)))
    }

    /// When [`Channel::has_previous`] changes.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.previous.as_ref().and_then(|(_, erase_at)| *erase_at)
    }

    /// Whether either direction has used `packets` counters, or the keys are `age` old.
    pub(crate) fn has_used(&self, packets: u32, age: Duration, now: Instant) -> bool {
        let received = self.current.incoming.window.highest().unwrap_or(0);
        self.current.outgoing.ctr >= packets
            || received >= packets
            || now.since(self.current.outgoing.derived_at) >= age
    }

    /// Whether nothing may be sealed any more.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.has_used(MAX_CTR, MAX_EPOCH_AGE, now)
    }

    /// When the current keys reach `age`.
    pub(crate) fn reaches_age(&self, age: Duration) -> Instant {
        self.current.outgoing.derived_at + age
    }

    /// Whether wrong tags in one epoch have reached their limit.
    pub(crate) fn is_forged_out(&self) -> bool {
        let next = self.next.as_ref().map(|next| &next.incoming);
        let previous = self.previous.as_ref().map(|(incoming, _)| incoming);
        let live = [Some(&self.current.incoming), next, previous];
        live.into_iter().flatten().any(|incoming| incoming.forgeries >= MAX_FORGERIES)
    }

    /// Highest counter and number of packets received in the current epoch, for FEEDBACK.
    pub(crate) fn received(&self) -> (u32, u32) {
        let window = &self.current.incoming.window;
        (window.highest().unwrap_or(0), u32::try_from(window.taken()).unwrap_or(u32::MAX))
    }

    /// As if all wrong tags of an epoch but `left` had come.
    #[cfg(test)]
    pub(crate) const fn bear_forgeries_but(&mut self, left: u64) {
        self.current.incoming.forgeries = MAX_FORGERIES - left;
    }

    fn incoming(&mut self, kid: u8) -> Option<(&mut Incoming, bool)> {
        let matches = |incoming: &Incoming| incoming.kid() == kid;
        if matches(&self.current.incoming) {
            return Some((&mut self.current.incoming, false));
        }
        if let Some(next) = self.next.as_mut().filter(|next| matches(&next.incoming)) {
            return Some((&mut next.incoming, true));
        }
        self.previous
            .as_mut()
            .map(|(incoming, _)| incoming)
            .filter(|incoming| matches(incoming))
            .map(|i| (i, false))
    }

    fn promote(&mut self) {
        if let Some(next) = self.next.take() {
            self.enter(next);
        }
    }

    /// The old epoch's sealing key is wiped here: nothing is sealed with it again.
    fn enter(&mut self, epoch: Epoch) {
        let old = core::mem::replace(&mut self.current, epoch);
        self.previous = Some((old.incoming, None));
    }

    fn expire(&mut self, now: Instant) {
        if self.previous.as_ref().is_some_and(|(_, erase_at)| erase_at.is_some_and(|at| at <= now)) {
            self.previous = None;
        }
    }
}

impl Epoch {
    fn new(side: Side, secret: &EpochSecret, now: Instant) -> Self {
        let number = secret.number();
        let (outgoing, incoming) = match side {
            Side::Camera => (secret.base_c2s(), secret.base_s2c()),
            Side::Display => (secret.base_s2c(), secret.base_c2s()),
        };
        Self {
            outgoing: Outgoing::new(&outgoing, number, now),
            incoming: Incoming::new(&incoming, number, now),
        }
    }
}

impl Outgoing {
    fn new(base_key: &Secret, number: u64, now: Instant) -> Self {
        let kid = kid(number);
        Self { key: PacketKey::new(base_key, kid), kid, ctr: 0, derived_at: now }
    }

    /// The counter is spent before anything else can fail, so no error can lead to its use a second time.
    fn seal(
        &mut self,
        cid: u32,
        buf: &mut [u8],
        message: impl FnOnce(&mut Writer<'_>) -> Option<()>,
    ) -> Result<usize, SealError> {
        let ctr = self.ctr;
        self.ctr = ctr.checked_add(1).ok_or(SealError::Expired)?;
        let header = Header { cid, kid: self.kid, ctr };
        let room = buf.len().min(MAX_LEN);
        let packet = buf.get_mut(..room).ok_or(SealError::NoRoom)?;
        let (head, body) = packet.split_at_mut_checked(header.len()).ok_or(SealError::NoRoom)?;
        header.emit(&mut Writer::new(head)).ok_or(SealError::NoRoom)?;
        let text_room = body.len().checked_sub(TAG_LEN).ok_or(SealError::NoRoom)?;
        let mut writer = Writer::new(body.get_mut(..text_room).ok_or(SealError::NoRoom)?);
        message(&mut writer).ok_or(SealError::NoRoom)?;
        let text_len = writer.written();
        let (text, rest) = body.split_at_mut_checked(text_len).ok_or(SealError::NoRoom)?;
        let (metadata, sframe_header) = head.split_at_checked(METADATA_LEN).ok_or(SealError::NoRoom)?;
        let tag = self.key.seal(ctr, sframe_header, metadata, text);
        rest.first_chunk_mut().map(|place| *place = tag).ok_or(SealError::NoRoom)?;
        Ok(header.len() + text_len + TAG_LEN)
    }
}

impl Incoming {
    fn new(base_key: &Secret, number: u64, now: Instant) -> Self {
        let key = PacketKey::new(base_key, kid(number));
        Self { key, number, window: ReplayWindow::new(), derived_at: now, forgeries: 0 }
    }

    fn kid(&self) -> u8 {
        kid(self.number)
    }

    /// Everything up to the tag. Only the count of forgeries changes when it fails; says whether it is the newest.
    fn check(
        &mut self,
        now: Instant,
        header: &Header,
        header_len: usize,
        datagram: &[u8],
    ) -> Result<bool, Discard> {
        if header.ctr >= MAX_CTR || now.since(self.derived_at) >= MAX_EPOCH_AGE {
            return Err(Discard::Expired);
        }
        let newest = match self.window.peek(header.ctr) {
            Peek::Newest => true,
            Peek::Fresh => false,
            Peek::Replayed => return Err(Discard::Replayed),
            Peek::TooOld => return Err(Discard::TooOld),
        };
        let valid = self.verify(header, header_len, datagram).ok_or(Discard::Malformed)?;
        if !bool::from(valid) {
            self.forgeries += 1;
            return Err(Discard::Tag);
        }
        Ok(newest)
    }

    fn verify(&self, header: &Header, header_len: usize, datagram: &[u8]) -> Option<Choice> {
        let (head, body) = datagram.split_at_checked(header_len)?;
        let (metadata, sframe_header) = head.split_at_checked(METADATA_LEN)?;
        let (text, tag) = body.split_at_checked(body.len().checked_sub(TAG_LEN)?)?;
        Some(self.key.verify(header.ctr, sframe_header, metadata, text, tag))
    }

    /// Marks the counter as taken and decrypts.
    fn decrypt<'d>(
        &mut self,
        header: &Header,
        header_len: usize,
        datagram: &'d mut [u8],
    ) -> Option<&'d [u8]> {
        let end = datagram.len().checked_sub(TAG_LEN)?;
        let text = datagram.get_mut(header_len..end)?;
        self.window.take(header.ctr);
        self.key.decrypt(header.ctr, text);
        Some(text)
    }
}

/// The KID of an epoch: at most three consecutive ones live at a time.
fn kid(number: u64) -> u8 {
    u8::try_from(number % 8).unwrap_or(0)
}

#[cfg(test)]
mod tests;
