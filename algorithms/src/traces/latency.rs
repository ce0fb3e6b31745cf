//! Latency: which spans, services and traces are slow for what they are.
//!
//! Self times and durations are taken as ln(t + 100 µs), and each is held against the [`UpperTail`] of its like:
//!
//! - *span*: the self time of every span against that of its call path, or of its template where the path is rare. As bad as
//!   its worst span.
//! - *service*: the surprises e of the spans of one service, or of the calls from one service to another (a client span's self
//!   time is the network and the queue of the callee), pooled as Σ(e − 1)/√n, which has mean 0 and variance 1 where e is
//!   exponential, and held against the tail of that sum. Many spans that are a little slow are found here, where no single one
//!   is remarkable.
//! - *trace*: the duration of the root against that of traces of the same shape, or of the same request where the
//!   shape is rare, or of all traces where that is rare too.
//!
//! O(n log n) for n spans. A path or owner never seen says nothing: that is for the structure to find.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::key::sorted;
use super::structure::{CallPlace, Worst};
use super::tail::{UpperTail, common_scale};
use super::{CallNode, CallTree, NO_NODE, TemplateId};

/// Below this, times differ by timers and scheduling and not by what is done; microseconds.
const TIMER_US: f64 = 100.0;
/// Width of the buckets of logarithms: 5 %.
const TIME_WIDTH: f64 = 0.05;
/// Width of the buckets of pooled surprises, whose standard deviation is about 1.
const POOL_WIDTH: f64 = 0.1;
/// Scales where nothing is known: e times as long once in √e; one standard deviation.
const TIME_SCALE: f64 = 0.5;
/// See [`TIME_SCALE`].
const POOL_SCALE: f64 = 1.0;
/// Times a path or shape must have been seen for its own tail to be asked.
const FEWEST: u32 = 20;
/// What one span adds to its pool at most: a probability of 10⁻²¹ is as good as any smaller one.
const MOST_SURPRISE: f64 = 50.0;
/// Tails that are kept at most, of each kind: 100 MB of half a kilobyte.
const MOST_TAILS: usize = 200_000;

/// What is known of durations.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Latency {
    #[serde(with = "sorted")]
    paths: HashMap<u64, UpperTail>,
    #[serde(with = "sorted")]
    templates: HashMap<TemplateId, UpperTail>,
    #[serde(with = "sorted")]
    owners: HashMap<u64, UpperTail>,
    #[serde(with = "sorted")]
    shapes: HashMap<u64, UpperTail>,
    #[serde(with = "sorted")]
    requests: HashMap<TemplateId, UpperTail>,
    traces: Option<UpperTail>,
    span_scale: f64,
    pool_scale: f64,
    trace_scale: f64,
}

/// What the three views make of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LatencyScores {
    pub(super) span: Worst,
    pub(super) service: Worst,
    pub(super) trace: Worst,
}

fn logarithm(micros: u64) -> f64 {
    (micros as f64 + TIMER_US).ln()
}

fn learn<K: Eq + std::hash::Hash>(tails: &mut HashMap<K, UpperTail>, key: K, number: f64, width: f64) {
    if tails.len() < MOST_TAILS || tails.contains_key(&key) {
        tails
            .entry(key)
            .or_insert_with(|| UpperTail::new(width))
            .learn(number);
    }
}

fn at(node: u32, tree: &CallTree) -> CallPlace {
    CallPlace::Call {
        parent: tree.nodes[node as usize].parent,
        before: NO_NODE,
        node,
    }
}

/// What one owner's spans have in common.
struct Pool {
    owner: u64,
    sum: f64,
    /// The node of the largest surprise.
    worst: u32,
}

impl Latency {
    /// Learns the times of spans and of the whole.
    pub(super) fn learn_times(&mut self, tree: &CallTree) {
        for node in &tree.nodes {
            let time = logarithm(node.self_us);
            learn(&mut self.paths, node.path, time, TIME_WIDTH);
            learn(&mut self.templates, node.template, time, TIME_WIDTH);
        }
        let whole = logarithm(tree.duration_us);
        learn(&mut self.shapes, tree.shape, whole, TIME_WIDTH);
        learn(&mut self.requests, tree.request(), whole, TIME_WIDTH);
        let all = self.traces.get_or_insert_with(|| UpperTail::new(TIME_WIDTH));
        all.learn(whole);
    }

    /// Learns how surprises pool, by what is known of spans.
    pub(super) fn learn_pools(&mut self, tree: &CallTree) {
        let surprises = self.surprises(tree);
        for pool in pools(tree, &surprises) {
            learn(&mut self.owners, pool.owner, pool.sum, POOL_WIDTH);
        }
    }

    /// Brings what is derived up to what was learnt.
    pub(super) fn refit(&mut self) {
        let tails = self.paths.values_mut().chain(self.templates.values_mut());
        let tails = tails
            .chain(self.owners.values_mut())
            .chain(self.shapes.values_mut());
        let tails = tails.chain(self.traces.as_mut());
        tails.chain(self.requests.values_mut()).for_each(UpperTail::refit);
        self.span_scale = common_scale(self.paths.values(), TIME_SCALE);
        self.pool_scale = common_scale(self.owners.values(), POOL_SCALE);
        self.trace_scale = common_scale(self.shapes.values(), TIME_SCALE);
    }

    fn tail_of(&self, node: &CallNode) -> Option<&UpperTail> {
        let own = self.paths.get(&node.path);
        own.filter(|tail| tail.total() >= FEWEST)
            .or_else(|| self.templates.get(&node.template))
            .or(own)
    }

    /// Durations of traces of the same shape, of the same request, or of all.
    fn tail_of_trace(&self, tree: &CallTree) -> Option<&UpperTail> {
        let known = |tail: &&UpperTail| tail.total() >= FEWEST;
        let alike = self.shapes.get(&tree.shape).filter(known);
        let asked = || self.requests.get(&tree.request()).filter(known);
        alike.or_else(asked).or(self.traces.as_ref())
    }

    /// How slow each span is for its path.
    fn surprises(&self, tree: &CallTree) -> Vec<f64> {
        let surprise = |node: &CallNode| {
            let tail = self.tail_of(node);
            tail.map_or(0.0, |tail| {
                tail.surprise(logarithm(node.self_us), self.span_scale)
            })
        };
        tree.nodes.iter().map(surprise).collect()
    }

    /// What the three views make of a trace.
    pub(super) fn judge(&self, tree: &CallTree) -> LatencyScores {
        if tree.nodes.is_empty() {
            return LatencyScores {
                span: Worst::NOTHING,
                service: Worst::NOTHING,
                trace: Worst::NOTHING,
            };
        }
        let surprises = self.surprises(tree);
        let mut span = Worst::NOTHING;
        for (number, score) in surprises.iter().enumerate() {
            if *score > span.score {
                span = Worst {
                    score: *score,
                    place: at(number as u32, tree),
                };
            }
        }
        let mut service = Worst::NOTHING;
        for pool in pools(tree, &surprises) {
            let tail = self.owners.get(&pool.owner);
            let score = tail.map_or(0.0, |tail| tail.surprise(pool.sum, self.pool_scale));
            if score > service.score {
                service = Worst {
                    score,
                    place: at(pool.worst, tree),
                };
            }
        }
        let whole = logarithm(tree.duration_us);
        let score = self.tail_of_trace(tree);
        let score = score.map_or(0.0, |tail| tail.surprise(whole, self.trace_scale));
        let trace = Worst {
            score,
            place: at(tree.entry, tree),
        };
        LatencyScores { span, service, trace }
    }

    /// The 99th percentile of a node's self time, microseconds.
    pub(super) fn usual_self_us(&self, node: &CallNode) -> Option<f64> {
        let logarithm = self.tail_of(node)?.quantile(0.99)?;
        Some((logarithm.exp() - TIMER_US).max(1.0))
    }

    /// The 99th percentile of the duration of traces like this one, microseconds.
    pub(super) fn usual_duration_us(&self, tree: &CallTree) -> Option<f64> {
        let logarithm = self.tail_of_trace(tree)?.quantile(0.99)?;
        Some((logarithm.exp() - TIMER_US).max(1.0))
    }
}

/// The surprises of spans by owner.
fn pools(tree: &CallTree, surprises: &[f64]) -> Vec<Pool> {
    let mut by_owner: Vec<(u64, u32)> = tree.nodes.iter().map(|node| node.owner).zip(0..).collect();
    by_owner.sort_unstable();
    let pool = |own: &[(u64, u32)]| {
        let surprise = |node: u32| surprises[node as usize].min(MOST_SURPRISE);
        let sum: f64 = own.iter().map(|(_, node)| surprise(*node) - 1.0).sum();
        let worst = own.iter().map(|(_, node)| *node);
        let worst = worst.max_by(|one, other| surprise(*one).total_cmp(&surprise(*other)));
        Pool {
            owner: own[0].0,
            sum: sum / (own.len() as f64).sqrt(),
            worst: worst.unwrap_or(0),
        }
    };
    by_owner.chunk_by(|one, next| one.0 == next.0).map(pool).collect()
}
