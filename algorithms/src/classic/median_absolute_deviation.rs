//! Six median absolute deviations of the last value from the median.

use std::cmp::Ordering;

use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::flavour::ClassicFlavour;
use crate::statistics::{compare_deviation, is_mostly, median_absolute_deviation};
use crate::window_stats::WindowStats;

/// How many median absolute deviations are too many.
const LIMIT: f64 = 6.0;

/// |yₙ − M|/MAD > 6, M = median(y), MAD = median|y − M|, unscaled.
///
/// O(n), two passes or three. MAD = 0 (more than half of the values the same): normal. etsy returns None where earthgecko says
/// normal for any other reason. No points: normal; etsy: fails.
#[derive(Debug, Clone, Copy)]
pub struct MedianAbsoluteDeviation {
    flavour: ClassicFlavour,
}

impl MedianAbsoluteDeviation {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: ClassicFlavour) -> Self {
        Self { flavour }
    }
}

fn deviations(stats: &mut WindowStats<'_>) -> (f64, f64) {
    let (median, values) = (stats.median(), stats.values());
    let spread = median_absolute_deviation(values, median, &mut stats.scratch().first);
    ((stats.last() - median).abs(), spread)
}

impl Detector for MedianAbsoluteDeviation {
    fn name(&self) -> &str {
        "median_absolute_deviation"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        if stats.window().is_empty() {
            return match self.flavour {
                ClassicFlavour::Earthgecko => Vote::Normal,
                ClassicFlavour::Etsy => Vote::Failed(VoteFailure::Empty),
            };
        }
        let no = match self.flavour {
            ClassicFlavour::Earthgecko => Vote::Normal,
            ClassicFlavour::Etsy => Vote::Failed(VoteFailure::NoAnswer),
        };
        let (median, values) = (stats.median(), stats.values());
        let last = (stats.last() - median).abs();
        // Counting nearly always tells on which side of last/6 the MAD is without finding it. What is close to the
        // limit, or might be 0, is left to the plain formula.
        match compare_deviation(values, median, last / LIMIT) {
            Some(Ordering::Greater) => return no,
            Some(Ordering::Less) if !is_mostly(values, median) => return Vote::Anomalous,
            _ => {}
        }
        let (last, spread) = deviations(stats);
        if spread == 0.0 {
            Vote::Normal
        } else if last / spread > LIMIT {
            Vote::Anomalous
        } else {
            no
        }
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let (measured, spread) = deviations(stats);
        Comparison {
            measured,
            limit: LIMIT * spread,
        }
    }

    fn cost(&self) -> u32 {
        30
    }
}
