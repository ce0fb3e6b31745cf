//! Which form is written, and what is known of metrics and entities when it is.

use std::collections::HashMap;

use super::super::metric_info::{EventLanguage, MetricInfos};

/// Which of the original's forms is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventSchema {
    /// That of its user guide: scores are numbers, causes `recommend_metrics`. It has no events of normal entities.
    V1,
    /// That of its code since 2.0: scores are text of three decimals, causes `root_causes`.
    #[default]
    Current,
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

impl EventForms {
    /// What the metric is: as the event says, as is known of it, or its name.
    pub(super) fn description<'e>(&'e self, said: Option<&'e str>, metric: &'e str) -> &'e str {
        said.or_else(|| self.metrics.description(metric, self.language))
            .unwrap_or(metric)
    }
}

/// What a message is about, which says to which topic it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::events) enum EventTopic {
    /// Entities.
    Anomaly,
    /// Causes.
    RootCause,
}

/// What makes an event the repeat of an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::events) enum RepeatKey {
    /// The same anomaly: machine, metric, labels and details.
    Anomaly([u8; 16]),
    /// The same normal entity: machine and labels.
    Normal([u8; 16]),
}

/// An event as it goes out.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::events) struct WrittenEvent {
    pub(in crate::events) topic: EventTopic,
    /// The entity: events of one arrive in their order.
    pub(in crate::events) key: String,
    /// The id in the message, which people find it by.
    pub(in crate::events) event_id: String,
    /// Its time, Unix seconds.
    pub(in crate::events) at: f64,
    /// What makes it a repeat of an earlier one; `None` for what is never held back.
    pub(in crate::events) repeat_of: Option<RepeatKey>,
    /// JSON on one line.
    pub(in crate::events) body: String,
}

/// By which labels the kinds of entities are told apart, from the metadata of the collector.
pub(in crate::events) type EntityKeys = HashMap<String, Vec<String>>;
