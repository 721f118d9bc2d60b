//! The painter as a whole, with a sink that records and a clock that the test turns.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use sealcam_linux::confinement::Confinement;

use super::*;
use crate::canvas::{Canvas, Size};
use crate::decode::tests::{bad_jpegs, jpeg::Random};
use crate::fit::PixelShape;
use crate::sink::{Caption, FrameSink, Pace, PixelSink, Surface, View};
use crate::status::{Link, SourceState};

const JPEG: &[u8] = include_bytes!("../../tests/data/yuv422.jpg");
/// Longer than anything here takes, so that a test that fails does so in the end.
const LONG: Duration = Duration::from_secs(20);

/// The test's clock.
#[derive(Clone, Default)]
struct Dial {
    ms: Arc<AtomicU64>,
    /// What it goes on by whenever the painter looks at it.
    step: Arc<AtomicU64>,
}

impl Dial {
    fn now(&self) -> Instant {
        Instant::from_micros(self.ms.load(Ordering::SeqCst) * 1000)
    }

    fn turn(&self, ms: u64) {
        self.ms.fetch_add(ms, Ordering::SeqCst);
    }

    fn look(&self) -> Instant {
        self.turn(self.step.load(Ordering::SeqCst));
        self.now()
    }
}

/// What a sink was given.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Picture(u32),
    Words(String, Vec<String>),
    Frame(u32),
    Closed,
}

struct Recorder {
    seen: Sender<Seen>,
    /// Each paint waits for one of these, where there is one.
    permits: Option<Receiver<Option<SinkEnd>>>,
    between_pictures: Duration,
}

impl Recorder {
    fn record(&self, seen: Seen) -> std::result::Result<(), SinkEnd> {
        self.seen.send(seen).unwrap();
        match self.permits.as_ref().map(Receiver::recv) {
            Some(Ok(Some(end))) => Err(end),
            _ => Ok(()),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.seen.send(Seen::Closed);
    }
}

impl PixelSink for Recorder {
    fn surface(&mut self, _: Option<Size>) -> Surface {
        Surface { size: Size::new(64, 48), pixel: PixelShape::SQUARE }
    }

    fn pace(&self) -> Pace {
        Pace { between_pictures: self.between_pictures, tend: Duration::MAX, repaint: Duration::MAX }
    }

    fn paint(&mut self, canvas: &Canvas, view: View<'_>, _: &Caption) -> std::result::Result<(), SinkEnd> {
        self.record(match view {
            View::Picture(_) => Seen::Picture(canvas.span(10, 10, 1)[0]),
            View::Statement(statement) => Seen::Words(statement.title.clone(), statement.lines.clone()),
        })
    }
}

impl FrameSink for Recorder {
    fn write(&mut self, _: &str, number: u32, jpeg: &[u8]) -> std::result::Result<(), SinkEnd> {
        assert_eq!(jpeg, JPEG);
        self.record(Seen::Frame(number))
    }
}

struct Bench {
    painter: Painter,
    dial: Dial,
    seen: Receiver<Seen>,
    permits: Option<Sender<Option<SinkEnd>>>,
    woken: Receiver<()>,
}

impl Bench {
    fn new(kind: fn(Recorder) -> Kind, between_pictures: Duration, permitted: bool) -> Self {
        Self::with_decoder(decoding::decoder(), kind, between_pictures, permitted)
    }

    /// One of pixels whose decoder waits for leave before each frame.
    fn with_held_decoder() -> (Self, Sender<()>) {
        let (allow, allowed) = channel::<()>();
        let mut decode = decoding::decoder();
        let held = Box::new(move |jpeg: &[u8], picture: &mut _| {
            let _ = allowed.recv();
            decode(jpeg, picture)
        });
        let bench = Self::with_decoder(held, |sink| Kind::Pixels(Box::new(sink)), Duration::ZERO, false);
        assert!(matches!(bench.next(), Seen::Words(..)));
        (bench, allow)
    }

    fn with_decoder(
        decode: Decode,
        kind: fn(Recorder) -> Kind,
        between_pictures: Duration,
        permitted: bool,
    ) -> Self {
        let (sender, seen) = channel();
        let (waker, woken) = channel();
        let (permits, permitting) = channel();
        let recorder = Recorder { seen: sender, permits: permitted.then_some(permitting), between_pictures };
        let open = move || {
            Ok(Sink {
                kind: kind(recorder),
                name: "test".to_owned(),
                warnings: Vec::new(),
                needs: Confinement::new(),
            })
        };
        let dial = Dial::default();
        let clock = dial.clone();
        dial.turn(10_000);
        let wake = move || waker.send(()).unwrap();
        let painter = Painter::start_with(decode, open, move || clock.look(), wake, || false).unwrap();
        Self { painter, dial, seen, permits: permitted.then_some(permits), woken }
    }

    fn pixels() -> Self {
        let bench = Self::new(|recorder| Kind::Pixels(Box::new(recorder)), Duration::ZERO, false);
        assert_eq!(bench.next(), words("Waiting for a camera", &["No camera is connected."]));
        bench
    }

    fn frames(permitted: bool) -> Self {
        Self::new(|recorder| Kind::Frames(Box::new(recorder)), Duration::ZERO, permitted)
    }

    fn show(&self, number: u32, jpeg: &[u8]) {
        self.show_from("porch", number, self.dial.now(), jpeg);
    }

    fn show_from(&self, camera: &str, number: u32, fresh_from: Instant, jpeg: &[u8]) {
        let captured_at = fresh_from.before(Duration::from_millis(40));
        self.painter.show(&ShownFrame { camera, number, captured_at, fresh_from, jpeg });
    }

    /// Turns the clock and makes the painter look at it.
    fn pass(&self, ms: u64) {
        self.dial.turn(ms);
        self.painter.note("");
    }

    fn next(&self) -> Seen {
        self.seen.recv_timeout(LONG).expect("the painter does nothing")
    }

    fn stats_when(&self, done: impl Fn(&Stats) -> bool) -> Stats {
        for _ in 0..2000 {
            let stats = self.painter.stats();
            if done(&stats) {
                return stats;
            }
            std::thread::yield_now();
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("{:?}", self.painter.stats());
    }
}

fn words(title: &str, lines: &[&str]) -> Seen {
    Seen::Words(title.to_owned(), lines.iter().map(|&line| line.to_owned()).collect())
}

fn connected(source: SourceState) -> Situation {
    Situation { link: Link::Connected { camera: "porch".to_owned(), source }, how_to_connect: Vec::new() }
}

#[test]
fn a_frame_is_shown_and_counted_with_its_latency() {
    let bench = Bench::pixels();
    bench.show(1, JPEG);
    let Seen::Picture(pixel) = bench.next() else { panic!("no picture") };
    assert!((pixel >> 16).abs_diff(200) < 20, "the red field: {pixel:06x}");
    let stats = bench.stats_when(|stats| stats.shown == 1);
    assert_eq!(stats.last_shown_at, Some(bench.dial.now()));
    assert_eq!(stats.last_latency, Duration::from_millis(40));
    assert!(stats.live);
}

#[test]
fn a_picture_that_nothing_follows_gives_way_to_words_that_say_how_long_and_why() {
    let bench = Bench::pixels();
    bench.painter.status(connected(SourceState::Capturing));
    assert_eq!(
        bench.next(),
        words("Camera connected", &["porch is connected; its first picture is on the way."])
    );
    bench.show(1, JPEG);
    assert!(matches!(bench.next(), Seen::Picture(_)));
    bench.pass(999);
    bench.pass(1);
    let why = "porch is connected, but its pictures do not arrive.";
    assert_eq!(bench.next(), words("NO LIVE PICTURE", &["No fresh picture for 1 s.", why]));
    assert!(!bench.stats_when(|stats| !stats.live).live);
    bench.painter.status(connected(SourceState::NoCamera));
    assert_eq!(
        bench.next(),
        words("NO LIVE PICTURE", &["No fresh picture for 1 s.", "porch says: camera unplugged."])
    );
    bench.show(2, JPEG);
    loop {
        match bench.next() {
            Seen::Picture(_) => break,
            other => assert!(matches!(other, Seen::Words(..)), "{other:?}"),
        }
    }
}

#[test]
fn the_picture_of_a_camera_that_is_gone_gives_way_at_once_however_slow_the_camera() {
    let bench = Bench::pixels();
    bench.painter.status(connected(SourceState::Capturing));
    assert!(matches!(bench.next(), Seen::Words(..)));
    for number in 1..=4 {
        bench.show(number, JPEG);
        bench.stats_when(|stats| stats.shown == u64::from(number));
        bench.dial.turn(5000);
    }
    while let Ok(_seen) = bench.seen.try_recv() {}
    let link = Link::Lost { camera: "porch".to_owned(), why: "it ended its stream".to_owned() };
    bench.painter.status(Situation { link, how_to_connect: Vec::new() });
    let seen = bench.next();
    let why = "porch is no longer connected: it ended its stream.";
    assert_eq!(seen, words("NO LIVE PICTURE", &["No fresh picture for 5 s.", why]));
}

#[test]
fn a_frame_that_waited_too_long_is_never_shown() {
    let bench = Bench::pixels();
    let long_ago = bench.dial.now().before(Duration::from_millis(1000));
    let frame =
        ShownFrame { camera: "porch", number: 1, captured_at: long_ago, fresh_from: long_ago, jpeg: JPEG };
    bench.painter.show(&frame);
    let stats = bench.stats_when(|stats| stats.late == 1);
    assert_eq!((stats.shown, stats.live), (0, false));
}

#[test]
fn a_frame_that_took_too_long_to_decode_is_never_shown_and_slowness_is_the_reason_given() {
    let bench = Bench::pixels();
    bench.painter.status(connected(SourceState::Capturing));
    assert!(matches!(bench.next(), Seen::Words(..)));
    bench.dial.step.store(600, Ordering::SeqCst);
    bench.show(1, JPEG);
    let stats = bench.stats_when(|stats| stats.late == 1);
    assert_eq!((stats.shown, stats.live), (0, false));
    let Seen::Words(_, lines) = bench.next() else { panic!("a stale picture") };
    assert!(lines[0].starts_with("Frames do arrive, but too late to be shown"), "{lines:?}");
}

#[test]
fn a_picture_gives_way_in_time_while_the_next_frame_takes_for_ever_to_decode() {
    let (bench, allow) = Bench::with_held_decoder();
    bench.painter.status(connected(SourceState::Capturing));
    assert!(matches!(bench.next(), Seen::Words(..)));
    bench.show(1, JPEG);
    allow.send(()).unwrap();
    assert!(matches!(bench.next(), Seen::Picture(_)));
    bench.show(2, JPEG);
    bench.pass(1000);
    assert!(matches!(bench.next(), Seen::Words(..)), "an old picture stands while another is decoded");
    allow.send(()).unwrap();
    assert_eq!(bench.stats_when(|stats| stats.late == 1).shown, 1);
}

#[test]
fn the_last_frame_is_decoded_and_shown_although_the_end_came_first() {
    let (bench, allow) = Bench::with_held_decoder();
    bench.show(1, JPEG);
    let Bench { painter, seen, .. } = bench;
    let ending = std::thread::spawn(move || drop(painter));
    allow.send(()).unwrap();
    ending.join().unwrap();
    let rest: Vec<Seen> = seen.iter().collect();
    assert!(matches!(rest[..], [Seen::Picture(_), Seen::Closed]), "{rest:?}");
}

#[test]
fn a_slow_cameras_patience_is_not_lent_to_the_next_camera() {
    let bench = Bench::pixels();
    for number in 1..=4 {
        bench.show(number, JPEG);
        bench.stats_when(|stats| stats.shown == u64::from(number));
        bench.dial.turn(5000);
    }
    let old = bench.dial.now().before(Duration::from_secs(3));
    bench.show_from("porch", 5, old, JPEG);
    bench.stats_when(|stats| stats.shown == 5);
    bench.show_from("garage", 1, old, JPEG);
    assert_eq!(bench.stats_when(|stats| stats.late == 1).shown, 5);
}

#[test]
fn undecodable_frames_are_counted_keep_the_picture_for_a_while_and_become_the_reason() {
    let bench = Bench::pixels();
    bench.show(1, JPEG);
    assert!(matches!(bench.next(), Seen::Picture(_)));
    for number in 2..5 {
        bench.dial.turn(300);
        bench.show(number, &JPEG[..700]);
        let stats = bench.stats_when(|stats| stats.undecodable == u64::from(number) - 1);
        assert!(stats.live, "blanked by one bad frame");
        assert!(stats.why_undecodable.is_some());
    }
    bench.pass(100);
    let why = "Frames do arrive, but the last 3 could not be decoded.";
    loop {
        match bench.next() {
            Seen::Picture(_) => {}
            seen => return assert_eq!(seen, words("NO LIVE PICTURE", &["No fresh picture for 1 s.", why])),
        }
    }
}

#[test]
fn after_each_bad_picture_the_next_good_one_is_shown() {
    let bench = Bench::pixels();
    // Waits until so many have been dealt with. That one was painted is seen before it is counted.
    let done = |frames| bench.stats_when(|stats| stats.shown + stats.undecodable == u64::from(frames));
    let mut number = 0;
    for (kind, pictures) in bad_jpegs::kinds(&mut Random::seeded()) {
        // Some of each kind: `decode/tests.rs` takes all.
        for (which, bad) in pictures.iter().enumerate().step_by(pictures.len().div_ceil(20)) {
            bench.show(number + 1, bad);
            done(number + 1);
            while let Ok(_seen) = bench.seen.try_recv() {}
            number += 2;
            bench.show(number, JPEG);
            done(number);
            let seen = bench.next();
            let Seen::Picture(pixel) = seen else { panic!("{kind} {which}: {seen:?}") };
            assert!((pixel >> 16).abs_diff(200) < 20, "{kind} {which}: the red field: {pixel:06x}");
        }
    }
    let stats = bench.painter.stats();
    println!("{} shown, {} not to be decoded", stats.shown, stats.undecodable);
    assert!(stats.replaced == 0 && stats.undecodable > 50, "{stats:?}");
}

#[test]
fn a_slow_sink_gets_the_newest_frame_and_the_rest_are_counted() {
    let bench = Bench::new(|recorder| Kind::Pixels(Box::new(recorder)), Duration::ZERO, true);
    let permits = bench.permits.as_ref().unwrap();
    assert!(matches!(bench.next(), Seen::Words(..)));
    for number in 1..=10 {
        bench.show(number, JPEG);
    }
    permits.send(None).unwrap();
    assert!(matches!(bench.next(), Seen::Picture(_)));
    permits.send(None).unwrap();
    let stats = bench.stats_when(|stats| stats.shown == 1);
    assert_eq!(stats.replaced, 9);
}

#[test]
fn a_sink_that_wants_few_pictures_gets_the_last_one_at_the_end() {
    let bench = Bench::new(|recorder| Kind::Pixels(Box::new(recorder)), Duration::from_secs(60), false);
    assert!(matches!(bench.next(), Seen::Words(..)));
    bench.show(1, JPEG);
    assert!(matches!(bench.next(), Seen::Picture(_)));
    bench.show(2, JPEG);
    let Bench { painter, seen, .. } = bench;
    drop(painter);
    let rest: Vec<Seen> = seen.iter().collect();
    assert!(matches!(rest[..], [Seen::Picture(_), Seen::Closed]), "{rest:?}");
}

#[test]
fn a_sink_of_frames_gets_every_frame_in_order_and_what_waits_at_the_end_too() {
    let bench = Bench::frames(false);
    for number in 1..=100 {
        bench.show(number, JPEG);
        if number % 5 == 0 {
            bench.stats_when(|stats| stats.shown == u64::from(number));
        }
    }
    for number in 101..=105 {
        bench.show(number, JPEG);
    }
    assert_eq!(bench.painter.stats().replaced, 0);
    let Bench { painter, seen, .. } = bench;
    drop(painter);
    let mut expected: Vec<Seen> = (1..=105).map(Seen::Frame).collect();
    expected.push(Seen::Closed);
    assert_eq!(seen.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_sink_of_frames_that_falls_behind_loses_the_oldest_and_they_are_counted() {
    let bench = Bench::frames(true);
    bench.show(1, JPEG);
    assert_eq!(bench.next(), Seen::Frame(1));
    for number in 2..=20 {
        bench.show(number, JPEG);
    }
    assert_eq!(bench.painter.stats().replaced, 19 - 8);
    drop(bench.permits);
    let numbers: Vec<Seen> = (0..8).map(|_| bench.seen.recv_timeout(LONG).unwrap()).collect();
    assert_eq!(numbers, (13..=20).map(Seen::Frame).collect::<Vec<_>>());
}

#[test]
fn the_end_of_a_sink_is_told_and_wakes_the_loop() {
    let bench = Bench::frames(true);
    let end = SinkEnd::Closed("the reader has gone".to_owned());
    bench.permits.as_ref().unwrap().send(Some(end.clone())).unwrap();
    assert_eq!(bench.painter.end(), None);
    bench.show(1, JPEG);
    bench.woken.recv_timeout(LONG).expect("the loop was not woken");
    assert_eq!(bench.painter.end(), Some(end));
    assert_eq!(bench.next(), Seen::Frame(1));
    assert_eq!(bench.next(), Seen::Closed);
    for number in 2..50 {
        bench.show(number, JPEG);
    }
}

#[test]
fn a_sink_that_panics_is_closed_and_told_as_a_failure() {
    struct Faulty(#[expect(dead_code, reason = "closed when dropped")] Recorder);
    impl FrameSink for Faulty {
        fn write(&mut self, _: &str, _: u32, _: &[u8]) -> std::result::Result<(), SinkEnd> {
            panic!("out of {}", "paint")
        }
    }
    let bench = Bench::new(|recorder| Kind::Frames(Box::new(Faulty(recorder))), Duration::ZERO, false);
    bench.show(1, JPEG);
    bench.woken.recv_timeout(LONG).expect("the loop was not woken");
    assert_eq!(bench.next(), Seen::Closed);
    let Some(SinkEnd::Failed(failure)) = bench.painter.end() else { panic!("no failure") };
    assert!(failure.message.contains("out of paint"), "{failure}");
}

#[test]
fn a_sink_that_cannot_be_opened_is_the_failure_of_starting() {
    let refuse = || Err(Failure::new(Exit::Sink, "no such screen"));
    let failure = Painter::start(refuse, || Instant::ZERO, || {}, || false).err();
    assert_eq!(failure, Some(Failure::new(Exit::Sink, "no such screen")));
    let failure = Painter::start(|| panic!("while opening"), || Instant::ZERO, || {}, || false).err();
    assert!(failure.is_some_and(|failure| failure.message.contains("while opening")));
}

#[test]
fn a_sink_that_blocks_for_ever_is_waited_for_once() {
    let mut bench = Bench::frames(true);
    bench.show(1, JPEG);
    assert_eq!(bench.next(), Seen::Frame(1));
    assert_eq!(bench.painter.finish().shown, 0);
    // Nothing is left to be waited for.
    assert!(bench.painter.thread.is_none());
}

#[test]
fn a_sink_that_takes_for_ever_to_open_is_given_up_when_the_program_is_to_end() {
    let (answer, never) = channel::<()>();
    let open = move || {
        let _ = never.recv();
        Err(Failure::new(Exit::Sink, "too late"))
    };
    let failure = Painter::start(open, || Instant::ZERO, || {}, || true).err();
    assert!(failure.is_some_and(|failure| failure.exit == Exit::Sink && failure.message.contains("end")));
    drop(answer);
}

#[test]
fn words_wait_for_nothing_and_follow_what_is_known() {
    let bench = Bench::pixels();
    let how_to_connect = vec!["sealcam-client trust 10.0.0.2:5000 SHA256:abc".to_owned()];
    bench.painter.status(Situation { link: Link::Waiting, how_to_connect: how_to_connect.clone() });
    assert_eq!(bench.next(), words("Waiting for a camera", &["No camera is connected.", &how_to_connect[0]]));
    let link = Link::Lost { camera: "porch".to_owned(), why: "it said goodbye".to_owned() };
    bench.painter.status(Situation { link, how_to_connect: Vec::new() });
    assert_eq!(bench.next(), words("Camera lost", &["porch is no longer connected: it said goodbye."]));
}
