//! What made an entity anomalous, by who depends on whom: gala-anteater's inference over the metrics that are at hand.
//!
//! An entity is the node of the topology that has its name, or the value of one of its labels. Its metrics' scores are their shares in its newest
//! row's score; what is compared are the newest rows, as many as the original looks back upon. It is worked out when an entity becomes
//! anomalous and kept until it is so no longer: a few entities a look, since the tests are many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use skywatch_alerters::{Anomaly, Contributor, Evidence};
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
/// Causes that are named, as the original does.
const CAUSES: usize = 3;

/// Causes of entities that are anomalous.
pub(super) struct EntityRootCauses {
    topology: Option<TopologyCache>,
    /// By the entity.
    found: BTreeMap<Arc<str>, FoundRootCauses>,
}

/// The likely causes of one entity's anomaly, the likeliest first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FoundRootCauses {
    /// The metric by which it shows.
    pub(super) metric: Arc<str>,
    pub(super) causes: Vec<InferredCause>,
}

impl EntityRootCauses {
    /// By this topology; none are looked for without one.
    pub(super) fn new(topology: Option<TopologyCache>) -> Self {
        Self {
            topology,
            found: BTreeMap::new(),
        }
    }

    /// Looks for causes of what has become anomalous, and forgets those of what is so no longer. Answers whose are new.
    pub(super) fn look(&mut self, population: &EntityPopulation) -> Vec<Arc<str>> {
        let Some(topology) = &self.topology else {
            return Vec::new();
        };
        let is_anomalous = |entity: &WatchedEntity| entity.state == EntityState::Anomalous;
        self.found
            .retain(|name, _| population.entities.get(name).is_some_and(is_anomalous));
        let new: Vec<&WatchedEntity> = population
            .entities
            .values()
            .filter(|entity| is_anomalous(entity) && !self.found.contains_key(&entity.name))
            .take(A_LOOK)
            .collect();
        if new.is_empty() {
            return Vec::new();
        }
        let Some(known) = topology.current(&[]) else {
            return Vec::new();
        };
        let nodes = known.topology.nodes();
        let entities: Vec<ScoredEntity> = population
            .entities
            .values()
            .filter_map(|entity| scored(entity, node_of(entity, &nodes)?))
            .collect();
        let ways = known.topology.fault_ways();
        let mut said = Vec::new();
        for entity in new {
            if let Some(found) = infer_one(entity, &nodes, &ways, &entities) {
                said.push(Arc::clone(&entity.name));
                self.found.insert(Arc::clone(&entity.name), found);
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
        let (found, abnormal) = (self.found.get(entity)?, population.entities.get(entity)?);
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
    pub(super) fn of(&self, entity: &str) -> Option<&FoundRootCauses> {
        self.found.get(entity)
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

impl FoundRootCauses {
    /// Says of an anomaly where it probably comes from; nothing where the entity itself is all there is.
    pub(super) fn add_to(&self, anomaly: &mut Anomaly) {
        let Some(first) = self.causes.first().filter(|first| first.path.len() > 1) else {
            return;
        };
        let way = match &first.path[1..first.path.len() - 1] {
            [] => String::new(),
            between => format!(", by way of {}", between.join(", ")),
        };
        anomaly.sentence.push_str(&format!(
            "; probably from `{}` (`{}`){way}",
            first.entity, first.metric
        ));
        let sum: f64 = self.causes.iter().map(|cause| cause.share).sum();
        let ranked = self.causes.iter().map(|cause| Contributor {
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
