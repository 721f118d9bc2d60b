//! What is thrown at a display: made from datagrams that passed between it and its camera.

use std::cell::RefCell;

use super::relay::Heard;

/// A DATA datagram's first byte (docs/protocol.md §7).
const DATA: u8 = 0x10;
/// As many as are told apart; a flood repeats them.
const DIFFERENT: usize = 4096;
/// As long as a chunk's: the display computes a tag over all of it.
const LEN: usize = 1192;
/// Where the counter of a long header lies.
const COUNTER: usize = 6;

/// How a flood is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A true header with a counter to come, and noise for the rest.
    Forged,
    /// What the camera sent before.
    Replayed,
    /// What the display itself sent.
    Reflected,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::Reflected => "reflected",
        }
    }
}

/// Datagrams to be sent one after the other.
#[derive(Debug)]
pub(super) enum Ammunition {
    Nothing,
    /// One whose counter and body are drawn anew each time.
    Forged(RefCell<Vec<u8>>),
    Heard(Vec<Vec<u8>>),
}

impl Ammunition {
    /// `None` while too little was heard.
    pub(super) fn make(kind: Option<Kind>, heard: &Heard) -> Option<Self> {
        let data = |all: &[Vec<u8>]| -> Vec<Vec<u8>> {
            all.iter().filter(|bytes| bytes.first() == Some(&DATA)).take(DIFFERENT).cloned().collect()
        };
        match kind {
            None => Some(Self::Nothing),
            Some(Kind::Forged) => {
                let last = heard.to_display.iter().rev().find(|bytes| bytes.len() == LEN)?;
                let mut datagram = last.clone();
                // The same CID and KID, and a counter of four bytes.
                datagram[5] = datagram[5] & 0xf0 | 0x0b;
                Some(Self::Forged(RefCell::new(datagram)))
            }
            Some(Kind::Replayed) => Some(Self::Heard(data(&heard.to_display))).filter(Self::is_enough),
            Some(Kind::Reflected) => Some(Self::Heard(data(&heard.to_camera))).filter(Self::is_enough),
        }
    }

    fn is_enough(&self) -> bool {
        matches!(self, Self::Heard(all) if all.len() >= 50)
    }

    /// The datagram of this number.
    pub(super) fn with(&self, number: u64, send: impl FnOnce(&[u8])) {
        match self {
            Self::Nothing => {}
            Self::Heard(all) => {
                let place = usize::try_from(number).unwrap_or(0) % all.len();
                send(&all[place]);
            }
            Self::Forged(datagram) => {
                let mut datagram = datagram.borrow_mut();
                // Far ahead of the camera's, below the limit, and none twice.
                let counter = 0x0100_0000 + u32::try_from(number % 0x0200_0000).unwrap_or(0);
                datagram[COUNTER..COUNTER + 4].copy_from_slice(&counter.to_be_bytes());
                let mut noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                for piece in datagram[COUNTER + 4..].chunks_mut(8) {
                    noise ^= noise << 13;
                    noise ^= noise >> 7;
                    noise ^= noise << 17;
                    let len = piece.len();
                    piece.copy_from_slice(&noise.to_be_bytes()[..len]);
                }
                send(&datagram);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> Heard {
        let mut data = vec![0x5a; LEN];
        (data[0], data[5]) = (DATA, 0x19);
        let cookie = vec![0x02; 476];
        let up = (0..60).map(|i| [&data[..LEN - 1], &[i]].concat());
        Heard { to_display: up.collect(), to_camera: [vec![cookie; 3], vec![vec![DATA; 40]; 60]].concat() }
    }

    fn shots(kind: Kind) -> Vec<Vec<u8>> {
        let ammunition = Ammunition::make(Some(kind), &heard()).unwrap();
        let mut all = Vec::new();
        (0..120).for_each(|number| ammunition.with(number, |datagram| all.push(datagram.to_vec())));
        all
    }

    #[test]
    fn a_forgery_has_the_sessions_header_and_never_the_same_counter_or_body() {
        let mut shots = shots(Kind::Forged);
        assert!(
            shots.iter().all(|shot| shot.len() == LEN && shot[..6] == [DATA, 0x5a, 0x5a, 0x5a, 0x5a, 0x1b])
        );
        for part in [COUNTER..COUNTER + 4, COUNTER + 4..LEN] {
            shots.sort_by(|a, b| a[part.clone()].cmp(&b[part.clone()]));
            assert!(shots.windows(2).all(|two| two[0][part.clone()] != two[1][part.clone()]));
        }
    }

    #[test]
    fn what_was_heard_is_sent_as_it_was_and_in_turn() {
        let replayed = shots(Kind::Replayed);
        assert!(replayed[..60] == heard().to_display[..] && replayed[60] == replayed[0]);
        assert!(shots(Kind::Reflected).iter().all(|shot| shot.len() == 40), "no COOKIE, a camera's alone");
    }

    #[test]
    fn nothing_is_thrown_before_enough_was_heard() {
        let silence = Heard::default();
        for kind in [Kind::Forged, Kind::Replayed, Kind::Reflected] {
            assert!(Ammunition::make(Some(kind), &silence).is_none());
        }
        assert!(Ammunition::make(None, &silence).is_some());
    }
}
