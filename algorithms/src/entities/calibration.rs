//! From deviations in a metric's own units to numbers that compare: what training made of them is 0 to 1.

use serde::{Deserialize, Serialize};

/// The quantile of training deviations that is 1 afterwards.
const USUAL_MOST: f64 = 0.995;
/// Part of the training range that counts as noise in every metric: one that stood still in training has no other
/// measure, and one that moved by a millionth must not outweigh all others.
const FLOOR: f64 = 0.02;
/// The most one metric may say. Without it a single metric at a new level hides all others for good.
const MOST: f64 = 20.0;

/// Per metric the median and the 99.5 % quantile of the absolute deviations in training; a deviation `d` then is
/// (d − median) / (quantile − median + 0.02), within 0 and 20.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DeviationScale {
    medians: Vec<f64>,
    widths: Vec<f64>,
}

impl DeviationScale {
    /// `deviations`: rows of absolute deviations, `columns` each; NaN for those missing.
    pub(super) fn of(deviations: &[f64], columns: usize) -> Self {
        let mut scale = Self {
            medians: vec![0.0; columns],
            widths: vec![FLOOR; columns],
        };
        let mut sorted = Vec::with_capacity(deviations.len() / columns.max(1));
        for column in 0..columns {
            sorted.clear();
            let all = deviations.iter().skip(column).step_by(columns);
            sorted.extend(all.filter(|deviation| !deviation.is_nan()));
            sorted.sort_unstable_by(f64::total_cmp);
            if !sorted.is_empty() {
                scale.medians[column] = quantile(&sorted, 0.5);
                scale.widths[column] = quantile(&sorted, USUAL_MOST) - scale.medians[column] + FLOOR;
            }
        }
        scale
    }

    /// Whether it is of so many metrics.
    pub(super) fn is_of(&self, columns: usize) -> bool {
        self.medians.len() == columns && self.widths.len() == columns
    }

    /// Calibrates a row in place; NaN stays NaN.
    pub(super) fn apply(&self, deviations: &mut [f64]) {
        for ((deviation, median), width) in deviations.iter_mut().zip(&self.medians).zip(&self.widths) {
            let calibrated = (*deviation - median) / width;
            *deviation = if calibrated.is_nan() {
                f64::NAN
            } else {
                calibrated.clamp(0.0, MOST)
            };
        }
    }
}

/// Root mean square of what is there; none if nothing is.
pub(super) fn root_mean_square(values: &[f64]) -> Option<f64> {
    let there = values.iter().filter(|value| !value.is_nan());
    let (sum, count) = there.fold((0.0, 0.0), |(sum, count), value| {
        (sum + value * value, count + 1.0)
    });
    (count > 0.0).then(|| f64::sqrt(sum / count))
}

/// The number below which a share of sorted numbers lies, linear between two. `sorted` is not empty.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = sorted[at.floor() as usize];
    below + (sorted[at.ceil() as usize] - below) * at.fract()
}
