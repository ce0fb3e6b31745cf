//! Tukey's fences: the newest value against the quartiles of its window.

use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::statistics::quartiles;
use crate::window_stats::WindowStats;

/// How many interquartile ranges beyond the nearer quartile are too many: Tukey's outer fence, beyond which a value is
/// "far out" (Exploratory Data Analysis, 1977, section 2D). Normal noise passes it once in 430,000 points.
const FENCE: f64 = 3.0;

/// yₙ < Q₁ − 3·IQR or yₙ > Q₃ + 3·IQR, IQR = Q₃ − Q₁, quartiles by linear interpolation (type 7 of Hyndman and Fan,
/// The American Statistician 50, 1996). None of Skyline's nine: it is asked only where it is named, the same in both
/// flavours.
///
/// O(n), two selections. IQR = 0 (half of the values the same): normal. No points: fails. The comparison is of the
/// distance beyond the nearer quartile, 0 between them, with 3·IQR.
#[derive(Debug, Clone, Copy)]
pub struct Iqr;

fn distance_and_range(stats: &mut WindowStats<'_>) -> (f64, f64) {
    let (last, values) = (stats.last(), stats.values());
    let [lower, upper] = quartiles(values, &mut stats.scratch().first);
    ((last - upper).max(lower - last).max(0.0), upper - lower)
}

impl Detector for Iqr {
    fn name(&self) -> &str {
        "iqr"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        if stats.values().is_empty() {
            return Vote::Failed(VoteFailure::Empty);
        }
        let (distance, range) = distance_and_range(stats);
        (range > 0.0 && distance > FENCE * range).into()
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let (measured, range) = distance_and_range(stats);
        Comparison {
            measured,
            limit: FENCE * range,
        }
    }

    fn cost(&self) -> u32 {
        60
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Series;
    use crate::window_stats::Scratch;

    fn asked(values: &[f64]) -> (Vote, Comparison) {
        let mut series = Series::default();
        for (minute, &value) in (0_u32..).zip(values) {
            series.push(60.0 * f64::from(minute), value);
        }
        let mut scratch = Scratch::default();
        let mut stats = WindowStats::new(series.window(), 0.0, 86_400.0, &mut scratch);
        (Iqr.vote(&mut stats), Iqr.comparison(&mut stats))
    }

    #[test]
    fn what_lies_beyond_the_outer_fence_is_far_out() {
        // Eight values 0 to 7 and the newest: of nine, the quartiles are the third and the seventh.
        let with = |newest: f64| asked(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, newest]);
        let (vote, comparison) = with(18.0);
        assert_eq!(vote, Vote::Normal, "on the fence: 6 + 3 · 4");
        assert_eq!((comparison.measured, comparison.limit), (12.0, 12.0));
        assert_eq!(with(18.5).0, Vote::Anomalous);
        let (vote, comparison) = with(-11.5);
        assert_eq!((vote, comparison.limit), (Vote::Anomalous, 12.0));
        assert_eq!(with(3.0).1.measured, 0.0);
    }

    #[test]
    fn without_a_range_there_is_no_answer_but_normal() {
        assert_eq!(asked(&[5.0, 5.0, 5.0, 5.0, 900.0]).0, Vote::Normal);
        assert_eq!(asked(&[5.0]).0, Vote::Normal);
        assert_eq!(asked(&[]).0, Vote::Failed(VoteFailure::Empty));
    }
}
