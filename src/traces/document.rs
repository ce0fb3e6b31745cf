//! A trace as it is kept and handed out: JSON that `skywatch traces` reads as a line, with what was found beside it.

use serde::{Deserialize, Serialize};

use super::judgement::{TraceJudgement, WatchedTrace};
use super::trace::{AssembledTrace, TraceDefects};

/// A trace that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceDocument {
    /// Its id, 32 hexadecimal digits.
    pub trace_id: String,
    /// The kind of request it is: the service and the operation of its root, without what is different each time.
    pub kind: String,
    /// The service and the operation of its root.
    pub service: String,
    /// See `service`.
    pub operation: String,
    /// When it began, Unix microseconds.
    pub start_us: u64,
    /// From the first start to the last end, microseconds.
    pub duration_us: u64,
    /// What was made of it.
    pub judgement: TraceJudgement,
    /// What was wrong with it as it came.
    pub defects: TraceDefects,
    /// Its spans, parents before children.
    pub spans: Vec<SpanDocument>,
}

/// A span that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanDocument {
    /// Its number within the trace, from 1.
    pub span_id: u64,
    /// That of its parent.
    pub parent_id: Option<u64>,
    /// Its id as it came, 16 hexadecimal digits.
    pub id: String,
    /// The service it ran in.
    pub service: String,
    /// What it did.
    pub operation: String,
    /// `server`, `client`, `producer`, `consumer` or `internal`.
    pub kind: String,
    /// When it began, Unix microseconds.
    pub start_us: u64,
    /// How long it took, microseconds.
    pub duration_us: u64,
    /// `ERROR`, or `UNSET`.
    pub status: String,
    /// What it says of its status.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Spans above it.
    pub depth: usize,
    /// What is wrong with it, if something was found; a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

impl TraceDocument {
    /// The document of a trace, with what was made of it.
    pub(super) fn of(trace: &AssembledTrace, watched: WatchedTrace) -> Self {
        let root = trace.root();
        let number = |place: usize| place as u64 + 1;
        let spans = trace.spans.iter().enumerate().map(|(place, linked)| {
            let span = &linked.span;
            SpanDocument {
                span_id: number(place),
                parent_id: linked.above.map(number),
                id: span.id.to_string(),
                service: span.service.to_string(),
                operation: span.operation.to_string(),
                kind: span.kind.word().to_owned(),
                start_us: span.start / 1_000,
                duration_us: span.duration / 1_000,
                status: if span.failed { "ERROR" } else { "UNSET" }.to_owned(),
                message: span.message.to_string(),
                depth: linked.depth,
                findings: Vec::new(),
            }
        });
        let mut spans: Vec<_> = spans.collect();
        for (place, finding) in watched.findings {
            if let Some(span) = spans.get_mut(place) {
                span.findings.push(finding);
            }
        }
        Self {
            trace_id: trace.id.to_string(),
            kind: watched
                .kind
                .unwrap_or_else(|| format!("{} {}", root.service, root.operation)),
            service: root.service.to_string(),
            operation: root.operation.to_string(),
            start_us: trace.start() / 1_000,
            duration_us: trace.duration() / 1_000,
            judgement: watched.judgement,
            defects: trace.defects,
            spans,
        }
    }
}
