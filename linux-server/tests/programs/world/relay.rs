//! A relay between a camera and a display: listens, holds back, and sends what neither of them would.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How soon the threads notice that they are to end.
const LOOK: Duration = Duration::from_millis(20);

/// Ends when dropped.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Which way a datagram went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Display,
    Camera,
}

/// A datagram that passed.
pub(crate) type Heard = (To, Vec<u8>);

struct Shared {
    display: SocketAddr,
    /// What the camera takes for the display.
    front: UdpSocket,
    /// What the display takes for the camera.
    back: Mutex<Arc<UdpSocket>>,
    camera: Mutex<Option<SocketAddr>>,
    held: AtomicBool,
    ended: AtomicBool,
    /// What passed, while it is wanted.
    heard: Mutex<Option<Vec<Heard>>>,
}

impl Relay {
    /// A relay to the display at this address.
    pub(crate) fn to(display: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            display,
            front: socket(),
            back: Mutex::new(Arc::new(socket())),
            camera: Mutex::default(),
            held: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            heard: Mutex::default(),
        });
        let ways: [fn(&Shared); 2] = [Shared::to_display, Shared::to_camera];
        let threads = ways.map(|way| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                while !shared.ended.load(Ordering::Relaxed) {
                    way(&shared);
                }
            })
        });
        Self { shared, threads: threads.into() }
    }

    /// Where the camera finds it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.front.local_addr().unwrap()
    }

    /// Lets nothing pass any more, or everything again.
    pub(crate) fn hold(&self, held: bool) {
        self.shared.held.store(held, Ordering::Relaxed);
    }

    /// From now on the display sees the camera at another address.
    pub(crate) fn move_camera(&self) {
        *lock(&self.shared.back) = Arc::new(socket());
    }

    /// Begins to write down what passes.
    pub(crate) fn listen(&self) {
        *lock(&self.shared.heard) = Some(Vec::new());
    }

    /// How many datagrams were written down.
    pub(crate) fn count(&self, which: impl Fn(To, &[u8]) -> bool) -> usize {
        lock(&self.shared.heard).iter().flatten().filter(|(to, bytes)| which(*to, bytes)).count()
    }

    /// What was written down.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        lock(&self.shared.heard).take().unwrap_or_default()
    }

    /// Sends a datagram to the display as if the camera had, or to the camera as if the display had.
    pub(crate) fn forge(&self, to: To, datagram: &[u8]) {
        self.shared.pass(to, datagram);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn to_display(&self) {
        let mut buf = [0; 2048];
        let Ok((len, from)) = self.front.recv_from(&mut buf) else { return };
        *lock(&self.camera) = Some(from);
        self.relay(To::Display, &buf[..len]);
    }

    fn to_camera(&self) {
        let mut buf = [0; 2048];
        let back = Arc::clone(&lock(&self.back));
        let Ok((len, _)) = back.recv_from(&mut buf) else { return };
        self.relay(To::Camera, &buf[..len]);
    }

    fn relay(&self, to: To, datagram: &[u8]) {
        if self.held.load(Ordering::Relaxed) {
            return;
        }
        if let Some(heard) = &mut *lock(&self.heard) {
            heard.push((to, datagram.to_vec()));
        }
        self.pass(to, datagram);
    }

    fn pass(&self, to: To, datagram: &[u8]) {
        // What cannot be sent now, while a program is down, is lost as it would be on a network.
        let _ = match to {
            To::Display => lock(&self.back).send_to(datagram, self.display),
            To::Camera => match *lock(&self.camera) {
                Some(camera) => self.front.send_to(datagram, camera),
                None => Ok(0),
            },
        };
    }
}

/// A socket that nobody knows yet.
pub(crate) fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LOOK)).unwrap();
    socket
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
