//! Detectors that are fitted elsewhere, with a network among them, and how they come back.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_algorithms::traces::{SpanPredictor, TraceDetector, TraceSpan};

use super::missed::MissedTraces;

/// Normal traces to fit to.
pub(in crate::traces) struct ChosenTraces {
    pub(in crate::traces) traces: Vec<Arc<[TraceSpan]>>,
    /// When they were chosen, Unix seconds.
    pub(in crate::traces) at: f64,
}

/// Detectors that were fitted elsewhere.
pub(in crate::traces) struct TaughtDetector {
    pub(in crate::traces) detector: TraceDetector,
    /// Its network alone, if it has one.
    pub(in crate::traces) predictor: Option<Arc<dyn SpanPredictor>>,
    /// Which version of the model it is.
    pub(in crate::traces) version: String,
    /// When its traces were chosen, or when it was made of files, Unix seconds.
    pub(in crate::traces) at: f64,
}

/// The other end: whoever has traces fitted to.
pub(in crate::traces) struct TeacherEnd {
    pub(in crate::traces) chosen: Receiver<ChosenTraces>,
    pub(in crate::traces) taught: Sender<TaughtDetector>,
}

/// This end.
pub(in crate::traces) struct Teacher {
    chosen: Sender<ChosenTraces>,
    taught: Receiver<TaughtDetector>,
    missed: MissedTraces,
}

impl Teacher {
    /// Both ends. Neither waits for the other.
    pub(in crate::traces) fn pair() -> (Self, TeacherEnd) {
        let (send_chosen, chosen) = bounded(1);
        let (send_taught, taught) = bounded(1);
        let teacher = Self {
            chosen: send_chosen,
            taught,
            missed: MissedTraces::default(),
        };
        let end = TeacherEnd {
            chosen,
            taught: send_taught,
        };
        (teacher, end)
    }

    /// Hands traces over. One that has not taken the last ones yet gets these a day later, when there are others.
    pub(super) fn hand_over(&mut self, traces: Vec<Arc<[TraceSpan]>>, at: f64) {
        self.missed = MissedTraces::default();
        if self.chosen.try_send(ChosenTraces { traces, at }).is_err() {
            tracing::warn!(
                "traces :: no detectors are fitted by the trainer :: it still has others to hand over"
            );
        }
    }

    /// Notes a trace that comes meanwhile.
    pub(super) fn missed(&mut self, trace: &[TraceSpan]) {
        self.missed.note(trace);
    }

    /// What has come back, if anything has, and the traces since those that were handed over last.
    pub(super) fn taught(&self) -> Option<(TaughtDetector, &MissedTraces)> {
        let taught = self.taught.try_recv().ok()?;
        Some((taught, &self.missed))
    }
}
