//! Multivariate detection: all metrics of a machine, a pod or an application at once.
//!
//! [`evaluate`] fits the detector of [`skywatch_algorithms::entities`] on files and judges others, as it would have row by
//! row. It is what `skywatch entities eval` does.

mod detectors;
mod error;
mod evaluation;
mod table;

pub use detectors::{EntityDetectorError, EntityDetectors};
pub use error::EntityFileError;
pub use evaluation::{EntityEvaluation, evaluate};
