//! A door for the fuzz targets in `core/fuzz`: what a display says that an attacker has taken over. It opens under
//! `--cfg fuzzing` alone, which no program is built with.

use super::Link;
use crate::server::Server;
use crate::time::Instant;

impl<R, P, const CAMERAS: usize> Server<'_, R, P, CAMERAS> {
    /// Seals any plaintext with the keys of the session that pairs, or else of the first one, for its camera: the
    /// packet's length. `None` without one.
    pub fn seal_anything(&mut self, now: Instant, plaintext: &[u8], buf: &mut [u8]) -> Option<usize> {
        let seats = self.places.iter_mut().filter_map(|seat| seat.link.as_mut());
        let link: &mut Link = self.pairing.link.iter_mut().chain(seats).next()?;
        link.channel.seal(now, buf, |out| out.put(plaintext)).ok()
    }
}
