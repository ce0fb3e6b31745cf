//! A root cause, in both forms: they differ in how a score is written, and in two fields that only the current one has.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::entity_event::EventLabels;
use super::super::root_cause_event::{CausePathNode, EventRootCause, RootCauseEvent};
use super::anomaly_v2::{SEVERITY, score};
use super::keyword::keyword;
use super::options::{EventForms, EventSchema};
use super::value::{finite, milliseconds};

/// So many causes are named.
const NAMED: usize = 3;
/// What the original says behind a cause's name: abnormal.
const ABNORMAL: &str = "异常";

#[derive(Serialize)]
pub(super) struct RootCauseMessage<'e> {
    #[serde(rename = "Timestamp")]
    timestamp: i64,
    event_id: &'e str,
    #[serde(rename = "Attributes")]
    attributes: CauseAttributes<'e>,
    #[serde(rename = "Resource")]
    resource: CauseResource<'e>,
    desc: &'e str,
    top1: String,
    top2: String,
    top3: String,
    keywords: Vec<Option<&'static str>>,
    #[serde(rename = "SeverityText")]
    severity_text: &'static str,
    #[serde(rename = "SeverityNumber")]
    severity_number: u8,
    #[serde(rename = "Body")]
    body: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kpis: Option<&'e [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all_fv_metrics: Option<&'e BTreeMap<String, Vec<String>>>,
}

#[derive(Serialize)]
struct CauseAttributes<'e> {
    event_id: &'e str,
    event_source: &'static str,
}

#[derive(Serialize)]
struct CauseResource<'e> {
    abnormal_kpi: AbnormalIndicator<'e>,
    cause_metrics: Vec<CauseMetric<'e>>,
}

#[derive(Serialize)]
struct AbnormalIndicator<'e> {
    metric_id: &'e str,
    /// Always empty, as the original's.
    entity_id: &'static str,
    metric_labels: &'e EventLabels,
    desc: &'e str,
    score: WrittenScore,
}

#[derive(Serialize)]
struct CauseMetric<'e> {
    metric_id: String,
    /// Always empty, as the original's.
    entity_id: &'static str,
    metric_labels: &'e EventLabels,
    desc: &'e str,
    keyword: Option<&'static str>,
    score: WrittenScore,
    path: Vec<PathStep<'e>>,
}

#[derive(Serialize)]
struct PathStep<'e> {
    pod_id: &'e str,
    pod: &'e str,
    instance: &'e str,
    job: &'e str,
    pod_state: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenScore {
    Number(f64),
    Text(String),
}

impl<'e> RootCauseMessage<'e> {
    pub(super) fn of(forms: &'e EventForms, event: &'e RootCauseEvent, event_id: &'e str) -> Self {
        let is_current = forms.schema == EventSchema::Current;
        let abnormal = &event.abnormal;
        let desc = forms.description(abnormal.description.as_deref(), &abnormal.metric);
        let named = &event.causes[..event.causes.len().min(NAMED)];
        // Readers take the three fields for granted, so the last cause stands for those there are not.
        let top = |place: usize| {
            let cause = named.get(place).or(named.last());
            cause.map_or_else(String::new, |cause| metric_id(cause) + ABNORMAL)
        };
        let mut keywords = Vec::new();
        for keyword in named.iter().map(|cause| keyword(&cause.metric)) {
            if !keywords.contains(&keyword) {
                keywords.push(keyword);
            }
        }
        Self {
            timestamp: milliseconds(event.at),
            event_id,
            attributes: CauseAttributes {
                event_id,
                event_source: "root-cause-inference",
            },
            resource: CauseResource {
                abnormal_kpi: AbnormalIndicator {
                    metric_id: &abnormal.metric,
                    entity_id: "",
                    metric_labels: &abnormal.labels,
                    desc,
                    score: WrittenScore::of(forms.schema, abnormal.score),
                },
                cause_metrics: named.iter().map(|cause| CauseMetric::of(forms, cause)).collect(),
            },
            desc,
            top1: top(0),
            top2: top(1),
            top3: top(2),
            keywords,
            severity_text: "WARN",
            severity_number: SEVERITY,
            body: "A cause inferring event for an abnormal event",
            kpis: is_current.then_some(&event.indicators),
            all_fv_metrics: is_current.then_some(&event.front_end_metrics),
        }
    }
}

impl<'e> CauseMetric<'e> {
    fn of(forms: &'e EventForms, cause: &'e EventRootCause) -> Self {
        Self {
            metric_id: metric_id(cause),
            entity_id: "",
            metric_labels: &cause.labels,
            desc: forms.description(cause.description.as_deref(), &cause.metric),
            keyword: keyword(&cause.metric),
            score: WrittenScore::of(forms.schema, cause.score),
            path: cause.path.iter().map(PathStep::of).collect(),
        }
    }
}

impl<'e> PathStep<'e> {
    fn of(node: &'e CausePathNode) -> Self {
        Self {
            pod_id: &node.pod_id,
            pod: &node.pod,
            instance: &node.instance,
            job: &node.job,
            pod_state: if node.is_abnormal { "abnormal" } else { "normal" },
        }
    }
}

impl WrittenScore {
    fn of(schema: EventSchema, value: f64) -> Self {
        match schema {
            EventSchema::V1 => Self::Number(finite(value)),
            EventSchema::Current => Self::Text(score(value)),
        }
    }
}

fn metric_id(cause: &EventRootCause) -> String {
    format!("{}@{}", cause.metric, cause.entity)
}
