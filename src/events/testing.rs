//! Events and an outbox for tests.

use std::time::Duration;

use super::entity_event::{EntityEvent, EntityEventKey, EventCategory, EventLabels, FlaggedPoints};
use super::form::EventForms;
use super::outbox::{OutboxLimits, OutboxOptions};

/// Room for all of a test.
pub(super) fn options(repeat_after: Duration) -> OutboxOptions {
    OutboxOptions {
        limits: OutboxLimits {
            keep: Duration::from_secs(3_600),
            bytes: 1 << 20,
        },
        repeat_after,
        forms: EventForms::default(),
    }
}

/// An anomalous entity.
pub(super) fn event(at: f64, machine_id: &str) -> EntityEvent {
    EntityEvent {
        key: EntityEventKey {
            at,
            machine_id: machine_id.to_owned(),
            entity_name: Some("sli".to_owned()),
            metric: "rtt".to_owned(),
            labels: EventLabels::new(),
        },
        category: EventCategory::Application,
        source: None,
        keywords: Vec::new(),
        is_anomaly: true,
        score: 1.0,
        flagged: FlaggedPoints::default(),
        description: None,
        details: serde_json::Map::new(),
        causes: Vec::new(),
    }
}
