//! The thread that takes out what is complete: it puts traces together, has them judged, counts them, and keeps some.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::archive::TraceArchive;
use super::assembler::ClosedTrace;
use super::counters::{TraceCounters, TraceEvent};
use super::document::TraceDocument;
use super::ids::TraceId;
use super::intake::OpenTraces;
use super::judgement::TraceJudgement;
use super::operation_counts::OperationCounts;
use super::points::{NamedPoint, PointSink};
use super::rates::ServiceRates;
use super::reporting::TraceReporter;
use super::trace::AssembledTrace;
use super::watch::{RequestKinds, TraceWatch};
use crate::clock::unix_now;
use crate::stop::Stop;

/// Time between two looks at what is complete.
const LOOK_EACH: Duration = Duration::from_millis(250);
/// Traces taken out at a time, so that listeners are not kept waiting.
const AT_A_TIME: usize = 256;
/// Anomalous traces of one kind of request that are kept of one interval: what they show is shown by so many.
const KEPT_OF_A_KIND: u64 = 20;

/// What the thread works with.
pub(super) struct TraceCloser {
    pub(super) open: OpenTraces,
    pub(super) counters: Arc<TraceCounters>,
    pub(super) archive: TraceArchive,
    /// As set.
    pub(super) settings: skywatch_settings::Traces,
    pub(super) rates: ServiceRates,
    pub(super) operations: OperationCounts,
    /// Where points of rates go.
    pub(super) points: Arc<dyn PointSink>,
    pub(super) watch: TraceWatch,
    pub(super) kinds: RequestKinds,
    /// Where is told what is found.
    pub(super) reporter: TraceReporter,
}

/// What happens once an interval.
struct IntervalWork {
    /// When the next one ends.
    due: Instant,
    /// Points of rates that are made, and not taken yet.
    waiting: Vec<NamedPoint>,
}

impl TraceCloser {
    /// Works until stop is said and nothing is open any more.
    pub(super) fn run(mut self, stop: &Stop) {
        let mut interval = IntervalWork {
            due: Instant::now() + self.settings.report_each,
            waiting: Vec::new(),
        };
        loop {
            let is_over = stop.sleep(LOOK_EACH);
            while self.take_out(false) {}
            self.watch.tick(unix_now());
            self.operations.tick(unix_now());
            if is_over {
                break;
            }
            if Instant::now() >= interval.due {
                interval.due += self.settings.report_each;
                self.end_interval(&mut interval);
            }
            self.hand_over(&mut interval);
        }
        while self.take_out(true) {}
        self.end_interval(&mut interval);
        self.hand_over(&mut interval);
        self.watch.save(unix_now());
        self.operations.save(unix_now());
    }

    /// Tells what was found in an interval, and makes points of its rates.
    fn end_interval(&mut self, interval: &mut IntervalWork) {
        let now = unix_now();
        let seconds = self.settings.report_each.as_secs_f64();
        let findings = self.kinds.take(now, seconds, self.watch.allowed_share());
        self.reporter.report(findings, &self.watch.take_settled(), now);
        self.counters
            .count(TraceEvent::LostRatePoint, interval.waiting.len() as u64);
        interval.waiting = self.rates.take(now);
        interval.waiting.extend(self.operations.take(now));
    }

    /// Hands points over once there is room for them.
    fn hand_over(&self, interval: &mut IntervalWork) {
        // What the gate drops is counted there.
        if !interval.waiting.is_empty() && self.points.take(&interval.waiting).is_some() {
            interval.waiting.clear();
        }
    }

    /// Takes some traces out, those that are complete or any. Whether there may be more.
    fn take_out(&mut self, any: bool) -> bool {
        let closed = {
            let (mut assembler, now) = self.open.lock();
            match any {
                true => assembler.close_any(AT_A_TIME),
                false => assembler.close_due(now, AT_A_TIME),
            }
        };
        let is_full = closed.len() == AT_A_TIME;
        let kept: Vec<_> = closed.into_iter().filter_map(|trace| self.one(trace)).collect();
        let event = match self.archive.keep(&kept, unix_now()) {
            Ok(()) => TraceEvent::Kept,
            Err(error) => {
                tracing::error!("{} traces not kept :: {error}", kept.len());
                TraceEvent::NotKept
            }
        };
        self.counters.count(event, kept.len() as u64);
        is_full
    }

    /// Looks at one trace. What is to be kept of it, if anything.
    fn one(&mut self, closed: ClosedTrace) -> Option<TraceDocument> {
        let trace = AssembledTrace::assemble(closed);
        self.count(&trace);
        let watched = self.watch.judge(&trace, unix_now());
        self.counters.count(
            match watched.judgement {
                TraceJudgement::Unjudged { .. } => TraceEvent::Unjudged,
                TraceJudgement::Normal { .. } => TraceEvent::Normal,
                TraceJudgement::Anomalous { .. } => TraceEvent::Anomalous,
            },
            1,
        );
        let shows = match &watched.kind {
            Some(kind) => self.kinds.add(kind, &trace, &watched, KEPT_OF_A_KIND),
            None => false,
        };
        let is_kept = shows || is_sampled(trace.id, self.settings.keep_normal);
        is_kept.then(|| TraceDocument::of(&trace, watched))
    }

    fn count(&mut self, trace: &AssembledTrace) {
        let defects = trace.defects;
        let event = match defects.partial {
            true => TraceEvent::Partial,
            false => TraceEvent::Completed,
        };
        self.counters.count(event, 1);
        self.counters.count(TraceEvent::DuplicateSpan, defects.duplicates);
        self.counters.count(TraceEvent::OrphanSpan, defects.orphans);
        self.counters.count(TraceEvent::SpanLoop, defects.loops);
        let now = unix_now();
        let added = self.rates.add(trace, now);
        self.counters.count(TraceEvent::UncountedCall, added.beyond);
        self.counters.count(TraceEvent::OldTrace, u64::from(added.is_old));
        let uncounted = self.operations.add(trace, added.is_old, now);
        self.counters.count(TraceEvent::UncountedSpan, uncounted);
    }
}

/// Whether a trace is among the share of all that is kept. The last bytes of its id decide, which W3C's Trace Context wants to
/// be random, so that everybody who samples by them keeps the same.
fn is_sampled(id: TraceId, share: f64) -> bool {
    let bytes = id.bytes();
    let last = bytes[9..]
        .iter()
        .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    // Seven bytes, which a float holds exactly to the last three bits.
    (last as f64) < share * (1u64 << 56) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::span;

    #[test]
    fn the_share_that_is_asked_for_is_sampled() {
        let id = |number: u64| {
            let mut bytes = [1; 16];
            bytes[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            TraceId::of_bytes(&bytes).unwrap()
        };
        for (share, expected) in [(0.0, 0..=0), (0.1, 950..=1_050), (1.0, 10_000..=10_000)] {
            let sampled = (0..10_000)
                .filter(|number| is_sampled(id(*number), share))
                .count();
            assert!(expected.contains(&sampled), "{share}: {sampled}");
        }
        assert!(
            is_sampled(span(1, 1, 0).trace, 0.01),
            "the same trace, the same answer"
        );
    }
}
