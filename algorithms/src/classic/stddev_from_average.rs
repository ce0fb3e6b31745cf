//! Three sigmas from the mean of everything.

use super::{SIGMAS, TAIL};
use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::statistics::{Moments, exceeds};
use crate::window_stats::WindowStats;

/// |tail − mean(y)| > 3·SD₁(y), over all points, the tail included. Both flavours.
///
/// O(n). Constant: 0 > 0, normal. Fewer than two points: normal; none: fails.
#[derive(Debug, Clone, Copy)]
pub struct StddevFromAverage;

fn sides(moments: &Moments, tail: &[f64]) -> (f64, f64) {
    (
        moments.deviation_of_tail(tail).abs(),
        SIGMAS * moments.sd_sample(),
    )
}

impl Detector for StddevFromAverage {
    fn name(&self) -> &str {
        "stddev_from_average"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        let tail = stats.newest(TAIL);
        if tail.is_empty() {
            return Vote::Failed(VoteFailure::Empty);
        }
        let (measured, limit) = sides(&stats.moments(), tail);
        exceeds(measured, limit, || sides(&Moments::plain(stats.values()), tail)).into()
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let (measured, limit) = sides(&Moments::plain(stats.values()), stats.newest(TAIL));
        Comparison { measured, limit }
    }

    fn cost(&self) -> u32 {
        4
    }
}
