//! An MJPEG byte stream: standard input, a named pipe, or a file.
//!
//! A pipe sets its own pace: frames are read as they come and the newest wins. A file goes at the rate asked for,
//! once or again and again.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read as _, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::stat::{fstat, major};
use sealcam_core::frame::mjpeg::{MjpegCounters, MjpegError, MjpegReader};
use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;
use sealcam_linux::exit::{Exit, Failure, Result};

use super::intake::Skip;
use super::outlet::Outlet;
use super::pace::Pace;
use super::request::Request;
use super::stop::{Stop, Woken};
use super::{Run, State};

/// The major number of V4L2's character devices (linux/videodev2.h: VIDEO_MAJOR in media/v4l2-dev.h).
const VIDEO_MAJOR: u64 = 81;

/// Bytes that come for so long without a picture in them are told: they may never hold one.
const BARREN: Duration = Duration::from_secs(5);

/// Opens standard input.
///
/// # Errors
/// [`Exit::Source`] if it is a terminal.
pub(super) fn open_stdin(request: &Request) -> Result<Run> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::new(
            Exit::Source,
            "--source - reads MJPEG from standard input, which is the terminal. Pipe a stream into it: \
             rpicam-vid -t 0 --codec mjpeg -o - | sealcam-client --source -",
        ));
    }
    let input = stdin.as_fd().try_clone_to_owned().map(File::from);
    let input = input.map_err(|e| Failure::new(Exit::Source, format!("Cannot read standard input: {e}.")))?;
    open_file(input, "standard input".into(), request)
}

/// Opens a file or a named pipe.
///
/// # Errors
/// [`Exit::Source`]: it cannot be opened, or is a camera's device file; [`Exit::Usage`]: a pipe that is to repeat.
pub(super) fn open_path(path: &Path, request: &Request) -> Result<Run> {
    // A named pipe without a writer would block here for good; on files the flag means nothing.
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path);
    let file =
        file.map_err(|e| Failure::new(Exit::Source, format!("Cannot open {}: {e}.", path.display())))?;
    if is_camera(&file) {
        let message = format!("{0} is a camera's device: use --source camera:{0}", path.display());
        return Err(Failure::new(Exit::Source, message));
    }
    open_file(file, path.display().to_string(), request)
}

/// A regular file is a recording, whatever name it came by (`--source - < clip.mjpeg` too); all else is live.
fn open_file(file: File, name: String, request: &Request) -> Result<Run> {
    let about = file.metadata().map_err(failed(&name))?;
    if about.is_file() {
        let (fps, repeat) = (request.fps(), request.repeat);
        return Ok(Box::new(move |outlet| {
            if !outlet.stop().wait_for_play().map_err(failed(&name))? {
                return Ok(());
            }
            let mut pace = Pace::new(Clock.now(), fps);
            while play(&file, &name, Some(&mut pace), outlet)? == Flow::End && repeat {
                (&file).rewind().map_err(failed(&name))?;
            }
            Ok(())
        }));
    }
    if request.repeat {
        let message =
            format!("--loop goes with a file or a folder; {name} is a pipe and cannot begin again.");
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(Box::new(move |outlet| play(&file, &name, None, outlet).map(|_| ())))
}

fn is_camera(file: &File) -> bool {
    let is_device = file.metadata().is_ok_and(|about| about.file_type().is_char_device());
    is_device && fstat(file).is_ok_and(|about| major(about.st_rdev) == VIDEO_MAJOR)
}

/// Why [`play`] is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Stopped,
    End,
}

/// Hands on the frames of a stream up to its end, each as soon as it is whole, or when it is due.
fn play(file: &File, name: &str, mut pace: Option<&mut Pace>, outlet: &mut Outlet) -> Result<Flow> {
    let mut buf = vec![0; outlet.max_len()];
    let mut reader = MjpegReader::new(Input::new(file, outlet.stop().clone()), &mut buf);
    let mut counted = MjpegCounters::default();
    let mut is_told = false;
    loop {
        let frame = match reader.next_frame() {
            Ok(frame) => frame,
            Err(MjpegError::Read(InputError::Stopped)) => return Ok(Flow::Stopped),
            Err(MjpegError::Read(InputError::Barren)) => {
                is_told = false;
                outlet.state(State::CameraError, barren(name));
                continue;
            }
            Err(MjpegError::Read(InputError::Failed(e))) => return Err(failed(name)(e)),
            Err(MjpegError::BufferTooSmall) => return Err(failed(name)(io::ErrorKind::OutOfMemory.into())),
        };
        let is_end = frame.is_none();
        if let Some(frame) = frame {
            if let Some(pace) = pace.as_deref_mut()
                && outlet.wait_for_slot(pace).map_err(failed(name))?.is_none()
            {
                return Ok(Flow::Stopped);
            }
            if !is_told {
                is_told = true;
                outlet.state(State::Capturing, format!("Pictures come from {name}."));
            }
            outlet.hand_on(Clock.now(), frame);
            reader.reader().begin_anew();
        }
        counted = count(counted, reader.counters(), outlet);
        if is_end {
            return if counted.pictures > 0 { Ok(Flow::End) } else { Err(no_picture(name, counted)) };
        }
    }
}

/// Counts what the reader skipped since the last time.
fn count(before: MjpegCounters, now: MjpegCounters, outlet: &Outlet) -> MjpegCounters {
    let skipped = [
        (Skip::TooLarge, now.too_large - before.too_large),
        (Skip::CutOff, now.cut_off - before.cut_off),
        (Skip::Damaged, now.damaged - before.damaged),
    ];
    for (why, count) in skipped.into_iter().filter(|&(_, count)| count > 0) {
        outlet.skip(why, count);
    }
    now
}

fn barren(name: &str) -> String {
    format!(
        "Bytes come from {name}, but for {} s no JPEG picture was in them: it must be MJPEG (rpicam-vid needs --codec \
         mjpeg, ffmpeg -f mjpeg). Reading on.",
        BARREN.as_secs()
    )
}

fn no_picture(name: &str, counted: MjpegCounters) -> Failure {
    let MjpegCounters { too_large, cut_off, damaged, .. } = counted;
    let found = if too_large + cut_off + damaged == 0 {
        "it must be MJPEG, that is JPEG pictures one after another".into()
    } else {
        format!("{too_large} too large, {cut_off} cut off, {damaged} damaged")
    };
    Failure::new(Exit::Source, format!("No usable picture came from {name}: {found}."))
}

fn failed(name: &str) -> impl Fn(io::Error) -> Failure {
    move |e| Failure::new(Exit::Source, format!("Reading {name} failed: {e}."))
}

/// The stream as [`MjpegReader`] reads it: sleeps until there is something to read or the source is to stop.
struct Input<'f> {
    file: &'f File,
    stop: Stop,
    /// Since when bytes have come without a picture; `None`: none have come since the last.
    barren_since: Option<Instant>,
}

#[derive(Debug)]
enum InputError {
    Stopped,
    /// Bytes come, and no picture for [`BARREN`]. Nothing is lost: reading goes on.
    Barren,
    Failed(io::Error),
}

impl<'f> Input<'f> {
    fn new(file: &'f File, stop: Stop) -> Self {
        Self { file, stop, barren_since: None }
    }

    /// A picture was found.
    fn begin_anew(&mut self) {
        self.barren_since = None;
    }
}

impl embedded_io::ErrorType for Input<'_> {
    type Error = InputError;
}

impl embedded_io::Read for Input<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::result::Result<usize, InputError> {
        let now = Clock.now();
        if self.barren_since.take_if(|since| now.since(*since) >= BARREN).is_some() {
            return Err(InputError::Barren);
        }
        loop {
            // A regular file is always ready.
            let woken = self.stop.wait_readable(self.file.as_fd(), None).map_err(InputError::Failed)?;
            if woken == Woken::Stopped {
                return Err(InputError::Stopped);
            }
            match self.file.read(buf) {
                Ok(count) => {
                    self.barren_since = self.barren_since.or_else(|| Some(Clock.now()));
                    return Ok(count);
                }
                // A pipe may be shared with a reader that was faster.
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(e) => return Err(InputError::Failed(e)),
            }
        }
    }
}

impl embedded_io::Error for InputError {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self {
            Self::Stopped | Self::Barren => embedded_io::ErrorKind::Interrupted,
            Self::Failed(_) => embedded_io::ErrorKind::Other,
        }
    }
}

impl std::error::Error for InputError {}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("told to stop"),
            Self::Barren => f.write_str("no picture for long"),
            Self::Failed(e) => e.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Write};
    use std::num::NonZeroU32;
    use std::os::fd::OwnedFd;
    use std::sync::mpsc::{self, Receiver};
    use std::thread::{self, JoinHandle};

    use super::super::intake::tiny_jpeg;
    use super::super::outlet::Shared;
    use super::super::{Kind, Source};
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn request(kind: Kind, repeat: bool) -> Request {
        Request { kind, size: None, fps: NonZeroU32::new(200), repeat, max_len: 1000 }
    }

    /// A stream from a pipe, on a thread of its own; the receiver hears of every wake-up.
    fn from_pipe() -> (PipeWriter, Shared, Stop, Receiver<()>, JoinHandle<Result<()>>) {
        let (reader, writer) = io::pipe().unwrap();
        let (shared, stop) = (Shared::new(), Stop::new().unwrap());
        let (woken, wakes) = mpsc::channel();
        let wake = Box::new(move || _ = woken.send(()));
        let mut outlet = Outlet::new(shared.clone(), stop.clone(), wake, 1000);
        let run = open_file(File::from(OwnedFd::from(reader)), "a pipe".into(), &request(Kind::Stdin, false))
            .unwrap();
        let thread = thread::spawn(move || run(&mut outlet));
        (writer, shared, stop, wakes, thread)
    }

    fn next_frame(shared: &Shared, wakes: &Receiver<()>) -> Vec<u8> {
        let mut frame = Vec::new();
        while shared.take(&mut frame).is_none() {
            wakes.recv_timeout(PATIENCE).unwrap();
        }
        frame
    }

    #[test]
    fn frame_of_a_pipe_does_not_wait_for_the_next() {
        let (mut writer, shared, _stop, wakes, thread) = from_pipe();
        for mark in 1..=3 {
            let jpeg = tiny_jpeg(mark);
            let (head, tail) = jpeg.split_at(10);
            writer.write_all(head).unwrap();
            writer.write_all(tail).unwrap();
            assert_eq!(next_frame(&shared, &wakes), jpeg);
        }
        drop(writer);
        assert_eq!(thread.join().unwrap(), Ok(()));
        assert_eq!((shared.stats().captured, shared.stats().replaced), (3, 0));
    }

    #[test]
    fn broken_and_large_pictures_of_a_pipe_are_counted_and_skipped() {
        let (mut writer, shared, _stop, wakes, thread) = from_pipe();
        let large = [&tiny_jpeg(1)[..30], &[0x2A; 2000], &[0xFF, 0xD9]].concat();
        let cut_off = &tiny_jpeg(2)[..20];
        for part in [b"--boundary\r\n".as_slice(), &large, cut_off, &tiny_jpeg(3)] {
            writer.write_all(part).unwrap();
        }
        assert_eq!(next_frame(&shared, &wakes), tiny_jpeg(3));
        drop(writer);
        assert_eq!(thread.join().unwrap(), Ok(()));
        let skipped = shared.stats().skipped;
        assert_eq!((skipped.too_large, skipped.total()), (1, 2), "{skipped:?}");
    }

    #[test]
    fn bytes_without_a_picture_are_told_and_reading_goes_on() {
        let (reader, mut writer) = io::pipe().unwrap();
        let file = File::from(OwnedFd::from(reader));
        let mut input = Input::new(&file, Stop::new().unwrap());
        writer.write_all(b"no picture in here").unwrap();
        let read = |input: &mut Input<'_>| embedded_io::Read::read(input, &mut [0; 4]);
        assert!(matches!(read(&mut input), Ok(4)));
        assert!(matches!(read(&mut input), Ok(4)), "too early to tell");
        input.barren_since = input.barren_since.map(|since| since.before(BARREN));
        assert!(matches!(read(&mut input), Err(InputError::Barren)));
        assert!(matches!(read(&mut input), Ok(4)), "told once, and begun anew");
        input.barren_since = input.barren_since.map(|since| since.before(BARREN));
        input.begin_anew();
        assert!(matches!(read(&mut input), Ok(4)), "there was a picture");
    }

    #[test]
    fn stop_ends_a_read_that_waits_on_a_pipe() {
        let (mut writer, shared, stop, wakes, thread) = from_pipe();
        // Within a picture, and with the writer still there.
        writer.write_all(&tiny_jpeg(1)).unwrap();
        assert_eq!(next_frame(&shared, &wakes), tiny_jpeg(1));
        writer.write_all(&tiny_jpeg(2)[..10]).unwrap();
        stop.stop();
        assert_eq!(thread.join().unwrap(), Ok(()));
        drop(writer);
    }

    #[test]
    fn pipe_without_a_picture_is_an_error_that_says_so() {
        let (mut writer, _shared, _stop, _wakes, thread) = from_pipe();
        writer.write_all(b"no pictures here").unwrap();
        drop(writer);
        let failure = thread.join().unwrap().unwrap_err();
        assert!(failure.exit == Exit::Source && failure.message.contains("a pipe"), "{failure}");
    }

    #[test]
    fn recording_waits_for_play_and_then_gives_every_frame() {
        let path = std::env::temp_dir().join(format!("sealcam-clip-{}.mjpeg", std::process::id()));
        let clip: Vec<u8> = (0..5).flat_map(tiny_jpeg).collect();
        std::fs::write(&path, clip).unwrap();
        let (woken, wakes) = mpsc::channel();
        let wake = move || _ = woken.send(());
        let mut source = Source::start(&request(Kind::Path(path.clone()), false), wake).unwrap();
        assert!(wakes.recv_timeout(Duration::from_millis(50)).is_err(), "it began by itself");
        source.play();
        let mut marks = Vec::new();
        while source.finished().is_none() {
            wakes.recv_timeout(PATIENCE).unwrap();
            marks.extend(source.newest().map(|frame| frame.jpeg[6]));
        }
        std::fs::remove_file(&path).unwrap();
        let stats = source.stats();
        assert_eq!(source.finished(), Some(Ok(())));
        assert_eq!(marks.last(), Some(&4), "the last frame is always delivered");
        assert!(marks.is_sorted() && stats.captured == 5, "{marks:?} {stats:?}");
        assert_eq!(marks.len() as u64 + stats.replaced, 5);
    }

    #[test]
    fn looped_recording_begins_again_until_it_is_dropped() {
        let path = std::env::temp_dir().join(format!("sealcam-loop-{}.mjpeg", std::process::id()));
        std::fs::write(&path, [tiny_jpeg(1), tiny_jpeg(2)].concat()).unwrap();
        let (woken, wakes) = mpsc::channel();
        let wake = move || _ = woken.send(());
        let source = Source::start(&request(Kind::Path(path.clone()), true), wake).unwrap();
        source.play();
        while source.stats().captured < 7 {
            wakes.recv_timeout(PATIENCE).unwrap();
        }
        let shared = source.shared.clone();
        drop(source);
        std::fs::remove_file(&path).unwrap();
        shared.take(&mut Vec::new());
        assert_eq!(shared.finished(), Some(Ok(())));
    }

    #[test]
    fn missing_file_is_named() {
        let missing = Kind::Path("/no/such/clip.mjpeg".into());
        let failure = Source::start(&request(missing, false), || {}).err().unwrap();
        assert!(failure.exit == Exit::Source && failure.message.contains("/no/such/clip.mjpeg"), "{failure}");
    }
}
