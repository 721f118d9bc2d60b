//! What the camera can do: formats, picture sizes, rates, and over which kind of endpoint the pictures go.
//!
//! The descriptors tell it to the host, the negotiation picks from it. Indices count from 1, as UVC's do.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// The largest packet of the isochronous endpoint, one each microframe: 8 MB/s.
pub const ISO_PACKET_LEN: u16 = 1024;

/// The packet length of a high-speed bulk endpoint, fixed by USB 2.0 §5.8.3.
pub const BULK_PACKET_LEN: u16 = 512;

/// The longest payload over bulk. Linux makes its bulk transfers of at most 32 packets, and one payload fills one.
pub const BULK_PAYLOAD_LEN: u32 = 32 * BULK_PACKET_LEN as u32;

/// UVC counts time in units of 100 ns.
const UNITS_PER_SECOND: u32 = 10_000_000;

/// The rates offered are the fastest and these fractions of it.
const RATE_DIVISORS: [u32; 3] = [1, 2, 6];

/// How the pictures travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A packet each 125 µs, whether there is anything to send or not; what is lost is lost.
    Isochronous,
    /// As fast as the host asks, repeated until it arrives.
    Bulk,
}

/// How a picture is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A file of the folder of pictures, whatever is in it.
    Mjpeg,
    /// 4:2:2 without compression: a synthetic pattern.
    Yuyv,
}

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels in a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

impl Size {
    /// The host's buffer for one picture in bytes, which no picture may exceed: what the picture takes without
    /// compression.
    #[must_use]
    pub fn buffer_len(self) -> u32 {
        u32::from(self.width).saturating_mul(u32::from(self.height)).saturating_mul(2)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// Everything that a host may choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The kind of endpoint.
    pub transport: Transport,
    /// The formats in the order of their indices.
    pub formats: Vec<Format>,
    /// The sizes in the order of their indices; every format has them all.
    pub sizes: Vec<Size>,
    /// The times between two pictures, the shortest first, in units of 100 ns.
    pub intervals: [u32; RATE_DIVISORS.len()],
}

/// What the host has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// The format.
    pub format: Format,
    /// Which of the offered sizes, counted from 0.
    pub place: usize,
    /// That size.
    pub size: Size,
    /// From one picture to the next.
    pub interval: Duration,
}

impl Offer {
    /// What a camera with these formats and sizes and this highest rate offers.
    #[must_use]
    pub fn new(transport: Transport, formats: Vec<Format>, sizes: Vec<Size>, fps: NonZeroU32) -> Self {
        let intervals = RATE_DIVISORS.map(|divisor| (UNITS_PER_SECOND / fps).saturating_mul(divisor).max(1));
        Self { transport, formats, sizes, intervals }
    }

    /// The longest payload, header included.
    #[must_use]
    pub fn payload_len(&self) -> u32 {
        match self.transport {
            Transport::Isochronous => u32::from(ISO_PACKET_LEN),
            Transport::Bulk => BULK_PAYLOAD_LEN,
        }
    }

    /// The format with this index.
    #[must_use]
    pub fn format(&self, index: u8) -> Option<Format> {
        self.formats.get(usize::from(index).checked_sub(1)?).copied()
    }

    /// The size with this index.
    #[must_use]
    pub fn size(&self, index: u8) -> Option<Size> {
        self.sizes.get(usize::from(index).checked_sub(1)?).copied()
    }

    /// The offered interval that is nearest to the one wished for; the shortest where none is named.
    #[must_use]
    pub fn nearest_interval(&self, wish: u32) -> u32 {
        let [shortest, ..] = self.intervals;
        let nearest = self.intervals.into_iter().min_by_key(|interval| interval.abs_diff(wish));
        nearest.filter(|_| wish != 0).unwrap_or(shortest)
    }

    /// The choice that these two indices and this interval name.
    #[must_use]
    pub fn select(&self, format: u8, frame: u8, interval: u32) -> Option<Selection> {
        Some(Selection {
            format: self.format(format)?,
            place: usize::from(frame).checked_sub(1)?,
            size: self.size(frame)?,
            interval: Duration::from_nanos(u64::from(interval).saturating_mul(100)),
        })
    }

    /// The offered rates in words: `30, 15, 5`.
    #[must_use]
    pub fn rates(&self) -> String {
        let rates = self.intervals.map(|interval| {
            let hundredths = (f64::from(UNITS_PER_SECOND) / f64::from(interval) * 100.0).round();
            (hundredths / 100.0).to_string()
        });
        rates.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(fps: u32) -> Offer {
        let sizes = vec![Size { width: 320, height: 240 }, Size { width: 640, height: 480 }];
        let formats = vec![Format::Yuyv, Format::Mjpeg];
        Offer::new(Transport::Bulk, formats, sizes, NonZeroU32::new(fps).unwrap())
    }

    #[test]
    fn rates_are_the_fastest_a_half_and_a_sixth() {
        assert_eq!(offer(30).rates(), "30, 15, 5");
        assert_eq!(offer(25).rates(), "25, 12.5, 4.17");
    }

    #[test]
    fn nearest_interval_is_taken_and_the_shortest_for_none() {
        let offer = offer(30);
        assert_eq!(offer.nearest_interval(0), 333_333);
        assert_eq!(offer.nearest_interval(1), 333_333);
        assert_eq!(offer.nearest_interval(600_000), 666_666);
        assert_eq!(offer.nearest_interval(u32::MAX), 1_999_998);
    }

    #[test]
    fn indices_count_from_one() {
        let offer = offer(30);
        assert_eq!((offer.format(0), offer.format(1), offer.format(3)), (None, Some(Format::Yuyv), None));
        assert_eq!((offer.size(0), offer.size(3)), (None, None));
        let chosen = offer.select(2, 2, 333_333).unwrap();
        assert_eq!((chosen.format, chosen.place, chosen.size.width), (Format::Mjpeg, 1, 640));
        assert_eq!(chosen.interval, Duration::from_nanos(33_333_300));
    }

    #[test]
    fn buffer_holds_the_picture_without_compression() {
        assert_eq!(Size { width: 1280, height: 720 }.buffer_len(), 1_843_200);
    }
}
