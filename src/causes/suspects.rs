//! What of an incident about a metric broke first, by who depends on whom.
//!
//! A metric belongs to the node whose name stands in it, between dots, marks of tags or its ends; of several the longest. The same metric of
//! another node is the one with that node's name in its place: `traces.shop.p95` and `traces.cart.p95`. They are held against each other by
//! [`rank`] (how far they changed, in step, and what that explains), and by who left its usual range first; or by gala-anteater's walk.

use std::collections::{BTreeMap, BTreeSet};

use skywatch_alerters::causes::{SHOWN_SUSPECTS, SuspectNode};
use skywatch_alerters::units;
use skywatch_algorithms::Series;
use skywatch_algorithms::causes::{
    InferenceQuestion, NodeSeries, ScoredEntity, ScoredSeries, TAIL_POINTS, TailGrid, Worsening, change,
    infer, onset, rank,
};
use skywatch_settings::SuspectRanking;

use crate::clock::unix_now;
use crate::store::StoreError;
use crate::topology::{CurrentTopology, TopologyCache};

/// Nodes that are looked at for one incident: their windows lie in memory together.
const MOST_NODES: usize = 2_000;
/// Grid steps before an incident's metric left its usual range that belong to the time around it: a cause may be ahead, and what is in
/// step shows. More would thin out a fault that has just begun.
const AHEAD: usize = 6;
/// Grid steps back from when an incident was first seen in which it may have begun: half of a tail, as more is no beginning.
const LOOKED_BACK: usize = TAIL_POINTS / 2;
/// Usual ranges that a node must have changed by to be a suspect; see [`onset`].
const LEAST_CHANGE: f64 = 3.0;
/// Usual ranges beyond which a change is beyond doubt, as in the ranking: the score of the walk is a share of it.
const BEYOND_DOUBT: f64 = 20.0;
/// Steps of lead that double a suspicion, or halve it if it is behind. Clocks and scrapes differ by one, so it is a factor and no verdict.
const DOUBLING: f64 = 3.0;

/// Names what broke first, where a topology is known.
pub struct Suspects {
    topology: TopologyCache,
    ranking: SuspectRanking,
}

/// What is asked of one incident.
pub(super) struct SuspectQuestion<'q> {
    /// Its metric.
    pub(super) metric: &'q str,
    /// When it was first anomalous, Unix seconds.
    pub(super) since: f64,
    /// The moments that are compared.
    pub(super) grid: TailGrid,
    /// All metrics there are, ascending.
    pub(super) names: &'q [&'q str],
}

/// The suspects of one incident, likeliest first, and what they rest on, for people.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FoundSuspects {
    pub(super) nodes: Vec<SuspectNode>,
    pub(super) topology: String,
}

/// Reads whole windows, canonical, and hands out those that are there by their place in the question.
pub(super) type ReadWindowsOf<'r> =
    dyn FnMut(&[&str], &mut dyn FnMut(usize, &Series)) -> Result<(), StoreError> + 'r;

/// One node's metric.
struct NodeValues<'q> {
    node: &'q str,
    metric: String,
    /// Values before the time around the incident.
    before: Vec<f64>,
    /// Values of the grid's cells around it.
    around: Vec<f64>,
    /// Values of all of the grid's cells.
    tail: Vec<f64>,
}

impl Suspects {
    /// By this topology.
    pub fn new(topology: TopologyCache, ranking: SuspectRanking) -> Self {
        Self { topology, ranking }
    }

    /// The topology as it is known; `names` are all metrics there are.
    pub(super) fn topology(&self, names: &[&str]) -> Option<CurrentTopology> {
        self.topology.current(names)
    }

    /// The suspects of one incident.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn find(
        &self,
        known: &CurrentTopology,
        question: &SuspectQuestion<'_>,
        read: &mut ReadWindowsOf<'_>,
    ) -> Result<FoundSuspects, StoreError> {
        let nodes = known.topology.nodes();
        let mut found = FoundSuspects {
            topology: said_of(known, nodes.len()),
            nodes: Vec::new(),
        };
        let Some((own, at)) = node_of(question.metric, &nodes) else {
            found.topology.push_str("; no node of it is in the metric's name");
            return Ok(found);
        };
        let counterparts = counterparts(question, &nodes, own, at);
        if counterparts.len() > MOST_NODES {
            found
                .topology
                .push_str(&format!("; only the first {MOST_NODES} nodes are looked at"));
        }
        let values = values(
            question,
            &counterparts[..counterparts.len().min(MOST_NODES)],
            read,
        )?;
        let Some(alarm) = values.iter().find(|one| one.node == own) else {
            return Ok(found);
        };
        let worse = worsening(alarm);
        found.nodes = match self.ranking {
            SuspectRanking::Explained => explained(known, &values, alarm, worse, question.grid.step),
            SuspectRanking::Walk => walked(known, &values, alarm, worse, question.grid.step),
        };
        if found.nodes.is_empty() {
            found
                .topology
                .push_str("; none of what it depends on has changed");
        }
        Ok(found)
    }
}

/// Where a topology is from and how old it is.
fn said_of(known: &CurrentTopology, nodes: usize) -> String {
    let age = units::length((unix_now() - known.topology.read_at).max(0.0));
    let mut said = format!("{nodes} nodes of {}, read {age} ago", known.topology.place);
    if known.topology.is_cut {
        said.push_str(", not all of it");
    }
    if let Some(why) = &known.trouble {
        said.push_str(&format!(", as {why}"));
    }
    said
}

/// The longest node whose name stands in a metric's as a part of its own, and where; of equally long ones the first.
fn node_of<'n>(metric: &str, nodes: &BTreeSet<&'n str>) -> Option<(&'n str, usize)> {
    let is_part = |at: usize, node: &str| {
        let mark = |c: char| matches!(c, '.' | ';' | '=');
        let before = metric[..at].chars().next_back();
        let behind = metric[at + node.len()..].chars().next();
        before.is_none_or(mark) && behind.is_none_or(mark)
    };
    let places = nodes.iter().filter_map(|node| {
        let mut places = metric.match_indices(node).map(|(at, _)| at);
        let at = places.find(|at| is_part(*at, node))?;
        Some((*node, at))
    });
    places.max_by(|(one, at), (other, other_at)| one.len().cmp(&other.len()).then(other_at.cmp(at)))
}

/// The metric of each node that has it, with the node's name in the place of `own` at `at`.
fn counterparts<'q>(
    question: &SuspectQuestion<'_>,
    nodes: &BTreeSet<&'q str>,
    own: &str,
    at: usize,
) -> Vec<(&'q str, String)> {
    let (front, back) = (&question.metric[..at], &question.metric[at + own.len()..]);
    let all = nodes.iter().map(|node| (*node, format!("{front}{node}{back}")));
    let mut there: Vec<_> = all
        .filter(|(_, metric)| question.names.binary_search(&metric.as_str()).is_ok())
        .collect();
    // The incident's own must be among those that are looked at.
    there.sort_by_key(|(node, _)| *node != own);
    there
}

fn values<'q>(
    question: &SuspectQuestion<'_>,
    counterparts: &[(&'q str, String)],
    read: &mut ReadWindowsOf<'_>,
) -> Result<Vec<NodeValues<'q>>, StoreError> {
    let grid = question.grid;
    let mut cells = 0;
    read(&[question.metric], &mut |_, series| {
        cells = (cells_since(question, series) + AHEAD).min(TAIL_POINTS);
    })?;
    let border = grid.end - grid.step * cells as f64;
    let metrics: Vec<&str> = counterparts.iter().map(|(_, metric)| metric.as_str()).collect();
    let mut values = Vec::new();
    read(&metrics, &mut |place, series| {
        let end = series
            .times
            .iter()
            .position(|time| *time > border)
            .unwrap_or(series.len());
        let tail = grid.values(&series.times, &series.values);
        values.push(NodeValues {
            node: counterparts[place].0,
            metric: counterparts[place].1.clone(),
            before: series.values[..end].to_vec(),
            around: tail[TAIL_POINTS - cells..].to_vec(),
            tail: tail.to_vec(),
        });
    })?;
    values.sort_by(|a, b| a.node.cmp(b.node));
    Ok(values)
}

/// How many of the grid's cells have passed since the metric left its usual range, the one in which it did included. An incident is
/// seen when it is judged, which may be later.
fn cells_since(question: &SuspectQuestion<'_>, series: &Series) -> usize {
    let grid = question.grid;
    let tail = grid.values(&series.times, &series.values);
    let seen = ((grid.end - question.since) / grid.step).floor().max(0.0) as usize;
    let seen = TAIL_POINTS - 1 - seen.min(TAIL_POINTS - 1);
    let is_out = |cell: &usize| onset(&series.values, &tail[*cell..=*cell], Worsening::Either).is_some();
    let back = (seen.saturating_sub(LOOKED_BACK)..seen).rev();
    let began = seen - back.take_while(is_out).count();
    TAIL_POINTS - began
}

/// The way the incident's metric went.
fn worsening(alarm: &NodeValues<'_>) -> Worsening {
    let by = |way| change(&alarm.before, &alarm.around, way).unwrap_or(0.0);
    if by(Worsening::Falling) > by(Worsening::Rising) {
        Worsening::Falling
    } else {
        Worsening::Rising
    }
}

/// By how far they changed, in step, how early, and what that explains.
fn explained(
    known: &CurrentTopology,
    values: &[NodeValues<'_>],
    alarm: &NodeValues<'_>,
    worse: Worsening,
    step: f64,
) -> Vec<SuspectNode> {
    let series: Vec<NodeSeries<'_>> = values
        .iter()
        .map(|one| NodeSeries {
            node: one.node,
            before: &one.before,
            around: &one.around,
        })
        .collect();
    let by_name: BTreeMap<&str, &NodeValues<'_>> = values.iter().map(|one| (one.node, one)).collect();
    let ways = known.topology.fault_ways();
    let ranked = rank(&known.topology.call_graph(), alarm.node, &series, worse);
    let suspects = ranked
        .into_iter()
        .filter(|suspect| suspect.is_reached && suspect.change >= LEAST_CHANGE);
    let suspects = suspects.filter_map(|suspect| {
        let one = by_name.get(suspect.node.as_str())?;
        let lead = lead(one, alarm, worse, step);
        let early = (lead.unwrap_or(0.0) / (DOUBLING * step)).clamp(-1.0, 1.0).exp2();
        let node = SuspectNode {
            path: ways.path(one.node, alarm.node, |_| 1.0).unwrap_or_default(),
            node: suspect.node,
            metric: one.metric.clone(),
            change: suspect.change,
            lead,
            confidence: suspect.suspicion * early,
            explains: suspect.explains,
        };
        (node.confidence > 0.0).then_some(node)
    });
    in_shares(suspects.collect())
}

/// By the walk in the graph of what foretells what.
fn walked(
    known: &CurrentTopology,
    values: &[NodeValues<'_>],
    alarm: &NodeValues<'_>,
    worse: Worsening,
    step: f64,
) -> Vec<SuspectNode> {
    let changed = |one: &NodeValues<'_>| change(&one.before, &one.around, worse).unwrap_or(0.0);
    let entities: Vec<ScoredEntity> = values
        .iter()
        .map(|one| ScoredEntity {
            entity: one.node.to_owned(),
            metrics: vec![ScoredSeries {
                metric: one.metric.clone(),
                score: changed(one).clamp(0.0, BEYOND_DOUBT) / BEYOND_DOUBT,
                values: one.tail.clone(),
            }],
        })
        .collect();
    let ways = known.topology.fault_ways();
    let causes = infer(&InferenceQuestion {
        front: (alarm.node, &alarm.metric),
        ways: &ways,
        entities: &entities,
        indicators: &[],
        most: SHOWN_SUSPECTS,
    });
    let suspects = causes.into_iter().filter_map(|cause| {
        let one = values.iter().find(|one| one.node == cause.entity)?;
        Some(SuspectNode {
            node: cause.entity,
            metric: cause.metric,
            change: changed(one),
            lead: lead(one, alarm, worse, step),
            confidence: cause.share,
            explains: Vec::new(),
            path: cause.path,
        })
    });
    in_shares(suspects.collect())
}

/// Seconds by which one left its usual range before the incident's metric.
fn lead(one: &NodeValues<'_>, alarm: &NodeValues<'_>, worse: Worsening, step: f64) -> Option<f64> {
    let began = |of: &NodeValues<'_>| onset(&of.before, &of.around, worse);
    Some((began(alarm)? as f64 - began(one)? as f64) * step)
}

/// The likeliest first, the shares of all summing to 1, and of those the few that are shown.
fn in_shares(mut suspects: Vec<SuspectNode>) -> Vec<SuspectNode> {
    let sum: f64 = suspects.iter().map(|suspect| suspect.confidence).sum();
    suspects
        .iter_mut()
        .for_each(|suspect| suspect.confidence /= sum.max(f64::MIN_POSITIVE));
    suspects.sort_by(|a, b| {
        b.confidence
            .total_cmp(&a.confidence)
            .then_with(|| a.node.cmp(&b.node))
    });
    suspects.truncate(SHOWN_SUSPECTS);
    suspects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_of_the_longest_node_that_is_a_part_of_its_name() {
        let nodes = BTreeSet::from(["cart", "cart-db", "shop", "db"]);
        let node = |metric: &str| node_of(metric, &nodes);
        assert_eq!(node("traces.cart-db.p95"), Some(("cart-db", 7)));
        assert_eq!(node("cart"), Some(("cart", 0)));
        assert_eq!(node("latency;service=db;zone=a"), Some(("db", 16)));
        assert_eq!(node("traces.shopping.p95"), None);
        // The caller's of a call, which stands first.
        assert_eq!(node("traces.shop.calls.cart.p95"), Some(("shop", 7)));
    }
}
