//! Three sigmas of the last value from the mean of those before it.

use super::SIGMAS;
use crate::detector::{Comparison, Detector, Failure, Look, Vote};
use crate::ensemble::Flavour;
use crate::statistics::{Moments, exceeds};

/// |yₙ − mean(y₁…yₙ₋₁)| > 3·SD₀(y₁…yₙ₋₁). etsy: SD₁. Nothing is cumulated in spite of the name. The only test whose
/// reference leaves out what it tests.
///
/// O(n). Constant but for the last value: anomalous; constant: normal. One point: normal in etsy, fails in
/// earthgecko (it divides by n − 1); two points: any difference is anomalous in earthgecko, none in etsy. No points:
/// fails.
#[derive(Debug, Clone, Copy)]
pub struct MeanSubtractionCumulation {
    flavour: Flavour,
}

impl MeanSubtractionCumulation {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: Flavour) -> Self {
        Self { flavour }
    }

    fn sides(self, head: &Moments, last: f64) -> (f64, f64) {
        let sd = match self.flavour {
            Flavour::Earthgecko => head.sd_population(),
            Flavour::Etsy => head.sd_sample(),
        };
        (head.deviation(last).abs(), SIGMAS * sd)
    }

    fn plain(self, look: &Look<'_>) -> (f64, f64) {
        match look.values() {
            [head @ .., last] => self.sides(&Moments::plain(head), *last),
            [] => (f64::NAN, f64::NAN),
        }
    }
}

impl Detector for MeanSubtractionCumulation {
    fn name(&self) -> &str {
        "mean_subtraction_cumulation"
    }

    fn vote(&self, look: &mut Look<'_>) -> Vote {
        match look.values() {
            [] => return Vote::Failed(Failure::Empty),
            [_] if self.flavour == Flavour::Earthgecko => return Vote::Failed(Failure::TooFew),
            _ => {}
        }
        let (measured, limit) = self.sides(&look.head_moments(), look.last());
        exceeds(measured, limit, || self.plain(look)).into()
    }

    fn comparison(&self, look: &mut Look<'_>) -> Comparison {
        let (measured, limit) = self.plain(look);
        Comparison { measured, limit }
    }

    fn cost(&self) -> u32 {
        6
    }
}
