//! An entity's anomaly in the form of the user guide.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::super::entity_event::{EntityEvent, EventCause, EventLabels};
use super::value::{finite, milliseconds};

/// OpenTelemetry's second degree of a warning, which the guide has.
const SEVERITY: u8 = 14;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AnomalyMessageV1<'e> {
    timestamp: i64,
    attributes: AttributesV1<'e>,
    resource: ResourceV1<'e>,
    severity_text: &'static str,
    severity_number: u8,
    body: &'static str,
}

#[derive(Serialize)]
struct AttributesV1<'e> {
    entity_id: &'e str,
    event_id: &'e str,
    event_type: &'static str,
}

#[derive(Serialize)]
struct ResourceV1<'e> {
    anomaly_score: f64,
    anomaly_count: u32,
    total_count: u32,
    /// Seconds.
    duration: u32,
    anomaly_ratio: f64,
    metric_label: &'e EventLabels,
    recommend_metrics: RecommendedMetrics<'e>,
    metrics: &'e str,
}

/// By the metric's name, the worst first; of several series of a metric the worst.
struct RecommendedMetrics<'e>(&'e [EventCause]);

#[derive(Serialize)]
struct RecommendedMetric<'e> {
    label: NamedLabels<'e>,
    score: f64,
}

/// Labels of a series with its name among them, as Prometheus has them.
struct NamedLabels<'e>(&'e EventCause);

impl<'e> AnomalyMessageV1<'e> {
    pub(super) fn of(event: &'e EntityEvent, entity_id: &'e str, event_id: &'e str) -> Self {
        let flagged = event.flagged;
        Self {
            timestamp: milliseconds(event.key.at),
            attributes: AttributesV1 {
                entity_id,
                event_id,
                event_type: event.category.as_str(),
            },
            resource: ResourceV1 {
                anomaly_score: finite(event.score),
                anomaly_count: flagged.anomalous,
                total_count: flagged.total,
                duration: flagged.seconds,
                anomaly_ratio: f64::from(flagged.anomalous) / f64::from(flagged.total.max(1)),
                metric_label: &event.key.labels,
                recommend_metrics: RecommendedMetrics(&event.causes),
                metrics: &event.key.metric,
            },
            severity_text: "WARN",
            severity_number: SEVERITY,
            body: "TimeStamp, WARN, APP may be impacting sli performance issues.",
        }
    }
}

impl Serialize for RecommendedMetrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (place, cause) in self.0.iter().enumerate() {
            // Two entries of one name are one too many for most readers.
            if self.0[..place].iter().all(|before| before.metric != cause.metric) {
                let metric = RecommendedMetric {
                    label: NamedLabels(cause),
                    score: finite(cause.score),
                };
                map.serialize_entry(&cause.metric, &metric)?;
            }
        }
        map.end()
    }
}

impl Serialize for NamedLabels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const NAME: &str = "__name__";
        let mut map = serializer.serialize_map(None)?;
        if !self.0.labels.contains_key(NAME) {
            map.serialize_entry(NAME, &self.0.metric)?;
        }
        for (label, value) in &self.0.labels {
            map.serialize_entry(label, value)?;
        }
        map.end()
    }
}
