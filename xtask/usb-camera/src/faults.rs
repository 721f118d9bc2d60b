//! What goes wrong on the way, on purpose and in a fixed rhythm: each Nth packet lost, each Nth damaged.

use std::num::NonZeroU32;

use crate::payload::HEADER_LEN;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives,
    /// It is gone, and the host knows.
    Lost,
    /// It arrives with other bytes in it, and nobody knows.
    Damaged,
}

/// Counts packets that carry something.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// One packet in so many is lost.
    pub lose: Option<NonZeroU32>,
    /// One packet in so many is damaged.
    pub damage: Option<NonZeroU32>,
    packets: u64,
}

impl Faults {
    /// These faults, from the first packet on.
    #[must_use]
    pub fn new(lose: Option<NonZeroU32>, damage: Option<NonZeroU32>) -> Self {
        Self { lose, damage, packets: 0 }
    }

    /// What becomes of the next packet. One that is due for both is lost.
    pub fn decide(&mut self) -> Fate {
        self.packets = self.packets.wrapping_add(1);
        let due = |every: Option<NonZeroU32>| {
            every.is_some_and(|every| self.packets.is_multiple_of(u64::from(every.get())))
        };
        match (due(self.lose), due(self.damage)) {
            (true, _) => Fate::Lost,
            (false, true) => Fate::Damaged,
            (false, false) => Fate::Arrives,
        }
    }
}

/// Flips bits of the byte in the middle of what the payload carries; its header stays, so that the driver sees nothing.
pub fn damage(payload: &mut [u8]) {
    let carried = payload.get_mut(HEADER_LEN..).unwrap_or_default();
    let middle = carried.len() / 2;
    if let Some(byte) = carried.get_mut(middle) {
        *byte ^= 0x55;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(lose: u32, damage: u32, packets: usize) -> Vec<Fate> {
        let mut faults = Faults::new(NonZeroU32::new(lose), NonZeroU32::new(damage));
        (0..packets).map(|_| faults.decide()).collect()
    }

    fn count(fates: &[Fate], fate: Fate) -> usize {
        fates.iter().filter(|one| **one == fate).count()
    }

    #[test]
    fn nothing_goes_wrong_unless_asked_for() {
        assert_eq!(count(&fates(0, 0, 1000), Fate::Arrives), 1000);
    }

    #[test]
    fn one_in_so_many_is_lost_or_damaged() {
        assert_eq!(fates(3, 0, 4), [Fate::Arrives, Fate::Arrives, Fate::Lost, Fate::Arrives]);
        let both = fates(10, 4, 1000);
        assert_eq!((count(&both, Fate::Lost), count(&both, Fate::Damaged)), (100, 200));
        assert_eq!(count(&fates(1, 1, 10), Fate::Lost), 10);
    }

    #[test]
    fn damage_changes_the_picture_and_not_the_header() {
        let sound: Vec<u8> = (0..100).collect();
        let mut damaged = sound.clone();
        damage(&mut damaged);
        assert_eq!(damaged.iter().zip(&sound).filter(|(a, b)| a != b).count(), 1);
        assert_eq!(damaged[..HEADER_LEN], sound[..HEADER_LEN]);
        let mut header_only = [2, 0x80];
        damage(&mut header_only);
        damage(&mut []);
        assert_eq!(header_only, [2, 0x80]);
    }
}
