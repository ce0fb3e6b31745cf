//! Detectors whose knowledge is weights: fitted once on many series, then asked about new ones.
//!
//! [`masked_span`] says which span should stand in a place of a trace. Two autoencoders: [`SequenceAutoencoder`] reconstructs all columns of one thing's traffic (the network of
//! rb-aioutliers), [`FamilyAutoencoder`] knows how a whole family of like metrics moves and says what the newest value
//! of each should be. Two more, [`UnfittedVae`] and [`UnfittedUsad`], are gala-anteater's for all metrics of an entity; what is asked by
//! default there is [`crate::entities`]. Each is `Unfitted → Fitted`: only what was fitted can judge. Weights go out and come in as plain
//! [`Weights`]; how they are kept on a disk is not known here.
//!
//! Fitting is seeded and runs on one thread, so that the same data and seed give the same weights to the bit, in
//! another process too. They may differ between CPUs of different abilities: the matrix product picks its instructions
//! when it runs. The univariate detector without weights is [`crate::shallow`].

mod adam;
mod calendar;
mod dense;
mod entity_network;
mod families;
mod family;
mod family_trainer;
mod features;
mod fit;
mod fitted_families;
mod fused;
mod layers;
mod lstm;
pub mod masked_span;
mod network;
mod row_scales;
mod scaling;
mod sequence;
mod table;
mod threshold;
mod usad;
mod vae;
mod weights;

pub use entity_network::{
    EntityNetworkDetails, EntityNetworkKind, FittedEntityNetwork, NetworkRow, UnfittedEntityNetwork,
};
pub use families::{MetricFamilies, Traits};
pub use family::{FamilyAutoencoder, FamilyOptions, FittedFamily, UnfittedFamily};
pub use family_trainer::FamilyTrainer;
pub use features::{MetricScale, STEPS};
pub use fit::{Epoch, FitReport, Progress};
pub use fitted_families::FittedFamilies;
pub use scaling::{descale, rescale};
pub use sequence::{FittedSequence, Reconstruction, SequenceAutoencoder, SequenceOptions};
pub use table::{Table, WINDOW};
pub use threshold::{Limits, Rule};
pub use usad::{FittedUsad, UnfittedUsad, UsadOptions};
pub use vae::{FittedVae, UnfittedVae, VaeOptions};
pub use weights::{Tensor32, Weights};

use crate::entities::EntityRows;

/// Why a network could not be fitted, read or asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LearnedError {
    /// Too little to learn from or to judge.
    #[error("{given} {what}, at least {needed} are needed")]
    TooFew {
        /// What of.
        what: &'static str,
        /// How many there were.
        given: usize,
        /// How many there must be.
        needed: usize,
    },
    /// A table's columns are not those of the model.
    #[error("the model knows no column `{0}`")]
    UnknownColumn(String),
    /// A table whose rows have different lengths, or times that are not as many as rows.
    #[error("a table of {rows} times and {columns} columns cannot have {values} values")]
    Ragged {
        /// Times.
        rows: usize,
        /// Names of columns.
        columns: usize,
        /// Values.
        values: usize,
    },
    /// Weights that are missing, of another shape, or not finite.
    #[error("weights `{name}` {why}")]
    Weights {
        /// Which.
        name: String,
        /// What is wrong with them.
        why: String,
    },
    /// Training left the finite numbers.
    #[error("the loss of epoch {epoch} is not a number")]
    Diverged {
        /// Which, from 1.
        epoch: usize,
    },
    /// The caller said stop.
    #[error("training was stopped in epoch {epoch}")]
    Stopped {
        /// The epoch that was under way, from 1.
        epoch: usize,
    },
    /// The machinery below failed: a defect of ours.
    #[error("cannot compute: {0}")]
    Compute(String),
}

/// Whether rows have as many metrics as a model has learnt.
///
/// # Errors
/// [`LearnedError::Ragged`].
fn check_columns(rows: &EntityRows, columns: usize) -> Result<(), LearnedError> {
    if rows.columns() == columns {
        return Ok(());
    }
    Err(LearnedError::Ragged {
        rows: rows.len(),
        columns,
        values: rows.len() * rows.columns(),
    })
}

/// Sums of each row's numbers, `columns` a row; what is missing, NaN, is left out.
fn row_sums(numbers: &[f64], columns: usize) -> Vec<f64> {
    let rows = numbers.chunks(columns.max(1));
    rows.map(|row| row.iter().filter(|number| !number.is_nan()).sum())
        .collect()
}

impl From<candle_core::Error> for LearnedError {
    fn from(error: candle_core::Error) -> Self {
        Self::Compute(error.to_string())
    }
}
