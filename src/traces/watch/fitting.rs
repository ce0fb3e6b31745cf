//! Fitting detectors beside the work: it takes seconds.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use skywatch_algorithms::traces::{TraceDetector, TraceOptions, TraceSpan};

use super::missed::MissedTraces;

/// Detectors that are being fitted on a thread of their own, which ends with that.
pub(super) struct FitUnderWay {
    outcome: Receiver<Result<TraceDetector, String>>,
    missed: MissedTraces,
}

impl FitUnderWay {
    /// Begins to fit on these traces; `None` if the system refuses a thread, which is logged.
    pub(super) fn begin(traces: Vec<Arc<[TraceSpan]>>) -> Option<Self> {
        let (send, outcome) = bounded(1);
        let work = move || {
            let fitted = TraceDetector::fit(&traces, TraceOptions::default(), None);
            // Whoever waited may have ended.
            let _ = send.send(fitted.map_err(|error| error.to_string()));
        };
        let thread = std::thread::Builder::new()
            .name("traces-fit".to_owned())
            .spawn(work);
        if let Err(error) = thread {
            tracing::error!("traces :: detectors not fitted :: {error}");
            return None;
        }
        let missed = MissedTraces::default();
        Some(Self { outcome, missed })
    }

    /// Notes a trace that came meanwhile.
    pub(super) fn missed(&mut self, trace: &[TraceSpan]) {
        self.missed.note(trace);
    }

    /// The detectors, once they are fitted, with what came meanwhile learnt.
    pub(super) fn finished(&mut self) -> Option<Result<TraceDetector, String>> {
        match self.outcome.try_recv() {
            Ok(Ok(mut detector)) => {
                self.missed.teach(&mut detector);
                Some(Ok(detector))
            }
            Ok(Err(why)) => Some(Err(why)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err("the thread has panicked".to_owned())),
        }
    }
}
