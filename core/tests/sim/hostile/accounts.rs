//! What a display sends to whom, and for how much: nobody's address earns a flood (docs/protocol.md §3.1, §11, §19).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::attacker::is_nobody;
use super::counters::header;
use crate::world::{ms, secs};

/// A cookie's longest life, and how long the answer to a KEY may be in the making.
const COOKIE_LIFE: Duration = secs(21);
/// Between two challenges in one session, whomever they go to.
const PAUSE: Duration = ms(250);

/// One address at one start of the display.
#[derive(Default)]
struct Account {
    asked: usize,
    answered: usize,
    opened: usize,
    sealed: usize,
    cookie_at: Option<Duration>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Accounts {
    of: BTreeMap<(u32, SocketAddr), Account>,
    /// When a session sent something to an address where nobody is.
    challenged: BTreeMap<(u32, u32), Duration>,
}

impl Accounts {
    /// A datagram reached the display from there; if it is a packet, it was opened or not.
    pub(super) fn came(&mut self, start: u32, from: SocketAddr, datagram: &[u8], opened: bool) {
        let account = self.of.entry((start, from)).or_default();
        match datagram.first() {
            Some(0x10) if opened => account.opened += datagram.len(),
            Some(0x10) => {}
            _ => account.asked += datagram.len(),
        }
    }

    /// The display sends one there.
    pub(super) fn went(&mut self, now: Duration, start: u32, to: SocketAddr, datagram: &[u8]) {
        let account = self.of.entry((start, to)).or_default();
        if datagram[0] == 0x10 {
            account.sealed += datagram.len();
            let (came, went) = (account.opened, account.sealed);
            if is_nobody(to) {
                assert!(went <= 3 * came, "{went} bytes to {to} for {came}");
                let before = self.challenged.insert((start, header(datagram).0), now);
                assert!(
                    before.is_none_or(|at| now >= at + PAUSE),
                    "{to} is challenged at {before:?} and {now:?}"
                );
            }
            return;
        }
        account.answered += datagram.len();
        let (asked, answered) = (account.asked, account.answered);
        assert!(answered * 10 <= asked * 4, "{answered} bytes of handshakes to {to} for {asked}");
        match datagram[0] {
            0x02 => account.cookie_at = Some(now),
            _ => {
                let proven = account.cookie_at.is_some_and(|at| now - at < COOKIE_LIFE);
                assert!(proven, "ACCEPT to {to}, which had no COOKIE since {:?}", account.cookie_at);
            }
        }
    }
}
