//! What a detector is, and the registry of those that have a name.

use crate::classic;
use crate::ensemble::Flavour;
pub use crate::look::{Look, Scratch};

/// One detector's answer about one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vote {
    /// The newest points do not fit the rest.
    Anomalous,
    /// They do.
    Normal,
    /// The detector has no answer: the original returned None or raised.
    Failed(Failure),
}

impl From<bool> for Vote {
    fn from(anomalous: bool) -> Self {
        if anomalous { Self::Anomalous } else { Self::Normal }
    }
}

/// Why a detector has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// The original returned None without an error: etsy's median_absolute_deviation in place of False.
    #[error("returned None")]
    NoAnswer,
    /// There is no point to look at.
    #[error("no points")]
    Empty,
    /// Too few points for the regression or the mean it needs.
    #[error("too few points")]
    TooFew,
    /// The reference it compares with has no spread.
    #[error("constant reference")]
    ConstantReference,
    /// The values are so close together, or so far apart, that no bins fit between them.
    #[error("no bins fit between the values")]
    NoBins,
}

impl Failure {
    /// Whether the original raised, rather than just returning None.
    #[must_use]
    pub fn is_error(self) -> bool {
        self != Self::NoAnswer
    }
}

/// What a detector measured and what it held it against. Each detector says which side triggers; nearly always it is
/// measured > limit. NaN: there was nothing to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// What was measured.
    pub measured: f64,
    /// What it was held against.
    pub limit: f64,
}

/// A detector looks at one window and votes.
///
/// The ensemble calls [`Detector::vote`] once per window and pass, on the worker thread that owns the window, several
/// threads at once on different windows: a detector is shared and keeps no state of its own. It does no I/O, takes no
/// lock, allocates nothing once its buffers are warm, and is at most linear in n on the path that most windows take.
/// [`Detector::comparison`] is called for reports only and may take its time.
///
/// The same window, `now` and settings give the same vote, bit for bit. A window of any length, with any values, must
/// not panic; the answer to non-finite values means nothing.
pub trait Detector: Send + Sync {
    /// The name in reports and settings, in snake case.
    fn name(&self) -> &str;

    /// The answer about this window.
    fn vote(&self, look: &mut Look<'_>) -> Vote;

    /// The two sides of the comparison behind the vote, by the plain formula.
    fn comparison(&self, look: &mut Look<'_>) -> Comparison;

    /// Whether the vote depends on `now`. If not, a window without new points need not be looked at again.
    fn reads_clock(&self) -> bool {
        false
    }

    /// Where it stands when the cheapest go first: roughly nanoseconds a point, times ten.
    fn cost(&self) -> u32 {
        1000
    }
}

/// The detector of this name, in this flavour. `None` for a name that is not in [`names`].
#[must_use]
pub fn by_name(name: &str, flavour: Flavour) -> Option<Box<dyn Detector>> {
    Some(match name {
        "histogram_bins" => Box::new(classic::HistogramBins::new(flavour)),
        "first_hour_average" => Box::new(classic::FirstHourAverage::new(flavour)),
        "stddev_from_average" => Box::new(classic::StddevFromAverage),
        "grubbs" => Box::new(classic::Grubbs::new(flavour)),
        "ks_test" => Box::new(classic::KsTest::new(flavour)),
        "mean_subtraction_cumulation" => Box::new(classic::MeanSubtractionCumulation::new(flavour)),
        "median_absolute_deviation" => Box::new(classic::MedianAbsoluteDeviation::new(flavour)),
        "stddev_from_moving_average" => Box::new(classic::StddevFromMovingAverage),
        "least_squares" => Box::new(classic::LeastSquares::new(flavour)),
        _ => return None,
    })
}

/// Every name [`by_name`] knows, in earthgecko's order.
#[must_use]
pub fn names() -> &'static [&'static str] {
    &classic::NAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_a_detector_of_that_name() {
        for flavour in [Flavour::Earthgecko, Flavour::Etsy] {
            for &name in names() {
                assert_eq!(
                    by_name(name, flavour).map(|d| d.name().to_owned()).as_deref(),
                    Some(name)
                );
            }
            assert!(by_name("no_such", flavour).is_none());
        }
    }
}
