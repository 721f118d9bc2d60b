//! A picture cut into payloads, each with a header of two bytes (UVC 1.0 §2.4.3.3).
//!
//! The header's FID bit is the same in all payloads of one picture and changes with the next, its EOF bit marks the last.
//! An isochronous packet carries one payload, and so does a bulk transfer. Nothing is known here of either.

use std::sync::Arc;

/// The payload header: its own length and the bits below.
pub const HEADER_LEN: usize = 2;

/// Changes with each picture.
pub const FRAME_ID: u8 = 1 << 0;
/// The picture ends here.
pub const END_OF_FRAME: u8 = 1 << 1;
/// The header ends here: always set.
pub const END_OF_HEADER: u8 = 1 << 7;

/// Cuts one picture after the other.
#[derive(Debug, Default)]
pub struct Cutter {
    /// The FID bit of the picture at hand, or of the last one.
    frame_id: bool,
    /// The picture at hand, and how much of it has gone.
    at_hand: Option<(Arc<[u8]>, usize)>,
}

impl Cutter {
    /// Whether the last picture has gone whole.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.at_hand.is_none()
    }

    /// The next picture; what may be left of the one before is given up.
    pub fn begin(&mut self, picture: Arc<[u8]>) {
        self.frame_id = !self.frame_id;
        self.at_hand = Some((picture, 0));
    }

    /// Gives up what is left of the picture at hand.
    pub fn abandon(&mut self) {
        self.at_hand = None;
    }

    /// The next payload of at most `max_len` bytes, header included. `None` between two pictures, and where a header
    /// and one byte do not fit.
    pub fn cut(&mut self, max_len: usize) -> Option<Vec<u8>> {
        let room = max_len.checked_sub(HEADER_LEN).filter(|room| *room > 0)?;
        let (picture, gone) = self.at_hand.as_mut()?;
        let left = picture.get(*gone..).unwrap_or_default();
        let (piece, later) = left.split_at_checked(room).unwrap_or((left, &[]));
        let end = if later.is_empty() { END_OF_FRAME } else { 0 };
        let id = if self.frame_id { FRAME_ID } else { 0 };
        let mut payload = Vec::with_capacity(HEADER_LEN + piece.len());
        payload.extend([HEADER_LEN as u8, END_OF_HEADER | end | id]);
        payload.extend_from_slice(piece);
        *gone += piece.len();
        if later.is_empty() {
            self.at_hand = None;
        }
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strips the headers off all payloads of the picture at hand.
    fn join(cutter: &mut Cutter, max_len: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut headers, mut bytes) = (Vec::new(), Vec::new());
        while let Some(payload) = cutter.cut(max_len) {
            assert!(payload.len() <= max_len && payload[0] == 2);
            headers.push(payload[1]);
            bytes.extend_from_slice(&payload[2..]);
        }
        (headers, bytes)
    }

    #[test]
    fn any_picture_comes_out_as_it_went_in() {
        for max_len in [3, 4, 512, 1024, 16_384] {
            let room = max_len - HEADER_LEN;
            for len in [0, 1, room - 1, room, room + 1, 2 * room - 1, 2 * room, 2 * room + 1, 50_000] {
                let picture: Arc<[u8]> = (0..len).map(|n| (n % 251) as u8).collect();
                let mut cutter = Cutter::default();
                cutter.begin(Arc::clone(&picture));
                let (headers, bytes) = join(&mut cutter, max_len);
                assert_eq!(bytes, &picture[..], "{len} bytes in payloads of {max_len}");
                assert_eq!(headers.len(), len.div_ceil(room).max(1));
                let ends = headers.iter().filter(|bits| **bits & END_OF_FRAME != 0).count();
                assert_eq!((ends, headers.last().unwrap() & END_OF_FRAME), (1, END_OF_FRAME));
                assert!(cutter.is_idle());
            }
        }
    }

    #[test]
    fn frame_id_changes_with_each_picture_and_within_none() {
        let mut cutter = Cutter::default();
        let mut ids = Vec::new();
        for _ in 0..4 {
            cutter.begin(vec![0; 5000].into());
            let (headers, _) = join(&mut cutter, 1024);
            assert!(headers.iter().all(|bits| bits & FRAME_ID == headers[0] & FRAME_ID));
            assert!(headers.iter().all(|bits| bits & END_OF_HEADER != 0));
            ids.push(headers[0] & FRAME_ID);
        }
        assert_eq!(ids, [1, 0, 1, 0]);
    }

    #[test]
    fn a_picture_given_up_leaves_nothing_behind() {
        let mut cutter = Cutter::default();
        cutter.begin(vec![1; 3000].into());
        assert!(cutter.cut(1024).is_some());
        cutter.abandon();
        assert_eq!((cutter.is_idle(), cutter.cut(1024)), (true, None));
        cutter.begin(vec![2; 10].into());
        assert_eq!(join(&mut cutter, 1024).1, [2; 10]);
    }

    #[test]
    fn where_no_byte_fits_nothing_is_lost() {
        let mut cutter = Cutter::default();
        cutter.begin(vec![7; 2].into());
        assert_eq!((cutter.cut(0), cutter.cut(1), cutter.cut(2)), (None, None, None));
        assert_eq!(join(&mut cutter, 3).1, [7, 7]);
    }
}
