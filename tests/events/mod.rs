//! Events: published into the outbox by one process, sent by another to brokers, a webhook, a file.

pub(crate) mod broker;
mod kafka;
mod laws;
mod sinks;

use std::time::Duration;

use serde_json::{Value, json};
use skywatch::events::{
    EntityEvent, EntityEventKey, EventCategory, EventForms, EventLabels, EventWriter, FlaggedPoints,
    OutboxLimits, OutboxOptions, OutgoingEvent,
};

use crate::common::skywatch::{Setup, Skywatch};
use crate::common::wait_for;

/// Skywatch with events and as little else as can be.
fn setup() -> Setup {
    Setup::new()
        .with("ingest.enabled", "false")
        .with("analyzer.enabled", "false")
}

/// Publishes as a role does.
fn publish<E: Into<OutgoingEvent>>(setup: &Setup, events: impl IntoIterator<Item = E>) {
    let state = setup.path("state");
    std::fs::create_dir_all(&state).unwrap();
    let options = OutboxOptions {
        limits: OutboxLimits {
            keep: Duration::from_secs(3_600),
            bytes: 64 << 20,
        },
        repeat_after: Duration::from_secs(600),
        forms: EventForms::default(),
    };
    let writer = EventWriter::start(&state, options).unwrap();
    for event in events {
        writer.publisher().publish(event);
    }
}

/// The `number`th event of an entity, each a while after the one before.
fn event(entity: &str, number: u32) -> EntityEvent {
    let labels: EventLabels = [("tgid", "7"), ("role", "client")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    EntityEvent {
        key: EntityEventKey {
            at: 1_700_000_000.0 + 600.0 * f64::from(number),
            machine_id: entity.to_owned(),
            entity_name: Some("tcp_link".to_owned()),
            metric: "gala_gopher_tcp_link_srtt".to_owned(),
            labels,
        },
        category: EventCategory::System,
        source: None,
        keywords: Vec::new(),
        is_anomaly: true,
        score: 0.5,
        flagged: FlaggedPoints::default(),
        description: None,
        details: [("number".to_owned(), json!(number))].into_iter().collect(),
        causes: Vec::new(),
    }
}

/// The number of an event, out of its body.
fn number(body: &Value) -> u32 {
    let text = body["Body"].as_str().unwrap();
    let details = &text[text.find('{').unwrap()..];
    let details: Value = serde_json::from_str(details).unwrap();
    u32::try_from(details["number"].as_u64().unwrap()).unwrap()
}

/// A counter of the role that sends.
fn counter(running: &Skywatch, name: &str) -> u64 {
    let counters = running.status()["events"]["counters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let found = counters.iter().find(|pair| pair[0] == name);
    found.and_then(|pair| pair[1].as_u64()).unwrap_or(0)
}

fn wait_for_counter(running: &Skywatch, name: &str, value: u64) {
    wait_for(&format!("`{name}` to be {value}"), || {
        (counter(running, name) == value).then_some(())
    });
}
