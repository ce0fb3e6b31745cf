//! Three sigmas of the last value from its exponentially weighted past.

use super::SIGMAS;
use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::statistics::{Ewm, exceeds};
use crate::window_stats::WindowStats;

/// |yₙ − μ| > 3·s, μ and s the exponentially weighted mean and bias-corrected deviation at the last point (see
/// [`crate::statistics::ewm`]), which is itself part of both. Both flavours.
///
/// O(n). Ages are counted in points, so a gap ages nothing. Constant, or one point: normal. No points: fails.
#[derive(Debug, Clone, Copy)]
pub struct StddevFromMovingAverage;

fn sides(ewm: Ewm) -> (f64, f64) {
    (ewm.deviation.abs(), SIGMAS * ewm.sd)
}

impl Detector for StddevFromMovingAverage {
    fn name(&self) -> &str {
        "stddev_from_moving_average"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        if stats.window().is_empty() {
            return Vote::Failed(VoteFailure::Empty);
        }
        let (measured, limit) = sides(stats.ewm());
        exceeds(measured, limit, || sides(stats.plain_ewm())).into()
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let (measured, limit) = sides(stats.plain_ewm());
        Comparison { measured, limit }
    }

    fn cost(&self) -> u32 {
        8
    }
}
