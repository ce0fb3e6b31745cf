//! Grubbs' test for one outlier, upper side.

use super::TAIL;
use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::flavour::ClassicFlavour;
use crate::statistics::{Moments, exceeds};
use crate::window_stats::WindowStats;

/// (tail − mean(y))/s > G(n), see [`crate::statistics::student::grubbs_limit`]. One-sided: only a high tail triggers.
/// s is SD₁; etsy: SD₀.
///
/// O(n), the limit from a table. Constant (s = 0), or fewer than three points: normal; no points: fails. The
/// comparison is of tail − mean with G·s.
#[derive(Debug, Clone, Copy)]
pub struct Grubbs {
    flavour: ClassicFlavour,
}

impl Grubbs {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: ClassicFlavour) -> Self {
        Self { flavour }
    }

    fn sd(self, moments: &Moments) -> f64 {
        match self.flavour {
            ClassicFlavour::Earthgecko => moments.sd_sample(),
            ClassicFlavour::Etsy => moments.sd_population(),
        }
    }

    /// (tail − mean)/s. earthgecko does not divide by 0; etsy does, and 0/0 is NaN.
    fn z(self, moments: &Moments, tail: &[f64]) -> f64 {
        let sd = self.sd(moments);
        if sd == 0.0 && self.flavour == ClassicFlavour::Earthgecko {
            return f64::NAN;
        }
        moments.deviation_of_tail(tail) / sd
    }
}

impl Detector for Grubbs {
    fn name(&self) -> &str {
        "grubbs"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        let tail = stats.newest(TAIL);
        if tail.is_empty() {
            return Vote::Failed(VoteFailure::Empty);
        }
        let (z, limit) = (self.z(&stats.moments(), tail), stats.grubbs_limit());
        exceeds(z, limit, || {
            (self.z(&Moments::plain(stats.values()), tail), limit)
        })
        .into()
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let moments = Moments::plain(stats.values());
        Comparison {
            measured: moments.deviation_of_tail(stats.newest(TAIL)),
            limit: stats.grubbs_limit() * self.sd(&moments),
        }
    }

    fn cost(&self) -> u32 {
        5
    }
}
