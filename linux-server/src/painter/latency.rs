//! How long frames took from the camera to the sink: a histogram of fixed size.

use std::time::Duration;

/// Width of a bucket at first; each further octave of buckets is twice as wide.
const UNIT_MICROS: u64 = 100;
const PER_OCTAVE: usize = 64;
const OCTAVES: usize = 12;

/// Counts per span of latency; a quantile is right to 1 part in 64, or to 0.1 ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Latency {
    counts: Vec<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        Self { counts: vec![0; PER_OCTAVE * OCTAVES] }
    }
}

impl Latency {
    /// Counts one frame.
    pub(crate) fn add(&mut self, latency: Duration) {
        let bucket = bucket(latency).min(self.counts.len() - 1);
        self.counts[bucket] += 1;
    }

    /// The latency that `share` of the frames did not exceed; `None` without frames.
    pub(crate) fn quantile(&self, share: f64) -> Option<Duration> {
        let total: u64 = self.counts.iter().sum();
        let rank = (total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(upper_edge(bucket))
    }
}

fn bucket(latency: Duration) -> usize {
    let units = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX) / UNIT_MICROS;
    let mut octave = 0;
    let mut rest = units;
    while rest >= PER_OCTAVE as u64 {
        rest -= PER_OCTAVE as u64;
        rest /= 2;
        octave += 1;
    }
    octave * PER_OCTAVE + rest as usize
}

fn upper_edge(bucket: usize) -> Duration {
    let mut units = (bucket % PER_OCTAVE) as u64 + 1;
    for _ in 0..bucket / PER_OCTAVE {
        units = units * 2 + PER_OCTAVE as u64;
    }
    Duration::from_micros(units * UNIT_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_frames() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        for millis in 1..=100 {
            latency.add(Duration::from_millis(millis));
        }
        for (share, millis) in [(0.5, 50.0), (0.95, 95.0), (1.0, 100.0), (0.0, 1.0)] {
            let found = latency.quantile(share).unwrap().as_secs_f64() * 1e3;
            assert!((millis..=millis * 1.04 + 0.1).contains(&found), "{share}: {found}");
        }
    }

    #[test]
    fn every_latency_lies_below_the_upper_edge_of_its_bucket() {
        for micros in (0..2_000_000).step_by(777) {
            let latency = Duration::from_micros(micros);
            let edge = upper_edge(bucket(latency));
            assert!(
                latency < edge && edge <= latency * 2 + Duration::from_micros(200),
                "{latency:?} {edge:?}"
            );
        }
    }

    #[test]
    fn hours_are_counted_as_very_long() {
        let mut latency = Latency::default();
        latency.add(Duration::from_secs(10_000));
        assert!(latency.quantile(0.5).unwrap() > Duration::from_secs(10));
    }
}
