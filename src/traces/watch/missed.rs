//! Traces that come while detectors are fitted, and are learnt by the new ones then.

use std::sync::Arc;

use skywatch_algorithms::traces::{TraceDetector, TraceSpan};

/// How many are remembered; beyond them the newest are left out.
const MOST: usize = 10_000;

/// Traces that detectors under way have missed.
#[derive(Debug, Default)]
pub(super) struct MissedTraces(Vec<Arc<[TraceSpan]>>);

impl MissedTraces {
    /// Notes one.
    pub(super) fn note(&mut self, trace: &[TraceSpan]) {
        if self.0.len() < MOST {
            self.0.push(trace.into());
        }
    }

    /// Has them learnt.
    pub(super) fn teach(&self, detector: &mut TraceDetector) {
        self.0.iter().for_each(|trace| detector.learn(trace));
    }
}
