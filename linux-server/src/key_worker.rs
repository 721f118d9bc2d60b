//! The thread that does the RSA private operation: up to 0.3 s on a small processor, which no picture waits for
//! (docs/protocol.md §13).

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use sealcam_core::output::{Opened, Ticket};
use sealcam_core::rsa::SoftwareDisplayKey;
use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};
use sealcam_linux::random::OsRng;
use sealcam_linux::wait::Waker;

/// The thread's handle; it ends when this is dropped.
pub(crate) struct KeyWorker {
    tickets: Sender<Ticket>,
    results: Receiver<Opened>,
}

impl KeyWorker {
    /// Starts the thread, which is the only place that holds the private key from then on. `done` is woken after
    /// each operation.
    pub(crate) fn start(mut key: SoftwareDisplayKey<OsRng>, done: Waker) -> Result<Self> {
        let (tickets, owed) = channel::<Ticket>();
        let (finished, results) = channel();
        let work = move || {
            // What the kernel lacks for it, the loop tells of its own thread.
            let _entered = Confinement::new().enter();
            for ticket in owed {
                if finished.send(ticket.open(&mut key)).is_err() {
                    return;
                }
                done.wake();
            }
        };
        let failure = |error| Failure::new(Exit::Other, format!("Cannot start the key's thread: {error}."));
        thread::Builder::new().name("key".into()).spawn(work).map_err(failure)?;
        Ok(Self { tickets, results })
    }

    /// Hands over an operation. At most one per enrolled camera is under way.
    pub(crate) fn begin(&self, ticket: Ticket) {
        // It fails only if the thread has panicked, which was told then; the camera tries again.
        let _ = self.tickets.send(ticket);
    }

    /// A result that was not taken yet.
    pub(crate) fn finished(&self) -> Option<Opened> {
        self.results.try_recv().ok()
    }
}
