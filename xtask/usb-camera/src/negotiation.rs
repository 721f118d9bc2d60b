//! PROBE and COMMIT (UVC 1.0 §4.3.1.1): the host proposes stream parameters, the camera puts right what it cannot do,
//! until both say the same.
//!
//! Which request carries the 26 bytes is the business of `endpoint0`.

use crate::offer::{Offer, Selection};

/// Length of the parameter block in UVC 1.0.
pub const PROPOSAL_LEN: usize = 26;

/// The stream parameters. Key frames, quality and delay mean nothing to this camera and are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Which fields the host wants kept; given back as it came.
    pub hint: u16,
    /// The format's index.
    pub format: u8,
    /// The size's index.
    pub frame: u8,
    /// From one picture to the next, in units of 100 ns.
    pub interval: u32,
    /// The largest picture in bytes, which the camera tells.
    pub max_frame_len: u32,
    /// The longest payload in bytes, which the camera tells.
    pub max_payload_len: u32,
}

impl Proposal {
    /// Reads the block. What a host of a later revision adds at the end is left alone; `None` if there is too little.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[h0, h1, format, frame, i0, i1, i2, i3, ..] = bytes.first_chunk::<PROPOSAL_LEN>()?;
        let hint = u16::from_le_bytes([h0, h1]);
        let interval = u32::from_le_bytes([i0, i1, i2, i3]);
        // The last two fields are the camera's to tell, whatever the host may have written.
        Some(Self { hint, format, frame, interval, max_frame_len: 0, max_payload_len: 0 })
    }

    /// The block as it is sent.
    #[must_use]
    pub fn emit(&self) -> [u8; PROPOSAL_LEN] {
        let mut block = [0; PROPOSAL_LEN];
        let fields = [
            (0, &self.hint.to_le_bytes()[..]),
            (2, &[self.format, self.frame]),
            (4, &self.interval.to_le_bytes()),
            (18, &self.max_frame_len.to_le_bytes()),
            (22, &self.max_payload_len.to_le_bytes()),
        ];
        for (at, field) in fields {
            block.iter_mut().skip(at).zip(field).for_each(|(to, from)| *to = *from);
        }
        block
    }

    /// The nearest that the camera can do.
    #[must_use]
    pub fn clamped(self, offer: &Offer) -> Self {
        let format = if offer.format(self.format).is_some() { self.format } else { 1 };
        let frame = if offer.size(self.frame).is_some() { self.frame } else { 1 };
        Self {
            hint: self.hint,
            format,
            frame,
            interval: offer.nearest_interval(self.interval),
            max_frame_len: offer.size(frame).map_or(0, |size| size.buffer_len()),
            max_payload_len: offer.payload_len(),
        }
    }

    /// What is streamed under these parameters.
    #[must_use]
    pub fn selection(&self, offer: &Offer) -> Option<Selection> {
        offer.select(self.format, self.frame, self.interval)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::offer::{Format, Size, Transport};

    fn offer(transport: Transport) -> Offer {
        let sizes = vec![Size { width: 320, height: 240 }, Size { width: 1280, height: 720 }];
        Offer::new(transport, vec![Format::Yuyv, Format::Mjpeg], sizes, NonZeroU32::new(30).unwrap())
    }

    #[test]
    fn what_the_camera_can_do_is_kept() {
        let wish = Proposal { hint: 1, format: 2, frame: 2, interval: 666_666, ..Proposal::default() };
        let clamped = wish.clamped(&offer(Transport::Isochronous));
        assert_eq!((clamped.hint, clamped.format, clamped.frame, clamped.interval), (1, 2, 2, 666_666));
        assert_eq!((clamped.max_frame_len, clamped.max_payload_len), (1280 * 720 * 2, 1024));
        assert_eq!(clamped.clamped(&offer(Transport::Isochronous)), clamped, "agreed");
    }

    #[test]
    fn nonsense_is_put_right() {
        for (format, frame, interval) in [(0, 0, 0), (3, 3, 1), (255, 255, u32::MAX)] {
            let wish = Proposal {
                hint: 0xffff,
                format,
                frame,
                interval,
                max_frame_len: u32::MAX,
                max_payload_len: u32::MAX,
            };
            let offer = offer(Transport::Bulk);
            let clamped = wish.clamped(&offer);
            assert_eq!((clamped.format, clamped.frame), (1, 1));
            assert!(offer.intervals.contains(&clamped.interval));
            assert_eq!((clamped.max_frame_len, clamped.max_payload_len), (320 * 240 * 2, 16_384));
            assert!(clamped.selection(&offer).is_some());
        }
    }

    #[test]
    fn a_block_is_emitted_as_it_is_parsed_but_for_what_the_camera_tells() {
        let block: Vec<u8> = (1..=26).collect();
        let proposal = Proposal::parse(&block).unwrap();
        assert_eq!((proposal.hint, proposal.format, proposal.frame), (0x0201, 3, 4));
        assert_eq!((proposal.interval, proposal.max_frame_len), (0x0807_0605, 0));
        let told = Proposal { max_frame_len: 0x1615_1413, max_payload_len: 0x1a19_1817, ..proposal };
        let emitted = told.emit();
        assert_eq!(emitted[..8], block[..8]);
        assert_eq!(emitted[8..18], [0; 10]);
        assert_eq!(emitted[18..], block[18..]);
    }

    #[test]
    fn a_later_revisions_block_is_read_and_a_short_one_refused() {
        assert!(Proposal::parse(&[1; 34]).is_some());
        assert_eq!(Proposal::parse(&[1; 25]), None);
        assert_eq!(Proposal::parse(&[]), None);
    }
}
