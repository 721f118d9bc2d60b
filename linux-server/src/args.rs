//! The command line of `sealcam-server`: what may be said, and the help that teaches it. Does nothing of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use sealcam_core::config::Padding;
use sealcam_linux::exit;
use sealcam_linux::host_port::HostPort;
use sealcam_linux::padding;
use sealcam_linux::trust::Name;

use crate::sink::SinkChoice;

/// The port where nothing else is said.
pub(crate) const PORT: u16 = 5000;

const EXAMPLES: &str = "\
Connect a camera, once:
  1. here:           sealcam-server pair         shows a code, good for two minutes
  2. at the camera:  sealcam-client pair CODE    shows six digits; compare, and say yes here
  3. here:           sealcam-server              and there: sealcam-client

The same by copy and paste, without a network between the two:
  1. here:           sealcam-server identity     prints a line; paste it at the camera
  2. at the camera:  sealcam-client identity     prints a line; paste it here

Examples:
  sealcam-server                                 a window, else the framebuffer, else here
  sealcam-server --sink fb:/dev/fb1              a second screen
  sealcam-server --sink - | ffplay -f mjpeg -i - another program shows the pictures
  sealcam-server --sink snapshot:/run/now.png    the newest picture as a file

Exit codes:
  0 ended as asked   1 other failure   2 wrong command line   3 state directory or key file
  4 trust, pairing   5 network         7 sink (screen, window, terminal, file)";

/// Shows the pictures of your cameras, privately: receives what sealcam-client sends, opens it with keys that never
/// leave this machine, and paints it.
///
/// Without a subcommand it listens, and shows on its screen how to connect a camera. Only cameras that were
/// authorized are let in; everyone else gets no answer.
#[derive(Debug, Parser)]
#[command(name = "sealcam-server", version, after_help = EXAMPLES, subcommand_help_heading = "Keys and trust")]
pub(crate) struct Args {
    /// Where this display's key and its list of cameras are kept
    ///
    /// Without this: $STATE_DIRECTORY, which a service manager sets, else $XDG_STATE_HOME/sealcam, else
    /// ~/.local/state/sealcam. Root's, a service's and a user's therefore differ.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) state: Option<PathBuf>,

    /// What to do when running; not with a subcommand.
    #[command(flatten)]
    pub(crate) run: RunArgs,

    /// What to do instead of running.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// How to listen and where to show.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub(crate) struct RunArgs {
    /// The address and UDP port to listen on (default: port 5000 of all addresses, IPv6 and IPv4)
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address)]
    pub(crate) listen: Option<SocketAddr>,

    /// Where to show the pictures [default: window, else fb, else terminal]
    ///
    /// fb or fb:/dev/fb1 (a framebuffer), window (on a desktop), terminal (works over ssh), dump:DIR (each frame as a
    /// file, as received), snapshot:FILE.png (the newest picture, replaced as a whole), - (MJPEG on standard output)
    #[arg(long, value_name = "SINK")]
    pub(crate) sink: Option<SinkChoice>,

    /// How large a receive buffer to ask the kernel for; at start it is said how much was granted
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(4096..=1 << 30))]
    pub(crate) recv_buffer: Option<u32>,

    /// How much of the pictures' size every camera shall hide: chunk, bucket (to within an eighth) or constant
    ///
    /// Sizes tell of motion; only constant hides it. A camera may hide more than asked for here.
    #[arg(long, value_name = "POLICY", default_value = "chunk", value_parser = padding::parse)]
    pub(crate) padding: Padding,
}

/// What to do instead of running.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// Let a camera in with a code that you carry to it, and your yes
    Pair(PairArgs),
    /// Print this display's fingerprint
    Fingerprint,
    /// Print the command that makes a camera trust this display, to paste there
    Identity,
    /// Let a camera in, with the line that its 'sealcam-client identity' prints
    Authorize {
        /// 'scl1-camera KEY NAME', in quotes or not
        #[arg(required = true, value_name = "LINE")]
        line: Vec<String>,
    },
    /// List the cameras that may connect
    Cameras,
    /// No longer let a camera in
    Forget {
        /// Its name as 'sealcam-server cameras' shows it
        name: String,
    },
}

/// How to pair.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(
    after_help = "The display may run meanwhile, or not. The answer is read from standard input; there is no option \
                  that gives it in advance, for your look at the six digits is what keeps others out who have seen \
                  the code."
)]
pub(crate) struct PairArgs {
    /// The name that the camera shall have here [default: camera-1, or the next that is free]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<Name>,

    /// Put this into the code as the place where the camera finds this display, instead of this machine's addresses
    #[arg(long, value_name = "HOST[:PORT]", value_parser = place)]
    pub(crate) address: Option<Place>,

    /// Where no display runs: the address and UDP port to listen on (default: port 5000 of all addresses)
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen_address)]
    pub(crate) listen: Option<SocketAddr>,
}

/// A host with or without a port, found to be good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    text: String,
    whole: Option<HostPort>,
}

impl Place {
    /// With this port, if it has none of its own.
    pub(crate) fn with_port(&self, port: u16) -> HostPort {
        let completed = || format!("{}:{port}", self.text).parse().ok();
        self.whole
            .clone()
            .or_else(completed)
            .unwrap_or_else(|| HostPort::from(SocketAddr::from(([0; 4], port))))
    }
}

impl Args {
    /// What the process was started with; on nonsense, says what is wrong and exits with code 2.
    pub(crate) fn from_command_line() -> Self {
        let args = Self::try_parse().and_then(|args| args.check().map(|()| args));
        args.unwrap_or_else(|error| exit::refuse(&error))
    }

    /// What clap cannot see: options for running make no sense with a subcommand.
    fn check(&self) -> Result<(), clap::Error> {
        let RunArgs { listen, sink, recv_buffer, padding } = &self.run;
        let running = [
            (listen.is_some(), "--listen"),
            (sink.is_some(), "--sink"),
            (recv_buffer.is_some(), "--recv-buffer"),
            (*padding != Padding::Chunk, "--padding"),
        ];
        match running.into_iter().find(|(given, _)| *given && self.command.is_some()) {
            None => Ok(()),
            Some((_, option)) => Err(Self::command().error(
                ErrorKind::ArgumentConflict,
                format!("{option} is for running, not for a subcommand"),
            )),
        }
    }
}

fn name(text: &str) -> Result<Name, String> {
    text.parse()
}

fn place(text: &str) -> Result<Place, String> {
    let whole = text.parse::<HostPort>();
    // A host alone is good if it is with a port.
    let alone = || format!("{text}:1").parse::<HostPort>();
    match whole {
        Ok(whole) => Ok(Place { text: text.to_owned(), whole: Some(whole) }),
        Err(problem) => alone().map(|_| Place { text: text.to_owned(), whole: None }).map_err(|_| problem),
    }
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("expected an address and a port, such as 0.0.0.0:{PORT}, 192.168.1.20:{PORT} or [::]:{PORT}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Args, clap::Error> {
        let args = Args::try_parse_from(["sealcam-server"].into_iter().chain(words.split_whitespace()))?;
        args.check().map(|()| args)
    }

    fn refused(words: &str) -> String {
        parsed(words).expect_err("this makes no sense").to_string()
    }

    #[test]
    fn clap_finds_no_fault() {
        Args::command().debug_assert();
    }

    #[test]
    fn alone_it_runs_with_everything_left_open() {
        let args = parsed("").unwrap();
        assert_eq!(
            args.run,
            RunArgs { listen: None, sink: None, recv_buffer: None, padding: Padding::Chunk }
        );
        assert_eq!((args.command, args.state), (None, None));
    }

    #[test]
    fn all_options_of_running_are_taken() {
        let args = parsed("--listen 10.0.0.1:6000 --sink - --recv-buffer 212992 --state /s").unwrap();
        assert_eq!(args.run.listen, Some(([10, 0, 0, 1], 6000).into()));
        assert_eq!(args.run.sink, Some(SinkChoice::Stdout));
        assert_eq!(args.run.recv_buffer, Some(212_992));
        assert_eq!(args.state, Some("/s".into()));
    }

    #[test]
    fn the_state_directory_may_stand_before_and_after_a_subcommand() {
        for words in [
            "--state /s fingerprint",
            "fingerprint --state /s",
            "forget --state /s porch",
            "forget porch --state /s",
        ] {
            assert_eq!(parsed(words).unwrap().state, Some("/s".into()), "{words}");
        }
    }

    #[test]
    fn an_authorize_line_may_be_quoted_or_not() {
        let Some(Command::Authorize { line }) = parsed("authorize scl1-camera AAAA porch").unwrap().command
        else {
            panic!("authorize was said")
        };
        assert_eq!(line.join(" "), "scl1-camera AAAA porch");
        let quoted = Args::try_parse_from(["sealcam-server", "authorize", "scl1-camera AAAA porch"]).unwrap();
        assert_eq!(
            quoted.command,
            Some(Command::Authorize { line: vec!["scl1-camera AAAA porch".to_owned()] })
        );
    }

    #[test]
    fn a_place_in_a_code_takes_the_displays_port_where_it_has_none() {
        let place = |text: &str| {
            let args = parsed(&format!("pair --address {text}")).unwrap();
            let Some(Command::Pair(PairArgs { address: Some(address), .. })) = args.command else {
                panic!("{text}")
            };
            address.with_port(6000).to_string()
        };
        assert_eq!(place("pi.local"), "pi.local:6000");
        assert_eq!(place("pi.local:7"), "pi.local:7");
        assert_eq!(place("[2001:db8::1]"), "[2001:db8::1]:6000");
        assert_eq!(place("[2001:db8::1]:7"), "[2001:db8::1]:7");
    }

    #[test]
    fn nonsense_is_refused_with_what_was_expected() {
        assert!(refused("--listen 5000").contains("0.0.0.0:5000"));
        assert!(refused("--listen localhost:5000").contains("an address and a port"));
        assert!(refused("--sink screen").contains("snapshot:FILE.png"));
        assert!(refused("--recv-buffer 12").contains("4096"));
        assert!(refused("authorize").contains("LINE"));
        assert!(refused("forget").contains("NAME"));
        assert!(refused("pair --yes").contains("unexpected argument"));
        assert!(refused("pair --name a/b").contains("letters, digits"));
        assert!(refused("pair --address a:b:c").contains("display.local:5000"));
        assert!(refused("--sink - cameras").contains("--sink is for running"));
    }

    #[test]
    fn help_names_every_sink_and_every_exit_code() {
        let help = Args::command().render_long_help().to_string();
        for part in
            ["fb:/dev/fb1", "window", "terminal", "dump:DIR", "snapshot:FILE.png", "7 sink", "identity"]
        {
            assert!(help.contains(part), "{part} in {help}");
        }
    }
}
