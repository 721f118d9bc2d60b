//! Pictures of every kind, broken ones, and what must not be seen of the one before.

#[allow(dead_code, reason = "the tests of whole programs use more of it")]
#[path = "../../tests/programs/world/bad_jpegs.rs"]
pub(crate) mod bad_jpegs;
#[allow(dead_code, reason = "the tests of whole programs use more of it")]
#[path = "../../tests/programs/world/jpeg.rs"]
pub(crate) mod jpeg;
#[path = "../../tests/programs/world/parts.rs"]
mod parts;

use super::*;

/// Four fields, red, green, blue and near white, with some noise, 64x48; `ODD` is 61x43.
const YUV444: &[u8] = include_bytes!("../../tests/data/yuv444.jpg");
const YUV422: &[u8] = include_bytes!("../../tests/data/yuv422.jpg");
const YUV420: &[u8] = include_bytes!("../../tests/data/yuv420.jpg");
const RESTART: &[u8] = include_bytes!("../../tests/data/restart.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("../../tests/data/progressive.jpg");
const ODD: &[u8] = include_bytes!("../../tests/data/odd.jpg");
const GREY: &[u8] = include_bytes!("../../tests/data/grey.jpg");
/// The picture of `YUV422` without Huffman tables, and the same with an AVI1 mark, as cameras send it.
const NO_DHT: &[u8] = include_bytes!("../../tests/data/no-dht.jpg");
const AVI1: &[u8] = include_bytes!("../../tests/data/avi1.jpg");
const ALL: [&[u8]; 9] = [YUV444, YUV422, YUV420, RESTART, PROGRESSIVE, ODD, GREY, NO_DHT, AVI1];

fn decoded(jpeg: &[u8]) -> Result<Picture, Undecodable> {
    let mut picture = Picture::new();
    Decoder::new().decode(jpeg, &mut picture).map(|()| picture)
}

/// The mean colour of the middle of each quarter.
fn fields(picture: &Picture) -> [[u32; 3]; 4] {
    let Size { width, height } = picture.size();
    [(1, 1), (5, 1), (1, 5), (5, 5)].map(|(x, y)| {
        let mut sums = [0; 3];
        let (left, across, down) = (x * width / 8, width / 4, height / 4);
        for row in y * height / 8..y * height / 8 + down {
            for pixel in picture.row(row)[left * 3..(left + across) * 3].as_chunks::<3>().0 {
                sums = [0, 1, 2].map(|c| sums[c] + u32::from(pixel[c]));
            }
        }
        sums.map(|sum| sum / u32::try_from(across * down).unwrap())
    })
}

#[test]
fn every_kind_of_colour_jpeg_shows_its_colours() {
    for (jpeg, size) in ALL.map(|jpeg| (jpeg, if jpeg == ODD { (61, 43) } else { (64, 48) })) {
        let picture = decoded(jpeg).unwrap();
        assert_eq!(picture.size(), Size::new(size.0, size.1));
        if jpeg == GREY {
            continue;
        }
        let expected = [[200, 40, 40], [40, 180, 60], [40, 60, 200], [230, 230, 230_u32]];
        for (field, expected) in fields(&picture).into_iter().zip(expected) {
            for (value, expected) in field.into_iter().zip(expected) {
                assert!(expected.abs_diff(value) <= 4, "{field:?} instead of {expected:?}");
            }
        }
    }
}

#[test]
fn grey_has_three_equal_channels() {
    let fields = fields(&decoded(GREY).unwrap());
    // ITU-R BT.601 luma of the four fields.
    for (field, luma) in fields.into_iter().zip([88, 124, 70, 230_u32]) {
        assert!(field.iter().all(|value| *value == field[0] && luma.abs_diff(*value) <= 3), "{field:?}");
    }
}

#[test]
fn missing_tables_change_nothing() {
    let (with, without) = (decoded(YUV422).unwrap(), decoded(NO_DHT).unwrap());
    assert_eq!(with.rgb, without.rgb);
    assert_eq!(with.rgb, decoded(AVI1).unwrap().rgb);
}

#[test]
fn bytes_after_the_end_change_nothing() {
    for jpeg in [YUV420, NO_DHT] {
        let padded = [jpeg, &[0; 512], &[0xFF, 0xD8, 0xFF]].concat();
        assert_eq!(decoded(&padded).unwrap().rgb, decoded(jpeg).unwrap().rgb);
    }
}

#[test]
fn a_frame_that_breaks_off_is_never_a_picture() {
    for jpeg in ALL {
        for len in 0..jpeg.len() {
            assert!(decoded(&jpeg[..len]).is_err(), "{len} bytes of {}", jpeg.len());
        }
    }
}

#[test]
fn a_frame_with_its_middle_missing_is_never_a_picture() {
    for jpeg in [YUV444, YUV422, YUV420, ODD] {
        let entropy = jpeg.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap() + 14;
        for keep in [0, 10, (jpeg.len() - entropy) / 2] {
            let cut = [&jpeg[..entropy + keep], &[0xFF, 0xD9]].concat();
            assert!(decoded(&cut).is_err(), "{keep} bytes of picture data");
        }
    }
}

#[test]
fn damaged_frames_are_errors_or_pictures_but_never_more() {
    let mut decoder = Decoder::new();
    let mut picture = Picture::new();
    for jpeg in ALL {
        for bit in (0..jpeg.len() * 8).step_by(7) {
            let mut damaged = jpeg.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let outcome = decoder.decode(&damaged, &mut picture);
            assert_ne!(outcome, Err(Undecodable::DecoderPanicked), "bit {bit}");
            assert_eq!(outcome.is_err(), picture.size() == Size::new(0, 0));
        }
    }
}

#[test]
fn claimed_dimensions_are_bounded() {
    let with_size = |width: u16, height: u16| {
        let mut jpeg = YUV444.to_vec();
        let at = jpeg.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
        jpeg[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
        jpeg[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
        decoded(&jpeg).unwrap_err()
    };
    assert_eq!(with_size(8000, 8000), Undecodable::Dimensions(Size::new(8000, 8000)));
    for (width, height) in [(65_535, 65_535), (9000, 8), (8, 9000), (0, 48), (64, 0)] {
        let error = with_size(width, height);
        assert!(matches!(error, Undecodable::Damaged(_) | Undecodable::Dimensions(_)), "{error}");
    }
}

/// Decodes it into pictures that hold two others, of which nothing must be seen.
fn decoded_over_others(decoder: &mut Decoder, jpeg: &[u8]) -> Result<Picture, Undecodable> {
    let old = [0x55, 0xAA].map(|byte| Picture::from_rgb(Size::new(256, 256), vec![byte; 256 * 256 * 3]));
    let [first, second] = old.map(|mut picture| decoder.decode(jpeg, &mut picture).map(|()| picture));
    match (first, second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.size, second.size);
            assert_eq!(first.rgb.len(), first.size.width * first.size.height * 3);
            assert!(first.rgb == second.rgb, "an older picture shows through");
            Ok(first)
        }
        (first, second) => {
            assert_eq!(first.as_ref().err(), second.as_ref().err());
            first
        }
    }
}

#[test]
fn bad_pictures_are_errors_or_pictures_and_nothing_of_the_one_before_shows() {
    let mut decoder = Decoder::new();
    for (kind, pictures) in bad_jpegs::kinds(&mut jpeg::Random::seeded()) {
        let outcomes = pictures.iter().map(|jpeg| {
            let outcome = catch_unwind(AssertUnwindSafe(|| decoded_over_others(&mut decoder, jpeg)));
            outcome.unwrap_or_else(|_| panic!("{kind}: {:02x?}", &jpeg[..jpeg.len().min(2000)]))
        });
        let (shown, refused): (Vec<_>, Vec<_>) = outcomes.partition(Result::is_ok);
        println!("{kind}: {} shown, {} refused", shown.len(), refused.len());
        assert!(
            !refused.into_iter().any(|outcome| outcome.err() == Some(Undecodable::DecoderPanicked)),
            "{kind}"
        );
    }
}

#[test]
fn a_scan_that_begins_in_the_middle_of_another_is_never_a_picture() {
    // The decoder ends there, and leaves the rest of the picture as it was; and so where it finds tables.
    let jpeg = parts::flat((200, 200), &[0x11; 3], 220);
    let (head, rest) = jpeg.split_at(jpeg.len() - 300);
    let again = parts::sos(&[1, 2, 3], parts::WHOLE);
    for inserted in [&again, &[parts::dht(0, &parts::DC), again.clone()].concat()] {
        let outcome = decoded(&[head, inserted, rest].concat()).map(|picture| picture.size);
        assert!(matches!(outcome, Err(Undecodable::Damaged(_))), "{outcome:?}");
    }
    let first_alone =
        [&jpeg[..2], &parts::dqt(0)[..], &parts::sof(parts::BASELINE, (200, 200), &[0x11; 3])].concat();
    let first_alone =
        [&first_alone, &parts::tables()[..], &parts::sos(&[1], parts::WHOLE), &[0; 900], &parts::EOI];
    let outcome = decoded(&first_alone.concat()).map(|picture| picture.size);
    assert!(matches!(outcome, Err(Undecodable::Damaged(_))), "{outcome:?}");
}

#[test]
fn a_picture_that_lost_what_lay_between_two_restarts_is_never_a_picture() {
    let restarts: Vec<_> =
        (0..RESTART.len() - 1).filter(|at| matches!(RESTART[*at..*at + 2], [0xFF, 0xD0..=0xD7])).collect();
    assert!(restarts.len() > 4);
    for pair in restarts.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        for cut in
            [[&RESTART[..from], &RESTART[to..]].concat(), [&RESTART[..from + 12], &RESTART[to..]].concat()]
        {
            assert!(decoded(&cut).is_err(), "{from} to {to}");
        }
        assert!(decoded(&[&RESTART[..from], &[0xFF, 0xD9]].concat()).is_err(), "all from {from} on");
    }
}

#[test]
fn a_restart_that_does_not_come_is_never_a_picture() {
    for jpeg in bad_jpegs::missing_restarts() {
        let outcome = decoded(&jpeg).map(|picture| picture.size);
        assert!(matches!(outcome, Err(Undecodable::Damaged(_))), "{outcome:?}");
    }
    // The data is all there, in pieces of another length.
    let restarts: Vec<_> =
        (0..RESTART.len() - 1).filter(|at| matches!(RESTART[*at..*at + 2], [0xFF, 0xD0..=0xD7])).collect();
    for at in restarts {
        let without = [&RESTART[..at], &RESTART[at + 2..]].concat();
        assert!(decoded(&without).is_err(), "without the one at {at}");
    }
}

#[test]
fn a_picture_has_as_many_restarts_as_its_interval_wants_or_more() {
    for factors in
        [&[0x11][..], &[0x22], &[0x11; 3], &[0x21, 0x11, 0x11], &[0x22, 0x11, 0x11], &[0x41, 0x21, 0x11]]
    {
        for size in [(64, 48), (61, 43), (200, 17), (1, 1)] {
            let (across, down) = if factors.len() == 1 { (1, 1) } else { (factors[0] >> 4, factors[0] & 15) };
            let units = |side: u16, factor: u8| side.div_ceil(8 * u16::from(factor));
            let mcus = units(size.0, across) * units(size.1, down);
            for interval in [1, 2, 7, mcus - mcus / 3, mcus, mcus + 1] {
                let wanted = usize::from(mcus.div_ceil(interval) - 1);
                let with = |restarts: usize| {
                    let outcome = decoded(&bad_jpegs::restarted(size, factors, interval, restarts));
                    outcome.map(|picture| assert!(picture.rgb.iter().all(|value| *value == 128)))
                };
                let what = format!("{factors:02x?} {size:?}, {mcus} in pieces of {interval}");
                assert_eq!(
                    [with(wanted), with(wanted + 1), with(wanted + 9)],
                    [Ok(()), Ok(()), Ok(())],
                    "{what}"
                );
                if wanted > 0 {
                    assert!(with(wanted - 1).is_err(), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_scan_that_breaks_off_is_never_a_picture() {
    let scans: Vec<_> =
        (0..PROGRESSIVE.len() - 1).filter(|at| PROGRESSIVE[*at..*at + 2] == [0xFF, 0xDA]).collect();
    for at in scans {
        let data = at + 2 + usize::from(PROGRESSIVE[at + 3]);
        let len = (data..).position(|at| PROGRESSIVE[at] == 0xFF && PROGRESSIVE[at + 1] != 0).unwrap();
        // What stands in for the last eight bytes may be bits of those.
        for kept in [0, 1, len / 2, len.saturating_sub(9)].into_iter().filter(|kept| kept + 9 <= len) {
            let cut = [&PROGRESSIVE[..data + kept], &PROGRESSIVE[data + len..]].concat();
            assert!(decoded(&cut).is_err(), "{kept} bytes of {len} at {at}");
        }
    }
    assert!(decoded(&bad_jpegs::missing_corrections()).is_err());
}

#[test]
fn a_progressive_picture_may_have_1080p_in_16_scans_and_no_more() {
    let with = |size, scans| decoded(&bad_jpegs::progressive(size, 4, scans)).map(|picture| picture.size);
    assert_eq!(with((1920, 1080), 16), Ok(Size::new(1920, 1080)));
    let size = Size::new(1920, 1080);
    assert_eq!(with((1920, 1080), 17), Err(Undecodable::Progressive(size, 17)));
    assert_eq!(with((2048, 1032), 2), Err(Undecodable::Progressive(Size::new(2048, 1032), 2)));
}

#[test]
fn a_huge_frame_leaves_no_huge_buffers_behind() {
    let (mut decoder, mut picture) = (Decoder::new(), Picture::new());
    for jpeg in [
        parts::flat((4096, 4096), &[0x11; 3], 10),
        bad_jpegs::restarted((8192, 2048), &[0x11; 3], 1, (1 << 18) - 1),
    ] {
        decoder.decode(&jpeg, &mut picture).unwrap();
        assert!(picture.rgb.capacity() >= 3 << 24);
        decoder.decode(YUV420, &mut picture).unwrap();
        let kept = [&picture.rgb, &decoder.completed, &decoder.essence].map(Vec::capacity);
        assert!(kept.iter().sum::<usize>() < 1 << 18, "{kept:?}");
    }
}
