//! Streaming: one loop that moves frames from the source to the link and datagrams between the link and the socket.
//!
//! ```text
//! source thread ─ newest frame ─▶ ┐          ┌─▶ socket
//! resolver ───── addresses ─────▶ ├─ Client ─┤
//! socket ─────── datagrams ─────▶ ┘          └─▶ report
//! ```
//! Everything that may block (capture, name look-up) has a thread of its own; the loop sleeps in one `ppoll`.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use sealcam_core::CaptureState;
use sealcam_core::client::{Capture, Client};
use sealcam_core::config::{ClientConfig, DEFAULT_FRAME_CAPACITY};
use sealcam_core::frame::SendError;
use sealcam_core::key::Modulus;
use sealcam_core::output::{Event, Output};
use sealcam_core::rsa::{SoftwareCameraKey, SoftwareRsa};
use sealcam_core::time::Instant;
use sealcam_linux::clock::{Clock, SleepWatch};
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::host_port::HostPort;
use sealcam_linux::key_file::KeyFile;
use sealcam_linux::log;
use sealcam_linux::memory;
use sealcam_linux::random::OsRng;
use sealcam_linux::resolve::Resolver;
use sealcam_linux::state::{State, Watch};
use sealcam_linux::trust::{DisplayConf, Name, display};
use sealcam_linux::udp::{Sent, Socket};
use sealcam_linux::wait::{Waiter, Waker};

use crate::args::Stream;
use crate::command;
use crate::report::Report;
use crate::source::{self, Request, Source};

/// Slots of the store: one frame leaves, one waits, and the last ones stay for repair.
const SLOTS: usize = 4;
/// As many chunks as one system call takes.
const SEND_BUFFER: usize = 1 << 16;
/// What comes back is small: feedback and control.
const RECEIVE_BUFFER: usize = 1 << 18;
/// A name that could not be looked up is tried again so soon: at a device's start the network often comes later.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

type Link<'b> = Client<'b, OsRng, SoftwareCameraKey<OsRng>, SoftwareRsa<OsRng>>;

/// Streams until the source ends, a signal comes, or something breaks.
pub(crate) fn stream(args: Stream, state: Option<&Path>) -> Result<()> {
    let request = Request {
        kind: args.source,
        size: args.size,
        fps: args.fps,
        repeat: args.repeat,
        max_len: usize::try_from(DEFAULT_FRAME_CAPACITY).unwrap_or(usize::MAX),
    };
    source::check(&request)?;
    let state = command::open(state)?;
    let key = KeyFile::Camera.load_or_make(&state)?;
    memory::lock();
    let watch = state.watch(display::FILE, Clock.now());
    let modulus = *key.modulus();
    let display = DisplayConf::load(&state)?.ok_or_else(|| no_display(&state, modulus))?;

    let waiter = Waiter::new()?;
    let frame_ready = Waker::new()?;
    let wake = frame_ready.clone();
    let source = Source::start(&request, move || wake.wake())?;
    let socket = Socket::bind_any(0, RECEIVE_BUFFER)?;
    let now = Clock.now();
    let config = ClientConfig {
        display: display.fingerprint,
        address: None,
        frame_capacity: DEFAULT_FRAME_CAPACITY,
        frame_interval: Duration::from_secs(1) / request.fps().get(),
        padding: args.padding,
        constant_size: args.constant_size.get(),
    };
    let mut store = vec![0; request.max_len * SLOTS];
    let link =
        Client::new(config, &mut store, OsRng, key.into_camera_key(OsRng), SoftwareRsa::new(OsRng), now)
            .map_err(|_| {
                Failure::new(Exit::Other, "The store for frames is too small: a fault of this program.")
            })?;
    let authorize = command::authorize_command(modulus, Name::of_host());
    // Before this thread is confined: it may look names up, and this one need not.
    let resolver = Resolver::start()?;
    Confinement::new().reads(state.path()).uses_sockets().enter().tell();
    Loop {
        link,
        socket,
        source,
        state: &state,
        watch,
        sleep: SleepWatch::new(),
        display,
        place: args.to,
        resolver,
        addresses: Addresses::default(),
        report: Report::new(authorize, now),
        buf: vec![0; SEND_BUFFER],
        closing: None,
        outcome: Ok(()),
    }
    .run(&waiter, &frame_ready)
}

/// The loop and all that it works with.
struct Loop<'b> {
    link: Link<'b>,
    socket: Socket,
    source: Source,
    state: &'b State,
    watch: Watch,
    sleep: SleepWatch,
    display: DisplayConf,
    /// From `--to`: where to look instead.
    place: Option<HostPort>,
    resolver: Resolver,
    addresses: Addresses,
    report: Report,
    buf: Vec<u8>,
    /// Since when the farewell is being said.
    closing: Option<Instant>,
    outcome: Result<()>,
}

impl Loop<'_> {
    fn run(mut self, waiter: &Waiter, frame_ready: &Waker) -> Result<()> {
        let place = self.place.as_ref().unwrap_or(&self.display.place);
        log::say(format_args!("Looking for the display at {place}; its key: {}", self.display.fingerprint));
        self.look_up();
        loop {
            let core = self.flush();
            if self.is_over() {
                self.report.total(self.link.stats(), self.source.stats());
                return self.outcome;
            }
            let deadline =
                [core, Some(self.watch.next_look()), Some(self.report.next()), self.addresses.look_again];
            let deadline = deadline.into_iter().flatten().min();
            let fds = [Some(self.socket.as_fd()), Some(frame_ready.as_fd()), Some(self.resolver.as_fd())];
            let ready = waiter.wait(fds, deadline).map_err(broken)?;
            if let Some(slept) = self.sleep.slept() {
                log::say(format_args!(
                    "This machine slept for {:.0} s: connecting anew.",
                    slept.as_secs_f64()
                ));
                self.link.slept(Clock.now());
            }
            let [datagrams, frame, resolved] = ready.fds;
            if ready.stop.is_some() {
                self.close(Ok(()));
            }
            if datagrams {
                self.receive()?;
            }
            if frame {
                frame_ready.clear();
            }
            if resolved {
                self.take_addresses();
            }
            if self.addresses.is_due(Clock.now()) {
                self.look_up();
            }
            self.take_frame();
            self.take_display();
            self.report.figures(Clock.now(), self.link.stats(), self.source.stats(), self.link.rtt());
        }
    }

    /// Does all that the link asks for; returns when it wants to be asked again.
    fn flush(&mut self) -> Option<Instant> {
        loop {
            let now = Clock.now();
            match self.link.poll(now, &mut self.buf) {
                Output::Transmit(transmit) => {
                    if let Sent::Lost { datagrams, why } = self.socket.send(&self.buf, &transmit) {
                        self.report.not_sent(now, datagrams, &why);
                    }
                }
                Output::Event(event) => {
                    self.report.event(now, &event, &self.display);
                    match event {
                        Event::Connecting => self.look_up(),
                        Event::NoAnswer => self.next_address(now),
                        _ => {}
                    }
                }
                // A camera has no private operation to hand out.
                Output::Decrypt(_) => {}
                Output::Wait(at) => return at,
            }
        }
    }

    fn receive(&mut self) -> Result<()> {
        let Self { socket, link, .. } = self;
        let received = socket.receive_batch(|from, datagram| {
            // Counted in the link's statistics.
            let _ = link.handle_datagram(Clock.now(), from, datagram);
        });
        received.map(|_count| ()).map_err(broken)
    }

    /// Passes on the newest frame, and what the source is doing. A frame that nobody waits for is let go: by the
    /// time that someone does it would be old.
    fn take_frame(&mut self) {
        let now = Clock.now();
        if self.closing.is_some() {
            return;
        }
        if self.link.is_ready() {
            self.source.play();
        }
        self.link.set_capture(now, capture(&self.source));
        if let Some(frame) = self.source.newest()
            && self.link.is_ready()
        {
            // What was not sent is counted in the link's statistics.
            if let Err(SendError::TooLarge { limit }) =
                self.link.send_frame(now, frame.captured_at, frame.jpeg)
            {
                self.report.too_large(now, frame.jpeg.len(), limit);
            }
        }
        if self.link.is_drained()
            && let Some(end) = self.source.finished()
        {
            self.close(end);
        }
    }

    /// Takes up another display or address, as `sealcam-client trust` wrote it.
    fn take_display(&mut self) {
        let now = Clock.now();
        if !self.watch.changed(now) {
            return;
        }
        match DisplayConf::load(self.state) {
            Ok(Some(display)) if display == self.display => {}
            Ok(Some(display)) => {
                log::say(format_args!("The trusted display is now {display}."));
                self.display = display;
                self.addresses = Addresses::default();
                self.link.set_display(now, self.display.fingerprint, None);
                self.look_up();
            }
            Ok(None) => log::say(format_args!(
                "No display stands in {} any more; this program goes on with {} until it is started again.",
                self.state.file(display::FILE).display(),
                self.display
            )),
            Err(failure) => log::say(format_args!("{failure} Going on with {}.", self.display)),
        }
    }

    /// Asks where the display is; the answer comes to [`Loop::take_addresses`].
    fn look_up(&self) {
        self.resolver.ask(self.place.as_ref().unwrap_or(&self.display.place).clone());
    }

    fn take_addresses(&mut self) {
        while let Some((place, resolved)) = self.resolver.take() {
            if place != *self.place.as_ref().unwrap_or(&self.display.place) {
                continue;
            }
            match resolved {
                Ok(addresses) => {
                    self.addresses.known(addresses);
                    self.dial();
                }
                Err(failure) => self.addresses.failed(Clock.now(), &failure),
            }
        }
    }

    /// Nothing answers at this address: the name may have another, or has changed.
    fn next_address(&mut self, now: Instant) {
        self.addresses.next();
        self.look_up();
        if let Some(address) = self.addresses.current() {
            self.link.set_display_address(now, address);
        }
    }

    fn dial(&mut self) {
        if let Some(address) = self.addresses.current() {
            self.link.set_display_address(Clock.now(), address);
        }
    }

    fn close(&mut self, outcome: Result<()>) {
        if self.closing.is_none() {
            let now = Clock.now();
            self.closing = Some(now);
            self.outcome = outcome;
            self.link.close(now);
        }
    }

    fn is_over(&self) -> bool {
        self.closing.is_some_and(|since| self.link.is_closed() || Clock.now().since(since) >= FAREWELL)
    }
}

/// The addresses of the display's name: one is tried until it stays silent, then the next.
#[derive(Default)]
struct Addresses {
    known: Vec<SocketAddr>,
    at: usize,
    /// The last failed look-up, so that it is told once.
    failure: Option<String>,
    /// When to look the name up again, after a failure.
    look_again: Option<Instant>,
}

impl Addresses {
    fn known(&mut self, addresses: Vec<SocketAddr>) {
        if self.known != addresses {
            let current = self.current();
            self.known = addresses;
            self.at = self.known.iter().position(|address| Some(*address) == current).unwrap_or(0);
        }
        self.failure = None;
        self.look_again = None;
    }

    fn failed(&mut self, now: Instant, failure: &Failure) {
        self.look_again = Some(now + LOOK_AGAIN);
        if self.failure.as_deref() != Some(&failure.message) {
            log::say(format_args!("{failure} Trying on."));
            self.failure = Some(failure.message.clone());
        }
    }

    /// Whether the name should be looked up again now; says so once.
    fn is_due(&mut self, now: Instant) -> bool {
        self.look_again.take_if(|at| *at <= now).is_some()
    }

    fn next(&mut self) {
        self.at = (self.at + 1) % self.known.len().max(1);
    }

    fn current(&self) -> Option<SocketAddr> {
        self.known.get(self.at).copied()
    }
}

/// What the display is told of the source.
fn capture(source: &Source) -> Capture {
    let stats = source.stats();
    let clamp = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    Capture {
        state: match source.status().state {
            source::State::Starting => CaptureState::Starting,
            source::State::Capturing => CaptureState::Capturing,
            source::State::NoCamera => CaptureState::NoCamera,
            source::State::CameraError => CaptureState::CameraError,
        },
        fps_x10: (stats.fps * 10.0) as u16,
        frames_captured: clamp(stats.captured),
        frames_skipped: clamp(stats.replaced + stats.missed + stats.skipped.total()),
    }
}

fn no_display(state: &State, modulus: Modulus) -> Failure {
    Failure::new(
        Exit::Trust,
        format!(
            "This camera trusts no display yet: {} does not exist or is empty.\n\
             On the display, run:  sealcam-server pair\n   and here, with the code that it shows: sealcam-client \
             pair CODE\n\
             Or by copy and paste:\n\
             1. On the display, run:  sealcam-server identity\n   and paste here the line that it prints \
             (sealcam-client trust HOST:PORT SHA256:…).\n\
             2. On the display, run:  {}",
            state.file(display::FILE).display(),
            command::authorize_command(modulus, Name::of_host())
        ),
    )
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new(Exit::Other, format!("The program's loop cannot go on: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 5000);
    const TWO: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)), 5000);

    #[test]
    fn failed_look_up_is_repeated_until_the_name_is_known() {
        let mut addresses = Addresses::default();
        let mut now = Instant::ZERO;
        for _ in 0..3 {
            addresses.failed(now, &Failure::new(Exit::Network, "No such name."));
            assert!(!addresses.is_due(now));
            now += LOOK_AGAIN;
            assert!(addresses.is_due(now) && !addresses.is_due(now), "asked for once");
        }
        addresses.failed(now, &Failure::new(Exit::Network, "No such name."));
        addresses.known(vec![ONE]);
        assert!(addresses.current() == Some(ONE) && !addresses.is_due(now + LOOK_AGAIN));
    }

    #[test]
    fn addresses_take_turns_and_a_new_list_keeps_the_one_in_use() {
        let mut addresses = Addresses::default();
        addresses.next();
        assert_eq!(addresses.current(), None);
        addresses.known(vec![ONE, TWO]);
        addresses.next();
        assert_eq!(addresses.current(), Some(TWO));
        addresses.known(vec![TWO]);
        assert_eq!(addresses.current(), Some(TWO));
        addresses.known(vec![ONE]);
        assert_eq!(addresses.current(), Some(ONE));
    }
}
