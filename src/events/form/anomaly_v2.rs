//! An entity's anomaly in the form the original's code has since 2.0.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::entity_event::{EntityEvent, EventCategory, EventCause, EventLabels};
use super::identity::{series_name, shown_labels};
use super::options::EventForms;
use super::value::{finite, json, milliseconds};

/// OpenTelemetry's first degree of a warning.
pub(super) const SEVERITY: u8 = 13;
/// The source of all events that do not say another.
const SOURCE: &str = "gala-anteater";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AnomalyMessageV2<'e> {
    timestamp: i64,
    attributes: AttributesV2<'e>,
    resource: ResourceV2<'e>,
    severity_text: &'static str,
    severity_number: u8,
    body: String,
    #[serde(rename = "is_anomaly")]
    is_anomaly: bool,
}

#[derive(Serialize)]
struct AttributesV2<'e> {
    entity_id: &'e str,
    event_id: &'e str,
    event_type: &'static str,
    event_source: &'e str,
    keywords: &'e [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    cause_metric: Option<FirstCause<'e>>,
}

/// The first cause, or in words what is wrong where none is known.
#[derive(Serialize)]
#[serde(untagged)]
enum FirstCause<'e> {
    Metric(CauseV2<'e>),
    Unknown { description: &'e str },
}

#[derive(Serialize)]
struct ResourceV2<'e> {
    metric: String,
    labels: EventLabels,
    score: String,
    root_causes: Vec<CauseV2<'e>>,
    description: &'e str,
}

#[derive(Serialize)]
struct CauseV2<'e> {
    metric: &'e str,
    labels: &'e EventLabels,
    score: String,
}

impl<'e> CauseV2<'e> {
    fn of(cause: &'e EventCause) -> Self {
        Self {
            metric: &cause.metric,
            labels: &cause.labels,
            score: score(cause.score),
        }
    }
}

impl<'e> AnomalyMessageV2<'e> {
    pub(super) fn of(
        forms: &'e EventForms,
        event: &'e EntityEvent,
        entity_id: &'e str,
        event_id: &'e str,
    ) -> Self {
        let key = &event.key;
        let description = forms.description(event.description.as_deref(), &key.metric);
        let first = event.causes.first().map(CauseV2::of).map(FirstCause::Metric);
        let metric = match event.category {
            EventCategory::Network => series_name(&key.metric, &key.labels),
            _ => key.metric.clone(),
        };
        Self {
            timestamp: milliseconds(key.at),
            attributes: AttributesV2 {
                entity_id,
                event_id,
                event_type: event.category.as_str(),
                event_source: event.source.as_deref().unwrap_or(SOURCE),
                keywords: &event.keywords,
                cause_metric: (event.category != EventCategory::Simple)
                    .then(|| first.unwrap_or(FirstCause::Unknown { description })),
            },
            resource: ResourceV2 {
                metric,
                labels: shown_labels(&key.machine_id, &key.labels),
                score: score(event.score),
                root_causes: event.causes.iter().map(CauseV2::of).collect(),
                description,
            },
            severity_text: "WARN",
            severity_number: SEVERITY,
            body: body(event, description),
            is_anomaly: event.is_anomaly,
        }
    }
}

/// Time in UTC, heading, description, details.
fn body(event: &EntityEvent, description: &str) -> String {
    let time = Timestamp::from_second(event.key.at.floor() as i64).unwrap_or_default();
    let (time, heading) = (time.strftime("%Y-%m-%d %H:%M:%S"), event.category.heading());
    format!("{time} - {heading} - {description} - {}", json(&event.details))
}

/// A score as this form has it.
pub(super) fn score(score: f64) -> String {
    format!("{:.3}", finite(score))
}

/// A slow node of a training cluster: the detector's result and little else.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SlowNodeMessage<'e> {
    timestamp: i64,
    attributes: &'e Map<String, Value>,
    severity_text: &'static str,
    severity_number: u8,
    #[serde(rename = "is_anomaly")]
    is_anomaly: bool,
}

impl<'e> SlowNodeMessage<'e> {
    pub(super) fn of(event: &'e EntityEvent) -> Self {
        Self {
            timestamp: milliseconds(event.key.at),
            attributes: &event.details,
            severity_text: "WARN",
            severity_number: SEVERITY,
            is_anomaly: event.is_anomaly,
        }
    }
}
