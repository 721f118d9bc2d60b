//! Showing: one loop between the socket, the protocol and the painter.
//!
//! ```text
//! socket ─ datagrams ─▶ Server ─ frames ─▶ painter thread ─▶ sink
//!    ▲                   │ ▲
//!    └──── datagrams ────┘ └─ private operations ─ key thread
//! ```
//! Nothing here decodes or paints, and nothing that may block runs on this thread.

mod owner;
mod stage;

use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use sealcam_core::config::{DEFAULT_BUDGET, DEFAULT_FRAME_CAPACITY, ServerConfig};
use sealcam_core::key::Fingerprint;
use sealcam_core::output::{Event, Frame, Output};
use sealcam_core::rsa::SoftwareRsa;
use sealcam_core::server::Server;
use sealcam_core::time::Instant;
use sealcam_linux::clock::{Clock, SleepWatch};
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::key_file::KeyFile;
use sealcam_linux::log;
use sealcam_linux::memory;
use sealcam_linux::random::OsRng;
use sealcam_linux::state::{State, Watch};
use sealcam_linux::trust::{AuthorizedCameras, cameras};
use sealcam_linux::udp::{Sent, Socket};
use sealcam_linux::wait::{self, Waiter, Waker};

use self::stage::Stage;
use crate::args::{PORT, RunArgs};
use crate::command;
use crate::key_worker::KeyWorker;
use crate::painter::{Painter, ShownFrame};
use crate::pair::desk::Desk;
use crate::report::{Figures, Report};
use crate::sink::{self, SinkChoice, SinkEnd};

/// Asked of the kernel unless `--recv-buffer` says otherwise: a second of a 1080p stream.
const RECEIVE_BUFFER: u32 = 4 << 20;
/// One datagram at a time leaves a display.
const SEND_BUFFER: usize = 2048;
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often counters are looked at.
const TICK: Duration = Duration::from_secs(1);

type Display<'b> = Server<'b, OsRng, SoftwareRsa<OsRng>>;

/// Listens and shows until a signal comes, the sink is closed, or something breaks.
pub(crate) fn show(args: &RunArgs, state: Option<&Path>) -> Result<()> {
    let state = command::open(state)?;
    let key = KeyFile::Display.load_or_make(&state)?;
    memory::lock();
    let modulus = *key.modulus();
    let watch = state.watch(cameras::FILE, Clock.now());
    let list = AuthorizedCameras::load(&state)?;

    let waiter = Waiter::new()?;
    let wakers = Wakers { key: Waker::new()?, painter: Waker::new()? };
    let asked = usize::try_from(args.recv_buffer.unwrap_or(RECEIVE_BUFFER)).unwrap_or(usize::MAX);
    let socket = match args.listen {
        Some(address) => Socket::bind(address, asked)?,
        None => Socket::bind_any(PORT, asked)?,
    };
    let choice = args.sink.clone();
    if !matches!(choice, Some(SinkChoice::Dump(_) | SinkChoice::Snapshot(_) | SinkChoice::Stdout)) {
        // Nobody would take the picture off the screen.
        wait::refuse_to_stand_still()?;
    }
    let wake = wakers.painter.clone();
    let asked_to_end = || waiter.wait([], Some(Clock.now())).is_ok_and(|ready| ready.stop.is_some());
    let open = move || sink::open(choice.as_ref());
    let painter = Painter::start(open, || Clock.now(), move || wake.wake(), asked_to_end)?;

    let config = ServerConfig {
        modulus,
        frame_capacity: DEFAULT_FRAME_CAPACITY,
        // The kernel counts a datagram with its own overhead, nearly as much again: half holds what is announced.
        receive_buffer: u32::try_from(socket.receive_buffer().granted / 2).unwrap_or(u32::MAX),
        budget: DEFAULT_BUDGET,
        padding: args.padding,
    };
    let capacity = usize::try_from(DEFAULT_FRAME_CAPACITY).unwrap_or(usize::MAX);
    let mut store = vec![0; Display::store_len(capacity)];
    let now = Clock.now();
    let link = Display::new(config, &mut store, OsRng, SoftwareRsa::new(OsRng), now)
        .map_err(|why| Failure::new(Exit::Other, format!("Cannot start the link: {why:?}.")))?;
    let stage =
        Stage::new(command::trust_commands(socket.local(), modulus.fingerprint()), modulus.fingerprint());
    let mut display = Loop {
        link,
        socket,
        painter,
        keys: KeyWorker::start(key.into_display_key(OsRng), wakers.key.clone())?,
        desk: Desk::closed(),
        state: &state,
        watch,
        sleep: SleepWatch::new(),
        list: AuthorizedCameras::default(),
        stage,
        every_camera: matches!(args.sink, Some(SinkChoice::Dump(_))),
        report: Report::new(now),
        next_tick: now + TICK,
        buf: vec![0; SEND_BUFFER],
        closing: None,
    };
    display.open_desk();
    display.greet(modulus.fingerprint());
    display.enrol(list, now);
    // The list is read and never written here. At the end the desk's socket goes, and the screen is given back.
    let needs = Confinement::new().removes(state.path()).uses_sockets().switches_consoles();
    needs.enter().lines().iter().for_each(|line| display.tell(line));
    display.run(&waiter, &wakers)
}

/// What other threads wake the loop with.
struct Wakers {
    key: Waker,
    painter: Waker,
}

/// The loop and all that it works with.
struct Loop<'b> {
    link: Display<'b>,
    socket: Socket,
    painter: Painter,
    keys: KeyWorker,
    desk: Desk,
    state: &'b State,
    watch: Watch,
    sleep: SleepWatch,
    list: AuthorizedCameras,
    stage: Stage,
    /// The sink takes the frames of every camera, not only of the one on stage.
    every_camera: bool,
    report: Report,
    next_tick: Instant,
    buf: Vec<u8>,
    /// Since when the farewell is being said, and how the program ends after it.
    closing: Option<(Instant, Result<()>)>,
}

impl Loop<'_> {
    fn run(&mut self, waiter: &Waiter, wakers: &Wakers) -> Result<()> {
        loop {
            let core = self.flush();
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            let deadline = [core, Some(self.watch.next_look()), Some(self.next_tick), self.farewell_ends()];
            let deadline = deadline.into_iter().flatten().min();
            let [door, owner] = self.desk.fds();
            let (key, painter) = (Some(wakers.key.as_fd()), Some(wakers.painter.as_fd()));
            let fds = [Some(self.socket.as_fd()), key, painter, door, owner];
            let ready = waiter.wait(fds, deadline).map_err(broken)?;
            if let Some(slept) = self.sleep.slept() {
                self.tell(&format!(
                    "This machine slept for {:.0} s: waiting for the cameras anew.",
                    slept.as_secs_f64()
                ));
                self.link.slept();
            }
            let [datagrams, key, painter, door, owner] = ready.fds;
            if ready.stop.is_some() {
                self.close(Ok(()));
            }
            if key {
                wakers.key.clear();
                while let Some(opened) = self.keys.finished() {
                    self.link.complete(Clock.now(), opened);
                }
            }
            if painter {
                wakers.painter.clear();
                self.take_end();
            }
            if datagrams {
                self.receive()?;
            }
            if door || owner {
                self.attend();
            }
            self.take_list();
            self.tick();
        }
    }

    /// Does all that the link asks for; returns when it wants to be asked again.
    fn flush(&mut self) -> Option<Instant> {
        loop {
            let now = Clock.now();
            match self.link.poll(now, &mut self.buf) {
                Output::Transmit(transmit) => {
                    // What is lost on the way out is repeated by the protocol and counted by the socket.
                    let (Sent::All | Sent::Lost { .. }) = self.socket.send(&self.buf, &transmit);
                }
                Output::Event(event) => self.event(now, &event),
                Output::Decrypt(ticket) => self.keys.begin(ticket),
                Output::Wait(at) => return at,
            }
        }
    }

    fn receive(&mut self) -> Result<()> {
        let Self { socket, link, painter, stage, every_camera, list, .. } = self;
        let received = socket.receive_batch(|from, datagram| {
            let now = Clock.now();
            // What is thrown away is counted in the link's statistics.
            if let Ok(Some(frame)) = link.handle_datagram(now, from, datagram)
                && (*every_camera || stage.shows(frame.camera))
            {
                pass_on(painter, stage, list, &frame, now);
            }
        });
        received.map(|_count| ()).map_err(broken)
    }

    fn event(&mut self, now: Instant, event: &Event) {
        // A camera on stage keeps its name, even when it was struck from the list.
        let name = |camera: &Fingerprint| self.stage.name(*camera, &self.list).into_owned();
        if let Some(line) = self.report.event(now, event, name) {
            self.tell(&line);
        }
        self.stage.event(event, &self.list);
        self.desk.event(event, &self.link);
        // At the end every camera goes, and the last picture may be what was wanted (`snapshot`).
        if self.closing.is_none()
            && let Some(situation) = self.stage.situation()
        {
            self.painter.status(situation);
        }
    }

    /// Takes up the list of cameras as `authorize` and `forget` wrote it.
    fn take_list(&mut self) {
        let now = Clock.now();
        if self.watch.changed(now) {
            self.read_list(now);
        }
    }

    fn read_list(&mut self, now: Instant) {
        match AuthorizedCameras::load(self.state) {
            Ok(list) if list == self.list => {}
            Ok(list) => self.enrol(list, now),
            Err(failure) => match self.state.replaced() {
                // Going on would keep cameras that are forgotten there.
                Some(replaced) => self.close(Err(replaced)),
                None => self.tell(&format!("{failure} Going on with the cameras known before.")),
            },
        }
    }

    /// Lets in whom the list names, and nobody else.
    fn enrol(&mut self, list: AuthorizedCameras, now: Instant) {
        let fingerprint = |camera: &sealcam_linux::trust::Camera| camera.modulus.fingerprint();
        let struck: Vec<Fingerprint> =
            self.list.cameras().map(fingerprint).filter(|id| list.find(*id).is_none()).collect();
        for camera in struck {
            self.link.strike(now, &camera);
        }
        for camera in list.cameras() {
            // The list holds no more than the link can enrol.
            let _enrolled = self.link.enrol(&camera.modulus);
        }
        self.list = list;
        self.tell_list();
    }

    /// Says who may connect; if nobody may, how that is changed.
    fn tell_list(&self) {
        let names: Vec<&str> = self.list.cameras().map(|camera| camera.name.as_str()).collect();
        if !names.is_empty() {
            self.tell(&format!("Cameras that may connect: {}.", names.join(", ")));
            return;
        }
        self.tell("No camera may connect yet. To let one in, once:");
        for line in self.stage.how_to_connect() {
            self.tell(&format!("  {line}"));
        }
    }

    /// Says where it listens, where it shows and what its key is.
    fn greet(&mut self, fingerprint: Fingerprint) {
        let buffer = self.socket.receive_buffer();
        self.tell(&format!(
            "Listening on {} with a receive buffer of {} bytes.",
            self.socket.local(),
            buffer.granted
        ));
        if let Some(advice) = buffer.advice() {
            self.tell(&advice);
        }
        self.tell(&format!("This display's key: {fingerprint}"));
        self.tell(&format!("Pictures go to {}.", self.painter.sink_name()));
        let warnings = self.painter.warnings().to_vec();
        for warning in warnings {
            self.tell(&warning);
        }
        if let Some(situation) = self.stage.situation() {
            self.painter.status(situation);
        }
    }

    fn tick(&mut self) {
        let now = Clock.now();
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + TICK;
        let kernel_drops = self.socket.counts().kernel_drops;
        let painted = self.painter.stats();
        let advice = self.socket.receive_buffer().advice();
        let lines = [
            self.report.kernel_drops(now, kernel_drops, advice.as_deref()),
            self.report.undecodable(now, &painted),
            self.report.refused(now, self.link.stats()),
            self.report.figures(Figures { at: now, link: self.link.stats(), painted, kernel_drops }),
        ];
        for line in lines.into_iter().flatten() {
            self.tell(&line);
        }
    }

    /// The sink takes no more: the program ends, cleanly if that was somebody's wish.
    fn take_end(&mut self) {
        match self.painter.end() {
            Some(SinkEnd::Closed(why)) => {
                self.tell(&format!("Ending: {why}."));
                self.close(Ok(()));
            }
            Some(SinkEnd::Failed(failure)) => self.close(Err(failure)),
            None => {}
        }
    }

    /// Writes a line to the log, or where that would tear the picture in the same terminal, under the picture.
    fn tell(&self, line: &str) {
        self.painter.note(line);
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        if !(self.painter.covers_terminal() && is_terminal) {
            log::say(format_args!("{line}"));
        }
    }

    fn close(&mut self, outcome: Result<()>) {
        if self.closing.is_none() {
            let now = Clock.now();
            self.closing = Some((now, outcome));
            self.link.close(now);
        }
    }

    fn farewell_ends(&self) -> Option<Instant> {
        self.closing.as_ref().map(|(since, _)| *since + FAREWELL)
    }

    /// How the program ends, once all has been said.
    fn outcome(&mut self) -> Option<Result<()>> {
        let ends = self.farewell_ends()?;
        if !self.link.is_closed() && Clock.now() < ends {
            return None;
        }
        let (_, outcome) = self.closing.take()?;
        let (link, drops) = (self.link.stats(), self.socket.counts().kernel_drops);
        let total = self.painter.finish();
        log::say(format_args!("{}", self.report.total(&total, link, drops)));
        Some(outcome)
    }
}

fn pass_on(painter: &Painter, stage: &Stage, list: &AuthorizedCameras, frame: &Frame<'_>, now: Instant) {
    let name = stage.name(frame.camera, list);
    painter.show(&ShownFrame {
        camera: &name,
        number: frame.frame_id,
        captured_at: frame.captured_at,
        fresh_from: frame.captured_at.min(now.before(frame.rtt)),
        jpeg: frame.jpeg,
    });
}

fn broken(error: std::io::Error) -> Failure {
    Failure::new(Exit::Other, format!("The program's loop cannot go on: {error}."))
}
