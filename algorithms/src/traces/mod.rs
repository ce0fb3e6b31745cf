//! Traces: which of them are not like the normal ones, and which span is to blame.
//!
//! A trace is a [`CallTree`] of [`TraceSpan`]s whose operations are [`SpanTemplates`]. [`TraceBaseline`] counts what follows
//! what and how long it takes; [`TraceDetector`] makes one calibrated [`TraceVerdict`] of all detectors, with reasons that name
//! the span. Fitted on normal traces only; nothing here knows a label. What is learnt lies in maps with a bound each,
//! whose keys are 64 bits of hash.

mod baseline;
mod calibration;
mod call_tree;
mod detector;
mod explanation;
mod key;
mod latency;
mod operation;
mod sequence;
mod span;
mod span_templates;
mod structure;
mod successors;
mod tail;

pub use baseline::TraceBaseline;
pub use call_tree::{CallNode, CallTree, NO_NODE, SiblingOrder};
pub use detector::{
    FEWEST_TRACES, FitPredictor, TraceDetector, TraceError, TraceOptions, TraceScore, TraceVerdict,
};
pub use explanation::TraceReason;
pub use operation::OperationMiner;
pub use sequence::{Misfit, SpanPredictor, SpanSequence};
pub use span::{MalformedSpans, TraceSpan};
pub use span_templates::{SpanTemplates, TemplateId, UNKNOWN_TEMPLATE};
