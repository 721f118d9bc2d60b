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
    /// What was measured last.
    newest: Duration,
}

impl Rtt {
    /// Takes one measurement.
    pub(crate) fn sample(&mut self, rtt: Duration) {
        self.newest = rtt;
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
    /// told in place of what was measured before. So is the newest measurement where it is longer: by SRTT alone a way
    /// that has become longer shows after many, and the display judges by it how old a picture is.
    pub(crate) fn to_wire(self, silent: Duration) -> (u16, u16) {
        let least = if silent > ESTIMATE_LIFE { silent } else { Duration::ZERO };
        let least = least.max(self.newest);
        let units = |span| u16::try_from(micros(span) / 100).unwrap_or(NOT_MEASURED).min(NOT_MEASURED - 1);
        self.estimate.map_or((NOT_MEASURED, NOT_MEASURED), |(smoothed, variation)| {
            (units(smoothed.max(least)), units(variation))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_has_become_longer_is_told_at_once_and_a_shorter_one_as_it_is_smoothed() {
        let mut rtt = Rtt::default();
        let told = |rtt: &Rtt| rtt.to_wire(Duration::ZERO).0;
        assert_eq!(told(&rtt), NOT_MEASURED);
        rtt.sample(Duration::from_millis(8));
        assert_eq!(told(&rtt), 80);
        rtt.sample(Duration::from_millis(4008));
        assert_eq!(told(&rtt), 40_080);
        assert_eq!(rtt.smoothed(), Duration::from_millis(508));
        rtt.sample(Duration::from_millis(8));
        assert_eq!(told(&rtt), 4455);
    }
}
