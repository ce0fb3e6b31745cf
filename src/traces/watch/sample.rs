//! Some of all traces, each as likely to be among them as any other (Vitter's algorithm R), in bounded memory.

use std::sync::Arc;

use skywatch_algorithms::traces::TraceSpan;

use crate::traces::ids::TraceId;

/// A sample of traces.
#[derive(Debug)]
pub(super) struct TraceSample {
    /// Traces, and spans of all of them, at most.
    most: [usize; 2],
    traces: Vec<Arc<[TraceSpan]>>,
    spans: usize,
    /// Traces offered since it began.
    offered: u64,
    /// Set when one more did not fit.
    is_full: bool,
}

impl TraceSample {
    /// Of at most so many traces with so many spans.
    pub(super) fn of(traces: usize, spans: usize) -> Self {
        Self {
            most: [traces, spans],
            traces: Vec::new(),
            spans: 0,
            offered: 0,
            is_full: false,
        }
    }

    /// Offers a trace. What becomes of it follows from its id, which is random, so a replay takes the same ones.
    pub(super) fn offer(&mut self, id: TraceId, trace: Vec<TraceSpan>) {
        self.offered += 1;
        let [most_traces, most_spans] = self.most;
        if self.traces.len() < most_traces && self.spans + trace.len() <= most_spans {
            self.spans += trace.len();
            self.traces.push(trace.into());
            return;
        }
        self.is_full = true;
        // Ids that count up, as those of a test may, are spread all the same.
        let number = xxhash_rust::xxh3::xxh3_64(&id.bytes());
        let place = usize::try_from(number % self.offered).unwrap_or(usize::MAX);
        if let Some(replaced) = self.traces.get_mut(place) {
            let spans = self.spans - replaced.len() + trace.len();
            // One of very many spans would push out many others.
            if spans <= most_spans {
                self.spans = spans;
                *replaced = trace.into();
            }
        }
    }

    /// Traces in it.
    pub(super) fn len(&self) -> usize {
        self.traces.len()
    }

    /// Whether there have been more than fit.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The traces.
    pub(super) fn traces(&self) -> Vec<Arc<[TraceSpan]>> {
        self.traces.clone()
    }

    /// Begins anew with the next one.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::of(self.most[0], self.most[1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_and_late_traces_are_as_likely_to_be_in_it() {
        let mut sample = TraceSample::of(4_000, 100_000);
        for number in 0..20_000u64 {
            let mut bytes = [1; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let span = TraceSpan {
                id: number,
                ..TraceSpan::default()
            };
            sample.offer(TraceId::of_bytes(&bytes).unwrap(), vec![span]);
        }
        assert_eq!(sample.len(), 4_000);
        let early = sample
            .traces()
            .iter()
            .filter(|trace| trace[0].id < 10_000)
            .count();
        assert!((1_850..2_150).contains(&early), "{early}");
    }
}
