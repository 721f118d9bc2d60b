//! Parts to make JPEGs of, right and wrong: markers, segments, tables, data (ITU-T T.81, annex B).

pub(crate) const SOI: [u8; 2] = [0xFF, 0xD8];
pub(crate) const EOI: [u8; 2] = [0xFF, 0xD9];
pub(crate) const BASELINE: u8 = 0xC0;
pub(crate) const PROGRESSIVE: u8 = 0xC2;
pub(crate) const DHT: u8 = 0xC4;
pub(crate) const SOS: u8 = 0xDA;
pub(crate) const DQT: u8 = 0xDB;
pub(crate) const DRI: u8 = 0xDD;

/// Codes, with their lengths, of what stands in the simplest data: a DC value that does not change, the end of a
/// block. Both are one zero bit, so that zeros are a grey picture. The other one makes the first DC value, of 7 bits.
pub(crate) const DC: [(u8, u8); 2] = [(1, 0), (2, 7)];
pub(crate) const AC: [(u8, u8); 2] = [(1, 0), (2, 0x01)];
/// All coefficients in one scan, as baseline pictures have them.
pub(crate) const WHOLE: [u8; 3] = [0, 63, 0];

/// A segment with the length that it has.
pub(crate) fn segment(code: u8, body: &[u8]) -> Vec<u8> {
    segment_of(code, u16::try_from(body.len() + 2).unwrap(), body)
}

/// A segment with the length that it is said to have.
pub(crate) fn segment_of(code: u8, len: u16, body: &[u8]) -> Vec<u8> {
    [&[0xFF, code][..], &len.to_be_bytes(), body].concat()
}

/// The quantization table of this number: eight times each coefficient.
pub(crate) fn dqt(number: u8) -> Vec<u8> {
    segment(DQT, &[&[number][..], &[8; 64]].concat())
}

/// A Huffman table: DC (0) or AC (0x10) and its number; lengths of codes, in order, and what they mean.
pub(crate) fn dht(name: u8, codes: &[(u8, u8)]) -> Vec<u8> {
    let mut counts = [0; 16];
    for (len, _) in codes {
        counts[usize::from(*len) - 1] += 1;
    }
    let values: Vec<u8> = codes.iter().map(|(_, value)| *value).collect();
    segment(DHT, &[&[name][..], &counts, &values].concat())
}

/// The two Huffman tables of the simplest data.
pub(crate) fn tables() -> Vec<u8> {
    [dht(0x00, &DC), dht(0x10, &AC)].concat()
}

/// A frame header: width and height; for each component, numbered from 1, how often it is sampled across and down.
pub(crate) fn sof(code: u8, (width, height): (u16, u16), factors: &[u8]) -> Vec<u8> {
    let components = factors.iter().zip(1..=u8::MAX).flat_map(|(factors, number)| [number, *factors, 0]);
    let head = [&[8][..], &height.to_be_bytes(), &width.to_be_bytes(), &[factors.len() as u8]].concat();
    segment(code, &[head, components.collect()].concat())
}

/// A scan header: its components; first and last coefficient, and which bits of them.
pub(crate) fn sos(components: &[u8], spectrum: [u8; 3]) -> Vec<u8> {
    let named: Vec<u8> = components.iter().flat_map(|number| [*number, 0]).collect();
    segment(SOS, &[&[components.len() as u8][..], &named, &spectrum].concat())
}

/// All that stands before the data of a baseline picture.
pub(crate) fn head(size: (u16, u16), factors: &[u8]) -> Vec<u8> {
    let all: Vec<u8> = (1..=factors.len() as u8).collect();
    [&SOI, &dqt(0)[..], &sof(BASELINE, size, factors), &tables(), &sos(&all, WHOLE)].concat()
}

/// A picture of one grey, which is not between 64 and 192: the smallest data that there is.
pub(crate) fn flat(size: (u16, u16), factors: &[u8], grey: u8) -> Vec<u8> {
    let value = i16::from(grey) - 128;
    let bits = u16::try_from(if value < 0 { value + 127 } else { value }).unwrap();
    // 10, the value, the end of the block; and then zeros.
    let first = 0b10 << 14 | bits << 7;
    let (across, down) = (factors[0] >> 4, factors[0] & 15);
    let units = |side: u16, factor| usize::from(side).div_ceil(8 * usize::from(factor));
    let blocks: usize =
        factors.iter().map(|factors| usize::from(factors >> 4) * usize::from(factors & 15)).sum();
    let rest = vec![0; (units(size.0, across) * units(size.1, down) * blocks).div_ceil(4)];
    [head(size, factors), first.to_be_bytes().to_vec(), rest, EOI.to_vec()].concat()
}
