//! How the camera describes itself: device, configuration with both video interfaces, strings.
//!
//! USB 2.0 §9.6 and UVC 1.0 §3. Each descriptor begins with its own length and kind; both are set in one place here, so
//! that no length can be wrong. Two interfaces: VideoControl, in which a camera sensor is wired to an output, and
//! VideoStreaming, with the formats and the endpoint that the pictures leave by.

use crate::offer::{BULK_PACKET_LEN, Format, ISO_PACKET_LEN, Offer, Size, Transport};

/// The interface for control of the camera.
pub const CONTROL_INTERFACE: u8 = 0;
/// The interface for the pictures.
pub const STREAMING_INTERFACE: u8 = 1;
/// The address of the endpoint for pictures: number 1, to the host.
pub const STREAMING_ENDPOINT: u8 = 0x81;
/// The value that names the one configuration.
pub const CONFIGURATION: u8 = 1;

/// Kinds of descriptors: USB 2.0 table 9-5, the interface association notice, UVC 1.0 table A-4.
pub mod kind {
    /// The device as a whole.
    pub const DEVICE: u8 = 0x01;
    /// The configuration, and all that follows it.
    pub const CONFIGURATION: u8 = 0x02;
    /// A text.
    pub const STRING: u8 = 0x03;
    /// An interface or an alternate setting of it.
    pub const INTERFACE: u8 = 0x04;
    /// An endpoint.
    pub const ENDPOINT: u8 = 0x05;
    /// Interfaces that belong together.
    pub const ASSOCIATION: u8 = 0x0b;
    /// A part of a video interface.
    pub const VIDEO: u8 = 0x24;
}

/// The vendor and the product of the Linux kernel's own webcam gadget: no real camera's driver quirks apply.
const VENDOR_AND_PRODUCT: [u16; 2] = [0x1d6b, 0x0102];

const MANUFACTURER_STRING: u8 = 1;
const PRODUCT_STRING: u8 = 2;
const SERIAL_STRING: u8 = 3;
const NO_STRING: u8 = 0;
const ENGLISH: u16 = 0x0409;

const VIDEO_CLASS: u8 = 0x0e;
const CONTROL_SUBCLASS: u8 = 1;
const STREAMING_SUBCLASS: u8 = 2;
const COLLECTION_SUBCLASS: u8 = 3;

const CAMERA_TERMINAL: u8 = 1;
const OUTPUT_TERMINAL: u8 = 2;

const REVISION: u16 = 0x0100;

/// The texts that tell one camera from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The product's name, which V4L2 shows as the card's.
    pub name: String,
    /// The serial number.
    pub serial: String,
}

/// The most UTF-16 units that a text may have, for a descriptor's length is one byte.
pub const MAX_TEXT_UNITS: usize = 126;

/// The device descriptor.
#[must_use]
pub fn device() -> Vec<u8> {
    let [vendor, product] = VENDOR_AND_PRODUCT;
    Descriptor::new(kind::DEVICE)
        .word(0x0200) // USB 2.0
        .bytes(&[0xef, 0x02, 0x01]) // several interfaces that an association ties together
        .byte(64) // endpoint 0's packet
        .word(vendor)
        .word(product)
        .word(0x0001) // the device's own version
        .bytes(&[MANUFACTURER_STRING, PRODUCT_STRING, SERIAL_STRING])
        .byte(1) // one configuration
        .finish()
}

/// The text with this index; index 0 lists the languages.
#[must_use]
pub fn string(index: u8, identity: &Identity) -> Option<Vec<u8>> {
    let text = match index {
        0 => return Some(Descriptor::new(kind::STRING).word(ENGLISH).finish()),
        MANUFACTURER_STRING => "Sealcam",
        PRODUCT_STRING => &identity.name,
        SERIAL_STRING => &identity.serial,
        _ => return None,
    };
    let units = text.encode_utf16().take(MAX_TEXT_UNITS);
    Some(units.fold(Descriptor::new(kind::STRING), Descriptor::word).finish())
}

/// The configuration descriptor and everything that comes with it.
#[must_use]
pub fn configuration(offer: &Offer) -> Vec<u8> {
    let mut inside = association();
    inside.extend(control_interface());
    inside.extend(streaming_interface(offer));
    let head = Descriptor::new(kind::CONFIGURATION)
        .word(0) // all of it together; known below
        .byte(2) // interfaces
        .byte(CONFIGURATION)
        .byte(NO_STRING)
        .byte(0x80) // powered by the bus
        .byte(250) // 500 mA
        .finish();
    with_total_len([head, inside].concat(), 2)
}

fn association() -> Vec<u8> {
    Descriptor::new(kind::ASSOCIATION)
        .bytes(&[CONTROL_INTERFACE, 2])
        .bytes(&[VIDEO_CLASS, COLLECTION_SUBCLASS, 0, NO_STRING])
        .finish()
}

fn interface(number: u8, alternate: u8, endpoints: u8, subclass: u8) -> Vec<u8> {
    Descriptor::new(kind::INTERFACE)
        .bytes(&[number, alternate, endpoints])
        .bytes(&[VIDEO_CLASS, subclass, 0, NO_STRING])
        .finish()
}

fn control_interface() -> Vec<u8> {
    let header = video(0x01)
        .word(REVISION)
        .word(0) // header and terminals together; known below
        .long(48_000_000) // the clock of time stamps, of which this camera sends none
        .bytes(&[1, STREAMING_INTERFACE])
        .finish();
    let camera = video(0x02)
        .byte(CAMERA_TERMINAL)
        .word(0x0201) // a sensor
        .bytes(&[0, NO_STRING])
        .bytes(&[0; 6]) // no optical zoom
        .bytes(&[2, 0, 0]) // two bytes of control bits: none
        .finish();
    let output = video(0x03)
        .byte(OUTPUT_TERMINAL)
        .word(0x0101) // USB streaming
        .bytes(&[0, CAMERA_TERMINAL, NO_STRING])
        .finish();
    let described = with_total_len([header, camera, output].concat(), 5);
    [interface(CONTROL_INTERFACE, 0, 0, CONTROL_SUBCLASS), described].concat()
}

fn streaming_interface(offer: &Offer) -> Vec<u8> {
    let formats: Vec<Vec<u8>> = (1..=u8::MAX)
        .zip(&offer.formats)
        .map(|(index, format)| format_and_frames(index, *format, offer))
        .collect();
    let header = video(0x01)
        .byte(len_byte(offer.formats.len()))
        .word(0) // header and formats together; known below
        .byte(STREAMING_ENDPOINT)
        .bytes(&[0, OUTPUT_TERMINAL])
        .bytes(&[0, 0, 0]) // no still pictures, no button
        .byte(1) // bytes of control bits for each format
        .bytes(&vec![0; offer.formats.len()])
        .finish();
    let described = with_total_len([header, formats.concat()].concat(), 4);
    let setting =
        |alternate, endpoints| interface(STREAMING_INTERFACE, alternate, endpoints, STREAMING_SUBCLASS);
    match offer.transport {
        Transport::Bulk => [setting(0, 1), described, endpoint(0x02, BULK_PACKET_LEN, 0)].concat(),
        // Setting 0 takes no bandwidth; the host selects setting 1 to stream. 0x05: isochronous, asynchronous.
        Transport::Isochronous => {
            [setting(0, 0), described, setting(1, 1), endpoint(0x05, ISO_PACKET_LEN, 1)].concat()
        }
    }
}

fn format_and_frames(index: u8, format: Format, offer: &Offer) -> Vec<u8> {
    let count = len_byte(offer.sizes.len());
    const DEFAULT_FRAME: u8 = 1;
    let (format, frame_subtype) = match format {
        Format::Yuyv => (
            video(0x04)
                .bytes(&[index, count])
                .bytes(b"YUY2\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71")
                .bytes(&[16, DEFAULT_FRAME]), // bits per pixel
            0x05,
        ),
        Format::Mjpeg => (video(0x06).bytes(&[index, count, 0, DEFAULT_FRAME]), 0x07),
    };
    let format = format.bytes(&[0, 0, 0, 0]).finish(); // aspect ratio, interlacing, copy protection: nothing to say
    let frames = (1..=u8::MAX).zip(&offer.sizes);
    let frames: Vec<Vec<u8>> =
        frames.map(|(index, size)| frame(frame_subtype, index, *size, &offer.intervals)).collect();
    let colours = video(0x0d).bytes(&[1, 1, 4]).finish(); // BT.709 primaries and transfer, BT.601 matrix: as sRGB JPEGs
    [format, frames.concat(), colours].concat()
}

fn frame(subtype: u8, index: u8, size: Size, intervals: &[u32]) -> Vec<u8> {
    let bits_at = |interval: u32| {
        (u64::from(size.buffer_len()) * 80_000_000).checked_div(u64::from(interval)).unwrap_or(0)
    };
    let rate = |interval: Option<&u32>| {
        u32::try_from(interval.map_or(0, |interval| bits_at(*interval))).unwrap_or(u32::MAX)
    };
    let head = video(subtype)
        .bytes(&[index, 0])
        .word(size.width)
        .word(size.height)
        .long(rate(intervals.last())) // bits per second: at most a full buffer each time
        .long(rate(intervals.first()))
        .long(size.buffer_len())
        .long(intervals.first().copied().unwrap_or(0))
        .byte(len_byte(intervals.len()));
    intervals.iter().fold(head, |descriptor, interval| descriptor.long(*interval)).finish()
}

fn endpoint(attributes: u8, packet_len: u16, interval: u8) -> Vec<u8> {
    Descriptor::new(kind::ENDPOINT)
        .bytes(&[STREAMING_ENDPOINT, attributes])
        .word(packet_len)
        .byte(interval)
        .finish()
}

fn video(subtype: u8) -> Descriptor {
    Descriptor::new(kind::VIDEO).byte(subtype)
}

/// Writes the length of the whole into its first descriptor, at this place.
fn with_total_len(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
    bytes.iter_mut().skip(at).zip(len).for_each(|(to, from)| *to = from);
    bytes
}

fn len_byte(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

/// A descriptor under construction.
struct Descriptor(Vec<u8>);

impl Descriptor {
    fn new(kind: u8) -> Self {
        Self(vec![0, kind])
    }

    fn byte(self, value: u8) -> Self {
        self.bytes(&[value])
    }

    fn word(self, value: u16) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn long(self, value: u32) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    fn bytes(mut self, values: &[u8]) -> Self {
        self.0.extend_from_slice(values);
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let len = len_byte(self.0.len());
        if let Some(first) = self.0.first_mut() {
            *first = len;
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn offer(transport: Transport, formats: &[Format], sizes: usize) -> Offer {
        let sizes = (1..=sizes).map(|n| Size { width: 16 * n as u16, height: 8 * n as u16 }).collect();
        Offer::new(transport, formats.to_vec(), sizes, NonZeroU32::new(30).unwrap())
    }

    fn every_offer() -> Vec<Offer> {
        let mut offers = Vec::new();
        for transport in [Transport::Isochronous, Transport::Bulk] {
            for formats in [&[Format::Mjpeg][..], &[Format::Yuyv], &[Format::Yuyv, Format::Mjpeg]] {
                offers.extend([1, 3, 255].map(|sizes| offer(transport, formats, sizes)));
            }
        }
        offers
    }

    /// The descriptors one by one, by the lengths that they state.
    fn walk(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut found = Vec::new();
        while let Some(len) = bytes.first() {
            let (one, rest) = bytes.split_at(usize::from(*len));
            assert!(one.len() >= 3, "{one:?}");
            found.push(one);
            bytes = rest;
        }
        found
    }

    fn word(bytes: &[u8], at: usize) -> usize {
        usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
    }

    fn total(descriptors: &[&[u8]]) -> usize {
        descriptors.iter().map(|one| one.len()).sum()
    }

    #[test]
    fn all_lengths_add_up() {
        for offer in every_offer() {
            let bytes = configuration(&offer);
            let all = walk(&bytes);
            assert_eq!(word(&bytes, 2), bytes.len());
            assert_eq!(total(&all), bytes.len());
            let starts: Vec<_> = (0..all.len()).filter(|at| all[*at][1] == kind::INTERFACE).collect();
            // Each video interface: its header states the length of all class descriptors up to the next other kind.
            for (start, total_at) in [(starts[0], 5), (starts[1], 4)] {
                let video: Vec<_> =
                    all[start + 1..].iter().take_while(|one| one[1] == kind::VIDEO).copied().collect();
                assert_eq!(word(video[0], total_at), total(&video), "{:?}", offer.transport);
                // One number of an interface, or control bits for each format, at the header's end.
                let listed = if total_at == 5 { 12 + 1 } else { 13 + offer.formats.len() };
                assert_eq!(video[0].len(), listed);
            }
        }
    }

    #[test]
    fn the_device_says_what_it_is_in_18_bytes() {
        let device = device();
        assert_eq!((device.len(), device[0], device[1], device[17]), (18, 18, kind::DEVICE, 1));
        assert_eq!(word(&device, 2), 0x0200);
    }

    #[test]
    fn every_size_of_every_format_has_a_frame_descriptor() {
        let bytes = configuration(&offer(Transport::Bulk, &[Format::Yuyv, Format::Mjpeg], 3));
        let of = |subtype: u8| -> Vec<Vec<u8>> {
            let video = walk(&bytes).into_iter().filter(|one| one[1] == kind::VIDEO && one[2] == subtype);
            video.map(<[u8]>::to_vec).collect()
        };
        for (subtype, format_subtype, format_len) in [(0x05, 0x04, 27), (0x07, 0x06, 11)] {
            let frames = of(subtype);
            assert_eq!(frames.iter().map(|one| one[3]).collect::<Vec<_>>(), [1, 2, 3]);
            assert!(frames.iter().all(|one| one.len() == 26 + 3 * 4 && one[25] == 3));
            assert_eq!((word(&frames[2], 5), word(&frames[2], 7)), (48, 24));
            assert_eq!(frames[0][26..30], 333_333_u32.to_le_bytes());
            // The VideoControl interface has units with the same subtypes, but not with these lengths.
            let formats: Vec<_> =
                of(format_subtype).into_iter().filter(|one| one.len() == format_len).collect();
            assert_eq!((formats.len(), formats[0][4]), (1, 3));
        }
    }

    #[test]
    fn the_streaming_endpoint_is_where_its_kind_belongs() {
        let endpoints = |transport| {
            let bytes = configuration(&offer(transport, &[Format::Mjpeg], 1));
            let mut alternate = 0;
            let mut found = Vec::new();
            for one in walk(&bytes) {
                match one[1] {
                    kind::INTERFACE => alternate = one[3],
                    kind::ENDPOINT => found.push((alternate, one[2], one[3], word(one, 4))),
                    _ => {}
                }
            }
            found
        };
        assert_eq!(endpoints(Transport::Isochronous), [(1, 0x81, 0x05, 1024)]);
        assert_eq!(endpoints(Transport::Bulk), [(0, 0x81, 0x02, 512)]);
    }

    #[test]
    fn texts_are_utf16_and_cut_at_what_a_length_byte_holds() {
        let long = "ü".repeat(200);
        let identity = Identity { name: "Käfer".into(), serial: long };
        assert_eq!(string(0, &identity).unwrap(), [4, 3, 0x09, 0x04]);
        let name = string(2, &identity).unwrap();
        assert_eq!(name, [12, 3, b'K', 0, 0xe4, 0, b'f', 0, b'e', 0, b'r', 0]);
        let serial = string(3, &identity).unwrap();
        assert_eq!((serial.len(), serial[0]), (254, 254));
        assert_eq!(string(4, &identity), None);
    }
}
