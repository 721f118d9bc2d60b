//! A relay between a camera and a display that remembers what passed, and strikes from its own socket.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::failure::{Failure, Result};

/// Datagrams of each direction that are remembered: a few seconds' worth.
const REMEMBERED: usize = 8192;
/// How soon the threads notice that they are to end.
const LOOK: Duration = Duration::from_millis(50);

/// What passed, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) to_display: Vec<Vec<u8>>,
    pub(super) to_camera: Vec<Vec<u8>>,
}

/// Ends when dropped.
#[derive(Debug)]
pub(super) struct Relay {
    shared: Arc<Shared>,
    address: String,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// What the camera takes for the display.
    front: UdpSocket,
    /// What the display takes for the camera.
    back: UdpSocket,
    camera: Mutex<Option<SocketAddr>>,
    heard: Mutex<Heard>,
    ended: AtomicBool,
}

impl Relay {
    /// A relay to the display at this address.
    pub(super) fn to(display: &str) -> Result<Self> {
        let fail = |error: std::io::Error| Failure::new(format!("No relay on 127.0.0.1: {error}."));
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.set_read_timeout(Some(LOOK))?;
            Ok(socket)
        };
        let (front, back) = (socket().map_err(fail)?, socket().map_err(fail)?);
        back.connect(display).map_err(fail)?;
        let address = front.local_addr().map_err(fail)?.to_string();
        let (camera, heard, ended) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { front, back, camera, heard, ended });
        let ways: [fn(&Shared, &mut [u8]); 2] = [Shared::to_display, Shared::to_camera];
        let threads = ways.map(|way| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let mut buf = [0; 2048];
                while !shared.ended.load(Ordering::Relaxed) {
                    way(&shared, &mut buf);
                }
            })
        });
        Ok(Self { shared, address, threads: threads.into() })
    }

    /// Where the camera finds it.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Looks at what passed so far.
    pub(super) fn with_heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&lock(&self.shared.heard))
    }

    /// Sends a datagram to the display from where the camera's come.
    pub(super) fn strike(&self, datagram: &[u8]) {
        // One that the kernel does not take is missing in the display's count.
        let _ = self.shared.back.send(datagram);
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
    fn to_display(&self, buf: &mut [u8]) {
        let Ok((len, from)) = self.front.recv_from(buf) else { return };
        *lock(&self.camera) = Some(from);
        remember(&mut lock(&self.heard).to_display, &buf[..len]);
        // What cannot be passed on is lost as on any network.
        let _ = self.back.send(&buf[..len]);
    }

    fn to_camera(&self, buf: &mut [u8]) {
        let Ok(len) = self.back.recv(buf) else { return };
        remember(&mut lock(&self.heard).to_camera, &buf[..len]);
        if let Some(camera) = *lock(&self.camera) {
            let _ = self.front.send_to(&buf[..len], camera);
        }
    }
}

fn remember(heard: &mut Vec<Vec<u8>>, datagram: &[u8]) {
    if heard.len() < REMEMBERED {
        heard.push(datagram.to_vec());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_passes_both_ways_remembers_and_strikes_as_the_camera() {
        let display = UdpSocket::bind("127.0.0.1:0").unwrap();
        let camera = UdpSocket::bind("127.0.0.1:0").unwrap();
        for socket in [&display, &camera] {
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        let relay = Relay::to(&display.local_addr().unwrap().to_string()).unwrap();
        let mut buf = [0; 16];
        camera.send_to(b"up", relay.address()).unwrap();
        let (len, seen) = display.recv_from(&mut buf).unwrap();
        assert_eq!(&buf[..len], b"up");
        display.send_to(b"down", seen).unwrap();
        assert_eq!(camera.recv(&mut buf).unwrap(), 4);
        relay.with_heard(|heard| {
            assert_eq!(
                (&heard.to_display[..], &heard.to_camera[..]),
                (&[b"up".to_vec()][..], &[b"down".to_vec()][..])
            );
        });
        relay.strike(b"hit");
        assert_eq!(display.recv_from(&mut buf).unwrap(), (3, seen));
    }
}
