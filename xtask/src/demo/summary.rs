//! What the display program says at its end: `shown: 149 frames, 29.8 fps, latency p50 4 ms, p95 9 ms`.

/// That line. Only the number of frames is relied on; the rest is passed on as it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) frames: u64,
    pub(super) text: String,
}

impl Summary {
    /// The last such line of a log.
    pub(super) fn find(log: &str) -> Option<Self> {
        log.lines().rev().find_map(|line| {
            let (_, text) = line.split_once("shown:")?;
            let (frames, _) = text.split_once("frame")?;
            Some(Self { frames: frames.trim().parse().ok()?, text: text.trim().into() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_summary_counts() {
        let log =
            "shown: 1 frame\n12:00 info  shown: 149 frames, 29.8 fps, latency p50 4 ms, p95 9 ms\nclosed\n";
        let summary = Summary::find(log).unwrap();
        assert_eq!(summary.frames, 149);
        assert_eq!(summary.text, "149 frames, 29.8 fps, latency p50 4 ms, p95 9 ms");
    }

    #[test]
    fn a_log_without_a_summary_has_none() {
        assert_eq!(Summary::find("listening\nshown: nothing\nshown: many frames\n"), None);
    }
}
