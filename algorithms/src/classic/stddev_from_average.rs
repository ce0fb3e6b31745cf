//! Three sigmas from the mean of everything.

use super::SIGMAS;
use crate::detector::{Comparison, Detector, Failure, Look, Vote};
use crate::statistics::{Moments, exceeds};

/// |tail − mean(y)| > 3·SD₁(y), over all points, the tail included. Both flavours.
///
/// O(n). Constant: 0 > 0, normal. Fewer than two points: normal; none: fails.
#[derive(Debug, Clone, Copy)]
pub struct StddevFromAverage;

fn sides(moments: &Moments, tail: f64) -> (f64, f64) {
    (moments.deviation(tail).abs(), SIGMAS * moments.sd_sample())
}

impl Detector for StddevFromAverage {
    fn name(&self) -> &str {
        "stddev_from_average"
    }

    fn vote(&self, look: &mut Look<'_>) -> Vote {
        if look.values().is_empty() {
            return Vote::Failed(Failure::Empty);
        }
        let tail = look.tail_mean();
        let (measured, limit) = sides(&look.moments(), tail);
        exceeds(measured, limit, || sides(&Moments::plain(look.values()), tail)).into()
    }

    fn comparison(&self, look: &mut Look<'_>) -> Comparison {
        let (measured, limit) = sides(&Moments::plain(look.values()), look.tail_mean());
        Comparison { measured, limit }
    }

    fn cost(&self) -> u32 {
        4
    }
}
