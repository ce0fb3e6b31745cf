//! The main job: every metric looked at on every pass.
//!
//! [`Supervisor`] owns the loop and the worker threads; a [`worker`] owns one shard and one store
//! connection; the [`judge`] turns a window into a verdict; [`tally`] is what is counted, and [`crate::status`] how it is told.

pub mod adaptive;
pub mod cache;
mod desk;
mod examine;
mod found;
mod inquiry;
pub mod judge;
#[cfg(test)]
mod laws;
mod losses;
mod metric_state;
pub mod roll;
pub mod rule;
mod said;
pub mod shard;
mod supervisor;
pub mod tally;
pub mod watchman;
pub mod worker;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};

use crate::net::carbon_out::CarbonOut;
use crate::status::{AnalyzerStatusFile, Beat, Followed, PassSummary, Word};
use crate::store::StoreError;
pub use examine::{Examination, Examiner, Knowledge};
pub use inquiry::{Inquiries, Question};
pub(crate) use losses::{COMPONENTS as DATA_COMPONENTS, METRICS as METRICS_COMPONENT};
pub use supervisor::{AnalyzerOptions, Supervisor, open_summary};
pub use worker::WorkerOptions;

/// How long a pass waits for a dispatch that is behind.
const DISPATCH_PATIENCE: Duration = Duration::from_secs(1);
/// Words that may wait for it.
const BEHIND: usize = 10;

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
pub struct Outlets {
    /// What pages and `/metrics` show.
    pub status: Arc<AnalyzerStatusFile>,
    /// Read by the watchdog.
    pub beat: Beat,
    /// Self-metrics and their prefix; `None` when Graphite is not configured.
    pub graphite: Option<(CarbonOut, String)>,
    /// The dispatch thread.
    pub dispatch: Sender<Word>,
    /// Words the dispatch had no room for yet, oldest first.
    pub behind: VecDeque<Word>,
    /// Metrics whose fate it wants to know.
    pub followed: Followed,
    /// The dispatch has ended before us.
    pub deserted: bool,
}

impl Outlets {
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
    /// [`BEHIND`] the oldest are given up, and that is said.
    fn dispatch(&mut self, word: Word) {
        self.behind.push_back(word);
        while let Some(oldest) = self.behind.pop_front() {
            match self.dispatch.send_timeout(oldest, DISPATCH_PATIENCE) {
                Ok(()) => {}
                Err(SendTimeoutError::Timeout(oldest)) => {
                    self.behind.push_front(oldest);
                    tracing::warn!("dispatch is behind :: {} words to it wait", self.behind.len());
                    break;
                }
                Err(SendTimeoutError::Disconnected(_)) => self.deserted = true,
            }
        }
        while self.behind.len() > BEHIND {
            if let Some(Word::Pass(lost)) = self.behind.pop_front() {
                tracing::error!(
                    "dispatch is too far behind :: {} findings of pass {} given up",
                    lost.findings.len(),
                    lost.summary.pass
                );
            }
        }
    }
}
