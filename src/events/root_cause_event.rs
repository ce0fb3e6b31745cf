//! What is said of the cause of an entity's anomaly.

use std::collections::BTreeMap;

use super::entity_event::{EntityEventKey, EventLabels};

/// Where an anomaly comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct RootCauseEvent {
    /// When it was worked out, Unix seconds. The original repeats the time of the anomaly.
    pub at: f64,
    /// The event whose cause this is.
    pub of: CausedEvent,
    /// What it was about.
    pub abnormal: AbnormalMetric,
    /// The likely causes, the likeliest first. Three of them are named in short.
    pub causes: Vec<EventRootCause>,
    /// Indicators of service that were looked at; the current form only.
    pub indicators: Vec<String>,
    /// Metrics of each entity at the front of the path; the current form only.
    pub front_end_metrics: BTreeMap<String, Vec<String>>,
}

/// The event of an anomaly, as its cause refers to it.
#[derive(Debug, Clone, PartialEq)]
pub enum CausedEvent {
    /// One that was published here. The id is worked out as it was for that one.
    Entity(EntityEventKey),
    /// Its id.
    Id(String),
}

/// The metric by which an anomaly shows.
#[derive(Debug, Clone, PartialEq)]
pub struct AbnormalMetric {
    /// Its name.
    pub metric: String,
    /// Labels of its series.
    pub labels: EventLabels,
    /// What it is, for people; looked up by its name if it is left open.
    pub description: Option<String>,
    /// How anomalous it is.
    pub score: f64,
}

/// A metric of an entity that is likely to be the cause.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRootCause {
    /// The metric.
    pub metric: String,
    /// The entity whose metric it is: a pod or a machine.
    pub entity: String,
    /// Labels of its worst series.
    pub labels: EventLabels,
    /// What it is, for people; looked up by its name if it is left open.
    pub description: Option<String>,
    /// How anomalous it is.
    pub score: f64,
    /// The way of the fault, from the cause to where it was noticed.
    pub path: Vec<CausePathNode>,
}

/// One entity on the way of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CausePathNode {
    /// Id of the pod; that of the machine where there is none.
    pub pod_id: String,
    /// Its name.
    pub pod: String,
    /// What was scraped for it.
    pub instance: String,
    /// The job that was scraped.
    pub job: String,
    /// Whether an anomaly of it is known.
    pub is_abnormal: bool,
}
