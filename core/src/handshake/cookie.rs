//! Cookies: proof that an address answers, without keeping anything for it (docs/protocol.md §3.2).

use core::net::SocketAddr;
use core::time::Duration;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::mapped;
use crate::hash;
use crate::time::{Instant, micros};
use crate::wire::versions::Versions;

/// A cookie key serves this long; a cookie lives one to two of these.
const WINDOW: Duration = Duration::from_secs(10);

/// Makes and checks cookies with keys derived from one secret per start of the program.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct CookieJar {
    master: [u8; 32],
    #[zeroize(skip)]
    started: Instant,
}

/// What a cookie is bound to.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) flags: u16,
    pub(crate) client_random: &'a [u8; 32],
    pub(crate) offered: &'a Versions,
}

impl CookieJar {
    pub(crate) const fn new(master: [u8; 32], now: Instant) -> Self {
        Self { master, started: now }
    }

    /// The cookie of now.
    pub(crate) fn make(&self, now: Instant, bound: &Bound<'_>) -> [u8; 32] {
        self.cookie(self.window(now), bound)
    }

    /// Whether `cookie` was made for the same in this window or the one before.
    pub(crate) fn check(&self, now: Instant, bound: &Bound<'_>, cookie: &[u8; 32]) -> bool {
        let window = self.window(now);
        let [idx, ..] = cookie;
        let made_in =
            [Some(window), window.checked_sub(1)].into_iter().flatten().find(|w| low_byte(*w) == *idx);
        made_in.is_some_and(|made_in| hash::equal(&self.cookie(made_in, bound), cookie).into())
    }

    fn window(&self, now: Instant) -> u64 {
        micros(now.since(self.started)) / micros(WINDOW)
    }

    fn cookie(&self, window: u64, bound: &Bound<'_>) -> [u8; 32] {
        let mut key = hash::hmac(&self.master, &[&window.to_be_bytes()]);
        let mac: [u8; 31] = hash::hmac_prefix(
            &key,
            &[
                b"scl1 cookie",
                &mapped(bound.address),
                &bound.flags.to_be_bytes(),
                bound.client_random,
                bound.offered.as_bytes(),
            ],
        );
        key.zeroize();
        let mut cookie = [low_byte(window); 32];
        for (to, from) in cookie.iter_mut().skip(1).zip(mac) {
            *to = from;
        }
        cookie
    }
}

fn low_byte(window: u64) -> u8 {
    u8::try_from(window % 256).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddrV4};

    use super::*;

    const RANDOM: [u8; 32] = [7; 32];

    fn bound(port: u16) -> Bound<'static> {
        let address = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), port));
        Bound { address, flags: 0, client_random: &RANDOM, offered: &Versions::OURS }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(5_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn a_cookie_lives_for_its_window_and_the_next() {
        let jar = CookieJar::new([9; 32], at(0));
        for (made, checked, good) in
            [(0, 0, true), (0, 19, true), (0, 20, false), (9, 19, true), (2560, 0, false)]
        {
            let cookie = jar.make(at(made), &bound(1));
            assert_eq!(
                jar.check(at(checked), &bound(1), &cookie),
                good,
                "made at {made} s, checked at {checked} s"
            );
        }
    }

    #[test]
    fn a_cookie_is_good_for_what_it_was_made_for_alone() {
        let jar = CookieJar::new([9; 32], at(0));
        let cookie = jar.make(at(3), &bound(1));
        let other = [8; 32];
        let more = Versions::parse(&[2, 1, 2, 0, 0, 0, 0, 0]).unwrap();
        assert!(!jar.check(at(3), &bound(2), &cookie));
        assert!(!jar.check(at(3), &Bound { flags: 1, ..bound(1) }, &cookie));
        assert!(!jar.check(at(3), &Bound { client_random: &other, ..bound(1) }, &cookie));
        assert!(!jar.check(at(3), &Bound { offered: &more, ..bound(1) }, &cookie));
        assert!(!CookieJar::new([10; 32], at(0)).check(at(3), &bound(1), &cookie));
    }
}
