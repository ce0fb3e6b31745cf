//! The main job: every metric looked at on every pass.
//!
//! [`Supervisor`] owns the loop and the worker threads; a [`worker`] owns one shard and one store connection, and takes
//! each metric through a [`metric_pass`]; the [`evaluator`] turns a window into a verdict, for passes and for [`examine`];
//! [`tally`] is what is counted, and [`crate::status`] how others learn of it.

pub mod adaptive;
mod adaptive_metric;
pub mod cache;
pub mod classic;
pub mod counter_class;
mod evaluation;
mod evaluator;
mod examine;
mod holding;
mod hours_from;
mod inquiry;
#[cfg(test)]
mod laws;
mod losses;
mod metric_pass;
mod observed;
mod options;
mod pending_points;
pub(crate) mod pending_state;
mod reading_position;
mod report;
pub mod roster;
pub mod rule;
mod scored;
mod sender_marks;
pub mod shard;
mod shard_pass;
mod shard_snapshot;
mod snapshot_name;
mod snapshot_writer;
mod snapshots;
mod state_gaps;
pub mod store_canary;
pub mod store_probe;
mod supervisor;
pub mod tally;
#[cfg(test)]
pub(crate) mod testing;
mod tracked;
mod worker;
mod worker_pool;

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::unix_now;
use crate::inlet::{FinderReport, Inlet};
use crate::net::carbon_out::CarbonOut;
use crate::status::{AnalyzerStatusFile, Followed, Liveness, PassSummary};
use crate::store::StoreError;
pub use examine::{Examiner, SavedKnowledge};
pub use inquiry::{Inquiries, MetricQuestion};
pub use options::{LiveEnsemble, WorkerOptions};
pub use snapshots::SnapshotOptions;
pub use supervisor::{AnalyzerOptions, Supervisor, open_summary};

/// Why the analyzer ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzerError {
    /// A worker did not report in time and cannot be stopped from within.
    #[error("a pass hung past its deadline while judging {metrics:?}")]
    Hung {
        /// The metric each busy worker was at.
        metrics: Vec<String>,
    },
    /// A worker thread ended by itself: a defect of ours.
    #[error("a worker thread died")]
    WorkerDied,
    /// The system refuses threads.
    #[error("cannot start a worker thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The summary file cannot be opened or written.
    #[error("cannot write the summary file `{}`: {source}", path.display())]
    SummaryFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A summary that cannot be written as JSON: a defect of ours.
    #[error("cannot encode a pass summary: {0}")]
    Summary(#[source] serde_json::Error),
}

/// Where the supervisor's findings and figures go.
pub struct PassOutputs {
    /// What pages and `/metrics` show.
    pub status: Arc<AnalyzerStatusFile>,
    /// Read by the watchdog.
    pub liveness: Liveness,
    /// Self-metrics and their prefix; `None` when Graphite is not configured.
    pub graphite: Option<(CarbonOut, String)>,
    /// The way to the dispatch.
    pub inlet: Inlet,
    /// Followed metrics: what becomes of them is reported even when they are normal.
    pub followed: Followed,
}

impl PassOutputs {
    fn push(&self, summary: &PassSummary) {
        if let Some((graphite, prefix)) = &self.graphite {
            graphite.push(prefix, &summary.self_metrics(), summary.at);
        }
    }

    /// Says that no pass can run.
    fn trouble(&mut self, error: &StoreError) {
        let why = error.to_string();
        self.status.trouble(&why);
        let since = unix_now();
        self.inlet.report(FinderReport::NoPass { why, since });
    }
}
