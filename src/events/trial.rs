//! A test message to each sink, past the outbox, so that a person sees at once what is wrong.

use super::entity_event::{EntityEvent, EntityEventKey, EventCategory, EventLabels, FlaggedPoints};
use super::error::EventsError;
use super::form::{EntityKeys, EventForms};
use super::outbox::EventMessage;
use super::sending::SinkOptions;
use super::sinks::SinkOutcome;

/// The metric of the test message, by which readers know it.
const METRIC: &str = "skywatch_test";

/// What became of the test message at one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkTrial {
    /// Where it went.
    pub place: String,
    /// Why it is not there, if it is not.
    pub failure: Option<String>,
}

/// Sends a message of a normal entity named `host` to each sink, and waits for what becomes of it. `now` is Unix seconds. The
/// form `v1` has no normal entities: there it is an anomaly with the score 0.
///
/// # Errors
/// Certificates that cannot be used.
pub fn try_sinks(
    sinks: &SinkOptions,
    forms: &EventForms,
    host: &str,
    now: f64,
) -> Result<Vec<SinkTrial>, EventsError> {
    let trial = |mut sink: Box<dyn super::sinks::EventSink>| {
        let message = message(forms, host, now);
        let mut failure = Some("it says nothing of the message".to_owned());
        let sent = sink.send(std::slice::from_ref(&message), &mut |_, outcome| {
            failure = match outcome {
                SinkOutcome::Taken => None,
                SinkOutcome::Refused(why) => Some(format!("refused: {why}")),
            };
        });
        SinkTrial {
            place: sink.place(),
            failure: sent.err().map(|error| error.to_string()).or(failure),
        }
    };
    Ok(sinks.open()?.into_iter().map(trial).collect())
}

fn message(forms: &EventForms, host: &str, now: f64) -> EventMessage {
    let mut event = EntityEvent {
        key: EntityEventKey {
            at: now,
            machine_id: host.to_owned(),
            entity_name: Some("test".to_owned()),
            metric: METRIC.to_owned(),
            labels: EventLabels::new(),
        },
        category: EventCategory::System,
        source: Some("skywatch".to_owned()),
        keywords: Vec::new(),
        is_anomaly: false,
        score: 0.0,
        flagged: FlaggedPoints::default(),
        description: Some("a test of Skywatch, nothing is wrong".to_owned()),
        details: serde_json::Map::new(),
        causes: Vec::new(),
    };
    let keys = EntityKeys::new();
    let written = forms.write(&event.clone().into(), &keys).unwrap_or_else(|| {
        event.is_anomaly = true;
        forms
            .write(&event.into(), &keys)
            .expect("every form has words for an anomaly")
    });
    EventMessage {
        id: 0,
        message_id: format!("test-{}", written.event_id),
        topic: written.topic,
        key: written.key,
        event_id: written.event_id,
        event_at: written.at,
        body: written.body,
    }
}
