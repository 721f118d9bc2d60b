//! The owner of both devices: opens a window at the display, carries the code, compares the digits, answers.

use sealcam_core::output::Event;
use sealcam_core::pairing::{PairSecret, PairingEnd, SixDigits};

use super::camera::Camera;
use super::keys::Pem;
use super::{Who, World};

impl<const SEATS: usize> World<SEATS> {
    /// Opens a pairing window.
    pub(crate) fn open_pairing(&mut self) -> PairSecret {
        let here = self.display.clock.here(self.now);
        let secret = self.display.server().open_pairing(here).expect("no other run is under way");
        self.poll_display();
        secret
    }

    /// A new camera that nobody knows and that has the code; it has begun to dial.
    pub(crate) fn add_pairing(&mut self, pem: Pem, secret: &PairSecret) -> usize {
        let id = self.cameras.len();
        let address = self.network.add_camera(id);
        let mut camera = Camera::new(id, pem, self.display.config(), &mut self.dice);
        camera.address = address;
        self.cameras.push(camera);
        self.pair(id, secret);
        id
    }

    /// The camera's program is started anew, to be paired.
    pub(crate) fn pair(&mut self, id: usize, secret: &PairSecret) {
        let Self { cameras, dice, now, display, .. } = self;
        cameras[id].pair(*now, display.address, secret, dice);
    }

    /// Answers the camera that asks.
    pub(crate) fn answer_pairing(&mut self, yes: bool) {
        let here = self.display.clock.here(self.now);
        let server = self.display.server();
        if yes {
            let camera = *server.pairing_camera().expect("a camera asks");
            assert_eq!(server.accept_pairing(here), Ok(camera.fingerprint()));
            self.display.enrolled.push(camera);
        } else {
            server.close_pairing(here);
        }
        self.poll_display();
    }

    /// The digits that somebody shows, if there are any.
    pub(crate) fn digits(&self, who: Who) -> Option<SixDigits> {
        self.told.iter().rev().filter(|told| told.who == who).find_map(|told| match told.event {
            Event::PairingDigits(digits) | Event::PairingAsked { digits, .. } => Some(digits),
            _ => None,
        })
    }

    /// How runs at the display ended.
    pub(crate) fn pairing_ends(&self) -> Vec<PairingEnd> {
        let end = |event: &Event| if let Event::PairingEnded(end) = event { Some(*end) } else { None };
        self.told.iter().filter(|told| told.who == Who::Display).filter_map(|told| end(&told.event)).collect()
    }
}
