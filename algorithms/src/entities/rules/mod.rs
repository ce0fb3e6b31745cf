//! gala-anteater's detectors of single series and small groups, as pure functions of values.
//!
//! Their limits are arguments with the shipped jobs' values as defaults. A series that says nothing (too few or too many
//! points, constant, hardly ever changing) is no judgement, where the original gives it a score of 0.

mod clusters;
mod disruption;
mod jvm;
mod n_sigma;
mod series;
mod slow_node;

pub use clusters::largest_cluster;
pub use disruption::{DisruptionOptions, disruption_score};
pub use jvm::{JvmFinding, JvmMetrics, JvmPool, bytes, jvm_findings};
pub use n_sigma::{
    NSigmaOptions, NSigmaSide, establish_score, latency_score, n_sigma, n_sigma_score, sum_threshold,
};
pub use series::{Judgeability, Smoothing, is_judgeable, savitzky_golay, smoothed};
pub use slow_node::{
    NodeBounds, SpaceOptions, TimeOptions, deviating_in_space, deviating_in_time, deviating_nodes, long_runs,
};
