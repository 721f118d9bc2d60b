//! Random bytes from the caller's source, which may fail. The core has no randomness of its own.

use rand_core::TryCryptoRng;

/// The source failed; nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RandomFailed;

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>(rng: &mut impl TryCryptoRng) -> Result<[u8; N], RandomFailed> {
    let mut bytes = [0; N];
    rng.try_fill_bytes(&mut bytes).map_err(|_error| RandomFailed)?;
    Ok(bytes)
}

/// A random number.
pub(crate) fn number(rng: &mut impl TryCryptoRng) -> Result<u32, RandomFailed> {
    bytes(rng).map(u32::from_be_bytes)
}
