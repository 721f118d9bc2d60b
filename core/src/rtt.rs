//! Round-trip time, smoothed as RFC 6298 §2 does; 100 ms until measured (docs/protocol.md §9).

use core::time::Duration;

use crate::time::micros;
use crate::wire::status::NOT_MEASURED;

const INITIAL: Duration = Duration::from_millis(100);

/// A round trip measured longer ago says nothing of now: FEEDBACK brings five samples a second and more.
const ESTIMATE_LIFE: Duration = Duration::from_secs(1);

/// The estimate of one path.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rtt {
    estimate: Option<(Duration, Duration)>,
}

impl Rtt {
    /// Takes one measurement.
    pub(crate) fn sample(&mut self, rtt: Duration) {
        self.estimate = Some(match self.estimate {
            None => (rtt, rtt / 2),
            Some((smoothed, variation)) => {
                (smoothed * 7 / 8 + rtt / 8, variation * 3 / 4 + smoothed.abs_diff(rtt) / 4)
            }
        });
    }

    /// Takes what the other end measured, in the wire's unit of 100 µs. Says whether it had measured anything.
    pub(crate) fn told(&mut self, smoothed: u16, variation: u16) -> bool {
        let measured = smoothed != NOT_MEASURED && variation != NOT_MEASURED;
        if measured {
            let duration = |units: u16| Duration::from_micros(u64::from(units) * 100);
            self.estimate = Some((duration(smoothed), duration(variation)));
        }
        measured
    }

    pub(crate) fn smoothed(&self) -> Duration {
        self.estimate.map_or(INITIAL, |(smoothed, _)| smoothed)
    }

    /// SRTT and RTTVAR in the wire's unit of 100 µs. Nothing was measured for `silent`: where that is long, it is
    /// told in place of what was measured before.
    pub(crate) fn to_wire(self, silent: Duration) -> (u16, u16) {
        let least = if silent > ESTIMATE_LIFE { silent } else { Duration::ZERO };
        let units = |span| u16::try_from(micros(span) / 100).unwrap_or(NOT_MEASURED).min(NOT_MEASURED - 1);
        self.estimate.map_or((NOT_MEASURED, NOT_MEASURED), |(smoothed, variation)| {
            (units(smoothed.max(least)), units(variation))
        })
    }
}
