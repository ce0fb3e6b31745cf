//! The statistics the detectors are made of, each defined in one place and free of any detector's thresholds.
//!
//! Where a statistic has a fast form (several accumulators, one pass) it also has a `plain` one that follows the
//! textbook term by term. The two differ by rounding alone, by at most n · 2⁻⁵² of the spread; [`exceeds`] asks the
//! plain form whenever that could matter.

pub mod adf;
pub mod binomial;
pub mod ewm;
mod factor;
pub mod histogram;
pub mod ks;
mod lanes;
pub mod line;
pub mod median;
pub mod moments;
pub mod running;
pub mod student;

pub use ewm::{Ewm, EwmWeights};
pub use lanes::{Extent, extent};
pub use line::LeastSquaresLine;
pub use median::{compare_deviation, is_mostly, median, median_absolute_deviation, quartiles};
pub use moments::Moments;
pub use running::RunningMoments;

/// Two numbers closer than this, relative to the larger, are not told apart by the fast forms.
pub const CLOSE: f64 = 1e-9;

/// Whether `measured > limit` by the plain formula: the fast sides decide unless they are within [`CLOSE`] of each
/// other, only then `plain` computes both sides again. NaN on either side is no.
pub fn exceeds(measured: f64, limit: f64, plain: impl FnOnce() -> (f64, f64)) -> bool {
    if near(measured, limit) {
        let (measured, limit) = plain();
        measured > limit
    } else {
        measured > limit
    }
}

/// Whether the two are within [`CLOSE`] of each other, relative to the larger; so is anything of an infinite one.
#[must_use]
pub fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= CLOSE * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_form_is_asked_only_when_it_matters() {
        assert!(exceeds(2.0, 1.0, || unreachable!()));
        assert!(!exceeds(1.0, 2.0, || unreachable!()));
        assert!(!exceeds(f64::NAN, 1.0, || unreachable!()));
        // An overflow is left to the plain form.
        assert!(!exceeds(1.0, f64::INFINITY, || (1.0, 2.0)));
        assert!(exceeds(1.0, 1.0 + 1e-12, || (1.0, 0.5)));
        assert!(!exceeds(0.0, 0.0, || (0.0, 0.0)));
    }
}
