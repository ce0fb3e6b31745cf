//! Three sigmas of the tail from the least-squares line.

use super::SIGMAS;
use crate::detector::{Comparison, Detector, Look, Vote};
use crate::ensemble::Flavour;
use crate::statistics::{Line, near};

/// |t| > 3·s and round(s) ≠ 0 and round(t) ≠ 0, t the mean of the last three residuals from the line through all
/// points (see [`crate::statistics::line`]), s their SD₁; etsy: SD₀. Rounding is half to even, so a series whose
/// residuals stay within 0.5 never triggers, whatever its scale.
///
/// O(n). Fewer than three points, or constant: normal.
#[derive(Debug, Clone, Copy)]
pub struct LeastSquares {
    flavour: Flavour,
}

impl LeastSquares {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: Flavour) -> Self {
        Self { flavour }
    }

    fn sides(self, line: &Line) -> (f64, f64) {
        let sd = match self.flavour {
            Flavour::Earthgecko => line.sd_sample(),
            Flavour::Etsy => line.sd_population(),
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

    fn vote(&self, look: &mut Look<'_>) -> Vote {
        if look.values().len() < 3 {
            return Vote::Normal;
        }
        let (tail, sd) = self.sides(&look.line());
        let doubtful = near(tail, SIGMAS * sd) || near(tail, 0.5) || near(sd, 0.5);
        let (tail, sd) = if doubtful {
            self.sides(&Line::plain(look.window()))
        } else {
            (tail, sd)
        };
        triggers((tail, sd)).into()
    }

    fn comparison(&self, look: &mut Look<'_>) -> Comparison {
        let (measured, sd) = self.sides(&Line::plain(look.window()));
        Comparison {
            measured,
            limit: SIGMAS * sd,
        }
    }

    fn cost(&self) -> u32 {
        10
    }
}
