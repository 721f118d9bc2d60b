//! Garbage and damaged datagrams at both programs while a stream runs: silence, no more memory, and it goes on.

use std::io::ErrorKind;
use std::time::Duration;

use super::world::{House, Program, Random, Relay, To, socket};

/// Of each kind, at each program.
const DATAGRAMS: usize = 10_000;
/// So many at a time, then a pause: what overflows a buffer of the kernel tests nothing.
const BURST: usize = 25;
const PAUSE: Duration = Duration::from_millis(2);
/// How much more memory a program may hold afterwards.
const GROWTH: usize = 1 << 20;

/// The lengths of the protocol's datagrams and of their neighbours: the likeliest to get far (docs/protocol.md §2).
const LENGTHS: [usize; 12] = [0, 1, 16, 17, 108, 475, 476, 932, 1192, 1199, 1200, 1201];
const TYPES: [u8; 6] = [0x01, 0x02, 0x03, 0x04, 0x10, 0xFF];

#[test]
fn garbage_and_flipped_bits_change_nothing() {
    let house = House::new();
    let mut random = Random::seeded();
    let display = house.display("-");
    let relay = Relay::to(display.address());
    relay.listen();
    house.trust("display", relay.address());
    let camera = house.camera(&["--source", "pattern", "--fps", "15"]);
    goes_on(&display, 400_000);
    let seen = relay.heard();
    let stranger = socket();

    // First a little of it, so that whatever is allocated once is there.
    attack(&mut random, &relay, &seen, &display, &stranger, DATAGRAMS / 10);
    goes_on(&display, 200_000);
    let before = [display.resident(), camera.resident()];
    attack(&mut random, &relay, &seen, &display, &stranger, DATAGRAMS);
    goes_on(&display, 200_000);
    let after = [display.resident(), camera.resident()];
    println!("resident: {before:?} before, {after:?} after (display, camera)");
    for (before, after) in before.into_iter().zip(after) {
        assert!(after <= before + GROWTH, "{before} bytes before, {after} after");
    }

    let camera_log = camera.stop().0;
    display.line("it ended its stream");
    let display_log = display.stop().0;
    // `refused: 19990 malformed, 7008 with a wrong tag, …`: how many in all, and that it says why.
    let refused = display_log.lines().last().and_then(|line| line.split_once("refused: "));
    let reasons = refused.map(|(_, reasons)| reasons.split(", ")).unwrap_or_else(|| panic!("{display_log}"));
    let counts = reasons.filter_map(|reason| reason.split(' ').next()?.parse::<usize>().ok());
    assert!(counts.sum::<usize>() >= 2 * DATAGRAMS, "the display saw it all: {display_log}");
    assert!(display_log.contains("with a wrong tag"), "{display_log}");
    assert_eq!(camera_log.matches("Connected").count(), 1, "one session throughout: {camera_log}");
    assert!(!camera_log.contains("panicked") && !display_log.contains("panicked"));
    // The display has ended: whatever it had to say to a stranger is here.
    let answer = stranger.recv(&mut [0; 2048]).map_err(|error| error.kind());
    assert!(matches!(answer, Err(ErrorKind::WouldBlock)), "a stranger got an answer: {answer:?}");
}

/// Sends garbage, and datagrams that were heard with one bit flipped, to both programs: to the display from a
/// stranger and from the camera's address, to the camera from the display's, since it drops all others unread.
fn attack(
    random: &mut Random,
    relay: &Relay,
    seen: &[(To, Vec<u8>)],
    display: &Program,
    stranger: &std::net::UdpSocket,
    count: usize,
) {
    let (address, mut sent) = (display.address(), 0);
    let to = |way: To| seen.iter().filter(|(to, _)| *to == way).map(|(_, bytes)| bytes).collect::<Vec<_>>();
    let heard = [(To::Display, to(To::Display)), (To::Camera, to(To::Camera))];
    while sent < count {
        for (way, heard) in &heard {
            for i in 0..BURST {
                let mut flipped = heard[random.below(heard.len())].clone();
                let bit = random.below(flipped.len() * 8);
                flipped[bit / 8] ^= 1 << (bit % 8);
                for datagram in [garbage(random), flipped] {
                    if *way == To::Display && i % 2 == 0 {
                        stranger.send_to(&datagram, address).unwrap();
                    } else {
                        relay.forge(*way, &datagram);
                    }
                }
            }
        }
        sent += BURST;
        // How far the programs are with it cannot be seen from outside.
        std::thread::sleep(PAUSE);
    }
}

pub(super) fn garbage(random: &mut Random) -> Vec<u8> {
    let len = if random.below(2) == 0 { LENGTHS[random.below(LENGTHS.len())] } else { random.below(1400) };
    let mut bytes = random.bytes(len);
    if let Some(first) = bytes.first_mut().filter(|_| random.below(4) > 0) {
        *first = TYPES[random.below(TYPES.len())];
    }
    bytes
}

/// Waits for so many more bytes of pictures.
fn goes_on(display: &Program, bytes: usize) {
    let before = display.output("something", |output| Some(output.len()));
    display.output("more pictures", |output| (output.len() >= before + bytes).then_some(()));
}
