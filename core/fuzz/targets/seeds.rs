//! Writes `core/fuzz/corpus`: what the targets begin with. `cargo xtask fuzz --seeds` runs it, after a layout or the
//! script has changed.
//!
//! Handshakes and packets come from a run of a camera and a display ([`sealcam_fuzz::pair`]); the plaintexts, which no
//! datagram shows, are written out after docs/protocol.md §9; pictures are those of the tests.

use std::fs;
use std::path::{Path, PathBuf};

use sealcam_core::config::Padding;
use sealcam_fuzz::pair::{Pair, Stores};

type Seeds = Vec<(String, Vec<u8>)>;

fn main() -> std::io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let datagrams = [recorded(false), recorded(true)].concat();
    let pictures = pictures(top)?;
    for (target, seeds) in [
        ("wire", wire(&datagrams)),
        ("client", script(&datagrams, &FROM_DISPLAY)),
        ("server", script(&datagrams, &FROM_CAMERA)),
        ("mjpeg", mjpeg(&pictures)),
        ("jpeg", pictures.clone()),
        ("decode", pictures.clone()),
    ] {
        let folder: PathBuf = top.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in &seeds {
            fs::write(folder.join(name), bytes)?;
        }
        println!(
            "{target}: {} files, {} bytes",
            seeds.len(),
            seeds.iter().map(|seed| seed.1.len()).sum::<usize>()
        );
    }
    Ok(())
}

/// Plaintexts of either side: a name, what it begins with, and how long it is with the zeros that follow.
type Plaintext = (&'static str, &'static [u8], usize);

const FROM_CAMERA: [Plaintext; 9] = [
    ("nothing", &[0x00], 1),
    ("chunk", &[0x01, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 9, 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xD8], 1172),
    ("parity", &[0x02], 1172),
    ("ping", &[0x04, 1, 2, 3, 4], 5),
    ("kex", &[0x06, 2, 0x04, 0xC0, 0, 0, 9], 614),
    ("enrol", &[0x08, 0x82], 769),
    ("path-response", &[0x0B, 1, 2, 3, 4, 5, 6, 7, 8], 9),
    ("close", &[0x0C, 0, 4], 3),
    ("status", &[0x0F, 1, 0, 0, 0, 9, 1, 0x2C, 0, 0, 0, 7, 0, 0, 0, 1, 0, 20, 0, 5, 1, 2, 3, 4], 24),
];

const FROM_DISPLAY: [Plaintext; 8] = [
    ("nothing", &[0x00], 1),
    (
        "feedback",
        &[0x03, 1, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4, 0, 7, 0, 0, 0, 0, 0, 1, 1, 0],
        28,
    ),
    (
        "repair",
        &[
            0x03, 1, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 1, 1, 2, 3, 4, 0, 7, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0,
            1, 0, 0, 1, 3,
        ],
        36,
    ),
    ("ping", &[0x05, 1, 2, 3, 4], 5),
    ("kex", &[0x07, 2, 9], 1122),
    ("enrolled", &[0x09], 1),
    ("path-challenge", &[0x0A, 1, 2, 3, 4, 5, 6, 7, 8], 9),
    ("config", &[0x0D, 0, 0, 0x20, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 100, 1], 17),
];

/// One datagram of each kind and size, in the order in which they were sent first.
fn recorded(pairs: bool) -> Vec<Vec<u8>> {
    let mut stores: Box<Stores> = Box::new(([0; _], [0; _]));
    let mut pair = Pair::new(&mut stores, Padding::Chunk, pairs);
    let mut kinds: Vec<Vec<u8>> = Vec::new();
    pair.poll_both();
    for round in 0..40 {
        if round == 20 {
            pair.send_frame(3000);
            pair.poll_both();
        }
        for datagram in pair.seen.drain(..) {
            if !kinds.iter().any(|known| known[0] == datagram[0] && known.len() == datagram.len()) {
                kinds.push(datagram);
            }
        }
        pair.deliver();
        pair.wait(10_000);
        pair.poll_both();
    }
    assert!(
        pair.camera.is_ready() || pair.display.pairing_camera().is_some(),
        "the handshake came to nothing"
    );
    kinds
}

fn wire(datagrams: &[Vec<u8>]) -> Seeds {
    let kind = |datagram: &[u8]| match datagram[0] {
        kind @ 1..=4 => kind - 1,
        _ => 4,
    };
    let named = |(at, datagram): (usize, &Vec<u8>)| {
        (format!("datagram-{at:02}"), [&[kind(datagram)][..], datagram.as_slice()].concat())
    };
    let mut seeds: Seeds = datagrams.iter().enumerate().map(named).collect();
    for (which, side, messages) in [(5, "camera", &FROM_CAMERA[..]), (6, "display", &FROM_DISPLAY[..])] {
        for (name, start, len) in messages {
            let mut seed = vec![which | 8 | if name.starts_with("enrol") { 16 } else { 0 }];
            seed.extend_from_slice(start);
            seed.resize(len + 1, 0);
            seeds.push((format!("{side}-{name}"), seed));
        }
    }
    seeds
}

/// Inputs as `script` reads them: a state, then steps.
fn script(datagrams: &[Vec<u8>], messages: &[Plaintext]) -> Seeds {
    let mut seeds = Seeds::new();
    for state in 0..16 {
        // A frame, then rounds; for each state the next datagrams changed, doubled, swallowed and replayed as well.
        seeds.push((format!("state-{state:02}"), vec![state, 12, 0x0F, 0xA0, 0, 8, 3]));
        seeds.push((
            format!("changed-{state:02}"),
            vec![state, 5, 2, 0, 4, 0, 1, 8, 10, 0, 0, 10, 0, 1, 9, 15, 15],
        ));
        seeds.push((format!("signed-{state:02}"), vec![state, 5, 3, 0, 90, 3, 1, 2, 3, 4, 13, 15, 15]));
    }
    for (at, datagram) in datagrams.iter().enumerate() {
        let (high, low) = (datagram.len() / 256, datagram.len() % 256);
        let size = [high, low].map(|byte| u8::try_from(byte).unwrap_or(0));
        seeds
            .push((format!("raw-{at:02}"), [&[0, 2, 0, size[0], size[1]][..], datagram.as_slice()].concat()));
    }
    for (at, (name, start, len)) in messages.iter().enumerate() {
        let size = [len / 256, len % 256].map(|byte| u8::try_from(byte).unwrap_or(0));
        for state in [6, 12, 14, 0x8C] {
            let how = if at % 2 == 0 { 1 } else { 3 };
            let mut seed = vec![state, 3, how, size[0], size[1]];
            seed.extend_from_slice(start);
            // The script takes no more than 255 bytes of a plaintext from the input, and fills the rest with zeros.
            seed.resize(5 + len.min(&255), 0);
            seed.extend([15, 1, 4, 0, 15]);
            seeds.push((format!("sealed-{name}-{state:02}"), seed));
        }
    }
    for state in 0x80..0x90 {
        seeds.push((format!("pair-{state:02x}"), vec![state, 0, 1, 0, 14, 11, 15, 15, 0, 3, 2]));
    }
    for call in 0..15 {
        seeds.push((format!("call-{call:02}"), vec![13, 14, call, 4, 15, 0, 9, 3, 14, call, 4, 0, 9, 4]));
    }
    seeds.push(("bucket".into(), vec![0x1C, 12, 0x0F, 0xA0, 0, 8, 3, 12, 0x1F, 0, 0, 8, 3]));
    seeds.push(("constant".into(), vec![0x2C, 12, 0x0F, 0xA0, 0, 8, 3, 12, 0x1F, 0, 0, 8, 3]));
    seeds
}

/// Some pictures one after another, in pieces, with bytes between them, and the last one cut off.
fn mjpeg(pictures: &Seeds) -> Seeds {
    let mut stream = vec![0x08, 0x00, 3, 40, 200, 0];
    for (_, picture) in pictures.iter().step_by(3) {
        stream.extend_from_slice(picture);
        stream.extend_from_slice(b"\r\n--frame\r\n\xFF\xD8\xFF\xD8");
    }
    let all = ("stream".to_owned(), stream);
    let one = |(name, picture): &(String, Vec<u8>)| {
        (name.clone(), [&[0x04, 0x00, 1, 99][..], picture.as_slice()].concat())
    };
    pictures.iter().map(one).chain([all]).collect()
}

/// The pictures of the core's and of the display's tests.
fn pictures(top: &Path) -> std::io::Result<Seeds> {
    let mut found = Seeds::new();
    for (whose, folder) in [("core", "../tests/data"), ("display", "../../linux-server/tests/data")] {
        for entry in fs::read_dir(top.join(folder))? {
            let path = entry?.path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.extension().is_some_and(|extension| extension == "jpg") {
                found.push((format!("{whose}-{name}"), fs::read(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}
