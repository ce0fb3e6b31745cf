//! What each process last saw, for the others to show.
//!
//! Small JSON files in the state folder, written beside and renamed, so that a reader never sees half of
//! one and a restart still knows the last pass. They carry no history and lose nothing that cannot be
//! said again a pass later; a write that fails is logged once and work goes on.

mod beat;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use skywatch_alerters::{Anomaly, Evidence};

use crate::analyzer::PassSummary;
use crate::dispatch::{Finding, Findings};
pub use beat::{Beat, Progress};

/// Anomalies kept for pages; beyond that only their number is told.
const SHOWN: usize = 1_000;

/// An anomaly of the last pass.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Current {
    /// The anomaly, without its window: pages read that from the store.
    pub anomaly: Anomaly,
    /// Unix seconds of the pass or point that first showed it.
    pub since: f64,
}

impl Current {
    fn of(finding: &Finding) -> Self {
        let found = &finding.anomaly;
        let anomaly = Anomaly {
            subject: found.subject.clone(),
            votes: found.votes.clone(),
            evidence: Evidence {
                rate: found.evidence.rate,
                ..Evidence::default()
            },
            ..*found
        };
        Self {
            anomaly,
            since: finding.since,
        }
    }
}

/// The analyzer's last words.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AnalyzerStatus {
    /// The last finished pass.
    pub pass: Option<PassSummary>,
    /// Its anomalies, most votes first, at most a thousand.
    pub anomalies: Vec<Current>,
    /// Unix seconds of the last pass with an anomaly.
    pub last_anomaly: Option<f64>,
    /// Why no pass is running at present, if none is.
    pub trouble: Option<String>,
}

/// The ingest's counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct IngestStatus {
    /// Unix seconds of this report.
    pub at: f64,
    /// Counter name and value, in a stable order.
    pub counters: Vec<(String, u64)>,
    /// Unix seconds at which the last point was accepted.
    pub last_point: Option<f64>,
}

/// Where the analyzer leaves its status.
pub struct AnalyzerStatusFile {
    file: StatusFile,
    /// What was written last; held for the moment of changing and writing it, never across other work.
    state: Mutex<AnalyzerStatus>,
}

impl AnalyzerStatusFile {
    /// The status in `state_dir`, taken up where the last process left it.
    pub fn open(state_dir: &Path) -> Self {
        let file = StatusFile::analyzer(state_dir);
        let state = Mutex::new(file.read().unwrap_or_default());
        Self { file, state }
    }

    /// Reports a finished pass.
    pub fn pass(&self, summary: &PassSummary, findings: &Findings) {
        let mut worst: Vec<_> = findings.findings.iter().collect();
        worst.sort_by(|a, b| b.anomaly.score().total_cmp(&a.anomaly.score()));
        worst.truncate(SHOWN);
        let anomalies: Vec<Current> = worst.into_iter().map(Current::of).collect();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !anomalies.is_empty() {
            state.last_anomaly = Some(summary.at);
        }
        state.pass = Some(summary.clone());
        state.anomalies = anomalies;
        state.trouble = None;
        self.file.write(&*state);
    }

    /// Reports why no pass can run.
    pub fn trouble(&self, why: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.trouble.as_deref() != Some(why) {
            state.trouble = Some(why.to_owned());
            self.file.write(&*state);
        }
    }
}

/// One status file.
#[derive(Debug, Clone)]
pub struct StatusFile {
    path: PathBuf,
}

impl StatusFile {
    /// The analyzer's, holding an [`AnalyzerStatus`].
    pub fn analyzer(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("status").join("analyzer.json"),
        }
    }

    /// The ingest's, holding an [`IngestStatus`].
    pub fn ingest(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("status").join("ingest.json"),
        }
    }

    /// The last status, if there is one that can be read.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()
    }

    /// Replaces the status.
    pub fn write(&self, status: &impl Serialize) {
        if let Err(error) = self.try_write(status) {
            tracing::warn!("status not written to `{}` :: {error}", self.path.display());
        }
    }

    fn try_write(&self, status: &impl Serialize) -> std::io::Result<()> {
        let beside = self.path.with_extension("json.new");
        let text = serde_json::to_vec(status)?;
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &self.path)
    }
}
