//! What a verdict says in words: which span, what was expected there, how slow against what is usual.

use super::baseline::TraceBaseline;
use super::call_tree::{CallTree, NO_NODE};
use super::structure::{CallPlace, END};
use super::{TemplateId, TraceSpan, UNKNOWN_TEMPLATE};

/// Templates named as expected at most, and the least share that makes one expected.
const MOST_NAMED: usize = 3;
const LEAST_SHARE: f64 = 0.05;

/// Why a trace is anomalous, in words.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TraceReason {
    /// The detector that found it.
    pub detector: &'static str,
    /// How rare that is: −ln of the share of normal traces that are as bad.
    pub surprise: f64,
    /// The guilty span by its place among the spans; for a missing call the one that should have made it.
    pub span: Option<u32>,
    /// What is wrong, for people.
    pub text: String,
}

/// What words need at hand.
pub(super) struct Explainer<'e> {
    pub(super) baseline: &'e TraceBaseline,
    pub(super) tree: &'e CallTree,
    pub(super) spans: &'e [TraceSpan],
}

impl Explainer<'_> {
    fn found(&self, node: u32) -> String {
        match self.tree.nodes.get(node as usize) {
            Some(node) => format!(
                "`{}`",
                self.baseline.templates.name(&self.spans[node.span as usize])
            ),
            None => "the end".to_owned(),
        }
    }

    /// The span to mark for a place.
    pub(super) fn span(&self, place: CallPlace) -> Option<u32> {
        let CallPlace::Call { parent, before, node } = place else {
            return None;
        };
        let marked = [node, parent, before].into_iter().find(|node| *node != NO_NODE);
        marked.map(|node| self.tree.nodes[node as usize].span)
    }

    fn names(&self, expected: &[(TemplateId, f64)], found: TemplateId) -> String {
        // Some may have become one since they were counted.
        let mut shares: Vec<(TemplateId, f64)> = Vec::new();
        for (template, share) in expected {
            let template = self.baseline.templates.current(*template);
            match shares.iter_mut().find(|(other, _)| *other == template) {
                Some((_, sum)) => *sum += share,
                None => shares.push((template, *share)),
            }
        }
        let named = shares
            .iter()
            .filter(|(template, share)| *template != found && *share >= LEAST_SHARE);
        let text = |(template, share): &(TemplateId, f64)| match *template {
            END => format!("the end of the calls ({:.0} %)", 100.0 * share),
            known => format!(
                "`{}` ({:.0} %)",
                self.baseline.templates.text(known),
                100.0 * share
            ),
        };
        let names: Vec<_> = named.map(text).take(MOST_NAMED).collect();
        names.join(" or ")
    }

    /// An unexpected, missing or early ended call; `expected` are templates with their probabilities, most probable first.
    pub(super) fn structure(&self, place: CallPlace, expected: Option<Vec<(TemplateId, f64)>>) -> String {
        let CallPlace::Call { parent, before, node } = place else {
            return "an empty trace".to_owned();
        };
        let found = self.tree.nodes.get(node as usize);
        let template = found.map_or(END, |node| node.template);
        let expected = expected.unwrap_or_else(|| {
            let (expected, _) = self.baseline.structure.expected(self.tree, place, MOST_NAMED + 1);
            expected
        });
        let names = self.names(&expected, template);
        let next = found.map_or(NO_NODE, |node| node.next_sibling);
        let whose = match parent {
            NO_NODE => "the trace".to_owned(),
            parent => self.found(parent),
        };
        let between = match (before, next) {
            (NO_NODE, _) => format!("as the first call of {whose}"),
            (before, NO_NODE) => format!("after {} in {whose}", self.found(before)),
            (before, next) => format!(
                "between {} and {} in {whose}",
                self.found(before),
                self.found(next)
            ),
        };
        let seen = self.baseline.templates.seen(template);
        let new = if found.is_none() || !self.baseline.templates.is_new(template) {
            String::new()
        } else if template == UNKNOWN_TEMPLATE {
            ", which is new: never seen before".to_owned()
        } else {
            format!(", which is new: seen {seen} times")
        };
        let found = match found {
            Some(_) => self.found(node),
            None => "no further call".to_owned(),
        };
        if names.is_empty() {
            format!("unexpected {between}: {found}{new}")
        } else {
            format!("expected {names} {between}; found {found}{new}")
        }
    }

    /// A call that is repeated too often.
    pub(super) fn repeats(&self, place: CallPlace) -> String {
        let CallPlace::Call { parent, node, .. } = place else {
            return "an empty trace".to_owned();
        };
        let path = self.tree.nodes[node as usize].path;
        let alike = |other: &&super::CallNode| other.parent == parent && other.path == path;
        let times = self.tree.nodes.iter().filter(alike).count();
        let usual = self.baseline.structure.usual_repeats(path).unwrap_or(1.0);
        let whose = match parent {
            NO_NODE => "the trace".to_owned(),
            parent => self.found(parent),
        };
        format!(
            "{} {times} times in {whose}; the 99th percentile is {usual:.0}",
            self.found(node)
        )
    }

    /// A slow span, or the worst span of a slow service.
    pub(super) fn latency(&self, place: CallPlace, pooled: bool) -> String {
        let CallPlace::Call { node, .. } = place else {
            return "an empty trace".to_owned();
        };
        let node = &self.tree.nodes[node as usize];
        let span = &self.spans[node.span as usize];
        let own = node.self_us as f64;
        let usual = self.baseline.latency.usual_self_us(node).unwrap_or(own);
        let factor = own / usual;
        let alike = self
            .tree
            .nodes
            .iter()
            .filter(|other| other.owner == node.owner)
            .count();
        let many = if pooled && alike > 1 {
            format!("; its {alike} spans are slow together")
        } else {
            String::new()
        };
        format!(
            "`{}` self time {factor:.1} × its 99th percentile in `{}` ({} against {}){many}",
            span.service,
            self.baseline.templates.operation(span),
            time(own),
            time(usual)
        )
    }

    /// A slow trace.
    pub(super) fn whole(&self) -> String {
        let took = self.tree.duration_us as f64;
        let usual = self.baseline.latency.usual_duration_us(self.tree).unwrap_or(took);
        format!(
            "{} took {:.1} × the 99th percentile of traces like it ({} against {})",
            self.found(self.tree.entry),
            took / usual,
            time(took),
            time(usual)
        )
    }
}

/// Microseconds for people.
fn time(micros: f64) -> String {
    match micros {
        micros if micros >= 1e6 => format!("{:.2} s", micros / 1e6),
        micros if micros >= 1e4 => format!("{:.0} ms", micros / 1e3),
        micros if micros >= 1e3 => format!("{:.1} ms", micros / 1e3),
        micros => format!("{micros:.0} µs"),
    }
}
