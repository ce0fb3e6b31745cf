//! Root causes as gala-anteater infers them, in its steps: the ways of faults between entities are cut to those that lead to the one
//! that is ill; along each, the metrics of both are tested for one foretelling the other ([`granger`]); in the graph of
//! metrics that results a walk goes from the front to where scores and correlations lead it; and each of the likeliest
//! metrics is given the way its fault took. After openEuler's gala-anteater (`anteater/core`, `utils`), with three of its faults mended: the
//! walk is solved for instead of sampled, an entity without metrics loses nothing, and nothing is drawn at random.

mod entity_graph;
mod granger;
mod least_squares;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

pub use entity_graph::FaultWays;
pub use granger::{GrangerFault, granger};
use walk::CausalGraph;

/// Values in a rolling mean.
const SMOOTHED: usize = 12;
/// Lags that are tested.
const LAGS: usize = 2;
/// Chance up to which a test counts.
const SIGNIFICANT: f64 = 0.05;
/// Metrics of an entity that are tested, the highest scores first.
const TESTED: usize = 10;

/// One metric of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredSeries {
    /// Its name.
    pub metric: String,
    /// How anomalous it is; 0 for not at all.
    pub score: f64,
    /// Its values at the moments all metrics have; NaN for none.
    pub values: Vec<f64>,
}

/// An entity with its metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredEntity {
    /// Its name in the graph.
    pub entity: String,
    /// Its metrics.
    pub metrics: Vec<ScoredSeries>,
}

/// A metric that is a likely cause.
#[derive(Debug, Clone, PartialEq)]
pub struct InferredCause {
    /// Whose it is.
    pub entity: String,
    /// Its name.
    pub metric: String,
    /// How anomalous it is.
    pub score: f64,
    /// Its share in the endless walk, 0 to 1; 0 of one that stands for an entity beside a cause.
    pub share: f64,
    /// The way of the fault, from the entity of the cause to the one at the front, both included.
    pub path: Vec<String>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct InferenceQuestion<'q> {
    /// Where the fault showed: entity and metric.
    pub front: (&'q str, &'q str),
    /// The ways of faults.
    pub ways: &'q FaultWays,
    /// Who is known. One that is not has no metrics, and its score is 0.
    pub entities: &'q [ScoredEntity],
    /// Parts of names of metrics that are never a cause: the indicators by which faults show.
    pub indicators: &'q [&'q str],
    /// So many causes at most.
    pub most: usize,
}

/// A metric that takes part.
struct Candidate<'q> {
    entity: &'q str,
    metric: &'q str,
    score: f64,
    values: Vec<f64>,
}

/// The likely causes, likeliest first. The front alone where nothing leads to it; none only if nobody knows its metric.
#[must_use]
pub fn infer(question: &InferenceQuestion<'_>) -> Vec<InferredCause> {
    let totals: BTreeMap<&str, f64> = question
        .entities
        .iter()
        .map(|known| {
            (
                known.entity.as_str(),
                known.metrics.iter().map(|metric| metric.score).sum(),
            )
        })
        .collect();
    let total = |entity: &str| totals.get(entity).copied().unwrap_or(0.0);
    let candidates = candidates(question);
    let is_front = |candidate: &Candidate<'_>| (candidate.entity, candidate.metric) == question.front;
    let Some(front) = candidates.iter().position(is_front) else {
        return Vec::new();
    };
    let ways = question.ways.towards(question.front.0, total);
    let edges = edges(&candidates, &ways, front);
    let connected = connected(&edges, front);
    let place: BTreeMap<usize, usize> = connected
        .iter()
        .enumerate()
        .map(|(place, node)| (*node, place))
        .collect();
    let graph = CausalGraph {
        nodes: connected
            .iter()
            .map(|node| (candidates[*node].score, &*candidates[*node].values))
            .collect(),
        edges: (edges.iter())
            .filter_map(|(from, to)| Some((*place.get(from)?, *place.get(to)?)))
            .collect(),
    };
    let shares = graph.shares(place[&front]);
    let mut ranked: Vec<(f64, &Candidate<'_>)> = connected
        .iter()
        .zip(shares)
        .map(|(node, share)| (share, &candidates[*node]))
        .collect();
    ranked.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then_with(|| (a.1.entity, a.1.metric).cmp(&(b.1.entity, b.1.metric)))
    });
    let is_cause = |candidate: &Candidate<'_>| {
        !question
            .indicators
            .iter()
            .any(|part| candidate.metric.contains(part))
    };
    // The front is no cause of itself unless there is no other.
    let mut found: Vec<(f64, &Candidate<'_>)> = ranked
        .iter()
        .filter(|(_, one)| is_cause(one) && !is_front(one))
        .copied()
        .collect();
    if found.is_empty() {
        found.extend(ranked.iter().filter(|(_, one)| is_front(one)).copied());
    }
    found.truncate(question.most);
    spread(&mut found, &candidates, question.ways, total, &is_cause);
    let path = |entity: &str| {
        let path = question.ways.path(entity, question.front.0, total);
        path.unwrap_or_else(|| vec![entity.to_owned(), question.front.0.to_owned()])
    };
    let cause = |(share, one): (f64, &Candidate<'_>)| InferredCause {
        entity: one.entity.to_owned(),
        metric: one.metric.to_owned(),
        score: one.score,
        share,
        path: path(one.entity),
    };
    found.into_iter().map(cause).collect()
}

/// The metrics of each entity with the highest scores, smoothed, without those that stand still; the front in any case.
fn candidates<'q>(question: &InferenceQuestion<'q>) -> Vec<Candidate<'q>> {
    let mut all = Vec::new();
    for known in question.entities {
        let is_front =
            |metric: &ScoredSeries| (known.entity.as_str(), metric.metric.as_str()) == question.front;
        let mut metrics: Vec<&ScoredSeries> = known
            .metrics
            .iter()
            .filter(|metric| is_front(metric) || !granger::is_constant(&smoothed(&metric.values)))
            .collect();
        metrics.sort_by(|a, b| {
            let by_score = b.score.total_cmp(&a.score);
            is_front(b)
                .cmp(&is_front(a))
                .then(by_score)
                .then_with(|| a.metric.cmp(&b.metric))
        });
        all.extend(metrics.into_iter().take(TESTED).map(|metric| Candidate {
            entity: &known.entity,
            metric: &metric.metric,
            score: if metric.score.is_finite() {
                metric.score.max(0.0)
            } else {
                0.0
            },
            values: smoothed(&metric.values),
        }));
    }
    all
}

/// The mean of each value and those before it, of [`SMOOTHED`] in all; what is missing is as the next one there, then as
/// the one before, then 0.
fn smoothed(values: &[f64]) -> Vec<f64> {
    let mut smooth: Vec<f64> = (1..=values.len())
        .map(|end| match end.checked_sub(SMOOTHED) {
            Some(begin) => values[begin..end].iter().sum::<f64>() / SMOOTHED as f64,
            None => f64::NAN,
        })
        .collect();
    let fill = |last: &mut f64, value: &mut f64| {
        if value.is_finite() {
            *last = *value;
        } else {
            *value = *last;
        }
    };
    let mut last = f64::NAN;
    smooth.iter_mut().rev().for_each(|value| fill(&mut last, value));
    last = 0.0;
    smooth.iter_mut().for_each(|value| fill(&mut last, value));
    smooth
}

/// The pairs of metrics of which one helps to foretell the other, from cause to consequence.
fn edges(candidates: &[Candidate<'_>], ways: &FaultWays, front: usize) -> Vec<(usize, usize)> {
    let mut edges = Vec::new();
    // For the front, what did not pass: whether some lag is significant, and the least chance.
    let mut weaker: Vec<(f64, (usize, usize))> = Vec::new();
    for (source, target) in ways.ways() {
        let of = |entity: &str| -> Vec<usize> {
            (0..candidates.len())
                .filter(|place| candidates[*place].entity == entity)
                .collect()
        };
        for from in of(source) {
            for to in of(target) {
                let chances = granger(&candidates[from].values, &candidates[to].values, LAGS);
                // One that cannot be tested comes last.
                let chances = chances.unwrap_or_else(|_| vec![f64::INFINITY]);
                if chances.iter().all(|chance| *chance <= SIGNIFICANT) {
                    edges.push((from, to));
                } else if to == front {
                    let least = chances.iter().copied().fold(f64::INFINITY, f64::min);
                    weaker.push((least, (from, to)));
                }
            }
        }
    }
    if !edges.iter().any(|(_, to)| *to == front) {
        weaker.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let significant = weaker
            .iter()
            .take_while(|(chance, _)| *chance <= SIGNIFICANT)
            .count();
        edges.extend(weaker.iter().take(significant.max(1)).map(|(_, edge)| *edge));
    }
    edges
}

/// The nodes that hang together with `front`, whichever way edges go, ascending.
fn connected(edges: &[(usize, usize)], front: usize) -> Vec<usize> {
    let (mut found, mut open) = (BTreeSet::from([front]), vec![front]);
    while let Some(node) = open.pop() {
        for (from, to) in edges {
            for (here, there) in [(from, to), (to, from)] {
                if *here == node && found.insert(*there) {
                    open.push(*there);
                }
            }
        }
    }
    found.into_iter().collect()
}

/// Of several causes of one entity keeps the likeliest, and puts in the place of the others the neighbours with the highest
/// scores, each by its worst metric.
fn spread<'c, 'q>(
    found: &mut [(f64, &'c Candidate<'q>)],
    candidates: &'c [Candidate<'q>],
    ways: &FaultWays,
    total: impl Fn(&str) -> f64,
    is_cause: &impl Fn(&Candidate<'_>) -> bool,
) {
    let mut hit: BTreeSet<&str> = BTreeSet::new();
    let all: BTreeSet<&str> = found.iter().map(|(_, one)| one.entity).collect();
    for place in found.iter_mut() {
        let entity = place.1.entity;
        if hit.insert(entity) {
            continue;
        }
        let beside = |other: &&Candidate<'_>| {
            let is_new = !all.contains(other.entity) && !hit.contains(other.entity);
            is_new && is_cause(other) && ways.neighbours(entity).contains(other.entity)
        };
        let best = candidates.iter().filter(beside).max_by(|a, b| {
            let by_total = total(a.entity).total_cmp(&total(b.entity));
            by_total
                .then(a.score.total_cmp(&b.score))
                .then_with(|| b.metric.cmp(a.metric))
        });
        if let Some(best) = best {
            hit.insert(best.entity);
            *place = (0.0, best);
        }
    }
}

#[cfg(test)]
mod tests;
