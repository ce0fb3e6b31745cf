//! Three sigmas from the mean of the hour a day ago.

use std::ops::Bound;

use super::{SIGMAS, TAIL};
use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::flavour::ClassicFlavour;
use crate::statistics::{Moments, exceeds};
use crate::window_stats::WindowStats;

/// The reference is an hour long.
const HOUR: f64 = 3600.0;

/// |tail − mean(h)| > 3·SD₁(h), h the values with last − full duration < x < last − full duration + 1 h (both
/// strict, relative to the last time). etsy: all values with x < now − full duration + 1 h, so it reads the clock and
/// takes in everything older.
///
/// O(log n) to find the hour, then linear in it. Fewer than two values in the hour: normal. A constant hour: any
/// other tail is anomalous. No points: fails.
#[derive(Debug, Clone, Copy)]
pub struct FirstHourAverage {
    flavour: ClassicFlavour,
}

impl FirstHourAverage {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: ClassicFlavour) -> Self {
        Self { flavour }
    }

    fn measure(self, stats: &mut WindowStats<'_>, moments: impl Fn(&[f64]) -> Moments) -> (f64, f64) {
        let mut buffer = std::mem::take(&mut stats.scratch().first);
        let hour = match self.flavour {
            ClassicFlavour::Earthgecko => {
                let start = stats.window().last().map_or(f64::NAN, |(time, _)| time) - stats.full_duration();
                stats.between(Bound::Excluded(start), Bound::Excluded(start + HOUR), &mut buffer)
            }
            ClassicFlavour::Etsy => {
                let end = stats.now() - (stats.full_duration() - HOUR);
                stats.between(Bound::Unbounded, Bound::Excluded(end), &mut buffer)
            }
        };
        let moments = moments(hour);
        stats.scratch().first = buffer;
        (
            moments.deviation_of_tail(stats.newest(TAIL)).abs(),
            SIGMAS * moments.sd_sample(),
        )
    }
}

impl Detector for FirstHourAverage {
    fn name(&self) -> &str {
        "first_hour_average"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        if stats.window().is_empty() {
            return Vote::Failed(VoteFailure::Empty);
        }
        let (measured, limit) = self.measure(stats, Moments::of);
        exceeds(measured, limit, || self.measure(stats, Moments::plain)).into()
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let (measured, limit) = self.measure(stats, Moments::plain);
        Comparison { measured, limit }
    }

    fn reads_clock(&self) -> bool {
        self.flavour == ClassicFlavour::Etsy
    }

    fn cost(&self) -> u32 {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;
    use crate::window_stats::Scratch;

    fn compare(flavour: ClassicFlavour, times: &[f64], values: &[f64], now: f64) -> (f64, f64) {
        let mut scratch = Scratch::new();
        let mut stats = WindowStats::new(Window::new(times, values), now, 86_400.0, &mut scratch);
        let Comparison { measured, limit } = FirstHourAverage::new(flavour).comparison(&mut stats);
        (measured, limit)
    }

    #[test]
    fn the_hour_is_open_at_both_ends() {
        let times = [0.0, 1.0, 3599.0, 3600.0, 86_399.0, 86_400.0];
        let values = [1e6, 4.0, 6.0, 1e6, 50.0, 5.0];
        let tail: f64 = (1e6 + 50.0 + 5.0) / 3.0;
        let cases = [
            (ClassicFlavour::Earthgecko, 86_400.0, 5.0),
            // etsy goes by the clock and has no lower end.
            (ClassicFlavour::Etsy, 86_400.0, (1e6 + 4.0 + 6.0) / 3.0),
            (ClassicFlavour::Etsy, 86_400.5, (1e6 + 4.0 + 6.0 + 1e6) / 4.0),
        ];
        for (flavour, now, mean) in cases {
            let (measured, _) = compare(flavour, &times, &values, now);
            assert!(
                (measured - (tail - mean).abs()).abs() < 1e-9,
                "{flavour} {now}: {measured}"
            );
        }
    }

    #[test]
    fn an_hour_without_two_points_is_nan() {
        let (measured, limit) = compare(
            ClassicFlavour::Earthgecko,
            &[1.0, 86_400.0],
            &[4.0, 5.0],
            86_400.0,
        );
        assert_eq!(measured, 1.0);
        assert!(limit.is_nan());
    }
}
