//! What one pass found: handed from the analyzer to the dispatch, and shown.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skywatch_alerters::Anomaly;

use super::PassSummary;
use crate::live_value::LiveValue;

/// An anomaly as a pass found it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What is wrong.
    pub anomaly: Anomaly,
    /// Unix seconds of the point that first showed it.
    pub since: f64,
}

/// What became of a followed metric that was not anomalous.
#[derive(Debug, Clone, PartialEq)]
pub enum FollowedOutcome {
    /// Judged, and its last point, of this Unix time, is normal. In the classic profile one that has not moved for so
    /// long that it is not judged is as normal as can be.
    Normal {
        /// Time of the point.
        at: f64,
        /// Its value; of a counter judged by its rate what was added since the point before.
        value: f64,
    },
    /// Its last point is no anomaly any more, but not because it is back: a new level was taken for usual.
    Settled {
        /// Time of the point.
        at: f64,
        /// Its value, as in [`FollowedOutcome::Normal`].
        value: f64,
        /// Where the level was before, in the same unit.
        before: f64,
    },
    /// It does not exist any more.
    Deleted,
}

/// A metric that the adaptive profile is still learning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warming {
    /// The metric.
    pub metric: String,
    /// How far it is, 0 to 1.
    pub warmth: f64,
    /// When it will have learnt it, Unix seconds, if that is known.
    pub ready_at: Option<f64>,
}

/// What one pass found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The pass in figures.
    pub summary: PassSummary,
    /// All anomalies of the pass.
    pub findings: Vec<Finding>,
    /// Followed metrics that are not anomalous. One that is in neither list could not be judged.
    pub outcomes: Vec<(Arc<str>, FollowedOutcome)>,
    /// Metrics that have fallen silent and are not stale yet.
    pub silent: Vec<Arc<str>>,
    /// Metrics that have spoken again after they had been silent.
    pub back: Vec<Arc<str>>,
    /// Some of the metrics that are still being learnt; how many there are is in the summary.
    pub warming: Vec<Warming>,
    /// Time of the newest point of any metric, Unix seconds; 0 when there is none.
    pub newest: f64,
    /// Why the store failed while the pass was under way, if it did.
    pub cut_short: Option<String>,
}

/// Metrics with a live incident: what becomes of them is reported each pass, even when they are normal.
pub type Followed = LiveValue<HashSet<String>>;
