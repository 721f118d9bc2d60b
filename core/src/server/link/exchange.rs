//! The display's end of a key exchange: the answer to KEX_INIT (docs/protocol.md §8, §9.4).

use core::time::Duration;

use rand_core::TryCryptoRng;

use super::{Around, Link};
use crate::output::Event;
use crate::session::rekey::{self, Answer, Responder};
use crate::time::Instant;
use crate::wire::kex::KexInit;
use crate::wire::message::Violation;

/// A KEX_INIT for a further epoch sooner than this after the last change is a violation.
const MIN_EPOCH_LIFE: Duration = Duration::from_secs(5);

impl Link {
    pub(super) fn kex_init<R: TryCryptoRng>(
        &mut self,
        now: Instant,
        init: &KexInit<'_>,
        around: &mut Around<'_, '_, R>,
    ) -> Result<(), Violation> {
        let epoch = self.channel.epoch();
        let ahead = init.epoch.wrapping_sub(rekey::wire_epoch(epoch));
        if ahead == 0 || ahead >= 128 {
            return Ok(());
        }
        if ahead > 1 || epoch > 0 && now.since(self.epoch_began) < MIN_EPOCH_LIFE {
            return Err(Violation);
        }
        let exchange = self.exchange.get_or_insert_with(|| Responder::new(epoch + 1));
        match exchange.handle(init, self.channel.secret(), around.rng)? {
            Ok(Answer::Wait) => {}
            Ok(Answer::Repeat) => self.resp_owed = true,
            Ok(Answer::New(secret)) => {
                self.channel.prepare(secret, now);
                self.answered_at = self.answered_at.or(Some(now));
                self.resp_owed = true;
            }
            Err(_failed) => around.events.push(Event::RandomFailed),
        }
        Ok(())
    }
}
