//! The autoencoder of several metrics that belong together, each a column.

use serde::{Deserialize, Serialize};
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
        format!("{} columns", details.columns.len())
    }
}
