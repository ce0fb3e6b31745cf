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
mod evaluator;
mod examine;
mod inquiry;
#[cfg(test)]
mod laws;
mod losses;
mod metric_pass;
mod options;
pub(crate) mod pending_state;
mod report;
pub mod roster;
pub mod rule;
mod scored;
mod sender_marks;
pub mod shard;
mod shard_pass;
pub mod store_probe;
mod supervisor;
pub mod tally;
#[cfg(test)]
pub(crate) mod testing;
mod tracked;
mod worker;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};

use crate::net::carbon_out::CarbonOut;
use crate::status::{AnalyzerStatusFile, Beat, Followed, PassSummary, Word};
use crate::store::StoreError;
pub use examine::{Examination, Examiner, SavedKnowledge};
pub use inquiry::{Inquiries, MetricQuestion};
pub(crate) use losses::{COMPONENTS as DATA_COMPONENTS, METRICS as METRICS_COMPONENT};
pub use options::WorkerOptions;
pub use supervisor::{AnalyzerOptions, Supervisor, open_summary};

/// How long a pass waits for a dispatch that is backlog.
const DISPATCH_PATIENCE: Duration = Duration::from_secs(1);
/// Words that may wait for it.
const BACKLOG: usize = 10;

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
    /// The dispatch thread ended by itself: a defect of ours.
    #[error("the dispatch thread died: nobody would be alerted")]
    DispatchDied,
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
    pub beat: Beat,
    /// Self-metrics and their prefix; `None` when Graphite is not configured.
    pub graphite: Option<(CarbonOut, String)>,
    /// The dispatch thread.
    pub dispatch: Sender<Word>,
    /// Words the dispatch had no room for yet, oldest first.
    pub backlog: VecDeque<Word>,
    /// Metrics whose fate it wants to know.
    pub followed: Followed,
    /// The dispatch has ended before us.
    pub is_dispatch_gone: bool,
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
        self.dispatch(Word::Trouble(why));
    }

    /// Hands words over in their order. What a dispatch that is behind has no room for waits for the next one; beyond
    /// [`BACKLOG`] the oldest are given up, and that is said.
    fn dispatch(&mut self, word: Word) {
        self.backlog.push_back(word);
        while let Some(oldest) = self.backlog.pop_front() {
            match self.dispatch.send_timeout(oldest, DISPATCH_PATIENCE) {
                Ok(()) => {}
                Err(SendTimeoutError::Timeout(oldest)) => {
                    self.backlog.push_front(oldest);
                    tracing::warn!("dispatch is behind :: {} words to it wait", self.backlog.len());
                    break;
                }
                Err(SendTimeoutError::Disconnected(_)) => self.is_dispatch_gone = true,
            }
        }
        while self.backlog.len() > BACKLOG {
            if let Some(Word::Pass(lost)) = self.backlog.pop_front() {
                tracing::error!(
                    "dispatch is too far behind :: {} findings of pass {} given up",
                    lost.findings.len(),
                    lost.summary.pass
                );
            }
        }
    }
}
