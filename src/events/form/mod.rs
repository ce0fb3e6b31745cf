//! How events are written: the form of the original's user guide, and the one its code has now.
//!
//! Both are gala-anteater's, field by field, as `docs/events.md` lists them. Where its code loses an event (a label that is
//! missing, a kind of entity that is not known), the field is left empty here and the event goes out.

mod anomaly_v1;
mod anomaly_v2;
mod identity;
mod keyword;
mod root_cause;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use super::entity_event::{EntityEvent, EventCategory};
use super::metric_info::MetricInfos;
use super::publisher::OutgoingEvent;
use super::root_cause_event::{CausedEvent, RootCauseEvent};

/// Which of the original's forms is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventSchema {
    /// That of its user guide: scores are numbers, causes `recommend_metrics`. It has no events of normal entities.
    V1,
    /// That of its code since 2.0: scores are text of three decimals, causes `root_causes`.
    #[default]
    Current,
}

/// The language of descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventLanguage {
    /// English.
    #[default]
    English,
    /// Chinese, which the original prefers.
    Chinese,
}

/// How events are written.
#[derive(Debug, Clone, Default)]
pub struct EventForms {
    /// Which form.
    pub schema: EventSchema,
    /// In which language metrics are described.
    pub language: EventLanguage,
    /// What is known of metrics.
    pub metrics: MetricInfos,
}

/// What a message is about, which says to which topic it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum EventTopic {
    /// Entities.
    Anomaly,
    /// Causes.
    RootCause,
}

/// An event as it goes out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WrittenEvent {
    pub(super) topic: EventTopic,
    /// The entity: events of one arrive in their order.
    pub(super) key: String,
    /// The id in the message, which people find it by.
    pub(super) event_id: String,
    /// Its time, Unix seconds.
    pub(super) at: f64,
    /// What makes it a repeat of an earlier one; `None` for what is never held back.
    pub(super) repeat_of: Option<[u8; 16]>,
    /// JSON on one line.
    pub(super) body: String,
}

/// By which labels the kinds of entities are told apart, from the metadata of the collector.
pub(super) type EntityKeys = HashMap<String, Vec<String>>;

impl EventForms {
    /// Writes an event; `None` for one that the form has no words for: a normal entity in the old one.
    pub(super) fn write(&self, event: &OutgoingEvent, keys: &EntityKeys) -> Option<WrittenEvent> {
        match event {
            OutgoingEvent::Entity(event) => self.write_entity(event, keys),
            OutgoingEvent::RootCause(event) => Some(self.write_root_cause(event, keys)),
        }
    }

    fn write_entity(&self, event: &EntityEvent, keys: &EntityKeys) -> Option<WrittenEvent> {
        if self.schema == EventSchema::V1 && !event.is_anomaly {
            return None;
        }
        let entity_id = identity::entity_id(&event.key, &self.metrics, keys);
        let event_id = identity::event_id(event.key.at, &entity_id);
        let body = match (self.schema, event.category) {
            (_, EventCategory::SlowNode) => json(&anomaly_v2::SlowNodeMessage::of(event)),
            (EventSchema::V1, _) => json(&anomaly_v1::AnomalyMessageV1::of(event, &entity_id, &event_id)),
            (EventSchema::Current, _) => json(&anomaly_v2::AnomalyMessageV2::of(
                self, event, &entity_id, &event_id,
            )),
        };
        Some(WrittenEvent {
            topic: EventTopic::Anomaly,
            key: entity_id,
            event_id,
            at: event.key.at,
            repeat_of: event.is_anomaly.then(|| repeat_key(event)),
            body,
        })
    }

    fn write_root_cause(&self, event: &RootCauseEvent, keys: &EntityKeys) -> WrittenEvent {
        let event_id = match &event.of {
            CausedEvent::Id(id) => id.clone(),
            CausedEvent::Entity(key) => {
                identity::event_id(key.at, &identity::entity_id(key, &self.metrics, keys))
            }
        };
        WrittenEvent {
            topic: EventTopic::RootCause,
            key: event_id
                .split_once('_')
                .map_or(&*event_id, |(_, entity)| entity)
                .to_owned(),
            at: event.at,
            repeat_of: None,
            body: json(&root_cause::RootCauseMessage::of(self, event, &event_id)),
            event_id,
        }
    }

    /// What the metric is: as the event says, as is known of it, or its name.
    fn description<'e>(&'e self, said: Option<&'e str>, metric: &'e str) -> &'e str {
        said.or_else(|| self.metrics.description(metric, self.language))
            .unwrap_or(metric)
    }
}

/// What the original compares: machine, metric, labels and details.
fn repeat_key(event: &EntityEvent) -> [u8; 16] {
    let compared = (
        &event.key.machine_id,
        &event.key.metric,
        &event.key.labels,
        &event.details,
    );
    xxh3_128(json(&compared).as_bytes()).to_be_bytes()
}

/// `message` as JSON.
fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("names are text and numbers finite or null")
}

/// Milliseconds of Unix time; the original's unit.
fn milliseconds(at: f64) -> i64 {
    (at * 1_000.0).round() as i64
}

/// A score that can be written: JSON has no word for what is no number.
fn finite(score: f64) -> f64 {
    if score.is_nan() {
        0.0
    } else {
        score.clamp(f64::MIN, f64::MAX)
    }
}
