//! What an anomaly is about, and the table of what differs between the kinds of subject.

use serde::{Deserialize, Serialize};

/// What an anomaly is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Subject {
    /// One metric, by its full name.
    Metric(String),
    /// A machine, pod or container judged over several metrics at once.
    Entity(String),
    /// A trace or a service's traces.
    Trace(String),
    /// A component of the health plane, or a part of Skywatch itself.
    Component(String),
}

/// What differs between the kinds of subject. All that is particular to a kind is here; everything else treats them alike.
#[derive(Debug)]
pub struct SubjectKind {
    /// One of them, as in the JSON form: `metric`.
    pub name: &'static str,
    /// Several of them: `metrics`.
    pub plural: &'static str,
    /// Why an incident ends when its subject is there no longer.
    pub deleted: &'static str,
    /// Whether incidents with similar names belong into one notice; otherwise each is news of its own.
    pub is_grouped: bool,
    /// Whether the finder has made sure before it reports, so that the first observation opens or ends an incident.
    pub is_confirmed: bool,
    /// Path and query of its page without the name, where it has one.
    pub page: Option<&'static str>,
}

const NOT_WATCHED: &str = "it is watched no longer";

static METRIC: SubjectKind = SubjectKind {
    name: Subject::METRIC,
    plural: "metrics",
    deleted: "the metric was deleted",
    is_grouped: true,
    is_confirmed: false,
    page: Some("/metric?name="),
};
static ENTITY: SubjectKind = SubjectKind {
    name: Subject::ENTITY,
    plural: "entities",
    deleted: NOT_WATCHED,
    is_grouped: true,
    is_confirmed: false,
    page: Some("/entities/"),
};
static TRACE: SubjectKind = SubjectKind {
    name: Subject::TRACE,
    plural: "traces",
    deleted: NOT_WATCHED,
    is_grouped: true,
    is_confirmed: false,
    page: Some("/traces?of="),
};
static COMPONENT: SubjectKind = SubjectKind {
    name: Subject::COMPONENT,
    plural: "components",
    deleted: NOT_WATCHED,
    is_grouped: false,
    is_confirmed: true,
    page: None,
};

impl Subject {
    /// The kind of metrics, by its name in the JSON form.
    pub const METRIC: &str = "metric";
    /// The kind of entities.
    pub const ENTITY: &str = "entity";
    /// The kind of traces.
    pub const TRACE: &str = "trace";
    /// The kind of components.
    pub const COMPONENT: &str = "component";

    /// The name, whatever kind of subject it is.
    pub fn name(&self) -> &str {
        let (Self::Metric(name) | Self::Entity(name) | Self::Trace(name) | Self::Component(name)) = self;
        name
    }

    /// What is particular to its kind.
    pub fn kind(&self) -> &'static SubjectKind {
        match self {
            Self::Metric(_) => &METRIC,
            Self::Entity(_) => &ENTITY,
            Self::Trace(_) => &TRACE,
            Self::Component(_) => &COMPONENT,
        }
    }

    /// The subject of that kind, by the kind's name in the JSON form; `None` if there is no such kind.
    pub fn of_kind(kind: &str, name: String) -> Option<Self> {
        let make = [Self::Metric, Self::Entity, Self::Trace, Self::Component];
        let make = make
            .into_iter()
            .find(|make| make(String::new()).kind().name == kind)?;
        Some(make(name))
    }
}
