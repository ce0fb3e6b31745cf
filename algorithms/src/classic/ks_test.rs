//! The last ten minutes are distributed unlike the hour before, and that hour was stationary.

use std::ops::Bound;

use crate::detector::{Comparison, Detector, Vote, VoteFailure};
use crate::flavour::ClassicFlavour;
use crate::statistics::adf::{self, Refusal};
use crate::statistics::ks;
use crate::window_stats::WindowStats;

/// The reference starts an hour before now, seconds.
const REFERENCE: f64 = 3600.0;
/// The probe starts ten minutes before now, seconds, and the reference ends there.
const PROBE: f64 = 600.0;
/// Fewer values than this in either: no test.
const LEAST_VALUES: usize = 20;
/// The least distance between the distributions.
const DISTANCE: f64 = 0.5;
/// Significance, of both tests.
const SIGNIFICANCE: f64 = 0.05;

/// Reference: values with now − 1 h ≤ x < now − 10 min; probe: x ≥ now − 10 min. If both have at least 20 values, the
/// two-sample Kolmogorov–Smirnov test finds D > 0.5 (then its p < 0.05 follows: at 20 against 20 it is 0.004) and the
/// augmented Dickey–Fuller test on the reference finds p < 0.05: anomalous.
///
/// Reads the clock. O(log n) when there are too few values, which is always so at 60 s; otherwise the sorting of an
/// hour, and 0.1 ms more if D > 0.5. A constant reference: normal; etsy: fails, if D > 0.5. A reference of 20 to 23
/// values: fails if D > 0.5, being too short for ten lags. The comparison is of D with 0.5.
#[derive(Debug, Clone, Copy)]
pub struct KsTest {
    flavour: ClassicFlavour,
}

impl KsTest {
    /// In the given flavour.
    #[must_use]
    pub fn new(flavour: ClassicFlavour) -> Self {
        Self { flavour }
    }

    fn examine(
        self,
        stats: &mut WindowStats<'_>,
        probe: &mut Vec<f64>,
        reference: &mut Vec<f64>,
    ) -> Option<(f64, Vote)> {
        let (from, until) = (stats.now() - REFERENCE, stats.now() - PROBE);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let recent = stats.between(Bound::Included(until), Bound::Unbounded, &mut a);
        if recent.len() < LEAST_VALUES {
            return None;
        }
        let hour = stats.between(Bound::Included(from), Bound::Excluded(until), &mut b);
        if hour.len() < LEAST_VALUES {
            return None;
        }
        sort_into(probe, recent);
        sort_into(reference, hour);
        let d = ks::distance(reference, probe);
        let constant = reference.first() == reference.last();
        let differs = d > DISTANCE;
        if !differs || (constant && self.flavour == ClassicFlavour::Earthgecko) {
            return Some((d, Vote::Normal));
        }
        let vote = match adf::test(hour, &mut stats.scratch().regression) {
            Ok(found) => (found.p < SIGNIFICANCE).into(),
            Err(Refusal::Constant) => Vote::Failed(VoteFailure::ConstantReference),
            Err(Refusal::TooShort) => Vote::Failed(VoteFailure::TooFew),
        };
        Some((d, vote))
    }

    fn with_buffers(self, stats: &mut WindowStats<'_>) -> Option<(f64, Vote)> {
        let scratch = stats.scratch();
        let (mut probe, mut reference) = (
            std::mem::take(&mut scratch.first),
            std::mem::take(&mut scratch.second),
        );
        let found = self.examine(stats, &mut probe, &mut reference);
        let scratch = stats.scratch();
        (scratch.first, scratch.second) = (probe, reference);
        found
    }
}

fn sort_into(buffer: &mut Vec<f64>, values: &[f64]) {
    buffer.clear();
    buffer.extend_from_slice(values);
    buffer.sort_unstable_by(f64::total_cmp);
}

impl Detector for KsTest {
    fn name(&self) -> &str {
        "ks_test"
    }

    fn vote(&self, stats: &mut WindowStats<'_>) -> Vote {
        self.with_buffers(stats).map_or(Vote::Normal, |(_, vote)| vote)
    }

    fn comparison(&self, stats: &mut WindowStats<'_>) -> Comparison {
        Comparison {
            measured: self.with_buffers(stats).map_or(f64::NAN, |(d, _)| d),
            limit: DISTANCE,
        }
    }

    fn reads_clock(&self) -> bool {
        true
    }

    fn cost(&self) -> u32 {
        20
    }
}
