//! Three sigmas of the tail from the least-squares line.

use super::SIGMAS;
use crate::detector::{Comparison, Detector, Vote};
use crate::flavour::ClassicFlavour;
use crate::statistics::{LeastSquaresLine, near};
use crate::window_stats::WindowStats;

/// |t| > 3·s and round(s) ≠ 0 and round(t) ≠ 0, t the mean of the last three residuals from the line through all
/// points (see [`crate::statistics::line`]), s their SD₁; etsy: SD₀. Rounding is half to even, so a series whose
/// residuals stay within 0.5 never triggers, whatever its scale.
///
/// O(n). Fewer than three points, or constant: normal.
#[derive(Debug, Clone, Copy)]
pub struct LeastSquares {
    flavour: ClassicFlavour,
}

impl LeastSquares {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: ClassicFlavour) -> Self {
        Self { flavour }
    }

    fn sides(self, line: &LeastSquaresLine) -> (f64, f64) {
        let sd = match self.flavour {
            ClassicFlavour::Earthgecko => line.sd_sample(),
            ClassicFlavour::Etsy => line.sd_population(),
        };
        (line.tail.abs(), sd)
    }
}

fn triggers((tail, sd): (f64, f64)) -> bool {
    // Half to even: 0.5 itself still rounds to 0.
    tail > SIGMAS * sd && sd > 0.5 && tail > 0.5
}

impl Detector for LeastSquares {
    fn name(&self) -> &str {
        "least_squares"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        if stats.window().len() < 3 {
            return Vote::Normal;
        }
        let (tail, sd) = self.sides(&stats.line());
        let doubtful = near(tail, SIGMAS * sd) || near(tail, 0.5) || near(sd, 0.5);
        let (tail, sd) = if doubtful {
            self.sides(&LeastSquaresLine::plain(stats.window()))
        } else {
            (tail, sd)
        };
        triggers((tail, sd)).into()
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let (measured, sd) = self.sides(&LeastSquaresLine::plain(stats.window()));
        Comparison {
            measured,
            limit: SIGMAS * sd,
        }
    }

    fn cost(&self) -> u32 {
        10
    }
}
