//! Detectors that are told by job files what they look at: gala-anteater's, live.

mod causes;
mod details;
mod file;
mod finding;
mod java;
mod keys;
mod limits;
mod running;

use std::path::Path;

pub(super) use details::slow_node_result;
pub(super) use file::DetectorJob;
pub use file::DetectorJobError;
pub(super) use finding::{JobFinding, JobFound};
pub(super) use running::RunningJobs;
pub use running::check_jobs;
#[cfg(feature = "learned")]
pub(super) use {
    causes::{CauseCandidate, SpectralRanking, goes},
    file::{JobDetector, JobMetric},
};

/// The keys of a job's file that have no effect here, without places in lists (`kpis.atrend`), each once; none of a job that is
/// not enabled.
///
/// # Errors
/// A file that is no job, or one that cannot be run.
pub fn unused_job_keys(path: &Path) -> Result<Vec<String>, DetectorJobError> {
    let job = DetectorJob::read(path)?;
    let mut keys: Vec<String> = Vec::new();
    for key in job.into_iter().flat_map(|job| job.unused) {
        let parts = key
            .split('.')
            .map(|part| part.split('[').next().unwrap_or_default());
        let key = parts.collect::<Vec<_>>().join(".");
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}
