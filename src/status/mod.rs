//! What each process last saw, for the others to show.
//!
//! Small JSON files in the state folder, written beside and renamed, so that a reader never sees half of
//! one and a restart still knows the last pass. They carry no history and lose nothing that cannot be
//! said again a pass later; a write that fails is logged once and work goes on.

mod examination;
mod findings;
mod liveness;
mod pass;
mod process;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use skywatch_alerters::{Anomaly, units};

use crate::files;

pub use examination::Examination;
pub use findings::{Finding, Findings, Followed, FollowedOutcome, Warming};
pub use liveness::{Liveness, WorkerProgress};
pub(crate) use pass::{
    DATA_COMPONENTS, EVICTIONS_COMPONENT, METRICS_COMPONENT, POLICY_COMPONENT, WRITES_COMPONENT,
};
pub use pass::{PassSummary, Seconds, Timing, Trouble};
pub use process::{ChildStatus, ProcessStatus, ReloadStatus};

/// Anomalies kept for pages; beyond that only their number is told.
const SHOWN: usize = 1_000;
/// Metrics kept for pages that are still being learnt.
pub const WARMING_SHOWN: usize = 1_000;

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
        Self {
            anomaly: finding.anomaly.without_window(),
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
    /// Metrics that are still being learnt, at most a thousand.
    #[serde(default)]
    pub warming: Vec<Warming>,
    /// Unix seconds of the last pass with an anomaly.
    pub last_anomaly: Option<f64>,
    /// Why no pass is running at present, or why the last one broke off.
    pub trouble: Option<String>,
    /// Why the store does not answer, found out beside the passes.
    #[serde(default)]
    pub silent: Option<String>,
    /// Seconds after a pass from which the absence of another one is trouble by itself.
    #[serde(default)]
    pub quiet_after: f64,
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
    /// Since when points wait because the store does not take them, Unix seconds, and why.
    #[serde(default)]
    pub held_up: Option<(f64, String)>,
}

/// The health plane's counters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HealthStatus {
    /// Unix seconds of this report.
    pub at: f64,
    /// Counter name and value, in a stable order.
    pub counters: Vec<(String, u64)>,
    /// The state of each subject and the worst score of each metric of it, by dotted names.
    #[serde(default)]
    pub verdicts: Vec<(String, f64)>,
}

/// The counters of the role that takes traces in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TracesStatus {
    /// Unix seconds of this report.
    pub at: f64,
    /// Counter name and value, in a stable order.
    pub counters: Vec<(String, u64)>,
}

/// How the role that watches entities gets on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntitiesStatus {
    /// Unix seconds of this report.
    pub at: f64,
    /// Counter name and value, in a stable order.
    pub counters: Vec<(String, u64)>,
    /// Where values come from.
    pub sources: Vec<String>,
    /// Why nothing is known of any entity, if so.
    pub blind: Option<String>,
    /// Metrics that the last look had no answer for, and why.
    pub unanswered: Vec<(String, String)>,
    /// Metrics that the last look had an answer without a series for.
    pub without_data: Vec<String>,
}

/// The counters of the dispatch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DispatchStatus {
    /// Unix seconds of this report.
    pub at: f64,
    /// Counter name and value, in a stable order.
    pub counters: Vec<(String, u64)>,
    /// This node; empty where there can be only one.
    #[serde(default)]
    pub node: String,
    /// All nodes that live, by name; empty where there can be only one.
    #[serde(default)]
    pub nodes: Vec<DispatchNode>,
}

impl DispatchStatus {
    /// All nodes at `now` (Unix seconds): who leads, whether the others have everything, and when each began its last pass. `None`
    /// where there can be only one.
    pub fn led_by(&self, now: f64) -> Option<String> {
        let node = |node: &DispatchNode| {
            let role = match (node.leads, node.is_whole) {
                (true, _) => "leads",
                (false, true) => "follows",
                (false, false) => "follows, has not everything yet",
            };
            let pass = match node.pass_at {
                at if at > 0.0 => format!("last pass {} ago", units::length((now - at).max(0.0))),
                _ => "no pass yet".to_owned(),
            };
            format!("{} {role}, {pass}", node.name)
        };
        let nodes: Vec<String> = self.nodes.iter().map(node).collect();
        match (self.node.is_empty(), self.nodes.iter().any(|node| node.leads)) {
            (true, _) => None,
            (false, true) => Some(nodes.join("; ")),
            (false, false) => Some(format!("no node leads; {}", nodes.join("; "))),
        }
    }
}

/// A node whose dispatch lives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DispatchNode {
    /// Its name.
    pub name: String,
    /// Whether it leads: keeps the incidents of all nodes, and sends their notices.
    pub leads: bool,
    /// Whether it has all that the node that leads has.
    pub is_whole: bool,
    /// When its last pass began, Unix seconds; 0 before the first.
    pub pass_at: f64,
}

/// The counters of the role that sends events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EventsStatus {
    /// Unix seconds of this report.
    pub at: f64,
    /// Counter name and value, in a stable order.
    pub counters: Vec<(String, u64)>,
}

/// The counters of the outlier service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OutliersStatus {
    /// Unix seconds of this report.
    pub at: f64,
    /// Counter name and value, in a stable order.
    pub counters: Vec<(String, u64)>,
}

/// Where the analyzer leaves its status.
pub struct AnalyzerStatusFile {
    file: StatusFile,
    /// What was written last; held for the moment of changing and writing it, never across other work.
    state: Mutex<AnalyzerStatus>,
}

impl AnalyzerStatusFile {
    /// The status in `state_dir`, taken up where the last process left it.
    pub fn open(state_dir: &Path, quiet_after: f64) -> Self {
        let file = StatusFile::analyzer(state_dir);
        let last: AnalyzerStatus = file.read().unwrap_or_default();
        Self {
            file,
            state: Mutex::new(AnalyzerStatus {
                quiet_after,
                silent: None,
                ..last
            }),
        }
    }

    /// The anomalous metrics of the last pass, with the Unix time since when; also those a process before this one saw.
    pub fn since(&self) -> HashMap<String, f64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .anomalies
            .iter()
            .map(|current| (current.anomaly.name().to_owned(), current.since))
            .collect()
    }

    /// The last finished pass; also one of a process before this one.
    pub fn last_pass(&self) -> Option<PassSummary> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.pass.clone()
    }

    /// Reports whether the store answers at all: why not, or that it does.
    pub fn silent(&self, why: Option<&str>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.silent.as_deref() != why {
            state.silent = why.map(str::to_owned);
            self.file.write(&*state);
        }
    }

    /// Reports a finished pass.
    pub fn pass(&self, findings: &Findings) {
        let summary = &findings.summary;
        let scored = findings
            .findings
            .iter()
            .map(|finding| (finding.anomaly.score(), finding));
        let mut worst: Vec<_> = scored.collect();
        worst.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let shown = worst.into_iter().take(SHOWN);
        let anomalies: Vec<Current> = shown.map(|(_, finding)| Current::of(finding)).collect();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !anomalies.is_empty() {
            state.last_anomaly = Some(summary.at);
        }
        state.pass = Some(summary.clone());
        state.anomalies = anomalies;
        state.warming.clone_from(&findings.warming);
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

impl AnalyzerStatus {
    /// Why what this says of metrics cannot be relied on at `now`, Unix seconds: each reason in a sentence. None when all is
    /// well.
    pub fn ailments(&self, now: f64) -> Vec<String> {
        let mut why: Vec<String> = self.trouble.iter().chain(&self.silent).cloned().collect();
        match &self.pass {
            None if why.is_empty() => why.push("no pass has ended yet".to_owned()),
            None => {}
            Some(pass) => {
                if self.is_quiet(now) {
                    why.push(format!(
                        "the last pass began {} ago",
                        units::length(now - pass.at)
                    ));
                }
                let ill = pass.troubles.iter().filter(|trouble| !trouble.is_warning);
                why.extend(ill.map(|trouble| format!("{}: {}", trouble.component, trouble.why)));
            }
        }
        why
    }

    /// Whether the last pass is so long ago, at `now` (Unix seconds), that it says nothing about now.
    pub fn is_quiet(&self, now: f64) -> bool {
        self.pass
            .as_ref()
            .is_some_and(|pass| now - pass.at > self.quiet_after.max(60.0))
    }
}

/// One status file.
#[derive(Debug)]
pub struct StatusFile {
    path: PathBuf,
    /// Whether the last write failed: a lasting failure is logged once.
    failing: AtomicBool,
}

impl StatusFile {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The analyzer's, holding an [`AnalyzerStatus`].
    pub fn analyzer(state_dir: &Path) -> Self {
        Self::named(state_dir, "analyzer.json")
    }

    /// The ingest's, holding an [`IngestStatus`].
    pub fn ingest(state_dir: &Path) -> Self {
        Self::named(state_dir, "ingest.json")
    }

    /// The health plane's, holding a [`HealthStatus`].
    pub fn health(state_dir: &Path) -> Self {
        Self::named(state_dir, "health.json")
    }

    /// That of the role that takes traces in, holding a [`TracesStatus`].
    pub fn traces(state_dir: &Path) -> Self {
        Self::named(state_dir, "traces.json")
    }

    /// That of the role that watches entities, holding an [`EntitiesStatus`].
    pub fn entities(state_dir: &Path) -> Self {
        Self::named(state_dir, "entities.json")
    }

    /// That of the dispatch, holding a [`DispatchStatus`].
    pub fn dispatch(state_dir: &Path) -> Self {
        Self::named(state_dir, "dispatch.json")
    }

    /// That of the role that sends events, holding an [`EventsStatus`].
    pub fn events(state_dir: &Path) -> Self {
        Self::named(state_dir, "events.json")
    }

    /// That of the outlier service, holding an [`OutliersStatus`].
    pub fn outliers(state_dir: &Path) -> Self {
        Self::named(state_dir, "outliers.json")
    }

    /// That of the parent, or of the one process, holding a [`ProcessStatus`].
    pub fn process(state_dir: &Path) -> Self {
        Self::named(state_dir, "process.json")
    }

    fn named(state_dir: &Path, name: &str) -> Self {
        Self {
            path: state_dir.join("status").join(name),
            failing: AtomicBool::new(false),
        }
    }

    /// The last status, if there is one that can be read.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()
    }

    /// Replaces the status.
    pub fn write(&self, status: &impl Serialize) {
        let outcome = self.try_write(status);
        let failed_before = self.failing.swap(outcome.is_err(), Ordering::Relaxed);
        match outcome {
            Err(error) if !failed_before => {
                tracing::warn!("status not written to `{}` :: {error}", self.path.display());
            }
            Ok(()) if failed_before => tracing::info!("status written again"),
            _ => {}
        }
    }

    fn try_write(&self, status: &impl Serialize) -> std::io::Result<()> {
        let text = serde_json::to_vec(status)?;
        if let Some(folder) = self.path.parent() {
            files::folder(folder)?;
        }
        files::replace(&self.path, &text, files::Durability::Volatile)
    }
}
