//! Which of a camera's sizes and rates comes nearest to what was asked for. Pure arithmetic.

use v4l::Fraction;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;

use crate::source::request::Size;

/// The nearest size: the least difference in width plus height; of two equally near, the one with fewer pixels,
/// which costs less bandwidth. `None` if none is offered.
pub(super) fn size<'a>(offered: impl IntoIterator<Item = &'a FrameSizeEnum>, asked: Size) -> Option<Size> {
    let distance = |size: &Size| {
        let difference =
            u64::from(size.width.abs_diff(asked.width)) + u64::from(size.height.abs_diff(asked.height));
        (difference, u64::from(size.width) * u64::from(size.height))
    };
    let nearest = offered.into_iter().map(|range| match range {
        FrameSizeEnum::Discrete(size) => Size::new(size.width, size.height),
        FrameSizeEnum::Stepwise(step) => Size::new(
            nearest_step(step.min_width, step.max_width, step.step_width, asked.width),
            nearest_step(step.min_height, step.max_height, step.step_height, asked.height),
        ),
    });
    nearest.filter(|size| size.width > 0 && size.height > 0).min_by_key(distance)
}

/// The frame interval, in seconds, whose rate is nearest to `fps`; of two equally near, the faster. `None` if none
/// is offered.
pub(super) fn interval<'a>(
    offered: impl IntoIterator<Item = &'a FrameIntervalEnum>,
    fps: u32,
) -> Option<Fraction> {
    let asked = f64::from(fps);
    let nearest = offered.into_iter().map(|range| match range {
        FrameIntervalEnum::Discrete(interval) => *interval,
        FrameIntervalEnum::Stepwise(step) => nearest_interval(step.min, step.max, step.step, fps),
    });
    nearest.filter(|interval| interval.numerator > 0 && interval.denominator > 0).min_by(|a, b| {
        let (a, b) = (rate(*a), rate(*b));
        (a - asked).abs().total_cmp(&(b - asked).abs()).then(b.total_cmp(&a))
    })
}

/// Frames per second of an interval; 0 for one that is none.
pub(super) fn rate(interval: Fraction) -> f64 {
    if interval.numerator == 0 {
        return 0.0;
    }
    f64::from(interval.denominator) / f64::from(interval.numerator)
}

/// A number with as many decimals as it needs, at most two: `30`, `7.5`, `29.97`.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn nearest_step(min: u32, max: u32, step: u32, asked: u32) -> u32 {
    let max = max.max(min);
    let asked = asked.clamp(min, max);
    // A step of 0 is a driver's way of saying 1.
    let step = step.max(1);
    let below = min + (asked - min) / step * step;
    let above = below.saturating_add(step);
    if above <= max && above - asked < asked - below { above } else { below }
}

fn nearest_interval(min: Fraction, max: Fraction, step: Fraction, fps: u32) -> Fraction {
    let seconds = |f: Fraction| f64::from(f.numerator) / f64::from(f.denominator.max(1));
    let asked = 1.0 / f64::from(fps);
    if asked <= seconds(min) {
        return min;
    }
    if asked >= seconds(max) {
        return max;
    }
    // Between the ends the interval itself is asked for: the driver rounds it to a step of its own, and says what it
    // took. With a step on the same grid as the least interval it can be met exactly.
    if min.denominator == step.denominator && min.denominator > 0 && step.numerator > 0 {
        let asked = min.denominator.div_ceil(fps);
        let max = u32::try_from(
            u64::from(max.numerator) * u64::from(min.denominator) / u64::from(max.denominator.max(1)),
        );
        return Fraction::new(
            nearest_step(min.numerator, max.unwrap_or(u32::MAX), step.numerator, asked),
            min.denominator,
        );
    }
    Fraction::new(1, fps)
}

#[cfg(test)]
mod tests {
    use v4l::frameinterval;
    use v4l::framesize::{Discrete, Stepwise};

    use super::*;

    fn discrete(sizes: &[(u32, u32)]) -> Vec<FrameSizeEnum> {
        sizes.iter().map(|&(width, height)| FrameSizeEnum::Discrete(Discrete { width, height })).collect()
    }

    fn intervals(list: &[(u32, u32)]) -> Vec<FrameIntervalEnum> {
        list.iter().map(|&(num, denom)| FrameIntervalEnum::Discrete(Fraction::new(num, denom))).collect()
    }

    fn chosen(offered: &[FrameIntervalEnum], fps: u32) -> Option<(u32, u32)> {
        interval(offered, fps).map(|interval| (interval.numerator, interval.denominator))
    }

    #[test]
    fn size_asked_for_is_taken_where_it_exists() {
        let offered = discrete(&[(1920, 1080), (640, 480), (1280, 720)]);
        assert_eq!(size(&offered, Size::new(1280, 720)), Some(Size::new(1280, 720)));
    }

    #[test]
    fn nearest_size_is_taken_otherwise() {
        let offered = discrete(&[(320, 240), (640, 480), (1280, 960), (1920, 1080)]);
        assert_eq!(size(&offered, Size::new(1280, 720)), Some(Size::new(1280, 960)));
        assert_eq!(size(&offered, Size::new(10_000, 10_000)), Some(Size::new(1920, 1080)));
        assert_eq!(size(&offered, Size::new(1, 1)), Some(Size::new(320, 240)));
        assert_eq!(size(&[], Size::new(640, 480)), None);
    }

    #[test]
    fn of_equally_near_sizes_the_smaller_is_taken() {
        let offered = discrete(&[(800, 600), (600, 400)]);
        assert_eq!(size(&offered, Size::new(700, 500)), Some(Size::new(600, 400)));
    }

    #[test]
    fn stepwise_sizes_are_rounded_to_their_grid() {
        let grid = |step_width, step_height| {
            let (min_width, max_width, min_height, max_height) = (32, 2592, 32, 1944);
            [FrameSizeEnum::Stepwise(Stepwise {
                min_width,
                max_width,
                step_width,
                min_height,
                max_height,
                step_height,
            })]
        };
        assert_eq!(size(&grid(2, 2), Size::new(1280, 720)), Some(Size::new(1280, 720)));
        assert_eq!(size(&grid(16, 16), Size::new(1290, 725)), Some(Size::new(1296, 720)));
        assert_eq!(size(&grid(0, 0), Size::new(9999, 1)), Some(Size::new(2592, 32)));
    }

    #[test]
    fn nearest_rate_is_taken() {
        let offered = intervals(&[(1, 30), (1, 15), (1, 5), (1001, 30_000)]);
        assert_eq!(chosen(&offered, 30), Some((1, 30)));
        assert_eq!(chosen(&offered, 60), Some((1, 30)));
        assert_eq!(chosen(&offered, 12), Some((1, 15)));
        assert_eq!(chosen(&offered, 1), Some((1, 5)));
        assert_eq!(chosen(&intervals(&[(1, 5), (1, 15)]), 10), Some((1, 15)), "of two as near, the faster");
        assert_eq!(chosen(&intervals(&[(0, 1), (1, 0)]), 30), None, "intervals that are none");
    }

    #[test]
    fn stepwise_rates_stay_within_their_range() {
        let range = |min: (u32, u32), max: (u32, u32), step: (u32, u32)| {
            let fraction = |(num, denom)| Fraction::new(num, denom);
            [FrameIntervalEnum::Stepwise(frameinterval::Stepwise {
                min: fraction(min),
                max: fraction(max),
                step: fraction(step),
            })]
        };
        let continuous = range((1, 90), (1, 1), (0, 1));
        assert_eq!(chosen(&continuous, 120), Some((1, 90)));
        assert_eq!(chosen(&continuous, 30), Some((1, 30)));
        // Microsecond grid: 1/30 s is 33 334 steps, rounded up.
        let micros = range((10_000, 1_000_000), (1_000_000, 1_000_000), (1, 1_000_000));
        assert_eq!(chosen(&micros, 30), Some((33_334, 1_000_000)));
        assert_eq!(chosen(&micros, 1), Some((1_000_000, 1_000_000)));
    }
}
