//! The owner who comes with `sealcam-server pair` while pictures are shown.

use sealcam_linux::clock::Clock;

use super::Loop;
use crate::pair::desk::{Desk, Opened};
use crate::pair::talk::Request;

impl Loop<'_> {
    /// Lets the owner's command find this display.
    pub(super) fn open_desk(&mut self) {
        match Desk::open(self.state) {
            Opened::Open(desk) => self.desk = desk,
            Opened::InUse => self.tell(
                "Another display, or a sealcam-server pair, has this state directory: the next sealcam-server pair \
                 will find that one and not this.",
            ),
            Opened::Failed(failure) => self.tell(&format!(
                "{failure}\nWhile this display runs, sealcam-server pair does not find it."
            )),
        }
    }

    /// Does what the owner wants.
    pub(super) fn attend(&mut self) {
        while let Some(request) = self.desk.listen() {
            let now = Clock.now();
            if request == Request::Accept {
                // The command has put the camera there just now.
                self.read_list(now);
            }
            let Self { desk, link, list, socket, .. } = self;
            desk.act(now, request, link, (list, socket.local()));
            self.flush();
        }
    }
}
