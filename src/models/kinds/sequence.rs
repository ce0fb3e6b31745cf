//! The autoencoder of several metrics that belong together, each a column.

use serde::{Deserialize, Serialize};
use skywatch_alerters::units;
use skywatch_algorithms::learned::{FittedSequence, LearnedError, Limits, WINDOW, Weights};

use super::Model;

/// What the card says beside the weights.
#[derive(Debug, Serialize, Deserialize)]
pub struct SequenceDetails {
    /// Its columns, in order.
    columns: Vec<String>,
    /// How numbers are brought between 0 and 1.
    scaling: String,
    /// Rows a window.
    window: usize,
    /// The largest errors that are no anomaly.
    limits: Limits,
}

impl Model for FittedSequence {
    const KIND: &'static str = "sequence";

    type Details = SequenceDetails;

    fn save(&self) -> Result<(SequenceDetails, Weights), LearnedError> {
        let details = SequenceDetails {
            columns: self.columns().to_vec(),
            scaling: "tanh(ln(1 + x) / 32)".to_owned(),
            window: WINDOW,
            limits: self.limits().clone(),
        };
        Ok((details, self.weights()?))
    }

    fn load(details: SequenceDetails, weights: &Weights) -> Result<Self, LearnedError> {
        Self::from_weights(details.columns, weights, details.limits)
    }

    fn describe(details: &SequenceDetails) -> String {
        match details.columns.len() {
            1 => "1 column".to_owned(),
            count => format!("{count} columns"),
        }
    }

    fn threshold(details: &SequenceDetails) -> String {
        let Limits { all, columns, .. } = &details.limits;
        let least = columns.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = columns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let [all, least, largest] = [*all, least, largest].map(units::number);
        let one = if least == largest {
            least
        } else {
            format!("{least} to {largest}, each its own,")
        };
        format!("an error above {all} over all columns, or above {one} in one")
    }
}
