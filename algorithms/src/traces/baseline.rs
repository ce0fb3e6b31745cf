//! The detectors that count: structure and latency, learnt a trace at a time.
//!
//! They need no training run, work from some dozens of traces on, and follow what changes; the masked span model must beat them to
//! be worth its cost.

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::call_tree::{CallTree, SiblingOrder};
use super::key::sorted;
use super::latency::Latency;
use super::structure::{Structure, Worst};
use super::{SpanTemplates, TemplateId, TraceSpan};

/// Traces after which what is derived from counts is made anew.
const REFIT_EACH: u64 = 1_000;
/// Kinds of requests whose traces are counted at most.
const MOST_REQUESTS: usize = 65_536;

/// The counting detectors, in the order of their scores.
pub(super) const BASELINE_DETECTORS: [&str; 6] = [
    "call_tree",
    "sequence",
    "repeats",
    "span_latency",
    "service_latency",
    "trace_latency",
];

/// Which of them look at times; the others, and a learned one after them, look at structure.
pub(super) const LATENCY: Range<usize> = 3..6;

/// What counting knows of traces.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TraceBaseline {
    pub(super) templates: SpanTemplates,
    pub(super) structure: Structure,
    pub(super) latency: Latency,
    order: SiblingOrder,
    traces: u64,
    #[serde(with = "sorted")]
    requests: HashMap<TemplateId, u64>,
}

impl TraceBaseline {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(order: SiblingOrder) -> Self {
        Self {
            order,
            ..Self::default()
        }
    }

    /// Learns many traces, before any other: templates of all of them are known before calls are counted, and what holds for all
    /// of them before surprises are pooled.
    pub fn fit<'t>(&mut self, traces: impl Iterator<Item = &'t [TraceSpan]> + Clone) {
        for span in traces.clone().flatten() {
            self.templates.learn(span);
        }
        self.templates.settle();
        for spans in traces.clone() {
            let tree = self.tree(spans);
            self.count(&tree);
            self.structure.learn(&tree);
            self.latency.learn_times(&tree);
        }
        self.refit();
        for spans in traces {
            let tree = self.tree(spans);
            self.latency.learn_pools(&tree);
        }
        self.refit();
    }

    /// Counts the templates of a trace as seen, and learns nothing else of it.
    pub fn learn_templates(&mut self, spans: &[TraceSpan]) {
        let folds = self.templates.folds();
        for span in spans {
            self.templates.learn(span);
        }
        if self.templates.folds() > folds {
            for (request, traces) in std::mem::take(&mut self.requests) {
                *self.requests.entry(self.templates.current(request)).or_default() += traces;
            }
        }
    }

    /// Learns one more trace.
    pub fn learn(&mut self, spans: &[TraceSpan]) {
        self.learn_templates(spans);
        let tree = self.tree(spans);
        self.count(&tree);
        self.structure.learn(&tree);
        self.latency.learn_pools(&tree);
        self.latency.learn_times(&tree);
        // Each of the first traces teaches much; later ones together.
        if self.traces.is_multiple_of(REFIT_EACH)
            || (self.traces < REFIT_EACH && self.traces.is_power_of_two())
        {
            self.refit();
        }
    }

    fn count(&mut self, tree: &CallTree) {
        self.traces += 1;
        if self.requests.len() < MOST_REQUESTS || self.requests.contains_key(&tree.request()) {
            *self.requests.entry(tree.request()).or_default() += 1;
        }
    }

    /// Brings what is derived up to what was learnt.
    pub(super) fn refit(&mut self) {
        self.structure.refit();
        self.latency.refit();
    }

    /// A trace as it is judged.
    #[must_use]
    pub fn tree(&self, spans: &[TraceSpan]) -> CallTree {
        CallTree::build(spans, &self.templates, self.order)
    }

    /// The templates that were learnt.
    #[must_use]
    pub fn templates(&self) -> &SpanTemplates {
        &self.templates
    }

    /// Traces learnt.
    #[must_use]
    pub fn traces(&self) -> u64 {
        self.traces
    }

    /// Traces learnt of a kind of request.
    #[must_use]
    pub fn traces_of(&self, request: TemplateId) -> u64 {
        self.requests.get(&request).copied().unwrap_or(0)
    }

    /// Templates of a trace that are new, with how often they were seen.
    #[must_use]
    pub fn new_templates(&self, tree: &CallTree, spans: &[TraceSpan]) -> Vec<(String, u64)> {
        let templates = &self.templates;
        let new = tree.nodes.iter().filter(|node| templates.is_new(node.template));
        let mut found: Vec<_> = new
            .map(|node| {
                let name = templates.name(&spans[node.span as usize]);
                (name, templates.seen(node.template))
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// The worst places of a trace, by detector.
    pub(super) fn judge(&self, tree: &CallTree) -> [Worst; 6] {
        let symbols = self.templates.len();
        let latency = self.latency.judge(tree);
        [
            self.structure.judge_tree(tree, symbols),
            self.structure.judge_sequence(tree, symbols),
            self.structure.judge_repeats(tree),
            latency.span,
            latency.service,
            latency.trace,
        ]
    }
}
