//! Three sigmas of the last value from the mean of those before it.

use super::SIGMAS;
use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::flavour::ClassicFlavour;
use crate::statistics::{Moments, exceeds};
use crate::window_stats::WindowStats;

/// |yₙ − mean(y₁…yₙ₋₁)| > 3·SD₀(y₁…yₙ₋₁). etsy: SD₁. Nothing is cumulated in spite of the name. The only test whose
/// reference leaves out what it tests.
///
/// O(n). Constant but for the last value: anomalous; constant: normal. One point: normal in etsy, fails in
/// earthgecko (it divides by n − 1); two points: any difference is anomalous in earthgecko, none in etsy. No points:
/// fails.
#[derive(Debug, Clone, Copy)]
pub struct MeanSubtractionCumulation {
    flavour: ClassicFlavour,
}

impl MeanSubtractionCumulation {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: ClassicFlavour) -> Self {
        Self { flavour }
    }

    fn sides(self, head: &Moments, last: f64) -> (f64, f64) {
        let sd = match self.flavour {
            ClassicFlavour::Earthgecko => head.sd_population(),
            ClassicFlavour::Etsy => head.sd_sample(),
        };
        (head.deviation(last).abs(), SIGMAS * sd)
    }

    fn plain(self, stats: &WindowStats<'_>) -> (f64, f64) {
        match stats.values() {
            [head @ .., last] => self.sides(&Moments::plain(head), *last),
            [] => (f64::NAN, f64::NAN),
        }
    }
}

impl Detector for MeanSubtractionCumulation {
    fn name(&self) -> &str {
        "mean_subtraction_cumulation"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        match stats.newest(2) {
            [] => return Vote::Failed(VoteFailure::Empty),
            [_] if self.flavour == ClassicFlavour::Earthgecko => return Vote::Failed(VoteFailure::TooFew),
            _ => {}
        }
        let (measured, limit) = self.sides(&stats.head_moments(), stats.last());
        exceeds(measured, limit, || self.plain(stats)).into()
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let (measured, limit) = self.plain(stats);
        Comparison { measured, limit }
    }

    fn cost(&self) -> u32 {
        6
    }
}
