//! What one pass found: handed from the analyzer to the dispatch, and shown.

use skywatch_alerters::Anomaly;

/// An anomaly as a pass found it.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What is wrong.
    pub anomaly: Anomaly,
    /// Unix seconds of the point that first showed it.
    pub since: f64,
    /// Whether the pass before did not have it.
    pub is_new: bool,
}

/// What one pass found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Number of the pass.
    pub pass: u64,
    /// The pass's "now", Unix seconds.
    pub now: f64,
    /// All anomalies of the pass.
    pub findings: Vec<Finding>,
}
