//! A trace as the detectors see it: a tree of calls in one canonical order.
//!
//! Spans arrive in any order and overlap. Children of a call are ordered by start; children that overlap in time ran side by
//! side, their order is chance, and they are ordered by template instead. The nodes are then listed parents first. So two runs
//! of the same request with the same calls are the same sequence. What is malformed is counted and given a place all the same:
//! orphans and the members of circles become roots beside the real one.
//!
//! Self time is the duration less what children cover of it (union of intervals, cut to the parent). O(n log n) for n spans, by the
//! sorts; nothing here recurses.

use std::collections::HashMap;

use super::key::{ROOT, join};
use super::{MalformedSpans, SpanTemplates, TemplateId, TraceSpan, UNKNOWN_TEMPLATE};

/// No node.
pub const NO_NODE: u32 = u32::MAX;

/// How children of one call are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum SiblingOrder {
    /// By start; those that overlap by template.
    #[default]
    Canonical,
    /// By start alone. Kept to measure what the canonical order is worth.
    Start,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct CallNode {
    /// Its place among the spans that the tree was built of.
    pub span: u32,
    /// Its template, [`UNKNOWN_TEMPLATE`] for one never learnt.
    pub template: TemplateId,
    /// The node that called it, [`NO_NODE`] for a root.
    pub parent: u32,
    /// The first call it made, [`NO_NODE`] for none.
    pub first_child: u32,
    /// The next call of the same caller, [`NO_NODE`] for none.
    pub next_sibling: u32,
    /// Calls above it.
    pub depth: u32,
    /// Key of the templates from the root to here.
    pub path: u64,
    /// Key of who is to blame for its self time: its service or, where it calls another service, the way between the two.
    pub owner: u64,
    /// Microseconds.
    pub duration_us: u64,
    /// Microseconds that no child covers.
    pub self_us: u64,
}

/// A trace in canonical order.
#[derive(Debug, Clone)]
pub struct CallTree {
    /// Parents before children, children of a call in their order.
    pub nodes: Vec<CallNode>,
    /// What was wrong with the trace.
    pub malformed: MalformedSpans,
    /// The root that starts first: what was asked for. 0 for an empty trace.
    pub entry: u32,
    /// The duration of that root, which is how long who asked has waited; microseconds.
    pub duration_us: u64,
    /// Key of the sequence of all paths: two traces with one shape made the same calls.
    pub shape: u64,
}

/// A span's place in time and tree while the tree is built.
struct Placement {
    start: i64,
    end: i64,
    parent: u32,
    template: TemplateId,
    service: u32,
    self_us: u64,
}

impl CallTree {
    /// The tree of a trace's spans, in whatever order they come. No span, no node.
    #[must_use]
    pub fn build(spans: &[TraceSpan], templates: &SpanTemplates, order: SiblingOrder) -> Self {
        let spans = &spans[..spans.len().min(NO_NODE as usize - 1)];
        let mut malformed = MalformedSpans::default();
        let mut places = place(spans, templates, &mut malformed);
        let (mut roots, mut children) = kinship(&places);
        arrange(&mut roots, &places, order);
        for (parent, own) in children.iter_mut() {
            let covered = arrange_and_cover(own, &places, parent, order);
            let place = &mut places[parent as usize];
            place.self_us -= covered.min(place.self_us);
        }
        let sequence = preorder(&roots, &children, &mut malformed);
        Self::link(&places, &children, &sequence, malformed)
    }

    fn link(
        places: &[Placement],
        children: &Children,
        sequence: &[(u32, u32)],
        malformed: MalformedSpans,
    ) -> Self {
        let mut nodes: Vec<CallNode> = Vec::with_capacity(sequence.len());
        let mut youngest = vec![NO_NODE; sequence.len()];
        let mut youngest_root = NO_NODE;
        let mut shape = ROOT;
        for (number, &(span, parent)) in sequence.iter().enumerate() {
            let place = &places[span as usize];
            let (path, depth) = match nodes.get(parent as usize) {
                Some(parent) => (parent.path, parent.depth + 1),
                None => (ROOT, 0),
            };
            let path = join(path, u64::from(place.template));
            shape = join(shape, path);
            let remote = children
                .of(span)
                .iter()
                .map(|child| places[*child as usize].service);
            let callee = remote.clone().find(|service| *service != place.service);
            nodes.push(CallNode {
                span,
                template: place.template,
                parent,
                first_child: NO_NODE,
                next_sibling: NO_NODE,
                depth,
                path,
                owner: join(u64::from(place.service), callee.map_or(u64::MAX, u64::from)),
                duration_us: place.start.abs_diff(place.end),
                self_us: place.self_us,
            });
            let youngest = youngest.get_mut(parent as usize).unwrap_or(&mut youngest_root);
            let elder = std::mem::replace(youngest, number as u32);
            if let Some(elder) = nodes.get_mut(elder as usize) {
                elder.next_sibling = number as u32;
            } else if let Some(parent) = nodes.get_mut(parent as usize) {
                parent.first_child = number as u32;
            }
        }
        let roots = nodes.iter().zip(0..).filter(|(node, _)| node.parent == NO_NODE);
        let entry = roots.min_by_key(|(node, _)| (places[node.span as usize].start, node.template));
        let entry = entry.map_or(0, |(_, number)| number);
        Self {
            entry,
            duration_us: nodes.get(entry as usize).map_or(0, |root| root.duration_us),
            nodes,
            malformed,
            shape,
        }
    }

    /// The template of the root that starts first, which tells kinds of requests apart.
    #[must_use]
    pub fn request(&self) -> TemplateId {
        self.nodes
            .get(self.entry as usize)
            .map_or(UNKNOWN_TEMPLATE, |node| node.template)
    }

    /// Its nodes by caller: each caller ([`NO_NODE`] for the virtual root of all roots) and the calls it made, in order.
    pub fn callers(&self) -> impl Iterator<Item = (u32, Siblings<'_>)> {
        let root = (!self.nodes.is_empty()).then_some((NO_NODE, self.siblings(0)));
        let calls = self.nodes.iter().enumerate();
        root.into_iter()
            .chain(calls.map(|(number, node)| (number as u32, self.siblings(node.first_child))))
    }

    /// The calls that a node made, or the roots for [`NO_NODE`], in order.
    #[must_use]
    pub fn calls_of(&self, caller: u32) -> Siblings<'_> {
        let first = self.nodes.get(caller as usize).map(|caller| caller.first_child);
        self.siblings(first.unwrap_or(0))
    }

    fn siblings(&self, next: u32) -> Siblings<'_> {
        Siblings {
            nodes: &self.nodes,
            next,
        }
    }
}

/// Calls of one caller, by number and node.
#[derive(Debug, Clone)]
pub struct Siblings<'t> {
    nodes: &'t [CallNode],
    next: u32,
}

impl<'t> Iterator for Siblings<'t> {
    type Item = (u32, &'t CallNode);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.nodes.get(self.next as usize)?;
        Some((std::mem::replace(&mut self.next, node.next_sibling), node))
    }
}

/// Times, parents and templates of all spans.
fn place(spans: &[TraceSpan], templates: &SpanTemplates, malformed: &mut MalformedSpans) -> Vec<Placement> {
    let mut by_id: HashMap<u64, u32> = HashMap::with_capacity(spans.len());
    for (number, span) in spans.iter().enumerate() {
        let first = *by_id.entry(span.id).or_insert(number as u32);
        malformed.duplicate_ids += u32::from(first != number as u32);
    }
    let mut place = |span: &TraceSpan| {
        let parent = match span.parent {
            None => NO_NODE,
            Some(parent) if parent == span.id => {
                malformed.own_parents += 1;
                NO_NODE
            }
            Some(parent) => by_id.get(&parent).copied().unwrap_or_else(|| {
                malformed.orphans += 1;
                NO_NODE
            }),
        };
        if span.duration_us < 0 {
            malformed.negative_durations += 1;
        }
        if spans
            .get(parent as usize)
            .is_some_and(|parent| span.start_us < parent.start_us)
        {
            malformed.early_starts += 1;
        }
        let end = span.start_us.saturating_add(span.duration_us.max(0));
        Placement {
            start: span.start_us,
            end,
            parent,
            template: templates.find(span),
            service: templates.service(&span.service),
            self_us: span.start_us.abs_diff(end),
        }
    };
    spans.iter().map(&mut place).collect()
}

/// Children of all spans, side by side in one list.
struct Children {
    /// Where the children of each begin in `all`; one more than there are spans.
    from: Vec<u32>,
    all: Vec<u32>,
}

impl Children {
    fn of(&self, span: u32) -> &[u32] {
        &self.all[self.from[span as usize] as usize..self.from[span as usize + 1] as usize]
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut [u32])> {
        let mut rest = self.all.as_mut_slice();
        self.from.windows(2).enumerate().map(move |(span, ends)| {
            let (own, others) = std::mem::take(&mut rest).split_at_mut((ends[1] - ends[0]) as usize);
            rest = others;
            (span as u32, own)
        })
    }
}

/// Roots, and everybody's children.
fn kinship(places: &[Placement]) -> (Vec<u32>, Children) {
    let mut from = vec![0_u32; places.len() + 2];
    for place in places.iter().filter(|place| place.parent != NO_NODE) {
        from[place.parent as usize + 2] += 1;
    }
    for span in 2..from.len() {
        from[span] += from[span - 1];
    }
    // While children are put in place, `from[parent + 1]` is where the next one goes; in the end it is where the next parent's begin.
    let mut all = vec![0; from.last().map_or(0, |count| *count as usize)];
    let mut roots = Vec::new();
    for (span, place) in places.iter().enumerate() {
        if place.parent == NO_NODE {
            roots.push(span as u32);
        } else {
            let next = &mut from[place.parent as usize + 1];
            all[*next as usize] = span as u32;
            *next += 1;
        }
    }
    from.pop();
    (roots, Children { from, all })
}

/// Orders spans of one caller.
fn arrange(spans: &mut [u32], places: &[Placement], order: SiblingOrder) {
    let place = |span: u32| &places[span as usize];
    spans.sort_by_key(|span| (place(*span).start, *span));
    if order == SiblingOrder::Start {
        return;
    }
    let mut first = 0;
    let mut busy_until = i64::MIN;
    for number in 0..spans.len() {
        let here = place(spans[number]);
        if here.start >= busy_until {
            spans[first..number].sort_by_key(|span| place(*span).template);
            first = number;
        }
        busy_until = busy_until.max(here.end);
    }
    spans[first..].sort_by_key(|span| place(*span).template);
}

/// Orders the children of `parent`; the microseconds of it that they cover.
fn arrange_and_cover(spans: &mut [u32], places: &[Placement], parent: u32, order: SiblingOrder) -> u64 {
    spans.sort_by_key(|span| (places[*span as usize].start, *span));
    let parent = &places[parent as usize];
    let (mut covered, mut until) = (0, parent.start);
    for child in spans.iter().map(|span| &places[*span as usize]) {
        let (start, end) = (child.start.max(until), child.end.min(parent.end));
        if end > start {
            covered += end.abs_diff(start);
            until = end;
        }
    }
    arrange(spans, places, order);
    covered
}

/// Every span once, with the number of its parent in this list; circles are cut open.
fn preorder(roots: &[u32], children: &Children, malformed: &mut MalformedSpans) -> Vec<(u32, u32)> {
    let count = children.from.len() - 1;
    let mut sequence = Vec::with_capacity(count);
    let mut reached = vec![false; count];
    let mut stack: Vec<(u32, u32)> = roots.iter().rev().map(|root| (*root, NO_NODE)).collect();
    let mut next_unreached = 0;
    loop {
        while let Some((span, parent)) = stack.pop() {
            if std::mem::replace(&mut reached[span as usize], true) {
                continue;
            }
            let number = sequence.len() as u32;
            sequence.push((span, parent));
            stack.extend(children.of(span).iter().rev().map(|child| (*child, number)));
        }
        // What no root leads to is a circle or hangs on one.
        while next_unreached < count && reached[next_unreached] {
            next_unreached += 1;
        }
        if next_unreached == count {
            return sequence;
        }
        malformed.loops += 1;
        stack.push((next_unreached as u32, NO_NODE));
    }
}

#[cfg(test)]
#[path = "call_tree_tests.rs"]
mod tests;
