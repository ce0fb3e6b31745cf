//! What is learnt of traces, as it is kept on disk.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use skywatch_algorithms::traces::TraceDetector;

use crate::traces::state_file;

/// The version of the form; of another one nothing is read.
const VERSION: u32 = 3;

/// What is kept.
#[derive(Deserialize)]
pub(super) struct KeptModel {
    /// The detectors.
    pub(super) detector: TraceDetector,
    /// Whole traces learnt.
    pub(super) learnt: u64,
    /// When they were fitted, Unix seconds, and on how many.
    pub(super) fitted: f64,
    pub(super) fitted_on: usize,
    /// The version of the trainer's model that the detectors come from.
    #[serde(default)]
    pub(super) taught: Option<String>,
}

/// The same on its way to the disk.
#[derive(Serialize)]
pub(super) struct ModelToKeep<'m> {
    pub(super) detector: &'m TraceDetector,
    pub(super) learnt: u64,
    pub(super) fitted: f64,
    pub(super) fitted_on: usize,
    pub(super) taught: Option<&'m str>,
}

impl KeptModel {
    /// What was kept, if anything can be read; a file that cannot is logged, and learning begins anew.
    pub(super) fn read(path: &Path) -> Option<Self> {
        state_file::read(path, VERSION)
    }
}

impl ModelToKeep<'_> {
    /// Writes it in the place of what is there.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        state_file::write(path, VERSION, self)
    }
}
