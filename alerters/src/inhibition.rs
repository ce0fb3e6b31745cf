//! What follows from what. While something is broken that others depend on, what goes wrong because of it is not told one by one
//! but held back: it is told if it still lasts once the cause is over, and never if it is over by then. Alertmanager calls it
//! inhibition.
//!
//! Only a cause of which it is known that it lasts holds anything back: one whose finder has fallen silent does not.

use crate::incident::{Incident, Phase};
use crate::matcher::{About, Matcher};

/// Seconds by which a cause may be found later than what follows from it.
const FOUND_LATER: f64 = 5.0;

/// What follows from one component.
#[derive(Debug, Clone)]
pub struct InhibitRule {
    /// The component's name.
    pub source: String,
    /// What goes wrong because of it, whatever kind of subject it is.
    pub targets: Matcher,
}

/// What follows from what.
#[derive(Debug, Clone, Default)]
pub struct Inhibition {
    /// Each component with what depends on it.
    pub rules: Vec<InhibitRule>,
    /// Seconds after the last word of it from which a cause holds nothing back.
    pub fresh: f64,
    /// Seconds after the end of a cause for which what followed is still held back: so long it takes until that is seen
    /// to be over.
    pub settle: f64,
}

/// A cause that holds others back at present.
#[derive(Debug)]
pub(crate) struct ActiveSource<'p> {
    /// Its incident.
    pub(crate) incident: u64,
    /// When it does so no longer, if nothing more is heard of it; Unix seconds.
    pub(crate) until: f64,
    since: f64,
    targets: &'p Matcher,
}

impl<'p> ActiveSource<'p> {
    /// The cause that this incident of the rule's source is at `now`, if it is one.
    pub(crate) fn of(incident: &Incident, rule: &'p InhibitRule, by: &Inhibition, now: f64) -> Option<Self> {
        let until = match incident.phase {
            Phase::Open | Phase::Acknowledged if incident.unknown_since.is_none() => {
                incident.last_anomalous + by.fresh
            }
            Phase::Resolved | Phase::Settled => incident.closed_at? + by.settle,
            _ => return None,
        };
        let since = incident.begun.last().copied().or(incident.opened_at)? - FOUND_LATER;
        (now < until).then_some(Self {
            incident: incident.id,
            until,
            since,
            targets: &rule.targets,
        })
    }

    /// Whether a subject of this name depends on it.
    pub(crate) fn selects(&self, name: &str) -> bool {
        self.targets.selects(&About {
            name,
            severity: crate::Severity::Critical,
            anomaly: None,
        })
    }

    /// Whether an incident follows from it: it has begun since, and its subject depends on it.
    pub(crate) fn explains(&self, incident: &Incident) -> bool {
        let begun = incident.begun.last().copied().or(incident.opened_at);
        incident.id != self.incident
            && begun.is_some_and(|begun| begun >= self.since)
            && self.selects(incident.subject.name())
    }
}
