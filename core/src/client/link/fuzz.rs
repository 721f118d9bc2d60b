//! A door for the fuzz targets in `core/fuzz`: what a camera says that an attacker has taken over. It opens under
//! `--cfg fuzzing` alone, which no program is built with.

use super::Link;
use crate::client::Client;
use crate::time::Instant;

impl<R, K, P> Client<'_, R, K, P> {
    /// Seals any plaintext with the session's keys, for the display: the packet's length. `None` without a session.
    pub fn seal_anything(&mut self, now: Instant, plaintext: &[u8], buf: &mut [u8]) -> Option<usize> {
        let link: &mut Link = self.link.as_mut()?;
        link.channel.seal(now, buf, |out| out.put(plaintext)).ok()
    }
}
