//! Structure: which calls follow which, under whom, and how often.
//!
//! Three views of one trace, each a −ln p ([`Successors`]) or a surprise ([`UpperTail`]), each as bad as its worst place:
//!
//! - *call tree*: under each caller the children are a sequence that begins and ends; each child, and the end, is predicted
//!   from the one or two before it and the whole path of the caller, with the caller's template and the sibling alone as coarser
//!   contexts. A call that is missing is found where the next one, or the end, comes too early.
//! - *sequence*: all spans in canonical order, each predicted from the two before it (a trigram).
//! - *repeats*: how many calls of one template a caller makes, against what that path did before: the thousand queries where
//!   ten were usual, which no sequence of two finds odd.
//!
//! O(n) for n spans.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::key::{ROOT, join, sorted};
use super::successors::Successors;
use super::tail::{UpperTail, common_scale};
use super::{CallTree, NO_NODE, TemplateId, UNKNOWN_TEMPLATE};

/// The symbols before the first and after the last.
pub(super) const BEGIN: TemplateId = UNKNOWN_TEMPLATE - 2;
/// See [`BEGIN`].
pub(super) const END: TemplateId = UNKNOWN_TEMPLATE - 1;

/// Counts are told apart by a quarter of their logarithm: 1, 2, 3, 4, 5 to 6, 7 to 8, …
const COUNT_WIDTH: f64 = 0.25;
/// Scale of the logarithm of counts where nothing is known: half as many again once in e.
const COUNT_SCALE: f64 = 0.4;
/// Paths whose repeats are counted at most.
const MOST_PATHS: usize = 200_000;

/// What is known of the structure of traces.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Structure {
    tree: Successors,
    sequence: Successors,
    /// Logarithms of how often a path occurs under one caller.
    #[serde(with = "sorted")]
    repeats: HashMap<u64, UpperTail>,
    repeat_scale: f64,
}

/// Where a trace departs from what was learnt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum CallPlace {
    /// A node, or the end of the calls that `parent` made.
    Call {
        /// The caller.
        parent: u32,
        /// The call before, [`NO_NODE`] if it is the first.
        before: u32,
        /// The call, [`NO_NODE`] if it is the end.
        node: u32,
    },
    /// Nowhere: the trace is empty.
    None,
}

/// A view's worst place and how bad it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Worst {
    pub(super) score: f64,
    pub(super) place: CallPlace,
}

impl Worst {
    pub(super) const NOTHING: Self = Self {
        score: 0.0,
        place: CallPlace::None,
    };

    fn take(&mut self, score: f64, place: CallPlace) {
        if score > self.score {
            *self = Self { score, place };
        }
    }
}

/// One step under a caller.
struct ChildStep {
    contexts: [u64; 4],
    symbol: TemplateId,
    place: CallPlace,
}

/// Every child of every caller, and every end, with what comes before.
fn steps(tree: &CallTree, mut take: impl FnMut(ChildStep)) {
    for (parent, children) in tree.callers() {
        let (path, caller) = match tree.nodes.get(parent as usize) {
            Some(node) => (node.path, node.template),
            None => (ROOT, BEGIN),
        };
        let (mut two_before, mut before, mut node_before) = (BEGIN, BEGIN, NO_NODE);
        let mut step = |symbol: TemplateId, node: u32| {
            let sibling = join(1, u64::from(before));
            let contexts = [
                sibling,
                join(join(2, u64::from(caller)), u64::from(before)),
                join(join(3, path), u64::from(before)),
                join(join(join(4, path), u64::from(before)), u64::from(two_before)),
            ];
            let place = CallPlace::Call {
                parent,
                before: node_before,
                node,
            };
            take(ChildStep {
                contexts,
                symbol,
                place,
            });
            (two_before, before, node_before) = (before, symbol, node);
        };
        for (number, child) in children {
            step(child.template, number);
        }
        step(END, NO_NODE);
    }
}

/// Contexts of the trigram after two symbols.
fn trigram(two_before: TemplateId, before: TemplateId) -> [u64; 3] {
    let one = join(6, u64::from(before));
    [5, one, join(join(7, u64::from(before)), u64::from(two_before))]
}

/// Every span in canonical order and the end, each with what is before it.
fn line(tree: &CallTree, mut take: impl FnMut([u64; 3], TemplateId, CallPlace)) {
    let (mut two_before, mut before) = (BEGIN, BEGIN);
    for (number, node) in tree.nodes.iter().enumerate() {
        let place = CallPlace::Call {
            parent: node.parent,
            before: (number as u32).checked_sub(1).unwrap_or(NO_NODE),
            node: number as u32,
        };
        take(trigram(two_before, before), node.template, place);
        (two_before, before) = (before, node.template);
    }
    let place = CallPlace::Call {
        parent: NO_NODE,
        before: (tree.nodes.len() as u32).checked_sub(1).unwrap_or(NO_NODE),
        node: NO_NODE,
    };
    take(trigram(two_before, before), END, place);
}

/// How often each path occurs under one caller, with the last node of it.
fn repeats(tree: &CallTree) -> Vec<(u64, f64, u32)> {
    let mut all = Vec::new();
    let mut own: Vec<(u64, u32)> = Vec::new();
    for (_, children) in tree.callers() {
        own.clear();
        own.extend(children.map(|(number, child)| (child.path, number)));
        own.sort_unstable();
        for same in own.chunk_by(|one, next| one.0 == next.0) {
            let last = same[same.len() - 1];
            all.push((last.0, (same.len() as f64).ln(), last.1));
        }
    }
    all
}

impl Structure {
    /// Learns a trace.
    pub(super) fn learn(&mut self, tree: &CallTree) {
        steps(tree, |step| self.tree.learn(&step.contexts, step.symbol));
        line(tree, |contexts, symbol, _| self.sequence.learn(&contexts, symbol));
        for (path, count, _) in repeats(tree) {
            if let Some(tail) = self.repeats.get_mut(&path) {
                tail.learn(count);
            } else if self.repeats.len() < MOST_PATHS {
                let tail = self
                    .repeats
                    .entry(path)
                    .or_insert_with(|| UpperTail::new(COUNT_WIDTH));
                tail.learn(count);
            }
        }
    }

    /// Brings what is derived up to what was learnt.
    pub(super) fn refit(&mut self) {
        self.repeats.values_mut().for_each(UpperTail::refit);
        self.repeat_scale = common_scale(self.repeats.values(), COUNT_SCALE).max(COUNT_SCALE);
    }

    /// The worst place of the call tree.
    pub(super) fn judge_tree(&self, tree: &CallTree, symbols: usize) -> Worst {
        let mut worst = Worst::NOTHING;
        steps(tree, |step| {
            worst.take(
                self.tree.surprise(&step.contexts, step.symbol, symbols),
                step.place,
            );
        });
        worst
    }

    /// The worst place of the sequence.
    pub(super) fn judge_sequence(&self, tree: &CallTree, symbols: usize) -> Worst {
        let mut worst = Worst::NOTHING;
        line(tree, |contexts, symbol, place| {
            worst.take(self.sequence.surprise(&contexts, symbol, symbols), place);
        });
        worst
    }

    /// The call that is repeated most unusually often.
    pub(super) fn judge_repeats(&self, tree: &CallTree) -> Worst {
        let mut worst = Worst::NOTHING;
        for (path, count, node) in repeats(tree) {
            if let Some(tail) = self.repeats.get(&path) {
                let place = CallPlace::Call {
                    parent: tree.nodes[node as usize].parent,
                    before: NO_NODE,
                    node,
                };
                worst.take(tail.surprise(count, self.repeat_scale), place);
            }
        }
        worst
    }

    /// What is usual at a place of the call tree: templates ([`END`] for no further call) with their shares, and how often the
    /// place was seen.
    pub(super) fn expected(
        &self,
        tree: &CallTree,
        at: CallPlace,
        most: usize,
    ) -> (Vec<(TemplateId, f64)>, u32) {
        let mut found = (Vec::new(), 0);
        steps(tree, |step| {
            if step.place == at {
                found = self.tree.expected(&step.contexts, most);
            }
        });
        found
    }

    /// The 99th percentile of how often a path occurs under one caller.
    pub(super) fn usual_repeats(&self, path: u64) -> Option<f64> {
        let tail = self.repeats.get(&path)?;
        tail.quantile(0.99)
            .map(|logarithm| (logarithm - COUNT_WIDTH / 2.0).exp().floor().max(1.0))
    }
}
