//! What is found of entities, published as events for other programs.
//!
//! As soon as one entity is anomalous the others go along as normal: whoever looks for causes compares them. Repeats are not
//! our business: who publishes knows what was sent.

use std::collections::BTreeMap;

use serde_json::Map;

use super::detector_jobs::{JobFinding, JobFound, slow_node_result};
use super::population::EntityPopulation;
use super::query::MACHINE_ID;
use super::rules::EntityRules;
use super::watched::{EntityState, WatchedEntity};
use crate::events::{EntityEvent, EntityEventKey, EventCategory, EventCause, EventPublisher, FlaggedPoints};

/// Metrics of an entity that go along.
const CAUSES: usize = 20;
/// Normal entities that go along with those that are anomalous.
const NORMAL: usize = 1_000;

/// Publishes how entities are at `at`, Unix seconds, if any of them is anomalous.
pub(super) fn publish_entities(
    events: &EventPublisher,
    population: &EntityPopulation,
    at: f64,
    rules: &EntityRules,
) {
    let in_state = |state: EntityState| {
        population
            .entities
            .values()
            .filter(move |entity| entity.state == state)
    };
    if !events.is_on() || in_state(EntityState::Anomalous).next().is_none() {
        return;
    }
    let all = in_state(EntityState::Anomalous).chain(in_state(EntityState::Normal).take(NORMAL));
    for event in all.filter_map(|entity| of_entity(entity, at, rules)) {
        events.publish(event);
    }
}

/// Publishes what jobs have found. Of a job that says so the machines that are well go along as soon as one is not.
pub(super) fn publish_findings(events: &EventPublisher, findings: &[JobFinding]) {
    let finds = |job: &str| {
        let mut all = findings.iter();
        all.any(|finding| finding.is_anomalous && finding.job == job)
    };
    for finding in findings.iter().filter(|_| events.is_on()) {
        if finding.category == EventCategory::SlowNode {
            continue;
        }
        let is_told = finding.is_anomalous || (finding.tells_normal && finds(&finding.job));
        for found in finding.found.iter().filter(|_| is_told) {
            events.publish(of_finding(finding, found));
        }
    }
    for event in of_slow_nodes(findings).filter(|_| events.is_on()) {
        events.publish(event);
    }
}

/// One event a job for all of its slow nodes, in the name of the slowest.
fn of_slow_nodes(findings: &[JobFinding]) -> impl Iterator<Item = EntityEvent> {
    let mut jobs: BTreeMap<&str, Vec<&JobFinding>> = BTreeMap::new();
    for finding in findings
        .iter()
        .filter(|finding| finding.category == EventCategory::SlowNode)
    {
        jobs.entry(&finding.job).or_default().push(finding);
    }
    jobs.into_values().filter_map(|of_job| {
        let slow = of_job.iter().filter(|finding| finding.is_anomalous);
        let slowest = slow.max_by(|a, b| a.score.total_cmp(&b.score))?;
        Some(EntityEvent {
            details: slow_node_result(&of_job),
            ..of_finding(slowest, slowest.found.first()?)
        })
    })
}

pub(super) fn of_entity(entity: &WatchedEntity, at: f64, rules: &EntityRules) -> Option<EntityEvent> {
    let last = entity.verdicts().next_back()?;
    let window = entity
        .verdicts()
        .filter(|verdict| verdict.step > last.step - rules.window);
    let (total, anomalous) = window.fold((0, 0), |(total, anomalous), verdict| {
        (total + 1, anomalous + u32::from(verdict.is_anomalous))
    });
    let drivers = entity.drivers();
    let first = drivers.first().map(|(metric, _)| metric);
    let metric = first.or_else(|| entity.fitted_on()?.metrics.first())?;
    let machine = entity
        .labels
        .get(MACHINE_ID)
        .filter(|machine| !machine.is_empty());
    let cause = |(metric, share): &(std::sync::Arc<str>, f64)| EventCause {
        metric: metric.to_string(),
        labels: entity.labels.clone(),
        score: *share,
        description: None,
    };
    Some(EntityEvent {
        key: EntityEventKey {
            at,
            machine_id: machine.cloned().unwrap_or_else(|| entity.name.to_string()),
            entity_name: None,
            metric: metric.to_string(),
            labels: entity.labels.clone(),
        },
        category: EventCategory::Application,
        source: None,
        keywords: Vec::new(),
        is_anomaly: entity.state == EntityState::Anomalous,
        score: last.score,
        flagged: FlaggedPoints {
            anomalous,
            total,
            seconds: rules.time(rules.window) as u32,
        },
        description: None,
        details: Map::new(),
        causes: drivers.iter().take(CAUSES).map(cause).collect(),
    })
}

fn of_finding(finding: &JobFinding, found: &JobFound) -> EntityEvent {
    let others = finding.found.iter().filter(|other| *other != found);
    let others = if finding.causes.is_empty() {
        others.take(CAUSES).collect::<Vec<_>>()
    } else {
        finding.causes.iter().collect()
    };
    let cause = |other: &JobFound| EventCause {
        metric: other.metric.clone(),
        labels: other.labels.clone(),
        score: other.score,
        description: None,
    };
    let labels: BTreeMap<String, String> = found.labels.clone();
    EntityEvent {
        key: EntityEventKey {
            at: finding.at,
            machine_id: finding.machine.clone(),
            entity_name: found.entity_name.clone(),
            metric: found.metric.clone(),
            labels,
        },
        category: finding.category,
        source: (finding.category == EventCategory::Simple).then(|| "spot".to_owned()),
        keywords: finding.keywords.clone(),
        is_anomaly: finding.is_anomalous,
        score: found.score,
        flagged: finding.flagged,
        description: found.description.clone(),
        details: found.details.clone(),
        causes: others.into_iter().map(cause).collect(),
    }
}
