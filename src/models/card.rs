//! What is written beside weights: how they came about and how they are to be used.

use serde::{Deserialize, Serialize};
use skywatch_algorithms::learned::FitReport;

use super::ModelError;

/// The version of what is written; another one is refused.
pub(super) const FORMAT: u32 = 2;

/// What a new fit was held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holdout {
    /// Mean error on what was held back, in a unit of the kind's own.
    pub error: f64,
    /// That of the version that served until then, on the same; none if there was none.
    pub previous: Option<f64>,
    /// Unix seconds from which on points were held back.
    pub from: f64,
}

/// Where a version comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
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
    /// Which [kind](super::kinds::KINDS) of model.
    pub kind: String,
    /// Where it comes from.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// Length of the weights' file.
    pub bytes: u64,
    /// Checksum of the weights' file, hexadecimal.
    pub sha256: String,
    /// What its kind says beside: all other fields.
    #[serde(flatten)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// Which version serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The version.
    pub version: String,
    /// Checksum of its card.
    pub card_sha256: String,
}

impl Card {
    pub(super) fn refused(&self, why: impl ToString) -> ModelError {
        ModelError::refused(&format!("{}/{}", self.model, self.version), why)
    }
}
