//! The main job: every metric looked at on every pass.
//!
//! [`Supervisor`] owns the loop and the worker threads; a [`worker`] owns one shard and one store
//! connection; the [`judge`] turns a window into a verdict; [`tally`] and [`summary`] are what is counted
//! and how it is told.

pub mod cache;
mod desk;
pub mod judge;
#[cfg(test)]
mod laws;
pub mod roll;
pub mod shard;
pub mod summary;
mod supervisor;
pub mod tally;
pub mod worker;

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};

use crate::dispatch::Findings;
use crate::net::carbon_out::CarbonOut;
use crate::status::{AnalyzerStatusFile, Beat};
pub use summary::PassSummary;
pub use supervisor::{AnalyzerOptions, Supervisor, open_summary};
pub use worker::WorkerOptions;

/// How long a pass waits for a dispatch that is behind.
const DISPATCH_PATIENCE: Duration = Duration::from_secs(1);

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
pub struct Outlets {
    /// What pages and `/metrics` show.
    pub status: AnalyzerStatusFile,
    /// Read by the watchdog.
    pub beat: Beat,
    /// Self-metrics and their prefix; `None` when Graphite is not configured.
    pub graphite: Option<(CarbonOut, String)>,
    /// The dispatch thread.
    pub dispatch: Sender<Findings>,
}

impl Outlets {
    fn push(&self, summary: &PassSummary) {
        if let Some((graphite, prefix)) = &self.graphite {
            graphite.push(prefix, &summary.self_metrics(), summary.at);
        }
    }

    fn dispatch(&self, findings: Findings) {
        let count = findings.findings.len();
        match self.dispatch.send_timeout(findings, DISPATCH_PATIENCE) {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => {
                tracing::warn!("dispatch is behind :: {count} findings of this pass wait for the next");
            }
            Err(SendTimeoutError::Disconnected(_)) => {
                tracing::error!("dispatch has ended :: {count} findings of this pass go nowhere");
            }
        }
    }
}
