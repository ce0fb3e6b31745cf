//! Multivariate detection: all metrics of a machine, a pod or an application at once.
//!
//! [`evaluate`] fits the detector of [`skywatch_algorithms::entities`] on files and judges others, as it would have row by
//! row: what `skywatch entities eval` does. [`EntityWatcher`] fetches entities from a Prometheus and judges them live.

mod archive;
mod detectors;
mod error;
mod evaluation;
mod probe;
mod table;
mod watch;

pub(crate) use archive::{EntityReader, entities_path};
pub use archive::{EntityScore, EntitySummary, LearntEntity};
pub use detectors::{EntityDetectorError, EntityDetectors};
pub use error::{EntityFileError, EntityWatchError};
pub use evaluation::{EntityEvaluation, evaluate};
pub use probe::probes;
#[cfg(test)]
pub(crate) use watch::every_counter;
pub use watch::{
    DetectorJobError, EntityReporter, EntityWatchOptions, EntityWatcher, check_jobs, unused_job_keys,
};
#[cfg(feature = "learned")]
pub use watch::{EntityTrainer, NetworkPlace, TrainedEntity};
