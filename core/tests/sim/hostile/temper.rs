//! How often the attacker does what, for a while.

use chacha20::ChaCha20Rng;

use super::attacker::Mischief;
use super::delay::Delay;
use crate::world::network::{Heading, below};

/// Probabilities for each datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Temper {
    lose_up: f64,
    lose_down: f64,
    /// Kept back for up to eight seconds.
    pub(super) hold: f64,
    /// The way that what the camera sends has besides.
    pub(super) delay: Option<Delay>,
    mischief: [f64; Mischief::ALL.len()],
    /// What is altered or moved does not arrive as it was as well.
    pub(super) instead: f64,
    /// He sees what is sent to the addresses from which he sends. With that he can answer a challenge by the camera's own
    /// mouth, and be taken for the camera until the next challenge (docs/protocol.md §11).
    pub(super) receives: bool,
    /// The camera's datagrams come from his own machine, and he hands on what is sent there.
    pub(super) relays: bool,
    /// He lets HELLO, COOKIE, KEY and ACCEPT alone.
    pub(super) spares_handshakes: bool,
}

impl Temper {
    /// Nothing but the path.
    pub(super) const HONEST: Self = Self {
        lose_up: 0.0,
        lose_down: 0.0,
        hold: 0.0,
        delay: None,
        mischief: [0.0; Mischief::ALL.len()],
        instead: 0.0,
        receives: false,
        relays: false,
        spares_handshakes: false,
    };

    /// He adds, and takes nothing away.
    pub(super) fn noisy(dice: &mut ChaCha20Rng) -> Self {
        let mut temper = Self::HONEST;
        for share in &mut temper.mischief {
            *share = [0.0, 0.03, 0.1, 0.3][below(dice, 4)];
        }
        temper
    }

    /// The same with packets alone: forged KEYs use up what the display spends on checking the camera's.
    pub(super) fn noisy_with_packets(dice: &mut ChaCha20Rng) -> Self {
        Self { spares_handshakes: true, ..Self::noisy(dice) }
    }

    /// Everything at once.
    pub(super) fn cruel(dice: &mut ChaCha20Rng) -> Self {
        let lose = [0.0, 0.02, 0.1, 0.4];
        Self {
            lose_up: lose[below(dice, 4)],
            lose_down: lose[below(dice, 4)],
            hold: [0.0, 0.02, 0.2][below(dice, 3)],
            instead: [0.0, 0.5, 1.0][below(dice, 3)],
            receives: true,
            relays: below(dice, 6) == 0,
            ..Self::noisy(dice)
        }
    }

    /// He makes the way longer.
    pub(super) fn slow(delay: Delay, relays: bool, dice: &mut ChaCha20Rng) -> Self {
        let temper = match below(dice, 3) {
            0 => Self::HONEST,
            1 => Self::noisy_with_packets(dice),
            _ => Self { lose_up: 0.02, lose_down: 0.02, ..Self::noisy_with_packets(dice) },
        };
        Self { delay: Some(delay.treated(dice)), receives: true, relays, ..temper }
    }

    /// One direction or both are cut, but for what he makes himself.
    pub(super) fn dark(dice: &mut ChaCha20Rng) -> Self {
        let which = below(dice, 3);
        let lose = |cut: bool| if cut { 1.0 } else { 0.0 };
        Self { lose_up: lose(which != 1), lose_down: lose(which != 0), ..Self::cruel(dice) }
    }

    /// What he may do with one datagram. A handshake is four of them, so that each is worth several tries.
    pub(super) fn mischiefs(
        &self,
        is_handshake: bool,
        dice: &mut ChaCha20Rng,
    ) -> impl Iterator<Item = (Mischief, f64)> + use<> {
        let times = if is_handshake { 1 + below(dice, 6) } else { 1 };
        let all = Mischief::ALL.into_iter().zip(self.mischief);
        all.flat_map(move |one| std::iter::repeat_n(one, times))
    }

    pub(super) const fn lose(&self, heading: Heading) -> f64 {
        match heading {
            Heading::Up => self.lose_up,
            Heading::Down => self.lose_down,
        }
    }
}
