//! Frames to send: bytes that are the same for the same camera and number, and differ for all others.
//!
//! They are no JPEGs: the core never looks into one.

/// Frames at least this long carry their number in front.
pub(crate) const NAMED: usize = 16;

/// Frame `number` of camera `camera`.
pub(crate) fn picture(camera: usize, number: u64, len: usize) -> Vec<u8> {
    let camera = u64::try_from(camera).unwrap();
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (camera + 1) << 56;
    let mut bytes = Vec::with_capacity(len + 8);
    if len >= NAMED {
        bytes.extend(camera.to_be_bytes());
        bytes.extend(number.to_be_bytes());
    }
    while bytes.len() < len {
        // SplitMix64 (Steele, Lea and Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        bytes.extend((mixed ^ mixed >> 31).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The number that a frame carries, if it is long enough to carry one.
pub(crate) fn number_of(bytes: &[u8]) -> Option<u64> {
    let named = bytes.get(..NAMED)?;
    named.last_chunk().copied().map(u64::from_be_bytes)
}
