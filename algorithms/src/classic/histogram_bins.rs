//! The tail falls where hardly anything else does.

use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::flavour::ClassicFlavour;
use crate::statistics::histogram::{BINS, Bins};
use crate::window_stats::WindowStats;

/// A bin with at most this many values is a rare one. It does not scale with n: at 288 points most bins are.
const FEW: usize = 20;

/// Fifteen equal bins over [min, max]; anomalous if the tail lies in one with at most 20 values. Bin 0 counts only if
/// tail ≤ min, bin k ≥ 1 if edge k ≤ tail < edge k + 1; so a tail in bin 0 above the minimum never triggers, nor does
/// one that equals the maximum. See [`crate::statistics::histogram`] for the bins of the two flavours.
///
/// O(n), and mostly much less: the count ends at 21. Constant: anomalous in earthgecko, whose bins are then all at
/// one point and empty but for the last; in etsy only up to 20 points. etsy fails where numpy cannot make 15 bins.
/// No points: fails. The comparison is of the values in the tail's bin with 20 and triggers when **not** above; NaN
/// when the tail is in no bin that counts.
#[derive(Debug, Clone, Copy)]
pub struct HistogramBins {
    flavour: ClassicFlavour,
}

impl HistogramBins {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: ClassicFlavour) -> Self {
        Self { flavour }
    }

    fn bins(self, stats: &mut WindowStats<'_>) -> Option<Bins> {
        let extent = stats.extent();
        match self.flavour {
            ClassicFlavour::Earthgecko => Some(Bins::truncated(extent)),
            ClassicFlavour::Etsy => Bins::numpy(extent),
        }
    }
}

/// The bins the tail counts as lying in: at most one unless rounding makes edges cross.
fn holding(bins: &Bins, tail: f64) -> impl Iterator<Item = usize> {
    let edges = bins.edges();
    (0..BINS).filter(move |&k| {
        if k == 0 {
            tail <= edges[0]
        } else {
            edges[k] <= tail && tail < edges[k + 1]
        }
    })
}

impl Detector for HistogramBins {
    fn name(&self) -> &str {
        "histogram_bins"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        let values = stats.values();
        if values.is_empty() {
            return Vote::Failed(VoteFailure::Empty);
        }
        let Some(bins) = self.bins(stats) else {
            return Vote::Failed(VoteFailure::NoBins);
        };
        holding(&bins, stats.tail_mean())
            .any(|bin| bins.holds_at_most(bin, values, FEW))
            .into()
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        let (values, tail) = (stats.values(), stats.tail_mean());
        let fewest = self.bins(stats).and_then(|bins| {
            let counts = holding(&bins, tail).map(|bin| bins.count(bin, values));
            counts.min()
        });
        Comparison {
            measured: fewest.map_or(f64::NAN, |count| count as f64),
            limit: FEW as f64,
        }
    }

    fn cost(&self) -> u32 {
        7
    }
}
