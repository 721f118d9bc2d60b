//! The command line of `sealcam-client`: what may be said, and the help that explains it.
//!
//! Nothing here opens, reads or sends anything.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use sealcam_core::config::{DEFAULT_FRAME_CAPACITY, Padding};
use sealcam_core::key::Fingerprint;
use sealcam_linux::exit;
use sealcam_linux::host_port::HostPort;
use sealcam_linux::padding;
use sealcam_linux::trust::parse_fingerprint;
use zeroize::Zeroizing;

use crate::source::{Kind, Size};

/// The UDP port of a display where none is given.
pub(crate) const DEFAULT_PORT: u16 = 5000;

/// A picture of 1280x720 in good quality.
const CONSTANT_SIZE: NonZeroU32 = NonZeroU32::MIN.saturating_add((96 << 10) - 1);

/// The highest rate that may be asked for, frames per second.
const MAX_FPS: i64 = 240;

const AFTER_HELP: &str = "\
First steps:
  1. On the display:   sealcam-server pair
     It shows a code, good for two minutes. Type or paste it here:
                       sealcam-client pair 'scl1:display.local:5000#…'
     Both show six digits. If they are the same, say yes on the display.
  2. Here:             sealcam-client
     It takes the first USB camera and sends, until Ctrl-C.

The same by copy and paste, without a network between the two:
     sealcam-server identity   prints the command that makes this camera trust that display
     sealcam-client identity   prints the command that lets this camera in

Sources:
  camera               the first camera that gives MJPEG; waits for one if none is plugged in
  camera:DEVICE        that camera; `sealcam-client cameras` prints names that stay the same
  pattern              a synthetic moving picture: try the link without a camera
  -                    MJPEG from a pipe, at the pipe's pace:
                       rpicam-vid -t 0 --codec mjpeg -o - | sealcam-client --source -
  PATH                 an MJPEG file, or a folder of *.jpg in the order of their names, at --fps

Exit codes:
  0 ended as asked       2 command line            4 no trust, not paired 6 source of pictures
  1 any other reason     3 state directory, keys   5 network";

/// Sends a camera's pictures, sealed, to the one display that it trusts
///
/// Run without a command it streams. The pictures are MJPEG as the camera gives them: nothing is encoded again.
#[derive(Debug, Parser)]
#[command(name = "sealcam-client", version, after_help = AFTER_HELP, max_term_width = 110)]
#[command(subcommand_help_heading = "Commands (without one: stream)", subcommand_value_name = "COMMAND")]
pub(crate) struct Args {
    /// Where the keys and the trusted display are kept [default: $STATE_DIRECTORY, else sealcam/ in
    /// $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) state: Option<PathBuf>,

    /// How to stream.
    #[command(flatten)]
    pub(crate) stream: Stream,

    /// What to do instead of streaming.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How to stream.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Streaming")]
pub(crate) struct Stream {
    /// Look for the trusted display at this address instead; which display is trusted stays as it is.
    /// The port is 5000 where none is given
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    pub(crate) to: Option<HostPort>,

    /// Where the pictures come from: camera, camera:DEVICE, pattern, - or a path (see below)
    #[arg(long, value_name = "SOURCE", default_value = "camera")]
    pub(crate) source: Kind,

    /// The size to ask the camera or the pattern for; the camera's nearest is taken and told
    /// [default: 1280x720 of a camera, 640x480 of the pattern]
    #[arg(long, value_name = "WxH")]
    pub(crate) size: Option<Size>,

    /// Frames per second to ask the camera for, or to show the pattern or a recording at [default: 30]
    #[arg(long, value_name = "N", value_parser = fps)]
    pub(crate) fps: Option<NonZeroU32>,

    /// Begin a file or folder again at its end
    #[arg(long = "loop")]
    pub(crate) repeat: bool,

    /// How much of the pictures' size to hide: chunk, bucket (to within an eighth) or constant; the display may ask
    /// for more. Sizes tell of motion, and only constant hides it: --fps times a second it sends as many packets as
    /// --constant-size takes, whatever the camera sees
    #[arg(long, value_name = "POLICY", default_value = "chunk", value_parser = padding::parse)]
    pub(crate) padding: Padding,

    /// With constant padding, the size of every picture, in bytes: smaller ones are filled up, larger ones are not sent
    #[arg(long, value_name = "BYTES", default_value_t = CONSTANT_SIZE, value_parser = constant_size)]
    pub(crate) constant_size: NonZeroU32,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Be let in by a display, with the code that it shows, and trust it: the only one that this camera then sends to
    #[command(
        after_help = "`sealcam-server pair`, run on the display, shows the code. It is good for two minutes and one \
                            camera; the display's owner compares six digits and says yes there."
    )]
    Pair {
        /// The code, scl1:HOST:PORT#…; - reads it from standard input, where no list of processes shows it
        #[arg(value_name = "CODE")]
        code: Code,
        /// Give up the display that was trusted before
        #[arg(long)]
        replace: bool,
    },
    /// Print the fingerprint of this camera's key
    Fingerprint,
    /// Print the command that lets this camera in, to paste on the display
    Identity {
        /// The name by which the display shall know this camera [default: this machine's name]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Trust a display: the only one that this camera then sends to
    #[command(
        after_help = "`sealcam-server identity`, run on the display, prints this command as it is to be \
                            pasted here. Compare the fingerprint with the one on the display's screen: it is what \
                            keeps everyone else out."
    )]
    Trust {
        /// Where the display is. The port is 5000 where none is given
        #[arg(value_name = "HOST:PORT", value_parser = host_port)]
        place: HostPort,
        /// The fingerprint of the display's key: SHA256: and 43 characters
        #[arg(value_name = "SHA256:…", value_parser = parse_fingerprint)]
        fingerprint: Fingerprint,
        /// Give up the display that was trusted before
        #[arg(long)]
        replace: bool,
    },
    /// List the cameras of this machine: stable names, formats, sizes, rates
    Cameras,
}

/// A pairing code as it was given, or the word for standard input: wiped, and not printed, by what holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code(Zeroizing<String>);

impl Code {
    /// What was given.
    pub(crate) fn into_text(self) -> Zeroizing<String> {
        self.0
    }
}

impl From<&str> for Code {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl Args {
    /// Reads the command line. Prints help, version or what is wrong, and ends the process, where that is called for.
    pub(crate) fn from_command_line() -> Self {
        Self::read(std::env::args_os()).unwrap_or_else(|error| exit::refuse(&error))
    }

    fn read(
        words: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let args = Self::try_parse_from(words)?;
        if args.command.is_some() && args.stream != Stream::default() {
            return Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                "--to, --source, --size, --fps, --loop and the padding are for streaming and do not go with a command",
            ));
        }
        Ok(args)
    }
}

impl Default for Stream {
    fn default() -> Self {
        let (padding, constant_size) = (Padding::Chunk, CONSTANT_SIZE);
        Self {
            to: None,
            source: Kind::Camera(None),
            size: None,
            fps: None,
            repeat: false,
            padding,
            constant_size,
        }
    }
}

/// A host with or without a port.
fn host_port(text: &str) -> Result<HostPort, String> {
    let bare = match text.strip_prefix('[') {
        Some(bracketed) => bracketed.ends_with(']'),
        None => !text.contains(':'),
    };
    if bare && !text.is_empty() { format!("{text}:{DEFAULT_PORT}").parse() } else { text.parse() }
}

fn fps(text: &str) -> Result<NonZeroU32, String> {
    let number = text.parse().ok().filter(|n| (1..=MAX_FPS).contains(n));
    let number = number.and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
    number.ok_or_else(|| format!("a rate is a whole number of frames per second, 1 to {MAX_FPS}"))
}

fn constant_size(text: &str) -> Result<NonZeroU32, String> {
    let number = text.parse().ok().filter(|n: &NonZeroU32| n.get() <= DEFAULT_FRAME_CAPACITY);
    number.ok_or_else(|| format!("a size is a whole number of bytes, 1 to {DEFAULT_FRAME_CAPACITY}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINT: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

    fn read(line: &str) -> Result<Args, clap::Error> {
        Args::read(std::iter::once("sealcam-client").chain(line.split_whitespace()))
    }

    #[test]
    fn definitions_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn without_arguments_the_first_camera_is_streamed() {
        let args = read("").unwrap();
        assert_eq!((args.stream, args.command, args.state), (Stream::default(), None, None));
    }

    #[test]
    fn streaming_options_are_read() {
        let args = read("--to display.local:6000 --source pattern --size 1280x720 --fps 25 --loop").unwrap();
        assert_eq!(args.stream.to, Some("display.local:6000".parse().unwrap()));
        assert_eq!((args.stream.source, args.stream.size), (Kind::Pattern, Some(Size::new(1280, 720))));
        assert_eq!((args.stream.fps, args.stream.repeat), (NonZeroU32::new(25), true));
        assert_eq!(read("--source -").unwrap().stream.source, Kind::Stdin);
        let stream = read("--padding constant --constant-size 50000").unwrap().stream;
        assert_eq!((stream.padding, stream.constant_size.get()), (Padding::Constant, 50_000));
    }

    #[test]
    fn state_is_accepted_before_and_after_a_command() {
        let state = Some(PathBuf::from("/tmp/s"));
        let trust = format!("trust display {FINGERPRINT}");
        for command in ["fingerprint", "identity --name porch", &trust, "cameras"] {
            let before = read(&format!("--state /tmp/s {command}")).unwrap();
            let after = read(&format!("{command} --state /tmp/s")).unwrap();
            assert!(before.state == state && after.state == state, "{command}");
            assert!(before.command.is_some() && before.command == after.command, "{command}");
        }
        assert_eq!(read("--state /tmp/s").unwrap().state, state);
    }

    #[test]
    fn port_is_5000_where_none_is_given() {
        let place =
            |text: &str| read(&format!("--to {text}")).map(|args| args.stream.to.unwrap().to_string());
        assert_eq!(place("display.local").unwrap(), "display.local:5000");
        assert_eq!(place("192.168.1.20:7").unwrap(), "192.168.1.20:7");
        assert_eq!(place("[2001:db8::20]").unwrap(), "[2001:db8::20]:5000");
        assert_eq!(place("[2001:db8::20]:7").unwrap(), "[2001:db8::20]:7");
        for wrong in ["2001:db8::20", "display:", "display:0", "[]", ":5000"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn display_is_trusted_by_place_and_fingerprint() {
        let args = read(&format!("trust display.local:5000 {FINGERPRINT} --replace")).unwrap();
        let Some(Command::Trust { place, fingerprint, replace }) = args.command else { panic!("{args:?}") };
        assert_eq!(
            (place.to_string(), fingerprint.to_string()),
            ("display.local:5000".into(), FINGERPRINT.into())
        );
        assert!(replace);
        for wrong in ["trust", "trust display.local", "trust display.local SHA256:short", "trust a b c"] {
            assert_eq!(read(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn pairing_takes_a_code_and_nothing_that_answers_for_the_owner() {
        let args = read("pair scl1:pi:5000#ABC --replace").unwrap();
        assert!(!format!("{args:?}").contains("ABC"), "a code is printed: {args:?}");
        assert_eq!(args.command, Some(Command::Pair { code: "scl1:pi:5000#ABC".into(), replace: true }));
        assert_eq!(read("pair -").unwrap().command, Some(Command::Pair { code: "-".into(), replace: false }));
        for wrong in ["pair", "pair a b", "pair a --yes", "pair a --fps 5"] {
            assert_eq!(read(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn streaming_options_with_a_command_are_refused() {
        for line in
            ["--fps 5 cameras", "--loop fingerprint", "--padding bucket identity", "cameras --size 640x480"]
        {
            assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn wrong_values_are_refused_with_an_example() {
        let message = |line: &str| read(line).unwrap_err().to_string();
        assert!(message("--size 640").contains("1280x720"));
        assert!(message("--to :1").contains("display.local:5000"));
        assert!(message("--padding none").contains("constant"));
        assert!(message("--constant-size 2000000").contains("1048576"));
        for line in ["--fps 0", "--fps=-1", "--fps 241", "--fps 29.97", "--fps x"] {
            assert!(message(line).contains("fps"), "{line}");
        }
    }

    #[test]
    fn help_shows_every_command_option_and_source() {
        let help = Args::command().render_long_help().to_string();
        let commands = ["pair", "fingerprint", "identity", "trust", "cameras"];
        let options = ["--to", "--source", "--size", "--fps", "--loop", "--state"];
        let sources = ["camera:DEVICE", "pattern", "rpicam-vid", "PATH", "5000", "Exit codes"];
        for word in commands.iter().chain(&options).chain(&sources) {
            assert!(help.contains(word), "{word} is not in the help");
        }
    }
}
