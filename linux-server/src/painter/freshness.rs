//! Whether what stands on the screen may still pass for live.
//!
//! Judged by the age of the shown frame (`ShownFrame::fresh_from`), and by nothing else: sockets, sessions and
//! pixels can all look well while the picture stands still. The limit is one second, or three frame intervals of a camera slower than three frames
//! a second. The interval is measured per frame *number*, so lost frames do not make a camera look slow, and a
//! median, so neither does a pause.

use std::time::Duration;

use sealcam_core::time::Instant;

/// Longer without a fresh frame, the picture is not live.
const USUAL_LIMIT: Duration = Duration::from_secs(1);
/// However slow the camera.
const LONGEST_LIMIT: Duration = Duration::from_secs(30);
/// So many frame intervals may pass.
const INTERVALS: u32 = 3;
/// So many intervals must have been measured before a camera passes for slow: one may as well have been a pause.
const EVIDENCE: usize = 2;
/// The median is taken of so many intervals.
const MEASURED: usize = 5;

/// Follows the frames that are shown.
#[derive(Debug)]
pub(super) struct Freshness {
    newest: Option<(u32, Instant)>,
    intervals: [Duration; MEASURED],
    measured: usize,
}

impl Freshness {
    /// Before the first frame.
    pub(super) const fn new() -> Self {
        Self { newest: None, intervals: [Duration::ZERO; MEASURED], measured: 0 }
    }

    /// A frame with this number in its session has been shown, that was fresh then.
    pub(super) fn shown(&mut self, number: u32, fresh_from: Instant) {
        if let Some((last_number, last_at)) = self.newest
            && let Some(frames @ 1..) = number.checked_sub(last_number)
        {
            let interval = fresh_from.since(last_at) / frames;
            self.intervals.copy_within(..MEASURED - 1, 1);
            self.intervals[0] = interval;
            self.measured = (self.measured + 1).min(MEASURED);
        }
        self.newest = Some((number, fresh_from));
    }

    /// Another camera: what was measured does not hold for it.
    pub(super) const fn start_over(&mut self) {
        *self = Self::new();
    }

    /// The camera's frame interval, once two frames have come.
    pub(super) fn interval(&self) -> Option<Duration> {
        let mut sorted = self.intervals;
        let sorted = sorted.get_mut(..self.measured)?;
        sorted.sort_unstable();
        sorted.get(self.measured.checked_sub(1)? / 2).copied()
    }

    /// How old the shown frame may become.
    pub(super) fn limit(&self) -> Duration {
        let interval = self.interval().filter(|_| self.measured >= EVIDENCE);
        let slow = interval.unwrap_or_default().saturating_mul(INTERVALS);
        slow.clamp(USUAL_LIMIT, LONGEST_LIMIT)
    }

    /// From when on the newest frame grows stale.
    pub(super) fn newest_at(&self) -> Option<Instant> {
        self.newest.map(|(_, at)| at)
    }

    /// Whether a frame that was fresh then still is.
    pub(super) fn is_fresh(&self, fresh_from: Instant, now: Instant) -> bool {
        now.since(fresh_from) < self.limit()
    }

    /// Whether the frame that is shown is.
    pub(super) fn is_live(&self, now: Instant) -> bool {
        self.newest_at().is_some_and(|at| self.is_fresh(at, now))
    }

    /// When it will stop being so.
    pub(super) fn live_until(&self) -> Option<Instant> {
        Some(self.newest_at()? + self.limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    /// Frames from number 1 on, at these times.
    fn after(times: &[u64]) -> Freshness {
        let mut freshness = Freshness::new();
        for (number, &at) in (1..).zip(times) {
            freshness.shown(number, ms(at));
        }
        freshness
    }

    #[test]
    fn nothing_is_live_before_the_first_frame() {
        assert!(!Freshness::new().is_live(ms(0)));
        assert_eq!(Freshness::new().live_until(), None);
    }

    #[test]
    fn a_picture_is_live_for_a_second() {
        let freshness = after(&[1000, 1033, 1066]);
        assert!(freshness.is_live(ms(2065)));
        assert!(!freshness.is_live(ms(2066)));
        assert_eq!(freshness.live_until(), Some(ms(2066)));
    }

    #[test]
    fn a_slow_camera_has_three_of_its_intervals() {
        let freshness = after(&[0, 500, 1000]);
        assert_eq!(freshness.limit(), Duration::from_millis(1500));
        let freshness = after(&[0, 340, 680]);
        assert_eq!(freshness.limit(), Duration::from_millis(1020));
        let freshness = after(&[0, 320, 640]);
        assert_eq!(freshness.limit(), USUAL_LIMIT);
        assert_eq!(after(&[0, 60_000, 120_000]).limit(), LONGEST_LIMIT);
    }

    #[test]
    fn lost_frames_do_not_make_a_camera_look_slow() {
        let mut freshness = Freshness::new();
        for k in 0..10 {
            freshness.shown(1 + 30 * k, ms(1000 * u64::from(k)));
        }
        assert_eq!(freshness.interval(), Some(Duration::from_secs(1) / 30));
        assert_eq!(freshness.limit(), USUAL_LIMIT);
    }

    #[test]
    fn a_pause_does_not_make_a_camera_look_slow() {
        let freshness = after(&[0, 33, 66, 60_000, 60_033]);
        assert_eq!(freshness.limit(), USUAL_LIMIT);
    }

    #[test]
    fn a_pause_after_the_first_frame_does_not_either() {
        assert_eq!(after(&[0, 12_000]).limit(), USUAL_LIMIT);
        assert_eq!(after(&[0, 12_000, 12_033]).limit(), USUAL_LIMIT);
        assert_eq!(after(&[0, 2000, 4000]).limit(), Duration::from_secs(6));
    }

    #[test]
    fn numbers_that_start_again_with_a_session_are_not_measured() {
        let mut freshness = after(&[0, 33, 66]);
        freshness.shown(1, ms(20_000));
        assert_eq!(freshness.interval(), Some(Duration::from_millis(33)));
        assert!(freshness.is_live(ms(20_100)));
    }

    #[test]
    fn another_camera_is_measured_anew() {
        let mut freshness = after(&[0, 2000, 4000, 6000]);
        freshness.start_over();
        freshness.shown(9, ms(7000));
        assert_eq!(freshness.limit(), USUAL_LIMIT);
    }
}
