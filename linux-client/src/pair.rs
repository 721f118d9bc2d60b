//! `sealcam-client pair CODE`: asks the display that the code names to let this camera in, and keeps which display that
//! is (docs/protocol.md §5).

use std::io::Read;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use sealcam_core::CloseReason;
use sealcam_core::client::Client;
use sealcam_core::config::PairingConfig;
use sealcam_core::output::{Event, Output, SessionEnd};
use sealcam_core::rsa::{SoftwareCameraKey, SoftwareRsa};
use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::host_port::HostPort;
use sealcam_linux::key_file::KeyFile;
use sealcam_linux::pairing_code::PairingCode;
use sealcam_linux::random::OsRng;
use sealcam_linux::state::State;
use sealcam_linux::trust::{DisplayConf, display};
use sealcam_linux::udp::{Sent, Socket};
use sealcam_linux::wait::Waiter;
use sealcam_linux::{log, memory, resolve};
use zeroize::Zeroizing;

use crate::args::Code;
use crate::command;
use crate::report;

/// No code is good for longer.
const CODE_LIFE: Duration = Duration::from_secs(120);
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);
const SEND_BUFFER: usize = 2048;
const RECEIVE_BUFFER: usize = 1 << 18;
/// Far more than a code and its line's end.
const INPUT_MAX: u64 = 1024;

type Link = Client<'static, OsRng, SoftwareCameraKey<OsRng>, SoftwareRsa<OsRng>>;

/// Pairs this camera with a display.
pub(crate) fn pair(state: Option<&Path>, code: Code, replace: bool) -> Result<()> {
    // Before the code's secret is in memory.
    let _ = memory::protect();
    let code = read_code(code.into_text())?;
    let state = command::open(state)?;
    let conf = DisplayConf { place: code.place.clone(), fingerprint: code.fingerprint };
    display::may_trust(&state, &conf, replace).map_err(|failure| {
        let advice = "To pair with it and give up the other: sealcam-client pair --replace CODE";
        Failure::new(failure.exit, format!("{failure}\n{advice}"))
    })?;
    state.check_writable()?;
    let key = KeyFile::Camera.load_or_make(&state)?;
    memory::lock();
    let addresses = resolve::lookup(&code.place)?;

    let waiter = Waiter::new()?;
    let socket = Socket::bind_any(0, RECEIVE_BUFFER)?;
    let now = Clock.now();
    let config = PairingConfig {
        display: code.fingerprint,
        address: addresses.first().copied(),
        modulus: *key.modulus(),
    };
    log::say(format_args!(
        "Asking the display at {} to be let in. This camera's key: {}",
        code.place,
        config.modulus.fingerprint()
    ));
    let key = key.into_camera_key(OsRng);
    Confinement::new().changes(state.path()).uses_sockets().enter().tell_what_lacks();
    let link = Link::pair(config, &code.secret, OsRng, key, SoftwareRsa::new(OsRng), now);
    Pairing {
        state: &state,
        conf,
        replace,
        link,
        socket,
        addresses,
        at: 0,
        gives_up: Some(now + CODE_LIFE),
        silent: false,
    }
    .run(&waiter)
}

fn read_code(code: Zeroizing<String>) -> Result<PairingCode> {
    let code = if code.as_str() == "-" { read_line()? } else { code };
    code.parse().map_err(|problem| {
        Failure::new(
            Exit::Usage,
            format!(
                "That is not a pairing code: {problem}. Copy what sealcam-server pair shows on the display, all of it."
            ),
        )
    })
}

/// The first line of standard input.
fn read_line() -> Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(1024));
    let mut byte = [0];
    let mut input = std::io::stdin().lock().take(INPUT_MAX);
    let failure =
        |why: &str| Failure::new(Exit::Usage, format!("Cannot read a code from standard input: {why}."));
    loop {
        match input.read(&mut byte) {
            Ok(0) => return Ok(text),
            Ok(_) if byte[0] == b'\n' => return Ok(text),
            Ok(_) if byte[0].is_ascii() => text.push(char::from(byte[0])),
            Ok(_) => return Err(failure("it is not text")),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failure(&error.to_string())),
        }
    }
}

/// The loop and all that it works with.
struct Pairing<'s> {
    state: &'s State,
    /// The display that the code names.
    conf: DisplayConf,
    replace: bool,
    link: Link,
    socket: Socket,
    addresses: Vec<SocketAddr>,
    at: usize,
    /// When the code cannot be good any more; `None` once the display's owner is asked.
    gives_up: Option<Instant>,
    /// It was told that nobody answers.
    silent: bool,
}

impl Pairing<'_> {
    fn run(mut self, waiter: &Waiter) -> Result<()> {
        let outcome = loop {
            let (next, outcome) = self.flush();
            if let Some(outcome) = outcome {
                break outcome;
            }
            let now = Clock.now();
            if self.gives_up.is_some_and(|at| at <= now) {
                break Err(self.no_answer());
            }
            let deadline = [next, self.gives_up].into_iter().flatten().min();
            let ready = waiter.wait([Some(self.socket.as_fd())], deadline).map_err(broken)?;
            if ready.stop.is_some() {
                break Err(not_paired("Ended, as asked."));
            }
            self.receive()?;
        };
        self.finish(waiter);
        outcome
    }

    /// Does all that the link asks for. Says when it wants to be asked again, and how it ended, if it did.
    fn flush(&mut self) -> (Option<Instant>, Option<Result<()>>) {
        let mut buf = [0; SEND_BUFFER];
        let mut outcome = None;
        loop {
            match self.link.poll(Clock.now(), &mut buf) {
                Output::Transmit(transmit) => {
                    // What is lost on the way out is repeated by the protocol.
                    let (Sent::All | Sent::Lost { .. }) = self.socket.send(&buf, &transmit);
                }
                Output::Event(event) => {
                    // What is still to be sent is: a KEY with a code that was used tells the display's owner of it.
                    outcome = outcome.or(self.event(&event));
                }
                // A camera has no private operation to hand out.
                Output::Decrypt(_) => {}
                Output::Wait(at) => return (at, outcome),
            }
        }
    }

    fn event(&mut self, event: &Event) -> Option<Result<()>> {
        match event {
            Event::NoAnswer => self.next_address(),
            Event::PairingShut => {
                return Some(Err(not_paired(
                    "The display is there, but waits for no camera: the code's two minutes are over, or it was used already. \
                 For a new code, run sealcam-server pair there again.",
                )));
            }
            Event::NotAccepted => {
                return Some(Err(not_paired(
                    "The display is there, but does not take this code: it is mistyped somewhere near its end, or it is that \
                 of an earlier window. Copy it again, or run sealcam-server pair there again for a new one.",
                )));
            }
            Event::PairingDigits(digits) => {
                self.gives_up = None;
                log::say(format_args!(
                    "The display's owner is asked now. The display must show these six digits: {digits}\nIf it shows \
                     others, or asks about a camera with another key, say no there. Waiting for the answer..."
                ));
            }
            Event::Paired => return Some(self.keep()),
            Event::PairingFailed(why) => return Some(Err(not_paired(&failed(*why)))),
            Event::PinMismatch { shown } => log::say(format_args!(
                "WARNING: something at {} shows the key {shown} instead of the one in the code, {}. Waiting for the \
                 right one.",
                self.conf.place, self.conf.fingerprint
            )),
            Event::RandomFailed => {
                log::say(format_args!(
                    "The system's source of randomness failed; nothing was sent. Trying on."
                ));
            }
            _ => {}
        }
        None
    }

    /// The display has let this camera in.
    fn keep(&self) -> Result<()> {
        display::trust(self.state, &self.conf, self.replace).map_err(|failure| {
            let what = "The display lets this camera in, but which display that is could not be kept here.";
            Failure::new(failure.exit, format!("{what} {failure}"))
        })?;
        log::say(format_args!(
            "Paired. This camera now trusts the display {}.\nTo send pictures: sealcam-client (one that runs already \
             does so by itself)",
            self.conf
        ));
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        let Self { socket, link, .. } = self;
        let received = socket.receive_batch(|from, datagram| {
            // Counted in the link's statistics.
            let _ = link.handle_datagram(Clock.now(), from, datagram);
        });
        received.map(|_count| ()).map_err(broken)
    }

    /// Nothing answers at this address: the name may have another.
    fn next_address(&mut self) {
        if !std::mem::replace(&mut self.silent, true) {
            log::say(format_args!(
                "No answer from the display at {} yet. Trying on, until the code's two minutes are over.",
                self.conf.place
            ));
        }
        self.at = (self.at + 1) % self.addresses.len().max(1);
        if let Some(address) = self.addresses.get(self.at) {
            self.link.set_display_address(Clock.now(), *address);
        }
    }

    fn no_answer(&self) -> Failure {
        let place: &HostPort = &self.conf.place;
        Failure::new(
            Exit::Network,
            format!(
                "Not paired. Nobody has answered at {place} for two minutes. The code is mistyped, or the display is \
                 off or cannot be reached there, or a firewall drops UDP."
            ),
        )
    }

    /// Says the farewell.
    fn finish(&mut self, waiter: &Waiter) {
        let end = Clock.now() + FAREWELL;
        self.link.close(Clock.now());
        while Clock.now() < end {
            let (next, _) = self.flush();
            if self.link.is_closed() {
                return;
            }
            let _ = waiter.wait([], next.map(|next| next.min(end)).or(Some(end)));
        }
    }
}

fn failed(why: SessionEnd) -> String {
    match why {
        SessionEnd::ClosedByPeer(CloseReason::Revoked) => {
            "The display's owner said no, or nothing for two minutes.".to_owned()
        }
        SessionEnd::ClosedByPeer(CloseReason::GoingAway) => "The display's program is stopping.".to_owned(),
        why => format!(
            "The display was there and has gone: {}. The code is used up: run sealcam-server pair there again for a new \
             one.",
            report::end(why)
        ),
    }
}

fn not_paired(why: &str) -> Failure {
    Failure::new(Exit::Trust, format!("Not paired. {why}"))
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new(Exit::Other, format!("The program's loop cannot go on: {error}."))
}
