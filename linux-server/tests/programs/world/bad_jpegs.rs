//! What a broken camera may send for a picture, or one that means harm: kinds of JPEGs that are none, that are too much,
//! or that a decoder might stumble over. Some of them can be decoded.

use super::jpeg::Random;
use super::parts::*;

const ALL: [&[u8]; 9] = [
    include_bytes!("../../data/yuv444.jpg"),
    include_bytes!("../../data/yuv422.jpg"),
    include_bytes!("../../data/yuv420.jpg"),
    include_bytes!("../../data/restart.jpg"),
    include_bytes!("../../data/progressive.jpg"),
    include_bytes!("../../data/odd.jpg"),
    include_bytes!("../../data/grey.jpg"),
    include_bytes!("../../data/no-dht.jpg"),
    include_bytes!("../../data/avi1.jpg"),
];
/// The most bytes of a frame that a display takes.
const CAPACITY: usize = 1 << 20;
const COLOUR: [u8; 3] = [0x11; 3];
const SIZE: (u16, u16) = (64, 48);

/// The kind that is good, and as large as may be.
pub(crate) const HUGE: &str = "huge but right";

/// Bad pictures of one kind.
pub(crate) type Kind = (&'static str, Vec<Vec<u8>>);

/// All kinds.
pub(crate) fn kinds(random: &mut Random) -> Vec<Kind> {
    vec![
        ("cut off", cut(random)),
        ("hardly anything", little(random)),
        ("flipped bits", flipped(random)),
        ("wrong lengths", lengths()),
        ("sizes that are only claimed", claimed()),
        ("other kinds of JPEG", other_kinds()),
        ("odd samplings", samplings()),
        ("wrong tables", wrong_tables()),
        ("wrong order", wrong_order()),
        ("more scans than there should be", scans()),
        ("restarts that do not come", missing_restarts()),
        ("corrections that do not come", vec![missing_corrections()]),
        (HUGE, huge()),
        ("endless", endless()),
    ]
}

/// A piece of each picture, as it is and with an end.
fn cut(random: &mut Random) -> Vec<Vec<u8>> {
    let mut cut = Vec::new();
    for jpeg in ALL {
        for sixteenth in 1..16 {
            let piece = &jpeg[..jpeg.len() * sixteenth / 16 + random.below(8)];
            cut.extend([piece.to_vec(), [piece, &EOI].concat()]);
        }
        // Something is missing in its middle.
        let (from, len) = (jpeg.len() / 2 + random.below(jpeg.len() / 4), 1 + random.below(60));
        cut.push([&jpeg[..from], &jpeg[from + len..]].concat());
    }
    cut
}

fn little(random: &mut Random) -> Vec<Vec<u8>> {
    let mut little: Vec<Vec<u8>> =
        [&[][..], &[0], &[0xFF], &SOI, &EOI, &[0xFF, 0xD8, 0xFF], b"\xFF\xD8\xFF\xD9"]
            .map(<[u8]>::to_vec)
            .to_vec();
    for len in [1, 10, 100, 1_000, 10_000] {
        let noise = random.bytes(len);
        little.extend([[&SOI, &noise[..], &EOI].concat(), [&head(SIZE, &COLOUR), &noise[..], &EOI].concat()]);
    }
    little
}

fn flipped(random: &mut Random) -> Vec<Vec<u8>> {
    let mut flipped = Vec::new();
    for jpeg in ALL {
        for bits in [1, 1, 1, 2, 5, 20] {
            let mut jpeg = jpeg.to_vec();
            for _ in 0..bits {
                let bit = random.below(jpeg.len() * 8);
                jpeg[bit / 8] ^= 1 << (bit % 8);
            }
            flipped.push(jpeg);
        }
    }
    flipped
}

/// Each segment of a picture with another length than it has.
fn lengths() -> Vec<Vec<u8>> {
    let jpeg = ALL[1];
    let (mut wrong, mut at) = (Vec::new(), 2);
    while jpeg[at + 1] != 0xD9 {
        let len = u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]);
        for other in [0, 1, 2, len - 1, len + 1, len + 300, u16::MAX] {
            wrong.push([&jpeg[..at + 2], &other.to_be_bytes(), &jpeg[at + 4..]].concat());
        }
        if jpeg[at + 1] == SOS {
            break;
        }
        at += 2 + usize::from(len);
    }
    wrong
}

/// Much picture, and no data for it.
fn claimed() -> Vec<Vec<u8>> {
    let sizes = [
        (0, 0),
        (0, 48),
        (64, 0),
        (u16::MAX, u16::MAX),
        (8192, 8192),
        (8193, 1),
        (1, u16::MAX),
        (16_384, 1024),
        (8192, 2048),
        (8192, 1),
        (1, 8192),
    ];
    let mut claimed = Vec::new();
    for size in sizes {
        for code in [BASELINE, PROGRESSIVE] {
            let frame = [&SOI, &dqt(0)[..], &sof(code, size, &COLOUR), &tables()].concat();
            let last = if code == BASELINE { WHOLE } else { [0; 3] };
            claimed.push([&frame[..], &sos(&[1, 2, 3], last), &[0; 20], &EOI].concat());
        }
    }
    claimed
}

fn other_kinds() -> Vec<Vec<u8>> {
    let scan = [&tables()[..], &sos(&[1, 2, 3], WHOLE), &[0; 200], &EOI].concat();
    let with = |frame: &[u8]| [&SOI, &dqt(0)[..], frame, &scan].concat();
    // Lossless, hierarchical, with arithmetic coding, and codes that are no frame headers.
    let mut kinds: Vec<_> = (0xC1..=0xCF).map(|code| with(&sof(code, SIZE, &COLOUR))).collect();
    for precision in [0, 1, 7, 9, 12, 16, 255] {
        let mut frame = sof(BASELINE, SIZE, &COLOUR);
        frame[4] = precision;
        kinds.push(with(&frame));
    }
    for components in [0, 1, 2, 4, 5, 255] {
        let factors = vec![0x11; usize::from(components)];
        kinds.push(with(&sof(BASELINE, SIZE, &factors)));
        let all: Vec<u8> = (1..=components).take(84).collect();
        kinds.push(
            [&SOI, &dqt(0)[..], &sof(BASELINE, SIZE, &factors), &tables(), &sos(&all, WHOLE), &EOI].concat(),
        );
    }
    // Printer's colours, with and without Adobe's word for how they are meant.
    let inks = flat(SIZE, &[0x11; 4], 200);
    kinds.push(inks.clone());
    for transform in 0..4 {
        let adobe = segment(0xEE, &[b"Adobe\0d\0\0\0\0", &[transform][..]].concat());
        kinds.extend([&inks, ALL[0], ALL[6]].map(|jpeg| [&SOI, &adobe[..], &jpeg[2..]].concat()));
    }
    kinds
}

/// Every factor of the first component with several of the others, and those that do not exist.
fn samplings() -> Vec<Vec<u8>> {
    let mut odd = Vec::new();
    for first in [0x00, 0x01, 0x10, 0x13, 0x15, 0x1F, 0x31, 0x33, 0x51, 0xF1, 0xFF] {
        odd.push([&head(SIZE, &[first, 0x11, 0x11]), &[0; 400][..], &EOI].concat());
        odd.push([&head(SIZE, &[0x11, first, 0x11]), &[0; 400][..], &EOI].concat());
    }
    for across in [1, 2, 4] {
        for down in [1, 2, 4] {
            let first = across << 4 | down;
            for others in
                [[0x11, 0x11], [0x22, 0x22], [0x11, 0x22], [0x21, 0x12], [0x44, 0x44], [first, first]]
            {
                let size = (5 + u16::from(across) * 31, 40 + u16::from(down) * 3);
                odd.push([&head(size, &[first, others[0], others[1]]), &[0; 3000][..], &EOI].concat());
            }
        }
    }
    odd
}

fn wrong_tables() -> Vec<Vec<u8>> {
    let scan = [&sos(&[1, 2, 3], WHOLE)[..], &[0; 200], &EOI].concat();
    let with = |tables: &[u8]| [&SOI, &sof(BASELINE, SIZE, &COLOUR)[..], tables, &scan].concat();
    let many: Vec<_> = (0..255).map(|value| (16, value)).collect();
    let mut wrong = vec![with(&tables()), with(&dqt(0)), with(&[]), with(&[dqt(3), tables()].concat())];
    for number in [4, 15, 0x10, 0x20, 0xF0] {
        wrong.push(with(&[dqt(0), dqt(number), tables()].concat()));
    }
    for huffman in [
        dht(0x04, &DC),
        dht(0x0F, &DC),
        dht(0x14, &AC),
        dht(0x20, &AC),
        // More codes than there are bits for, the codes of ones, none at all, and values that are none.
        dht(0x00, &[(1, 0), (1, 1), (1, 2)]),
        dht(0x00, &[(1, 0), (1, 1)]),
        dht(0x00, &[]),
        dht(0x10, &many),
        dht(0x00, &many),
        dht(0x00, &[(1, 16), (2, 255)]),
        dht(0x10, &[(1, 0xFF), (2, 0x0F)]),
        dht(0x10, &[(1, 0xF0), (2, 0)]),
        segment(DHT, &[&[0x10][..], &[255; 16], &[0; 600]].concat()),
    ] {
        wrong.push(with(&[dqt(0), tables(), huffman].concat()));
    }
    // Scans that name tables and components which are not there, or one twice, or no coefficients in order.
    let complete = [&SOI, &dqt(0)[..], &sof(BASELINE, SIZE, &COLOUR), &tables()].concat();
    for body in [
        &[3, 1, 0x11, 2, 0x33, 3, 0x44, 0, 63, 0][..],
        &[3, 1, 0xFF, 2, 0, 3, 0, 0, 63, 0],
        &[3, 1, 0, 1, 0, 1, 0, 0, 63, 0],
        &[3, 1, 0, 2, 0, 9, 0, 0, 63, 0],
        &[3, 1, 0, 2, 0, 3, 0, 63, 0, 0],
        &[3, 1, 0, 2, 0, 3, 0, 255, 255, 255],
        &[0, 0, 63, 0],
        &[255, 1, 0, 0, 63, 0],
        &[],
    ] {
        wrong.push([&complete, &segment(SOS, body)[..], &[0; 200], &EOI].concat());
    }
    wrong
}

fn wrong_order() -> Vec<Vec<u8>> {
    let (frame, jpeg) = (sof(BASELINE, SIZE, &COLOUR), flat(SIZE, &COLOUR, 30));
    let scan = [&sos(&[1, 2, 3], WHOLE)[..], &[0; 200], &EOI].concat();
    let behind_soi = |inserted: &[u8]| [&SOI, inserted, &jpeg[2..]].concat();
    let before_eoi = |inserted: &[u8]| [&jpeg[..jpeg.len() - 2], inserted, &EOI].concat();
    let mut wrong = vec![
        [&SOI, &dqt(0)[..], &tables(), &scan].concat(),
        [&SOI, &dqt(0)[..], &frame, &frame, &tables(), &scan].concat(),
        [&SOI, &dqt(0)[..], &sof(BASELINE, (8, 8), &[0x11]), &frame, &tables(), &scan].concat(),
        [&SOI, &dqt(0)[..], &sof(PROGRESSIVE, SIZE, &COLOUR), &frame, &tables(), &scan].concat(),
        [&SOI, &scan[..scan.len() - 2], &dqt(0)[..], &frame, &tables(), &EOI].concat(),
        jpeg[..jpeg.len() - 2].to_vec(),
        [&jpeg[..], &jpeg].concat(),
        behind_soi(&jpeg),
        behind_soi(&segment(0xE1, &[b"Exif\0\0", &jpeg[..]].concat())),
        behind_soi(&segment(0xE2, &[b"MPF\0", &jpeg[..]].concat())),
        before_eoi(&jpeg),
        before_eoi(&sof(BASELINE, (8192, 8192), &COLOUR)),
    ];
    for odd in
        [&EOI[..], &SOI, &[0xFF, 0xD3], &[0xFF, 0x00], &[0xFF, 0x01], &[0xFF, 0x42], &[0xFF; 9], &[0; 9]]
    {
        wrong.extend([behind_soi(odd), before_eoi(odd)]);
    }
    for (code, body) in [
        (DRI, &[0xFF, 0xFF][..]),
        (DRI, &[0, 0]),
        (DRI, &[0, 1]),
        (DRI, &[]),
        (DRI, &[1]),
        (0xDC, &[0x20, 0x00]),
        (0xCC, &[0, 0]),
        (0xC8, &[0; 9]),
        (0xDE, &[0; 9]),
        (0xEE, b"Adobe"),
        (0xED, b"Photoshop 3.0\0"),
    ] {
        wrong.extend([behind_soi(&segment(code, body)), before_eoi(&segment(code, body))]);
    }
    wrong
}

/// Markers in the middle of the data, at which a decoder may begin anew, or end.
fn scans() -> Vec<Vec<u8>> {
    let mut more = Vec::new();
    let again = sos(&[1, 2, 3], WHOLE);
    for jpeg in [flat((200, 200), &COLOUR, 220), ALL[0].to_vec(), ALL[2].to_vec(), ALL[3].to_vec()] {
        let at = jpeg.len() - (jpeg.len() - 600) / 2;
        for inserted in
            [&again[..], &dht(0, &DC), &dqt(0), &segment(0xFE, b"!"), &[0xFF, 0xD0], &[0xFF, 0xDA]]
        {
            more.push([&jpeg[..at], inserted, &jpeg[at..]].concat());
            more.push([&jpeg[..at], inserted, &EOI].concat());
        }
    }
    // One scan after another, each of which begins the picture again.
    let mut begun_again = head((8192, 2048), &COLOUR);
    while begun_again.len() < CAPACITY - 200 {
        begun_again.extend([&[0][..], &dht(0, &DC), &again].concat());
    }
    more.push([&begun_again[..], &EOI].concat());
    for scans in [16, 17, 300] {
        more.push(progressive((1920, 1088), 15, scans));
        // Without any data: zeros for as long as the picture is large.
        more.push(progressive((4096, 4096), 0, scans));
    }
    more
}

/// A decoder that looks for a restart where there is none passes over all the data that is left, and then makes up the
/// picture of zeros: here of codes that take it longest.
pub(crate) fn missing_restarts() -> Vec<Vec<u8>> {
    let tables = [dht(0x00, &DC), dht(0x10, &[(16, 0x01)]), segment(DRI, &[0, 1])].concat();
    let mut missing = Vec::new();
    for size in [(64, 64), (1448, 1448), (4096, 4096)] {
        for factors in [&COLOUR[..], &[0x11; 4]] {
            let all: Vec<u8> = (1..=factors.len() as u8).collect();
            let head =
                [&SOI, &dqt(0)[..], &sof(BASELINE, size, factors), &tables, &sos(&all, WHOLE)].concat();
            for restarts in [0, 1, 9] {
                let pieces =
                    (0..restarts).flat_map(|number| [&[0; 600], &[0xFF, 0xD0 + number % 8][..]].concat());
                missing.push([&head[..], &pieces.collect::<Vec<u8>>(), &[0; 600], &EOI].concat());
            }
        }
        let first = [&sos(&[1], [0; 3])[..], &[0; 8]].concat();
        let others = [&sos(&[1], [1, 63, 0])[..], &[0; 400]].concat().repeat(15);
        missing.push(
            [&SOI, &dqt(0)[..], &sof(PROGRESSIVE, size, &[0x11]), &tables, &first, &others, &EOI].concat(),
        );
    }
    missing
}

/// The last scan of 64 blocks ends with a run of 32 in which each coefficient has one bit more: bits that are no codes,
/// for which a decoder may take whatever stands behind its data.
pub(crate) fn missing_corrections() -> Vec<u8> {
    let tables = [dht(0x00, &DC), dht(0x10, &[(1, 0x01), (2, 0x50)])].concat();
    let head = [&SOI, &dqt(0)[..], &sof(PROGRESSIVE, (64, 64), &[0x11]), &tables].concat();
    let filled = [&sos(&[1], [0; 3])[..], &[0; 8], &sos(&[1], [1, 63, 1]), &[0; 64 * 63 / 4]].concat();
    [&head[..], &filled, &sos(&[1], [1, 63, 0x10]), &[0b1000_0000], &EOI].concat()
}

/// Much work, and hardly more data than it takes: `filled` coefficients of each block, then gone through again and again.
pub(crate) fn progressive(size: (u16, u16), filled: usize, scans: usize) -> Vec<u8> {
    let blocks = usize::from(size.0).div_ceil(8) * usize::from(size.1).div_ceil(8);
    // Zero bits are coefficients first, and then runs of 16384 blocks in which each of those may have one bit more.
    let (fill, refine) = (dht(0x10, &[(1, 0x01), (2, 0)]), dht(0x10, &[(1, 0xE0), (2, 0)]));
    let last = u8::try_from(filled.clamp(1, 63)).unwrap();
    let mut jpeg =
        [&SOI, &dqt(0)[..], &sof(PROGRESSIVE, size, &[0x11]), &tables(), &sos(&[1], [0; 3])].concat();
    jpeg.extend(vec![0; blocks.div_ceil(8)]);
    jpeg.extend([&fill[..], &sos(&[1], [1, last, 0x01]), &vec![0; blocks * filled / 4], &refine].concat());
    let refined = [&sos(&[1], [1, 63, 0x10])[..], &vec![0; (blocks * filled + 40).div_ceil(8)]].concat();
    for _ in 2..scans {
        if jpeg.len() + refined.len() < CAPACITY {
            jpeg.extend(&refined);
        }
    }
    [&jpeg[..], &EOI].concat()
}

/// The largest that may be shown, as small as they can be.
fn huge() -> Vec<Vec<u8>> {
    vec![
        flat((4096, 4096), &COLOUR, 10),
        flat((8192, 2048), &[0x11], 20),
        flat((2048, 8192), &[0x22, 0x11, 0x11], 240),
        flat((4096, 4096), &[0x11; 4], 250),
        flat((8192, 1), &[0x11], 30),
        flat((1, 8192), &[0x44, 0x11, 0x11], 40),
    ]
}

/// As many bytes as a frame may have, of things that a decoder may take its time over.
fn endless() -> Vec<Vec<u8>> {
    let jpeg = flat(SIZE, &COLOUR, 60);
    let filled = |piece: &[u8]| {
        let many = piece.repeat((CAPACITY - jpeg.len()) / piece.len());
        [&SOI, &many[..], &jpeg[2..]].concat()
    };
    let xmp = |offset: u32| {
        let head = [&b"http://ns.adobe.com/xmp/extension/\0"[..], &[7; 32], &[0, 1, 0, 0]].concat();
        segment(0xE1, &[&head[..], &offset.to_be_bytes()].concat())
    };
    let packet: Vec<u8> = (0..6_000).flat_map(xmp).collect();
    let comments = [0xFF, 0xFE, 0, 2].repeat((CAPACITY - jpeg.len() - packet.len()) / 4);
    vec![
        filled(&[0xFF]),
        filled(&[0xFF, 0xD0]),
        filled(&[0xFF, 0xFE, 0, 2]),
        filled(&segment(0xFE, &[0xFF; 40])),
        filled(&segment(0xE0, b"AVI1\0")),
        filled(&segment(0xEE, b"Adobe\0d\0\0\0\0\x01")),
        filled(&dqt(0)),
        filled(&dht(0x10, &[(1, 1), (2, 2), (3, 3), (16, 4)])),
        [&SOI, &packet[..], &comments, &jpeg[2..]].concat(),
        restarted((8192, 2048), &COLOUR, 1, (1 << 18) - 1),
        [&head(SIZE, &COLOUR), &[0xFF; CAPACITY / 2][..], &EOI].concat(),
        [&head(SIZE, &COLOUR), &vec![0; CAPACITY - 400][..], &EOI].concat(),
    ]
}

/// A grey picture with so many restarts, each behind the data of `interval` MCUs.
pub(crate) fn restarted(size: (u16, u16), factors: &[u8], interval: u16, restarts: usize) -> Vec<u8> {
    let blocks = match factors {
        [_] => 1,
        _ => factors.iter().map(|factors| usize::from(factors >> 4) * usize::from(factors & 15)).sum(),
    };
    let piece = vec![0; (usize::from(interval) * blocks).div_ceil(4)];
    let marked = (0..restarts).flat_map(|number| [&piece[..], &[0xFF, 0xD0 + (number % 8) as u8]].concat());
    let head = [&SOI, &segment(DRI, &interval.to_be_bytes())[..], &head(size, factors)[2..]].concat();
    [head, marked.collect(), piece.clone(), EOI.to_vec()].concat()
}
