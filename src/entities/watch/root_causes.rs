//! What made an entity anomalous, by who depends on whom: gala-anteater's inference over the metrics that are at hand.
//!
//! An entity is the node of the topology that has its name, or the value of one of its labels. Its metrics' scores are their shares in its newest
//! row's score; what is compared are the newest rows, as many as the original looks back upon. It is worked out when an entity becomes
//! anomalous, a few times more as evidence grows, and kept until it is anomalous no longer: a few entities a look, since the tests are many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use skywatch_alerters::{Anomaly, Contributor, Evidence, units};
use skywatch_algorithms::causes::{
    FaultWays, InferenceQuestion, InferredCause, ScoredEntity, ScoredSeries, infer,
};

use super::population::EntityPopulation;
use super::publishing::of_entity;
use super::rules::EntityRules;
use super::watched::{EntityState, WatchedEntity};
use crate::events::{AbnormalMetric, CausePathNode, CausedEvent, EventRootCause, RootCauseEvent};
use crate::topology::TopologyCache;

/// Rows that are compared: 480 s each 5 s as the original has them, and those that the smoothing takes.
const ROWS: i64 = 96 + 11;
/// Metrics of an entity that take part, those with the largest share.
const METRICS: usize = 10;
/// Entities for which causes are inferred in one look.
const A_LOOK: usize = 4;
/// Steps after the first time at which it is worked out again: by then more of the fault is among the rows, and those that depend on it
/// have followed. Later the fault fills the rows, and what came first shows no more.
const AGAIN_AFTER: [i64; 3] = [2, 5, 15];
/// Causes that are named, as the original does.
const CAUSES: usize = 3;

/// Causes of entities that are anomalous.
pub(super) struct EntityRootCauses {
    topology: Option<TopologyCache>,
    /// By the entity.
    known: BTreeMap<Arc<str>, KnownRootCauses>,
}

/// The likely causes of one entity's anomaly, the likeliest first; none where nothing was found.
#[derive(Debug, Clone, Default, PartialEq)]
struct FoundRootCauses {
    /// The metric by which it shows.
    metric: Arc<str>,
    causes: Vec<InferredCause>,
}

/// What is known of the causes of one entity's anomaly.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KnownRootCauses {
    found: FoundRootCauses,
    /// The step at which it was worked out first.
    since: i64,
    /// How often it was worked out again.
    looks: usize,
    /// The step at which another cause took the first place, and what was there before.
    changed: Option<(i64, InferredCause)>,
}

impl KnownRootCauses {
    fn new(found: FoundRootCauses, step: i64) -> Self {
        Self {
            found,
            since: step,
            looks: 0,
            changed: None,
        }
    }

    /// Whether it is time to work it out again.
    fn is_due(&self, step: i64) -> bool {
        let after = AGAIN_AFTER.get(self.looks);
        after.is_some_and(|after| step - self.since >= *after)
    }

    /// Takes what was found at a later step. Answers whether the first cause is another one.
    fn again(&mut self, found: FoundRootCauses, step: i64) -> bool {
        self.looks += 1;
        // That nothing is found any more does not make the cause another one.
        let Some(first) = found.causes.first() else {
            return false;
        };
        let before = self.found.causes.first();
        let is_same =
            before.is_some_and(|before| before.entity == first.entity && before.metric == first.metric);
        if !is_same {
            self.changed = before
                .map(|before| (step, before.clone()))
                .or(self.changed.take());
        }
        self.found = found;
        !is_same
    }

    /// Says of an anomaly where it probably comes from; nothing where the entity itself is all there is.
    pub(super) fn add_to(&self, anomaly: &mut Anomaly, rules: &EntityRules) {
        let causes = &self.found.causes;
        let Some(first) = causes.first().filter(|first| first.path.len() > 1) else {
            return;
        };
        let way = match &first.path[1..first.path.len() - 1] {
            [] => String::new(),
            between => format!(", by way of {}", between.join(", ")),
        };
        let changed = self.changed.as_ref().map_or(String::new(), |(step, before)| {
            format!(
                " (since {}; before that `{}`, `{}`)",
                units::time(rules.time(*step)),
                before.entity,
                before.metric
            )
        });
        anomaly.sentence.push_str(&format!(
            "; probably from `{}` (`{}`){way}{changed}",
            first.entity, first.metric
        ));
        let sum: f64 = causes.iter().map(|cause| cause.share).sum();
        let ranked = causes.iter().map(|cause| Contributor {
            name: format!("{}@{}", cause.metric, cause.entity),
            weight: if sum > 0.0 { cause.share / sum } else { 0.0 },
        });
        // Its own metrics are its contributors; the one ranking there is room for says more as that of causes.
        let ranking = Evidence::Ranking {
            of: "root causes".to_owned(),
            ranked: ranked.collect(),
        };
        *anomaly = anomaly.clone().with_evidence(ranking);
    }
}

impl EntityRootCauses {
    /// By this topology; none are looked for without one.
    pub(super) fn new(topology: Option<TopologyCache>) -> Self {
        Self {
            topology,
            known: BTreeMap::new(),
        }
    }

    /// Looks for causes of what has become anomalous, and again where that is due; forgets those of what is so no longer. Answers whose are
    /// new or others than before.
    pub(super) fn look(&mut self, population: &EntityPopulation) -> Vec<Arc<str>> {
        let Some(topology) = &self.topology else {
            return Vec::new();
        };
        let is_anomalous = |entity: &WatchedEntity| entity.state == EntityState::Anomalous;
        self.known
            .retain(|name, _| population.entities.get(name).is_some_and(is_anomalous));
        let is_due = |entity: &&WatchedEntity| {
            let known = self.known.get(&entity.name);
            is_anomalous(entity) && known.is_none_or(|known| known.is_due(newest(entity)))
        };
        let mut due: Vec<&WatchedEntity> = population.entities.values().filter(is_due).collect();
        if due.is_empty() {
            return Vec::new();
        }
        let Some(current) = topology.current(&[]) else {
            return Vec::new();
        };
        let nodes = current.topology.nodes();
        due.retain(|entity| node_of(entity, &nodes).is_some());
        // What nothing is known of goes first.
        due.sort_by_key(|entity| self.known.contains_key(&entity.name));
        due.truncate(A_LOOK);
        if due.is_empty() {
            return Vec::new();
        }
        let entities: Vec<ScoredEntity> = population
            .entities
            .values()
            .filter_map(|entity| scored(entity, node_of(entity, &nodes)?))
            .collect();
        let ways = current.topology.fault_ways();
        let mut said = Vec::new();
        for entity in due {
            let found = infer_one(entity, &nodes, &ways, &entities).unwrap_or_default();
            let is_new = match self.known.get_mut(&entity.name) {
                Some(known) => known.again(found, newest(entity)),
                None => {
                    let is_found = !found.causes.is_empty();
                    let known = KnownRootCauses::new(found, newest(entity));
                    self.known.insert(Arc::clone(&entity.name), known);
                    is_found
                }
            };
            if is_new {
                said.push(Arc::clone(&entity.name));
            }
        }
        said
    }

    /// What other programs are told of the causes of one entity's anomaly, which was published with the time `at`, Unix seconds.
    pub(super) fn event(
        &self,
        population: &EntityPopulation,
        entity: &str,
        at: f64,
        rules: &EntityRules,
    ) -> Option<RootCauseEvent> {
        let abnormal = population.entities.get(entity)?;
        let found = &self.known.get(entity)?.found;
        let published = of_entity(abnormal, at, rules)?;
        let of_node = |node: &str| {
            let nodes = BTreeSet::from([node]);
            population
                .entities
                .values()
                .find(|entity| node_of(entity, &nodes).is_some())
        };
        let step = |node: &String| {
            let known = of_node(node);
            let label = |name: &str| {
                known
                    .and_then(|known| known.labels.get(name))
                    .cloned()
                    .unwrap_or_default()
            };
            CausePathNode {
                pod_id: node.clone(),
                pod: label("pod"),
                instance: label("instance"),
                job: label("job"),
                is_abnormal: known.is_some_and(|known| known.state == EntityState::Anomalous),
            }
        };
        let cause = |cause: &InferredCause| EventRootCause {
            metric: cause.metric.clone(),
            entity: cause.entity.clone(),
            labels: of_node(&cause.entity)
                .map(|known| known.labels.clone())
                .unwrap_or_default(),
            description: None,
            score: cause.score,
            path: cause.path.iter().map(step).collect(),
        };
        Some(RootCauseEvent {
            at,
            of: CausedEvent::Entity(published.key),
            abnormal: AbnormalMetric {
                metric: found.metric.to_string(),
                labels: abnormal.labels.clone(),
                description: None,
                score: published.score,
            },
            causes: found.causes.iter().map(cause).collect(),
            indicators: Vec::new(),
            front_end_metrics: BTreeMap::new(),
        })
    }

    /// What is known of one entity's anomaly.
    pub(super) fn of(&self, entity: &str) -> Option<&KnownRootCauses> {
        self.known.get(entity)
    }
}

fn infer_one(
    entity: &WatchedEntity,
    nodes: &BTreeSet<&str>,
    ways: &FaultWays,
    entities: &[ScoredEntity],
) -> Option<FoundRootCauses> {
    let node = node_of(entity, nodes)?;
    let metric = entity.drivers().into_iter().next()?.0;
    let causes = infer(&InferenceQuestion {
        front: (node, &metric),
        ways,
        entities,
        indicators: &[],
        most: CAUSES,
    });
    (!causes.is_empty()).then_some(FoundRootCauses { metric, causes })
}

/// The newest step at which it was judged.
fn newest(entity: &WatchedEntity) -> i64 {
    entity
        .verdicts()
        .next_back()
        .map_or(i64::MIN / 2, |last| last.step)
}

/// The node an entity is, if it is one.
fn node_of<'e>(entity: &'e WatchedEntity, nodes: &BTreeSet<&str>) -> Option<&'e str> {
    let mut names = std::iter::once(&*entity.name).chain(entity.labels.values().map(String::as_str));
    names.find(|name| nodes.contains(name))
}

/// An entity with the newest rows of the metrics that matter; `None` where nothing is learnt of it.
fn scored(entity: &WatchedEntity, node: &str) -> Option<ScoredEntity> {
    let last = entity.verdicts().next_back()?;
    let mut metrics: Vec<(Arc<str>, f64)> = entity.drivers();
    metrics.truncate(METRICS);
    let series = |(metric, share): (Arc<str>, f64)| {
        let column = entity.ring.column(&metric)?;
        let values = (last.step - ROWS + 1..=last.step).map(|step| entity.ring.value(column, step));
        Some(ScoredSeries {
            metric: metric.to_string(),
            score: share * last.score,
            values: values.collect(),
        })
    };
    Some(ScoredEntity {
        entity: node.to_owned(),
        metrics: metrics.into_iter().filter_map(series).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(entity: &str) -> FoundRootCauses {
        FoundRootCauses {
            metric: "p99".into(),
            causes: vec![InferredCause {
                metric: "load".to_owned(),
                entity: entity.to_owned(),
                share: 1.0,
                score: 2.0,
                path: vec![entity.to_owned(), "shop".to_owned()],
            }],
        }
    }

    #[test]
    fn later_evidence_may_change_the_cause_which_is_said() {
        let mut known = KnownRootCauses::new(found("cart"), 100);
        assert!(!known.is_due(101) && known.is_due(102));
        assert!(!known.again(found("cart"), 102));
        // What finds nothing takes nothing away.
        assert!(!known.again(FoundRootCauses::default(), 105));
        assert!(!known.is_due(114) && known.is_due(115));
        assert!(known.again(found("db"), 115));
        assert!(!known.is_due(10_000), "it is bounded");
        let rules = EntityRules::of(&skywatch_settings::Entities::default());
        let mut anomaly = skywatch_alerters::sample::anomaly("shop");
        known.add_to(&mut anomaly, &rules);
        let when = units::time(rules.time(115));
        let said = format!("probably from `db` (`load`) (since {when}; before that `cart`, `load`)");
        assert!(anomaly.sentence.contains(&said), "{}", anomaly.sentence);
    }
}
