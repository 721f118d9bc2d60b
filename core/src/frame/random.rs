//! Repeatable randomness for tests: the same seed, the same run. Not for keys.

extern crate std;

/// The number in this environment variable, or `default`.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Marsaglia's xorshift64.
pub(crate) struct XorShift(u64);

impl XorShift {
    /// `seed` must not be 0, from which this generator never gets away.
    pub(crate) fn new(seed: u64) -> Self {
        assert_ne!(seed, 0);
        Self(seed)
    }

    /// The generator of run `number` of a test with this seed.
    pub(crate) fn nth(seed: u64, number: u64) -> Self {
        Self::new(seed.wrapping_add(number.wrapping_mul(0x9E37_79B9)).wrapping_add(1).max(1))
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}
