//! Detectors that are told by job files what they look at: gala-anteater's, live.

mod file;
mod java;
mod limits;
mod running;

pub use file::DetectorJobError;
pub(super) use file::{DetectorJob, JobMetric};
pub use running::check_jobs;
pub(super) use running::{JobFinding, JobFound, RunningJobs};
