//! Randomness: the kernel's, as `rand_core`'s traits.
//!
//! The system call and not the crate `getrandom` (0.4): that one looks its function up at run time, which a static
//! program cannot do, and then waits for `/dev/random` to become readable. On a device without a hardware source
//! nothing makes it so: the kernel gathers entropy of its own for callers of getrandom(2), not for pollers. The
//! program would wait for ever.

#[expect(unsafe_code, reason = "nix does not wrap getrandom(2)")]
mod sys;

use nix::errno::Errno;
use rand_core::{TryCryptoRng, TryRng};

/// The kernel's generator: getrandom(2) without flags, which waits until the generator was seeded once after boot.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRng;

impl TryRng for OsRng {
    type Error = Errno;

    fn try_next_u32(&mut self) -> Result<u32, Errno> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, mut rest: &mut [u8]) -> Result<(), Errno> {
        while !rest.is_empty() {
            match sys::getrandom(rest) {
                Ok(filled) => rest = rest.get_mut(filled..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for OsRng {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_drawn_and_no_two_draws_are_alike() {
        for len in [0, 1, 7, 257, 100_000] {
            // A byte stays 0 in all of twenty draws once in 256^20.
            let mut seen = vec![0_u8; len];
            for _ in 0..20 {
                let mut drawn = vec![0; len];
                OsRng.try_fill_bytes(&mut drawn).unwrap();
                seen.iter_mut().zip(drawn).for_each(|(seen, byte)| *seen |= byte);
            }
            assert!(seen.iter().all(|&byte| byte != 0), "{len} bytes");
        }
        let draws: Vec<u64> = (0..4).map(|_| OsRng.try_next_u64().unwrap()).collect();
        assert!(
            draws.iter().all(|draw| draws.iter().filter(|other| *other == draw).count() == 1),
            "{draws:?}"
        );
    }
}
