//! Suspects in a graph of who calls whom.
//!
//! The evidence of a node is `e = ln(1 + min(c, 20)) · max(0, r)`: its [`change`] `c`, and the correlation `r` of its values with those of the
//! alarm's node (Pearson, over the time around the alarm). A change beyond twenty spreads is beyond doubt, and more of it says nothing about who
//! began; what changed at another time, or the other way round, is no part of this. The suspicion of a node is
//! `e · Σ e'` over itself and all nodes that reach it: it must have changed itself, and it is the more suspect the more of what changed depends on
//! it. Of two that changed alike the one further down explains more; a callee that has not changed explains nothing. Nodes that the
//! alarm's node does not reach cannot have caused it and come last. O(nodes · edges).

use std::collections::{HashMap, HashSet};

use super::change::{Worsening, change};

/// Spreads beyond which a change is beyond doubt.
const BEYOND_DOUBT: f64 = 20.0;
/// Moments that both must have a value at for a correlation to mean something.
const LEAST_MOMENTS: usize = 3;

/// Who calls whom.
#[derive(Debug, Clone, Default)]
pub struct CallGraph {
    nodes: HashMap<String, usize>,
    callers: Vec<Vec<usize>>,
    callees: Vec<Vec<usize>>,
}

/// What was measured of one node: the same statistic as the alarm is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeSeries<'s> {
    /// Its name in the graph. It need not be there.
    pub node: &'s str,
    /// Values of usual times.
    pub before: &'s [f64],
    /// Values around the alarm, at the same moments for all nodes; NaN for none.
    pub around: &'s [f64],
}

/// A node that may be the cause.
#[derive(Debug, Clone, PartialEq)]
pub struct CauseSuspect {
    /// Its name.
    pub node: String,
    /// How suspect it is; larger is more, comparable within one ranking.
    pub suspicion: f64,
    /// How far it changed, in spreads; see [`change`].
    pub change: f64,
    /// How it went with the alarm's node, −1 to 1.
    pub correlation: f64,
    /// Whether the alarm's node depends on it, or is it.
    pub is_reached: bool,
    /// The nodes that changed and depend on it, most evidence first.
    pub explains: Vec<String>,
}

impl CallGraph {
    /// The graph of these calls, each from caller to callee. Loops and repetitions do no harm.
    pub fn new<'e>(calls: impl IntoIterator<Item = (&'e str, &'e str)>) -> Self {
        let mut graph = Self::default();
        for (caller, callee) in calls {
            let (caller, callee) = (graph.node(caller), graph.node(callee));
            graph.callees[caller].push(callee);
            graph.callers[callee].push(caller);
        }
        graph
    }

    fn node(&mut self, name: &str) -> usize {
        if let Some(&node) = self.nodes.get(name) {
            return node;
        }
        let node = self.callees.len();
        self.nodes.insert(name.to_owned(), node);
        self.callers.push(Vec::new());
        self.callees.push(Vec::new());
        node
    }

    /// All nodes at the end of `edges` from `start` on, itself among them.
    fn reached(start: usize, edges: &[Vec<usize>]) -> HashSet<usize> {
        let (mut found, mut open) = (HashSet::from([start]), vec![start]);
        while let Some(node) = open.pop() {
            open.extend(edges[node].iter().copied().filter(|&next| found.insert(next)));
        }
        found
    }
}

/// The nodes as suspects of what the node `alarm` suffers from, most suspicious first; of equal ones by name. Those without a
/// [`change`] are left out.
#[must_use]
pub fn rank(
    graph: &CallGraph,
    alarm: &str,
    nodes: &[NodeSeries<'_>],
    worsening: Worsening,
) -> Vec<CauseSuspect> {
    let reference = nodes
        .iter()
        .find(|series| series.node == alarm)
        .map(|series| series.around);
    let mut evidence: HashMap<usize, (f64, &str)> = HashMap::new();
    let mut suspects = Vec::new();
    for series in nodes {
        let Some(change) = change(series.before, series.around, worsening) else {
            continue;
        };
        // Without values of the alarm's own nothing can be held against them.
        let correlation = reference.map_or(1.0, |reference| correlation(series.around, reference));
        let own = change.clamp(0.0, BEYOND_DOUBT).ln_1p() * correlation.max(0.0);
        if let Some(&node) = graph.nodes.get(series.node) {
            evidence.insert(node, (own, series.node));
        }
        suspects.push((
            own,
            CauseSuspect {
                node: series.node.to_owned(),
                suspicion: 0.0,
                change,
                correlation,
                is_reached: series.node == alarm,
                explains: Vec::new(),
            },
        ));
    }
    let reached = graph
        .nodes
        .get(alarm)
        .map(|&node| CallGraph::reached(node, &graph.callees))
        .unwrap_or_default();
    let mut ranked: Vec<_> = suspects
        .into_iter()
        .map(|(own, suspect)| explain(graph, &evidence, &reached, own, suspect))
        .collect();
    ranked.sort_by(|a, b| {
        let by_suspicion = b.suspicion.total_cmp(&a.suspicion);
        b.is_reached
            .cmp(&a.is_reached)
            .then(by_suspicion)
            .then_with(|| a.node.cmp(&b.node))
    });
    ranked
}

/// Adds to a suspect what it explains.
fn explain(
    graph: &CallGraph,
    evidence: &HashMap<usize, (f64, &str)>,
    reached: &HashSet<usize>,
    own: f64,
    suspect: CauseSuspect,
) -> CauseSuspect {
    let Some(&node) = graph.nodes.get(&suspect.node) else {
        return CauseSuspect {
            suspicion: own * own,
            ..suspect
        };
    };
    let mut explained: Vec<_> = CallGraph::reached(node, &graph.callers)
        .into_iter()
        .filter(|&other| other != node)
        .filter_map(|other| evidence.get(&other).copied())
        .filter(|(evidence, _)| *evidence > 0.0)
        .collect();
    // In one order, so that the sum is the same each time.
    explained.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let all: f64 = own + explained.iter().map(|(evidence, _)| evidence).sum::<f64>();
    CauseSuspect {
        suspicion: own * all,
        is_reached: suspect.is_reached || reached.contains(&node),
        explains: explained.into_iter().map(|(_, node)| node.to_owned()).collect(),
        ..suspect
    }
}

/// Pearson's correlation over the moments at which both have a value; 0 where one stands still or there are too few.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let both = || {
        one.iter()
            .zip(other)
            .filter(|(a, b)| a.is_finite() && b.is_finite())
    };
    let count = both().count();
    if count < LEAST_MOMENTS {
        return 0.0;
    }
    let mean = |of: fn((&f64, &f64)) -> f64| both().map(of).sum::<f64>() / count as f64;
    let (mean_one, mean_other) = (mean(|(a, _)| *a), mean(|(_, b)| *b));
    let (mut product, mut square_one, mut square_other) = (0.0, 0.0, 0.0);
    for (a, b) in both() {
        let (a, b) = (a - mean_one, b - mean_other);
        product += a * b;
        square_one += a * a;
        square_other += b * b;
    }
    let scale = (square_one * square_other).sqrt();
    if scale > 0.0 {
        (product / scale).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: [f64; 20] = [
        10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 10.1, 9.9, 10.2, 9.8, 10.0, 10.1, 9.9,
        10.2, 9.8,
    ];

    /// The shop calls cart and catalogue, both call the database; there is a batch that nobody calls.
    fn graph() -> CallGraph {
        let calls = [
            ("shop", "cart"),
            ("shop", "catalogue"),
            ("cart", "database"),
            ("catalogue", "database"),
            ("batch", "database"),
        ];
        CallGraph::new(calls)
    }

    fn order(nodes: &[(&str, [f64; 5])]) -> Vec<String> {
        let series: Vec<_> = nodes
            .iter()
            .map(|(node, around)| NodeSeries {
                node,
                before: &USUAL,
                around,
            })
            .collect();
        let ranked = rank(&graph(), "shop", &series, Worsening::Rising);
        ranked.into_iter().map(|suspect| suspect.node).collect()
    }

    const WELL: [f64; 5] = [10.0, 10.1, 9.9, 10.0, 10.1];
    const ILL: [f64; 5] = [10.0, 10.0, 30.0, 31.0, 10.0];

    #[test]
    fn the_deepest_node_that_changed_is_the_suspect_wherever_it_is() {
        let all = order(&[
            ("shop", ILL),
            ("cart", ILL),
            ("catalogue", ILL),
            ("database", ILL),
            ("batch", ILL),
        ]);
        assert_eq!(
            (all[0].as_str(), all[4].as_str()),
            ("database", "batch"),
            "{all:?}"
        );
        let one = order(&[
            ("shop", ILL),
            ("cart", WELL),
            ("catalogue", ILL),
            ("database", WELL),
            ("batch", WELL),
        ]);
        assert_eq!(one[0], "catalogue", "{one:?}");
        let own = order(&[
            ("shop", ILL),
            ("cart", WELL),
            ("catalogue", WELL),
            ("database", WELL),
            ("batch", ILL),
        ]);
        assert_eq!(own[0], "shop", "{own:?}");
    }

    #[test]
    fn what_changed_at_another_time_is_no_suspect() {
        let always = [40.0, 41.0, 40.0, 41.0, 40.0];
        let found = order(&[
            ("shop", ILL),
            ("cart", always),
            ("catalogue", ILL),
            ("database", WELL),
        ]);
        assert_eq!(found[0], "catalogue", "{found:?}");
    }

    #[test]
    fn loops_end() {
        let graph = CallGraph::new([("shop", "cart"), ("cart", "cart"), ("cart", "shop")]);
        let series = ["cart", "shop"].map(|node| NodeSeries {
            node,
            before: &USUAL,
            around: &ILL,
        });
        let ranked = rank(&graph, "shop", &series, Worsening::Rising);
        assert!(
            ranked
                .iter()
                .all(|suspect| suspect.is_reached && suspect.explains.len() == 1),
            "{ranked:?}"
        );
    }

    #[test]
    fn a_graph_that_does_not_know_a_node_loses_none() {
        let series = [
            NodeSeries {
                node: "unknown",
                before: &USUAL,
                around: &ILL,
            },
            NodeSeries {
                node: "shop",
                before: &USUAL,
                around: &ILL,
            },
            NodeSeries {
                node: "silent",
                before: &[],
                around: &[],
            },
        ];
        let ranked = rank(&CallGraph::default(), "shop", &series, Worsening::Rising);
        let names: Vec<_> = ranked.iter().map(|suspect| suspect.node.as_str()).collect();
        assert_eq!(names, ["shop", "unknown"]);
        assert!(
            rank(&graph(), "nobody", &series, Worsening::Rising)
                .iter()
                .all(|suspect| !suspect.is_reached)
        );
    }
}
