//! Entities that are watched: fetched each step, judged by what was learnt of them, learnt anew beside that.
//!
//! The decision a reader would question: the whole past that is learnt from is held in memory, not asked for again at each fit.
//! It takes less than what is learnt from it, and a source that is away then keeps nobody from learning.

mod counters;
mod detector_jobs;
mod fitting;
#[cfg(feature = "learned")]
mod kept;
#[cfg(feature = "learned")]
mod networks;
mod population;
mod prometheus;
mod publishing;
mod query;
mod reporting;
mod ring;
mod root_causes;
mod rules;
mod source;
mod stored;
#[cfg(feature = "learned")]
mod training;
mod watched;
mod watcher;
mod work;

pub use detector_jobs::{DetectorJobError, check_jobs, unused_job_keys};
#[cfg(feature = "learned")]
pub use networks::NetworkPlace;
pub use reporting::EntityReporter;
#[cfg(feature = "learned")]
pub use training::{EntityTrainer, TrainedEntity};
pub use watcher::{EntityWatchOptions, EntityWatcher};

#[cfg(test)]
pub(crate) fn every_counter() -> Vec<String> {
    watcher::every_counter()
}
