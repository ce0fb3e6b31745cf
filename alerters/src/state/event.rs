//! What happens to incidents, and what follows from it.

use std::collections::BTreeSet;

use crate::anomaly::{Severity, Subject};
use crate::incident::{Incident, IncidentTransition, Observation};
use crate::notice::Notice;
use crate::silence::Silence;

/// Something that happens.
#[derive(Debug, Clone)]
pub enum IncidentEvent {
    /// A finder has looked at subjects; nothing follows for those that are not among them. The order is of no importance.
    Observed(Vec<Observation>),
    /// A finder has looked at all subjects of this kind (by [`SubjectKind::name`](crate::SubjectKind::name)), and maybe at
    /// others: of live incidents about those of the kind it did not see nothing is known from then on.
    ObservedAll(String, Vec<Observation>),
    /// Somebody takes an incident.
    Acknowledge {
        /// Its number.
        incident: u64,
        /// Who.
        by: String,
        /// Nothing more is to be said until it is resolved.
        until_resolved: bool,
    },
    /// Somebody closes an incident.
    Close {
        /// Its number.
        incident: u64,
        /// Who.
        by: String,
    },
    /// Somebody asks for silence; its number is given here.
    Silence(Box<Silence>),
    /// Somebody ends one.
    EndSilence {
        /// Its number.
        silence: u64,
    },
    /// What another state had told people is told on by this one.
    Adopt(Box<AdoptedState>),
    /// Time has passed.
    Tick,
}

/// Incidents and silences of another state, by numbers of its own.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct AdoptedState {
    /// Incidents that are open there. Whom nobody is to have told of one is not in its [`told`](Incident::told).
    pub incidents: Vec<Incident>,
    /// Silences that have not ended there.
    pub silences: Vec<Silence>,
}

impl AdoptedState {
    /// Whether there is nothing to take over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.incidents.is_empty() && self.silences.is_empty()
    }
}

/// Why an event was refused. The state is as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventRefused {
    /// No live incident has that number.
    #[error("there is no open incident {0}")]
    NoIncident(u64),
    /// No silence that could end has that number.
    #[error("there is no silence {0} that could end")]
    NoSilence(u64),
    /// The silence selects nothing sensible.
    #[error("{0}")]
    Silence(String),
    /// It is to last until incidents are resolved, and there are none.
    #[error("no open incident is selected that could be resolved; give a length of time instead")]
    NothingToResolve,
}

/// What follows from an event: to be kept, all of it or nothing, and then sent.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Incidents that took a step in their lives or were told of, or are worth keeping again, as they are after it. They
    /// are here whole: one that has ended is no longer in the state, and its end must be written all the same.
    pub incidents: Vec<Incident>,
    /// The steps, in order.
    pub transitions: Vec<IncidentTransition>,
    /// Notices to be sent, in order for each receiver. Their subjects' windows are there as far as the event had them.
    pub notices: Vec<Notice>,
    /// All incidents each notice tells of, listed in it or not, in the order of `notices`.
    pub told: Vec<Vec<u64>>,
    /// Silences that were made or have ended, whole for the same reason.
    pub silences: Vec<Silence>,
    /// Each time somebody was told that something is wrong, or is over.
    pub cooldowns: Vec<Cooldown>,
    /// Receivers whose pace changed.
    pub paced: BTreeSet<String>,
    /// Notices that the rate caps hold back at present, by receiver.
    pub held_back: Vec<(String, usize)>,
    /// Numbers of the incidents to be kept, until the end of the step.
    pub(super) touched: BTreeSet<u64>,
    /// The same of silences.
    pub(super) touched_silences: BTreeSet<u64>,
}

/// When somebody was last told that something is wrong with a subject.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cooldown {
    /// Who.
    pub receiver: String,
    /// With what.
    pub subject: Subject,
    /// When, Unix seconds, and how bad it was; `None` once he was told that it is over.
    pub told: Option<(f64, Severity)>,
}
