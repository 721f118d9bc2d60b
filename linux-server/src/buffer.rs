//! Buffers that are used again, so that nothing is allocated for ordinary pictures; and given back to the system when a
//! huge one has made them huge.

/// A buffer may be so many times as large as needed.
const SPARE: usize = 4;

/// Gives the memory of a buffer back, with what is in it, if `len` elements need hardly any of it.
pub(crate) fn slim<T>(buffer: &mut Vec<T>, len: usize) {
    if buffer.capacity() / SPARE > len {
        *buffer = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_for_what_needs_a_quarter_of_it_and_given_back_for_less() {
        let mut buffer = vec![0_u8; 4000];
        for len in [4000, 8000, 1000] {
            slim(&mut buffer, len);
            assert_eq!(buffer.len(), 4000, "for {len}");
        }
        slim(&mut buffer, 999);
        assert_eq!(buffer.capacity(), 0);
    }
}
