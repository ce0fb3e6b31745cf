//! Spans become traces: kept by trace id until none has come for a while.
//!
//! Nobody says when a trace is complete, and its spans come from many senders, late and in any order. So it is complete when it
//! has been quiet for long enough, or has been open for too long. Time is passed in, by a clock that never goes
//! back. Memory is bounded: whoever adds spans asks [`has_room`](Assembler::has_room) first, and then adds a request whole.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use skywatch_settings::Traces;

use super::ids::TraceId;
use super::refusal::SpanRefusal;
use super::span::ReceivedSpan;

/// Traces that are remembered as complete: some minutes of a busy system, 5 MB. Older ones whose spans still come would be
/// taken for traces of their own.
const REMEMBERED: usize = 100_000;
/// What an open trace takes beside its spans, bytes.
const OPEN_BYTES: usize = 200;

/// The traces that are not complete yet.
#[derive(Debug)]
pub(super) struct Assembler {
    settings: Traces,
    open: HashMap<TraceId, OpenTrace>,
    /// When to look at which trace, one entry for each that is open. Not moved by each span: whoever is looked at too early
    /// gets another turn.
    turns: BTreeSet<(Duration, TraceId)>,
    complete: HashSet<TraceId>,
    /// The same in the order in which they were completed.
    completed: VecDeque<TraceId>,
    bytes: usize,
}

#[derive(Debug)]
struct OpenTrace {
    spans: Vec<ReceivedSpan>,
    /// When the first and the last span came.
    first: Duration,
    last: Duration,
    bytes: usize,
    /// Spans that were one too many.
    beyond: u64,
}

/// All that came of one trace.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClosedTrace {
    /// Its id.
    pub(super) id: TraceId,
    /// Its spans in the order they came; at least one.
    pub(super) spans: Vec<ReceivedSpan>,
    /// Whether spans of it were dropped, or may still come.
    pub(super) partial: bool,
}

impl Assembler {
    /// Nothing is open; bounds are as set.
    #[must_use]
    pub(super) fn new(settings: Traces) -> Self {
        Self {
            settings,
            open: HashMap::new(),
            turns: BTreeSet::new(),
            complete: HashSet::new(),
            completed: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Whether spans can be added. One request may go beyond the limits by its own size.
    #[must_use]
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < self.settings.max_open && self.bytes < self.settings.max_bytes
    }

    /// Open traces, and the bytes of their spans.
    #[must_use]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.open.len(), self.bytes)
    }

    /// Adds a span that came at `now`.
    ///
    /// # Errors
    /// [`SpanRefusal::Late`] and [`SpanRefusal::TooManySpans`].
    pub(super) fn add(&mut self, span: ReceivedSpan, now: Duration) -> Result<(), SpanRefusal> {
        let id = span.trace;
        if self.complete.contains(&id) {
            return Err(SpanRefusal::Late);
        }
        let open = self.open.entry(id).or_insert_with(|| {
            self.turns.insert((now + self.settings.quiet, id));
            self.bytes += OPEN_BYTES;
            OpenTrace {
                spans: Vec::new(),
                first: now,
                last: now,
                bytes: OPEN_BYTES,
                beyond: 0,
            }
        });
        open.last = now;
        if open.spans.len() >= self.settings.max_spans {
            open.beyond += 1;
            return Err(SpanRefusal::TooManySpans);
        }
        let bytes = span.bytes();
        open.bytes += bytes;
        self.bytes += bytes;
        open.spans.push(span);
        Ok(())
    }

    /// Takes out at most `most` traces that are complete at `now`, those that have waited longest first.
    pub(super) fn close_due(&mut self, now: Duration, most: usize) -> Vec<ClosedTrace> {
        let mut closed = Vec::new();
        while closed.len() < most
            && let Some(&(at, id)) = self.turns.first()
            && at <= now
        {
            self.turns.pop_first();
            let Some(open) = self.open.get(&id) else {
                continue;
            };
            let quiet_at = open.last + self.settings.quiet;
            let due = quiet_at.min(open.first + self.settings.longest);
            if due > now {
                self.turns.insert((due, id));
            } else {
                closed.extend(self.close(id, quiet_at > now));
            }
        }
        closed
    }

    /// Takes out at most `most` traces, complete or not.
    pub(super) fn close_any(&mut self, most: usize) -> Vec<ClosedTrace> {
        let mut closed = Vec::new();
        while closed.len() < most
            && let Some((_, id)) = self.turns.pop_first()
        {
            closed.extend(self.close(id, true));
        }
        closed
    }

    fn close(&mut self, id: TraceId, still_comes: bool) -> Option<ClosedTrace> {
        let open = self.open.remove(&id)?;
        self.bytes -= open.bytes;
        if self.completed.len() >= REMEMBERED
            && let Some(oldest) = self.completed.pop_front()
        {
            self.complete.remove(&oldest);
        }
        self.complete.insert(id);
        self.completed.push_back(id);
        Some(ClosedTrace {
            id,
            spans: open.spans,
            partial: still_comes || open.beyond > 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::span;

    fn assembler() -> Assembler {
        Assembler::new(Traces {
            quiet: at(10),
            longest: at(25),
            max_spans: 3,
            max_open: 2,
            max_bytes: 10_000,
            ..Traces::default()
        })
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ids(closed: &[ClosedTrace]) -> Vec<(u8, usize, bool)> {
        let each = closed.iter();
        each.map(|trace| (trace.id.bytes()[15], trace.spans.len(), trace.partial))
            .collect()
    }

    #[test]
    fn a_trace_is_complete_when_it_is_quiet_or_too_old() {
        let mut open = assembler();
        open.add(span(1, 1, 0), at(0)).unwrap();
        open.add(span(2, 1, 0), at(4)).unwrap();
        open.add(span(1, 2, 1), at(9)).unwrap();
        assert!(open.close_due(at(13), 9).is_empty());
        assert_eq!(ids(&open.close_due(at(14), 9)), [(2, 1, false)]);
        open.add(span(1, 3, 1), at(18)).unwrap();
        assert!(open.close_due(at(24), 9).is_empty());
        assert_eq!(
            ids(&open.close_due(at(25), 9)),
            [(1, 3, true)],
            "spans may still come"
        );
        assert_eq!(open.held(), (0, 0));
        assert_eq!(open.add(span(1, 4, 1), at(26)), Err(SpanRefusal::Late));
        open.add(span(3, 1, 0), at(26)).unwrap();
        assert_eq!(ids(&open.close_any(9)), [(3, 1, true)]);
    }

    #[test]
    fn what_is_open_is_bounded() {
        let mut open = assembler();
        for number in 1..=3 {
            open.add(span(1, number, 0), at(0)).unwrap();
        }
        assert_eq!(open.add(span(1, 4, 0), at(0)), Err(SpanRefusal::TooManySpans));
        assert!(open.has_room());
        open.add(span(2, 1, 0), at(1)).unwrap();
        assert!(!open.has_room(), "as many are open as may be");
        assert_eq!(
            ids(&open.close_due(at(11), 1)),
            [(1, 3, true)],
            "some are missing"
        );
        assert!(open.has_room());
        open.close_any(9);
        let mut large = span(4, 1, 0);
        large.operation = "x".repeat(10_000).into();
        open.add(large, at(20)).unwrap();
        assert!(!open.has_room(), "they take as much memory as they may");
    }
}
