//! What is said of an entity: a machine, a pod, a container, an application.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Labels of a series by name, as its source has them.
pub type EventLabels = BTreeMap<String, String>;

/// One entity at one time: anomalous, or normal while others are not.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityEvent {
    /// Whom it is about, when, and by which metric it shows.
    pub key: EntityEventKey,
    /// The kind of detector that found it, as readers tell them apart.
    pub category: EventCategory,
    /// What found it, where it is not to be `gala-anteater`: `spot` for container disruption.
    pub source: Option<String>,
    /// Words the job gives all its events.
    pub keywords: Vec<String>,
    /// Whether the entity is anomalous. Events of normal ones go out for those who look for causes.
    pub is_anomaly: bool,
    /// How anomalous the metric is, in the detector's own unit; 0 for not at all.
    pub score: f64,
    /// How many of the newest points were flagged.
    pub flagged: FlaggedPoints,
    /// What the metric is, for people; looked up by its name if it is left open.
    pub description: Option<String>,
    /// What else the detector says. For [`EventCategory::SlowNode`] its whole result, which becomes the `Attributes`.
    pub details: Map<String, Value>,
    /// Metrics of the entity that drive it, the worst first.
    pub causes: Vec<EventCause>,
}

/// What the ids of an entity's event are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityEventKey {
    /// When it was judged, Unix seconds: one time for all entities of a tick.
    pub at: f64,
    /// The machine, or the pod or container where those are judged.
    pub machine_id: String,
    /// The kind of entity the metric belongs to, such as `sli` or `tcp_link`; looked up by the metric if it is left open.
    pub entity_name: Option<String>,
    /// The metric that shows it, an indicator of service where there is one.
    pub metric: String,
    /// Labels of that metric's series. Those that identify the entity become part of its id.
    pub labels: EventLabels,
}

/// What kind of detector speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventCategory {
    /// An application's indicators: VAE, and the ensemble.
    Application,
    /// A network of many metrics: USAD.
    Network,
    /// A machine's resources: n-sigma, thresholds.
    System,
    /// Memory of a Java virtual machine.
    Jvm,
    /// Container disruption.
    Simple,
    /// A slow node of a training cluster.
    SlowNode,
}

impl EventCategory {
    /// The word in `Attributes.event_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Application => "app",
            Self::Network => "net",
            Self::System => "sys",
            Self::Jvm => "jvm",
            Self::Simple => "simple",
            Self::SlowNode => "slow_node",
        }
    }

    /// What the `Body` is headed with.
    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Application => "Application Failure",
            Self::Network => "Neural network Detection",
            Self::System => "System Failure",
            Self::Jvm => "JVM OutOfMemory",
            Self::Simple => "app metric anomaly",
            Self::SlowNode => "Slow node",
        }
    }
}

/// How many points of the time before the event were flagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlaggedPoints {
    /// Points beyond the limit.
    pub anomalous: u32,
    /// Points that were judged.
    pub total: u32,
    /// Length of that time, seconds.
    pub seconds: u32,
}

/// A metric that drives an anomaly.
#[derive(Debug, Clone, PartialEq)]
pub struct EventCause {
    /// Its name.
    pub metric: String,
    /// Labels of its worst series.
    pub labels: EventLabels,
    /// Its part in it, in the unit of the ranking.
    pub score: f64,
    /// What it is, for people; looked up by its name if it is left open.
    pub description: Option<String>,
}
