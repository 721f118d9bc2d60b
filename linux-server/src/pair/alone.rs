//! A display without a screen, for pairing where none runs: the same protocol, for no camera but the one that asks.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use sealcam_core::config::{DEFAULT_BUDGET, Padding, ServerConfig};
use sealcam_core::output::Output;
use sealcam_core::rsa::{PrivateKey, SoftwareRsa};
use sealcam_core::server::Server;
use sealcam_core::time::Instant;
use sealcam_linux::clock::Clock;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::random::OsRng;
use sealcam_linux::state::State;
use sealcam_linux::trust::AuthorizedCameras;
use sealcam_linux::udp::{Sent, Socket};
use sealcam_linux::wait::{Waiter, Waker};

use super::desk::Desk;
use super::talk::{Lines, Request};
use crate::args::PORT;
use crate::key_worker::KeyWorker;

/// Handshakes and control are all that comes.
const RECEIVE_BUFFER: usize = 1 << 18;
const FRAME_CAPACITY: u32 = 1 << 12;
const SEND_BUFFER: usize = 2048;
/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

type Link = Server<'static, OsRng, SoftwareRsa<OsRng>, 1>;

/// All that a display needs but a screen.
pub(crate) struct Alone<'s> {
    state: &'s State,
    link: Link,
    socket: Socket,
    keys: KeyWorker,
    key_done: Waker,
    desk: Desk,
    buf: Vec<u8>,
}

impl<'s> Alone<'s> {
    /// Starts it with this desk, at which the owner then sits; the other end of that conversation.
    pub(crate) fn start(
        state: &'s State,
        key: PrivateKey,
        mut desk: Desk,
        listen: Option<SocketAddr>,
    ) -> Result<(Self, Lines)> {
        let socket = match listen {
            Some(address) => Socket::bind(address, RECEIVE_BUFFER)?,
            None => Socket::bind_any(PORT, RECEIVE_BUFFER)?,
        };
        let config = ServerConfig {
            modulus: *key.modulus(),
            frame_capacity: FRAME_CAPACITY,
            receive_buffer: 0,
            budget: DEFAULT_BUDGET,
            padding: Padding::Chunk,
        };
        let capacity = usize::try_from(FRAME_CAPACITY).unwrap_or(usize::MAX);
        // It lives as long as the program.
        let store = vec![0; Link::store_len(capacity)].leak();
        let link = Link::new(config, store, OsRng, SoftwareRsa::new(OsRng), Clock.now())
            .map_err(|why| Failure::new(Exit::Other, format!("Cannot start the link: {why:?}.")))?;
        let key_done = Waker::new()?;
        let keys = KeyWorker::start(key.into_display_key(OsRng), key_done.clone())?;
        let talk = || -> std::io::Result<_> {
            let (theirs, ours) = UnixStream::pair()?;
            Ok((Lines::new(theirs)?, Lines::new(ours)?))
        };
        let (theirs, ours) = talk()
            .map_err(|error| Failure::new(Exit::Other, format!("Cannot make a pair of sockets: {error}.")))?;
        desk.seat(theirs);
        Ok((Self { state, link, socket, keys, key_done, desk, buf: vec![0; SEND_BUFFER] }, ours))
    }

    /// What to wait for.
    pub(crate) fn fds(&self) -> [Option<BorrowedFd<'_>>; 4] {
        let [door, owner] = self.desk.fds();
        [Some(self.socket.as_fd()), Some(self.key_done.as_fd()), door, owner]
    }

    /// Does all that there is to do; returns when there will be more.
    pub(crate) fn turn(&mut self) -> Result<Option<Instant>> {
        self.key_done.clear();
        while let Some(opened) = self.keys.finished() {
            self.link.complete(Clock.now(), opened);
        }
        let Self { socket, link, .. } = self;
        let received = socket.receive_batch(|from, datagram| {
            // What is thrown away is counted, and told to nobody.
            let _ = link.handle_datagram(Clock.now(), from, datagram);
        });
        received.map_err(|error| Failure::new(Exit::Other, format!("Cannot receive: {error}.")))?;
        while let Some(request) = self.desk.listen() {
            let list = match request {
                Request::Accept => AuthorizedCameras::load(self.state)?,
                Request::Pair | Request::Refuse => AuthorizedCameras::default(),
            };
            self.desk.act(Clock.now(), request, &mut self.link, (&list, self.socket.local()));
            self.flush();
        }
        Ok(self.flush())
    }

    /// Says the farewell.
    pub(crate) fn finish(&mut self, waiter: &Waiter) {
        let end = Clock.now() + FAREWELL;
        self.link.close_pairing(Clock.now());
        self.link.close(Clock.now());
        while Clock.now() < end {
            let next = self.flush();
            if self.link.is_closed() {
                return;
            }
            let _ = waiter.wait([], next.map(|next| next.min(end)).or(Some(end)));
        }
    }

    fn flush(&mut self) -> Option<Instant> {
        loop {
            match self.link.poll(Clock.now(), &mut self.buf) {
                Output::Transmit(transmit) => {
                    // What is lost on the way out is repeated by the protocol.
                    let (Sent::All | Sent::Lost { .. }) = self.socket.send(&self.buf, &transmit);
                }
                Output::Event(event) => self.desk.event(&event, &self.link),
                Output::Decrypt(ticket) => self.keys.begin(ticket),
                Output::Wait(at) => return at,
            }
        }
    }
}
