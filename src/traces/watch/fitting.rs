//! Fitting detectors beside the work: it takes seconds.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use skywatch_algorithms::traces::{TraceDetector, TraceOptions, TraceSpan};

/// Traces that come while detectors are fitted and are learnt by the new ones then; beyond them the newest are left out.
const MISSED: usize = 10_000;

/// Detectors that are being fitted on a thread of their own, which ends with that.
pub(super) struct FitUnderWay {
    outcome: Receiver<Result<TraceDetector, String>>,
    missed: Vec<Arc<[TraceSpan]>>,
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
        let missed = Vec::new();
        Some(Self { outcome, missed })
    }

    /// Notes a trace that came meanwhile.
    pub(super) fn missed(&mut self, trace: &[TraceSpan]) {
        if self.missed.len() < MISSED {
            self.missed.push(trace.into());
        }
    }

    /// The detectors, once they are fitted, with what came meanwhile learnt.
    pub(super) fn finished(&mut self) -> Option<Result<TraceDetector, String>> {
        match self.outcome.try_recv() {
            Ok(Ok(mut detector)) => {
                self.missed.iter().for_each(|trace| detector.learn(trace));
                Some(Ok(detector))
            }
            Ok(Err(why)) => Some(Err(why)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err("the thread has panicked".to_owned())),
        }
    }
}
