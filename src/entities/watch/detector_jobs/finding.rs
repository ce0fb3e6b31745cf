//! What jobs find, whatever judges.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use skywatch_alerters::Severity;

use crate::entities::archive::{EntityRecord, EntityScore, EntitySummary};
use crate::events::{EventCategory, FlaggedPoints};

/// What a job says of one machine at one look.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::entities::watch) struct JobFinding {
    /// The machine and the job.
    pub(in crate::entities::watch) subject: String,
    pub(in crate::entities::watch) machine: String,
    pub(in crate::entities::watch) job: String,
    pub(in crate::entities::watch) keywords: Vec<String>,
    pub(in crate::entities::watch) category: EventCategory,
    /// Unix seconds.
    pub(in crate::entities::watch) at: f64,
    pub(in crate::entities::watch) is_anomalous: bool,
    /// Series that were judged.
    pub(in crate::entities::watch) metrics: usize,
    /// That of the worst series, in the unit of its detector.
    pub(in crate::entities::watch) score: f64,
    pub(in crate::entities::watch) severity: Severity,
    /// What was found, the worst first: metric, score, labels of the series.
    pub(in crate::entities::watch) found: Vec<JobFound>,
    /// What may be the cause, the likeliest first.
    pub(in crate::entities::watch) causes: Vec<JobFound>,
    /// How many rows of the newest were flagged, of a job that judges rows.
    pub(in crate::entities::watch) flagged: FlaggedPoints,
    /// Whether other programs are told of machines that are well, too, as soon as one is not.
    pub(in crate::entities::watch) tells_normal: bool,
    /// What is said of each node, of a job that looks for slow ones.
    pub(in crate::entities::watch) nodes: Vec<NodeVerdict>,
}

/// What is said of one metric of a node of a cluster.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::entities::watch) struct NodeVerdict {
    pub(in crate::entities::watch) is_slow: bool,
    /// As events have it.
    pub(in crate::entities::watch) detail: Map<String, Value>,
}

/// A series that is out.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::entities::watch) struct JobFound {
    /// The metric, or what a rule calls it.
    pub(in crate::entities::watch) metric: String,
    pub(in crate::entities::watch) score: f64,
    pub(in crate::entities::watch) labels: BTreeMap<String, String>,
    /// The kind of entity it belongs to, and what the metric is, as the job says.
    pub(in crate::entities::watch) entity_name: Option<String>,
    pub(in crate::entities::watch) description: Option<String>,
    /// What else the detector says, for events.
    pub(in crate::entities::watch) details: Map<String, Value>,
}

impl JobFinding {
    /// The same to be kept. A score is that of the job's detector, and no row's.
    pub(in crate::entities::watch) fn record(&self, now: f64) -> EntityRecord {
        let found = self.found.iter().map(|found| (found.metric.clone(), found.score));
        let state = if self.is_anomalous { "anomalous" } else { "normal" };
        let summary = EntitySummary {
            name: self.subject.clone(),
            labels: vec![
                ("machine".to_owned(), self.machine.clone()),
                ("job".to_owned(), self.job.clone()),
            ],
            state: state.to_owned(),
            why: None,
            seen: now,
            score: Some(self.score),
            judged: Some(self.at),
            metrics: self.metrics,
            drivers: found.collect(),
            learnt: None,
        };
        let score = EntityScore {
            at: self.at,
            score: self.score,
            is_anomalous: self.is_anomalous,
        };
        EntityRecord {
            summary,
            scores: vec![score],
        }
    }
}
