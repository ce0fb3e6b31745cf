//! How events are written: the form of the original's user guide, and the one its code has now.
//!
//! Both are gala-anteater's, field by field, as `docs/events.md` lists them. Where its code loses an event (a label that is
//! missing, a kind of entity that is not known), the field is left empty here and the event goes out.

mod anomaly_v1;
mod anomaly_v2;
mod identity;
mod keyword;
mod options;
mod root_cause;
#[cfg(test)]
mod tests;
mod value;

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use super::entity_event::{EntityEvent, EntityEventKey, EventCategory};
use super::outgoing::OutgoingEvent;
use super::root_cause_event::{CausedEvent, RootCauseEvent};
use value::json;

pub(super) use options::{EntityKeys, EventTopic, RepeatKey, WrittenEvent};
pub use options::{EventForms, EventSchema};

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
            repeat_of: Some(repeat_key(event)),
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
}

/// Details without what changes with every tick while the same is wrong: numbers, and values over time. The original compares them, too, and
/// so says a share of memory anew each minute.
fn without_numbers(details: &Value) -> Value {
    match details {
        Value::Number(_) => Value::Null,
        Value::Array(all) => {
            let kept = all.iter().map(without_numbers);
            Value::Array(kept.filter(|value| !is_bare(value)).collect())
        }
        Value::Object(all) => {
            let kept = all
                .iter()
                .map(|(key, value)| (key.clone(), without_numbers(value)));
            Value::Object(kept.collect())
        }
        other => other.clone(),
    }
}

/// Whether nothing is left of it.
fn is_bare(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(all) => all.values().all(is_bare),
        _ => false,
    }
}

/// What is compared. The original compares the metric of normal entities, too; but which one that is means nothing there, and
/// changes with every tick.
fn repeat_key(event: &EntityEvent) -> RepeatKey {
    let hash = |text: String| xxh3_128(text.as_bytes()).to_be_bytes();
    let EntityEventKey {
        machine_id,
        metric,
        labels,
        ..
    } = &event.key;
    if event.is_anomaly {
        let details = without_numbers(&Value::Object(event.details.clone()));
        RepeatKey::Anomaly(hash(json(&(machine_id, metric, labels, details))))
    } else {
        RepeatKey::Normal(hash(json(&(machine_id, labels))))
    }
}
