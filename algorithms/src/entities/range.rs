//! Every metric on the scale of its own training rows, so that bytes and percentages weigh alike.

use serde::{Deserialize, Serialize};

use super::EntityRows;

/// How far outside of its training range (0 to 1) a value is still told apart from others: one absurd sample must not
/// drown the trailing means of a metric for as long as they last.
const SCALED: std::ops::RangeInclusive<f64> = -4.0..=5.0;

/// Least value and range of each metric in training. A metric that stood still there has a range of 1 unit; one that had no
/// value there has none, and is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TrainingRange {
    least: Vec<f64>,
    width: Vec<f64>,
}

impl TrainingRange {
    pub(super) fn of(rows: &EntityRows) -> Self {
        let (mut least, mut largest) = (
            vec![f64::INFINITY; rows.columns()],
            vec![f64::NEG_INFINITY; rows.columns()],
        );
        for row in rows.iter() {
            for ((value, least), largest) in row.iter().zip(&mut least).zip(&mut largest) {
                // The minimum of a number and NaN is the number.
                *least = least.min(*value);
                *largest = largest.max(*value);
            }
        }
        let width = |(least, largest): (&f64, &f64)| match largest - least {
            // No value, so no scale: what comes later is masked, too.
            width if !width.is_finite() => f64::NAN,
            width if width > 0.0 => width,
            _ => 1.0,
        };
        Self {
            width: least.iter().zip(&largest).map(width).collect(),
            least,
        }
    }

    /// Whether it is of so many metrics.
    pub(super) fn is_of(&self, columns: usize) -> bool {
        self.least.len() == columns && self.width.len() == columns
    }

    /// The row on the training scale, into `scaled`; NaN where a value is missing, or the metric was never there in training.
    pub(super) fn scale(&self, row: &[f64], scaled: &mut [f64]) {
        for (((value, least), width), scaled) in row.iter().zip(&self.least).zip(&self.width).zip(scaled) {
            // NaN stays NaN in a clamp.
            *scaled = ((value - least) / width).clamp(*SCALED.start(), *SCALED.end());
        }
    }
}
