//! A trace as a sequence, and who says how well it fits: what a learned model of structure sees and answers.

use super::{CallTree, TemplateId};

/// A trace in canonical order, by template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpanSequence {
    /// Template of each span; [`UNKNOWN_TEMPLATE`](super::UNKNOWN_TEMPLATE) for one never learnt.
    pub templates: Vec<TemplateId>,
    /// Place of each span's caller, [`NO_NODE`](super::NO_NODE) for none. Callers come before what they call.
    pub parents: Vec<u32>,
    /// Calls above each span.
    pub depths: Vec<u32>,
}

impl From<&CallTree> for SpanSequence {
    fn from(tree: &CallTree) -> Self {
        Self {
            templates: tree.nodes.iter().map(|node| node.template).collect(),
            parents: tree.nodes.iter().map(|node| node.parent).collect(),
            depths: tree.nodes.iter().map(|node| node.depth).collect(),
        }
    }
}

/// A place of a sequence where something else was expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Misfit {
    /// The span by its place in the sequence; none for the end of the trace.
    pub span: Option<u32>,
    /// −ln of its probability there.
    pub surprise: f64,
    /// The most probable templates in its place with their probabilities; none for the end of the trace.
    pub expected: Vec<(Option<TemplateId>, f64)>,
}

/// What fits least in a sequence, for a model of many. Asked by any thread.
pub trait SpanPredictor: Send + Sync + std::fmt::Debug {
    /// The worst place of a trace; none if it has none, or cannot be judged. The same answer for the same sequence.
    fn worst(&self, sequence: &SpanSequence) -> Option<Misfit>;
}
