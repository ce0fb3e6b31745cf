//! What is known of one span.

use serde::{Deserialize, Serialize};

/// One operation of one service within a trace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TraceSpan {
    /// Its id, unique within the trace.
    pub id: u64,
    /// The id of the span that caused it; none for a root.
    pub parent: Option<u64>,
    /// The service it ran in.
    pub service: String,
    /// The operation as the instrumentation names it.
    pub operation: String,
    /// Start, microseconds of Unix time.
    pub start_us: i64,
    /// Duration, microseconds; below zero is taken for zero and counted.
    pub duration_us: i64,
    /// Whether its status is an error.
    pub failed: bool,
}

/// What was wrong with the form of a trace. Nothing of this stops a verdict; every span keeps one place in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MalformedSpans {
    /// Spans whose id another span of the trace has too. Children go to the first.
    pub duplicate_ids: u32,
    /// Spans that name themselves as their parent; taken for roots.
    pub own_parents: u32,
    /// Circles of parents; each is cut open at its first span.
    pub loops: u32,
    /// Spans whose parent is not in the trace; they hang under the virtual root.
    pub orphans: u32,
    /// Spans that end before they start.
    pub negative_durations: u32,
    /// Spans that start before their parent does, as clocks of several machines make them.
    pub early_starts: u32,
}

impl MalformedSpans {
    /// Each fault with its name in counters, in a fixed order.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, u32); 6] {
        [
            ("duplicate_id", self.duplicate_ids),
            ("own_parent", self.own_parents),
            ("loop", self.loops),
            ("orphan", self.orphans),
            ("negative_duration", self.negative_durations),
            ("early_start", self.early_starts),
        ]
    }
}
