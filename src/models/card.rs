//! What is written beside weights: how they came about and how they are to be used.

use serde::{Deserialize, Serialize};
use skywatch_algorithms::learned::{FitReport, Limits};

/// The version of what is written; another one is refused.
pub(super) const FORMAT: u32 = 2;

/// Which network the weights are for, and what it needs beside them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// The sequence autoencoder.
    Sequence {
        /// Its columns, in order.
        columns: Vec<String>,
        /// How numbers are brought between 0 and 1.
        scaling: String,
        /// Rows a window.
        window: usize,
        /// The largest errors that are no anomaly.
        limits: Limits,
    },
    /// The autoencoders of all families together, so that a metric never belongs to two of them. They have no limits: how
    /// wrong they may be about a metric is learnt by the detector that asks them, with the metric's state.
    Families {
        /// The metrics each knows, in the order of the rows of its weights `metrics`.
        metrics: Vec<Vec<String>>,
        /// Steps back it looks.
        window: usize,
    },
}

/// What a new fit was held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holdout {
    /// Mean error on what was held back.
    pub error: f64,
    /// That of the version that served until then, on the same; none if there was none.
    pub previous: Option<f64>,
    /// Unix seconds from which on points were held back.
    pub from: f64,
}

/// All about one version of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The version of this form.
    pub format: u32,
    /// Its name.
    pub model: String,
    /// Which version; later ones sort later.
    pub version: String,
    /// Which network.
    #[serde(flatten)]
    pub kind: Kind,
    /// Unix seconds of the first and last point that was learnt from.
    pub trained: (f64, f64),
    /// Unix seconds when it was made.
    pub made_at: f64,
    /// Every epoch with its losses, a network each.
    pub fits: Vec<FitReport>,
    /// How it did on what it had not seen.
    pub holdout: Holdout,
    /// What all randomness followed from.
    pub seed: u64,
    /// Instruction sets of the CPU it was made on.
    pub cpu: Vec<String>,
    /// Who made it.
    pub made_by: String,
    /// Length of the weights' file.
    pub bytes: u64,
    /// Checksum of the weights' file, hexadecimal.
    pub sha256: String,
}

/// Which version serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The version.
    pub version: String,
    /// Checksum of its card.
    pub card_sha256: String,
}
