//! Detectors that look at all metrics of one entity at once: a machine, a pod, an application.
//!
//! [`UnfittedEntity`] takes training rows and becomes an [`EntityDetector`], which judges one row after the other and never
//! looks at a later one. It is a calibrated ensemble of three views that err in different ways: what a row has outside
//! of the subspace its metrics move in, how far each metric is from its own baseline, how far the row is from any seen
//! before. `docs/algorithms/entities.md` has the mathematics, what each part is worth, and what did not work.
//!
//! [`spectral_residual_score`] and [`reconstruction_shares`] say which metrics drive an anomaly, as gala-anteater ranks them.
//!
//! [`Spot`] and [`DriftSpot`] set limits on streams of single numbers, and [`rules`] are the detectors of gala-anteater.
//!
//! Missing values are masked everywhere, never filled with zeros. There are no settings for single entities.

mod baseline;
mod calibration;
mod dynamic_threshold;
mod ensemble;
mod neighbours;
mod period;
mod range;
mod reconstruction_share;
mod rows;
pub mod rules;
mod settling;
mod spectral_residual;
mod spot;
mod subspace;
mod symmetric;
mod tail;
mod trailing;
mod view;
mod views;

pub use dynamic_threshold::dynamic_threshold;
pub use ensemble::{EntityDetector, EntityJudgement, UnfittedEntity};
pub use reconstruction_share::{reconstruction_shares, shares_moving_with};
pub use rows::EntityRows;
pub use spectral_residual::spectral_residual_score;
pub use spot::{DriftSpot, Spot, SpotOptions, SpotOutcome};
pub use tail::{ParetoTail, tail_quantile};
pub use view::EntityView;

/// Why rows of an entity cannot be learnt from or judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntityError {
    /// A row with another number of values than there are metrics.
    #[error("a row of {given} values where there are {needed} metrics")]
    RowLength {
        /// How many there were.
        given: usize,
        /// How many metrics there are.
        needed: usize,
    },
    /// What was kept of a detector is not all of one.
    #[error("the parts of the detector do not go together")]
    Damaged,
    /// Too little to learn from.
    #[error("{given} rows with values to learn from, at least {needed} are needed")]
    TooFewRows {
        /// Rows with at least one value.
        given: usize,
        /// How many there must be.
        needed: usize,
    },
}
