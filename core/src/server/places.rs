//! The display's places for sessions: one for each camera that may be connected at a time, and how a pending session
//! comes to take one (docs/protocol.md §4 step 11, §16).

use core::net::SocketAddr;
use core::time::Duration;

use rand_core::TryCryptoRng;

use super::Server;
use super::link::{Around, Heard, Link, LinkOutput};
use crate::discard::Discard;
use crate::frame::join::{Joined, Joiner};
use crate::handshake::Whose;
use crate::key::{Fingerprint, RsaPublic};
use crate::output::{Event, Frame, SessionEnd};
use crate::time::Instant;
use crate::wire::close::CloseReason;
use crate::wire::data::Header;

/// A CLOSE's datagram at most: 5 + 1 + 4 before it, 3 in it, 10 behind it.
const LAST_WORD: usize = 32;

/// Room for one camera's session.
pub(super) struct Seat<'b> {
    pub(super) link: Option<Link>,
    pub(super) joiner: Joiner<'b>,
}

/// A sealed CLOSE of a session that is gone already.
pub(super) struct LastWord {
    pub(super) to: SocketAddr,
    pub(super) datagram: [u8; LAST_WORD],
    pub(super) len: usize,
}

impl<R: TryCryptoRng, P: RsaPublic, const CAMERAS: usize> Server<'_, R, P, CAMERAS> {
    pub(super) fn handle_data(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &mut [u8],
    ) -> Result<Option<(usize, Joined, Option<Duration>)>, Discard> {
        let (header, len) = Header::parse(datagram).ok_or(Discard::Malformed)?;
        let is_it = |link: &Link| link.cid == header.cid;
        if self.pairing.link.as_ref().is_some_and(is_it) {
            return self.handle_pairing(now, from, (&header, len), datagram).map(|()| None);
        }
        let has_cid = |seat: &Seat<'_>| seat.link.as_ref().is_some_and(is_it);
        let Some(index) = self.places.iter().position(has_cid) else {
            return self.handle_first(now, from, &header, len, datagram).map(|()| None);
        };
        let Self { rng, limits, budget, events, places, .. } = self;
        let Some(Seat { link: Some(link), joiner }) = places.get_mut(index) else {
            return Err(Discard::UnknownCid);
        };
        let mut around = Around { rng, joiner: Some(joiner), limits, budget: *budget, events };
        match link.handle(now, from, (&header, len), datagram, &mut around)? {
            Heard::Nothing | Heard::Enrol { .. } => Ok(None),
            Heard::Frame(joined, age) => Ok(Some((index, joined, age))),
            Heard::Ended(why) => {
                self.end(index, why);
                Ok(None)
            }
        }
    }

    /// The first packet of a pending session makes it active, in the place of the camera's last one if it has one.
    fn handle_first(
        &mut self,
        now: Instant,
        from: SocketAddr,
        header: &Header,
        len: usize,
        datagram: &mut [u8],
    ) -> Result<(), Discard> {
        self.responder.expire(now);
        let (whose, ready) = self.responder.pending(header.cid).ok_or(Discard::UnknownCid)?;
        let received = datagram.len();
        let opened = ready.channel.open(now, Duration::ZERO, header, len, datagram)?;
        let Some(ready) = self.responder.promote(whose) else { return Err(Discard::UnknownCid) };
        let Whose::Camera(camera) = whose else {
            return self.begin_pairing(now, from, received, (ready, &opened));
        };
        let Some(index) = self.make_room(now, &camera) else { return Err(Discard::NoPlace) };
        let Self { rng, limits, budget, events, places, stats, .. } = self;
        let Some(Seat { link, joiner }) = places.get_mut(index) else { return Err(Discard::NoPlace) };
        stats.add_joined(joiner);
        joiner.reset();
        let link = link.insert(Link::new(whose, ready, now));
        let mut around = Around { rng, joiner: Some(joiner), limits, budget: *budget, events };
        if let Heard::Ended(why) = link.handle_opened(now, from, received, &opened, &mut around)? {
            self.end(index, why);
        }
        Ok(())
    }

    /// The seat for a new session of `camera`: its own, whose session is erased after one CLOSE, or a free one.
    fn make_room(&mut self, now: Instant, camera: &Fingerprint) -> Option<usize> {
        let own = |seat: &Seat<'_>| seat.link.as_ref().is_some_and(|link| link.is_of(camera));
        if let Some(index) = self.places.iter().position(own) {
            let mut old = self.places.get_mut(index)?.link.take()?;
            let mut datagram = [0; LAST_WORD];
            if !old.is_closing()
                && let Some(len) = old.last_word(now, CloseReason::Superseded, &mut datagram)
            {
                let _pushed = self.last_words.push_back(LastWord { to: old.address(), datagram, len });
            }
            self.events.push(Event::Disconnected { camera: *camera, why: SessionEnd::Replaced });
            return Some(index);
        }
        self.places.iter().position(|seat| seat.link.is_none())
    }

    pub(super) fn poll_seat(&mut self, now: Instant, index: usize, buf: &mut [u8]) -> Option<LinkOutput> {
        let Self { rng, limits, budget, events, places, .. } = self;
        let Seat { link, joiner } = places.get_mut(index)?;
        let mut around = Around { rng, joiner: Some(joiner), limits, budget: *budget, events };
        Some(link.as_mut()?.poll(now, &mut around, buf))
    }

    pub(super) fn end(&mut self, index: usize, why: SessionEnd) {
        let Some(seat) = self.places.get_mut(index) else { return };
        self.stats.add_joined(&seat.joiner);
        seat.joiner.reset();
        if let Some(Whose::Camera(camera)) = seat.link.take().map(|link| link.whose) {
            self.events.push(Event::Disconnected { camera, why });
        }
    }

    pub(super) fn frame(
        &self,
        now: Instant,
        index: usize,
        joined: Joined,
        age: Option<Duration>,
    ) -> Option<Frame<'_>> {
        let seat = self.places.get(index)?;
        let link = seat.link.as_ref()?;
        let jpeg = seat.joiner.frame(joined)?;
        let captured_at = now.before(age.unwrap_or(Duration::ZERO));
        let Whose::Camera(camera) = link.whose else { return None };
        Some(Frame { camera, frame_id: joined.shape.frame_id, captured_at, rtt: link.rtt(now), jpeg })
    }

    pub(super) fn links_of(&mut self, camera: &Fingerprint) -> impl Iterator<Item = &mut Link> {
        self.places.iter_mut().filter_map(|seat| seat.link.as_mut()).filter(|link| link.is_of(camera))
    }
}
