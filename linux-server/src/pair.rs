//! `sealcam-server pair`: shows the code, asks the owner about the camera that comes with it, writes the list.
//!
//! The network's side of it is the display that runs ([`desk`]), or where none does, one without a screen ([`alone`]).
//! Either way the conversation is the same ([`talk`]).

mod alone;
pub(crate) mod desk;
pub(crate) mod talk;

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::termios::{FlushArg, tcflush};
use nix::unistd::read;
use sealcam_core::pairing::TurnedAway;
use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::host_port::HostPort;
use sealcam_linux::key_file::KeyFile;
use sealcam_linux::pairing_code::PairingCode;
use sealcam_linux::state::{State, user_name};
use sealcam_linux::trust::cameras::{self, MAX_CAMERAS};
use sealcam_linux::trust::{Authorized, AuthorizedCameras, Camera, Name};
use sealcam_linux::wait::Waiter;
use sealcam_linux::{addresses, answer, log, memory};

use self::alone::Alone;
use self::desk::{Desk, Opened};
use self::talk::{End, Lines, Reply, Request, SOCKET};
use crate::args::PairArgs;
use crate::command;

/// An answer is a word, not a book.
const ANSWER_MAX: usize = 256;

/// A display answers at once, whatever else it does.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Pairs a camera.
pub(crate) fn pair(args: &PairArgs, state: Option<&Path>) -> Result<()> {
    let state = command::open(state)?;
    check(&AuthorizedCameras::load(&state)?, args.name.as_ref())?;
    state.check_writable()?;
    let socket = state.file(SOCKET);
    match UnixStream::connect(&socket) {
        Ok(stream) => pair_with(stream, args, &state),
        Err(error) if is_nobody_there(&error) => pair_alone(args, &state),
        Err(error) => Err(not_paired(&format!(
            "Whether a display runs here is not known, for nobody can connect to {}: {error}. If root runs one, run \
             this as root; else start the display anew, which makes it its own, or remove it.",
            socket.display()
        ))),
    }
}

/// Whether no display runs here, or none that could be found: no socket has so long a path as to be invalid.
fn is_nobody_there(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::InvalidInput
    )
}

/// Pairs by the display that runs.
fn pair_with(stream: UnixStream, args: &PairArgs, state: &State) -> Result<()> {
    let lines = Lines::new(stream).map_err(|error| {
        Failure::new(Exit::Other, format!("Cannot use the socket of the display that runs: {error}."))
    })?;
    check_peer(&lines, state)?;
    // Its window is shut when the connection ends.
    Conversation::new(state, args, lines).run(&Waiter::new()?, None)
}

/// Whether it is a display of ours that has the socket: any other would get the camera, with the right digits.
fn check_peer(lines: &Lines, state: &State) -> Result<()> {
    let peer = lines.peer();
    let peer =
        peer.map_err(|error| not_paired(&format!("Whose display runs here is not known: {error}.")))?;
    if talk::is_ours(peer, state.owner()?) {
        return Ok(());
    }
    let (socket, peer) = (state.file(SOCKET), user_name(peer));
    Err(not_paired(&format!(
        "What listens at {} belongs to {peer}, who would get the camera. Remove it, and see how it came there.",
        socket.display()
    )))
}

/// Pairs where no display runs.
fn pair_alone(args: &PairArgs, state: &State) -> Result<()> {
    let key = KeyFile::Display.load_or_make(state)?;
    memory::lock();
    let desk = match Desk::open(state) {
        Opened::Open(desk) => desk,
        // Somebody has come meanwhile.
        Opened::InUse => {
            let stream = UnixStream::connect(state.file(SOCKET)).map_err(|_| not_paired(BUSY))?;
            return pair_with(stream, args, state);
        }
        // Then a second command does not find this one; nothing else is lost.
        Opened::Failed(failure) => {
            log::say(format_args!("{failure}\nA second sealcam-server pair will not find this one."));
            Desk::closed()
        }
    };
    let waiter = Waiter::new()?;
    let (mut alone, lines) = Alone::start(state, key, desk, args.listen)?;
    log::say(format_args!("No display runs here: this command waits for the camera itself."));
    let outcome = Conversation::new(state, args, lines).run(&waiter, Some(&mut alone));
    alone.finish(&waiter);
    outcome.map(|()| log::say(format_args!("Now start the display: sealcam-server")))
}

/// What can be known to be in vain before anybody is asked anything.
fn check(list: &AuthorizedCameras, name: Option<&Name>) -> Result<()> {
    if let Some(known) = name.and_then(|name| list.named(name)) {
        return Err(not_paired(&format!(
            "A camera of the name {} is on the list already: {}. Choose another name; to pair that very camera again, \
             give no --name.",
            known.name,
            known.modulus.fingerprint()
        )));
    }
    if !list.has_room() {
        return Err(not_paired(&format!(
            "{MAX_CAMERAS} cameras are on the list, which is the most. First run sealcam-server forget NAME for one \
             that is gone."
        )));
    }
    Ok(())
}

/// What the owner and the display have to say to each other.
struct Conversation<'a> {
    state: &'a State,
    args: &'a PairArgs,
    lines: Lines,
    /// Until when the display must have answered, unless it has.
    answers_by: Option<Instant>,
    /// The camera that the owner is asked about, under the name that it would have.
    asked: Option<Camera>,
    /// The camera that the owner has accepted, and whether that put it on the list.
    accepted: Option<(Camera, Authorized)>,
    input: Vec<u8>,
}

impl<'a> Conversation<'a> {
    fn new(state: &'a State, args: &'a PairArgs, lines: Lines) -> Self {
        Self { state, args, lines, answers_by: None, asked: None, accepted: None, input: Vec::new() }
    }

    fn run(mut self, waiter: &Waiter, mut alone: Option<&mut Alone<'_>>) -> Result<()> {
        Confinement::new().changes(self.state.path()).lists_addresses().enter().tell_what_lacks();
        self.lines.say(Request::Pair.word());
        self.answers_by = Some(Clock.now() + ANSWERS_WITHIN);
        loop {
            let next = match &mut alone {
                Some(alone) => alone.turn()?,
                None => None,
            };
            while let Some(line) = self.lines.take() {
                let reply = Reply::parse(&line);
                let reply = reply.ok_or_else(|| not_paired("The display is of another version."))?;
                self.answers_by = None;
                if alone.is_none() && matches!(reply, Reply::Open(_)) {
                    self.tell_of_display();
                }
                if self.heard(reply)? {
                    return Ok(());
                }
            }
            if self.lines.has_ended() {
                return Err(self.unknown("The display has ended."));
            }
            if self.answers_by.is_some_and(|by| by <= Clock.now()) {
                return Err(not_paired(SILENT));
            }
            let stdin = std::io::stdin();
            let stdin = self.asked.as_ref().map(|_| stdin.as_fd());
            let [socket, keys, door, owner] = alone.as_ref().map_or([None; 4], |alone| alone.fds());
            let fds = [stdin, Some(self.lines.as_fd()), socket, keys, door, owner];
            let ready = waiter.wait(fds, [next, self.answers_by].into_iter().flatten().min());
            let ready = ready.map_err(|error| Failure::new(Exit::Other, format!("Cannot wait: {error}.")))?;
            if ready.stop.is_some() {
                return Err(self.unknown("The window is shut, as asked."));
            }
            if ready.fds[0] {
                self.read_answer()?;
            }
        }
    }

    fn tell_of_display(&self) {
        log::say(format_args!("The display that runs here opens a window."));
        if self.args.listen.is_some() {
            log::say(format_args!(
                "It listens where it was told to when it was started: --listen changes nothing."
            ));
        }
    }

    /// Says whether the camera is paired.
    fn heard(&mut self, reply: Reply) -> Result<bool> {
        match reply {
            Reply::Open(code) => self.show(code)?,
            Reply::Busy => return Err(not_paired(BUSY)),
            Reply::Unable(why) => return Err(self.undone(&format!("The display cannot do it: {why}."))),
            Reply::Away { from, why } => log::say(format_args!("{}", away(from, why))),
            Reply::Asked { from, digits, camera } => self.ask(from, &digits, *camera)?,
            Reply::Ended(End::Paired) => {
                let name = self.accepted.as_ref().map_or("", |(camera, _)| camera.name.as_str());
                log::say(format_args!("Paired: camera {name} may connect from now on."));
                return Ok(true);
            }
            Reply::Ended(End::Unconfirmed) => return Err(self.unknown("The camera went without a word.")),
            Reply::Ended(end) => return Err(self.undone(&ended(&end))),
        }
        Ok(false)
    }

    /// Shows the code, once for each address at which the camera might find this machine.
    fn show(&self, mut code: PairingCode) -> Result<()> {
        let places: Vec<HostPort> = match &self.args.address {
            Some(address) => vec![address.with_port(code.place.port())],
            None => {
                let listen = code.place.literal().into_iter();
                listen.flat_map(addresses::reachable_at).map(HostPort::from).collect()
            }
        };
        let one = match places.len() {
            0 => {
                return Err(Failure::new(
                    Exit::Network,
                    "This machine has no address that others could reach. Connect it to a network first, or say at \
                     which one the camera will find it: --address HOST.",
                ));
            }
            1 => "this code",
            _ => "one of these codes (one for each address of this machine)",
        };
        log::say(format_args!(
            "Within two minutes, run sealcam-client pair CODE at the camera, with {one} in place of CODE. Whoever sees \
             it may ask in its stead, and you are asked before anybody is let in. Ctrl-C shuts the window."
        ));
        let texts = places.into_iter().map(|place| {
            code.place = place;
            code.text().to_string()
        });
        answer::print(&texts.collect::<Vec<_>>().join("\n"))
    }

    fn ask(&mut self, from: SocketAddr, digits: &str, camera: Camera) -> Result<()> {
        let list = AuthorizedCameras::load(self.state).map_err(unpaired)?;
        let fingerprint = camera.modulus.fingerprint();
        let known = list.find(fingerprint).map(|known| known.name.clone());
        let name = known.clone().or_else(|| self.args.name.clone()).unwrap_or_else(|| list.free_name());
        log::say(format_args!("A camera asks, from {from}:\n  its key:     {fingerprint}"));
        log::say(format_args!(
            "  six digits:  {digits}   These must be what your camera shows now. If it shows others, or none, say no."
        ));
        if known.is_some() {
            log::say(format_args!(
                "It is on the list already, as {name}: it would be paired again, under that name."
            ));
        }
        // What was typed before the question is no answer to it. (A pipe, which this fails for, is one.)
        let _ = tcflush(std::io::stdin(), FlushArg::TCIFLUSH);
        log::say(format_args!("Accept it as {name}? [y/N]"));
        self.asked = Some(Camera { name, ..camera });
        Ok(())
    }

    /// Reads what there is of an answer; the end of the input is one too.
    fn read_answer(&mut self) -> Result<()> {
        let mut piece = [0; ANSWER_MAX];
        let read = match read(std::io::stdin(), &mut piece) {
            Ok(read) => read,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
            Err(_) => 0,
        };
        self.input.extend_from_slice(&piece[..read]);
        let line_end = self.input.iter().position(|byte| *byte == b'\n');
        if line_end.is_none() && read > 0 && self.input.len() < ANSWER_MAX {
            return Ok(());
        }
        let line = &self.input[..line_end.unwrap_or(self.input.len())];
        let yes = [&b"y"[..], b"yes"].iter().any(|word| line.trim_ascii().eq_ignore_ascii_case(word));
        let Some(camera) = self.asked.take() else { return Ok(()) };
        if !yes {
            self.lines.say(Request::Refuse.word());
            return Err(not_paired("The camera was refused, and is told so."));
        }
        let authorized = cameras::authorize(self.state, camera.clone()).map_err(unpaired)?;
        self.accepted = Some((camera, authorized));
        self.lines.say(Request::Accept.word());
        log::say(format_args!("Accepted. Waiting for the camera to hear of it..."));
        Ok(())
    }

    /// The run ended before the display had accepted the camera: what the list was told in advance is taken back.
    fn undone(&mut self, why: &str) -> Failure {
        if let Some((camera, Authorized::Added)) = self.accepted.take() {
            match cameras::forget(self.state, &camera.modulus.fingerprint().to_string()) {
                Ok(_) => {}
                Err(failure) => return Failure::new(failure.exit, format!("Not paired. {why} {failure}")),
            }
        }
        not_paired(why)
    }

    /// The run ended, and whether the camera knows that it was accepted is not known, if it was.
    fn unknown(&mut self, why: &str) -> Failure {
        match self.accepted.take() {
            None => not_paired(why),
            Some((camera, _)) => Failure::new(
                Exit::Trust,
                format!(
                    "{why} {name} is on the list and may connect, but may not have heard of it. If it does not say \
                     that it is paired, pair it again; to take it off the list: sealcam-server forget {name}",
                    name = camera.name
                ),
            ),
        }
    }
}

const BUSY: &str = "Another sealcam-server pair is under way here. End that one first.";
const SILENT: &str = "The display that runs here does not answer. Is it stopped (Ctrl-Z)? Let it go on (fg), or end it and \
                      start it anew.";

fn away(from: SocketAddr, why: TurnedAway) -> String {
    match why {
        TurnedAway::WrongSecret => format!(
            "A camera at {from} came with a wrong code: mistyped, or that of another window. It was not let in; the \
             window stays open."
        ),
        TurnedAway::NoWindow => {
            format!("Somebody at {from} came with a code that is used already, and was not let in.")
        }
    }
}

fn ended(end: &End) -> String {
    match end {
        End::Expired => {
            "Nobody came with the code in its two minutes. Run this command again for a new one.".to_owned()
        }
        End::Unanswered => "The camera waited two minutes for an answer and was sent away.".to_owned(),
        End::Gone(why) => format!(
            "The camera was there and has gone: {why}. Its code is used up. Run this command again for a new one."
        ),
        End::Refused | End::Paired | End::Unconfirmed => "The window was shut at the display.".to_owned(),
    }
}

fn not_paired(why: &str) -> Failure {
    Failure::new(Exit::Trust, format!("Not paired. {why}"))
}

/// The same, for what has failed for a reason of its own.
fn unpaired(failure: Failure) -> Failure {
    Failure::new(failure.exit, format!("Not paired. {failure}"))
}
