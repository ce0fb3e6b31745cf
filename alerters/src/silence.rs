//! Times at which nothing is to be said about some subjects.

mod change;

use serde::{Deserialize, Serialize};
use skywatch_settings::Week;

pub use change::{IncidentShape, UntilChange};

use crate::incident::Incident;
use crate::matcher::{About, Matcher, Selection};
use crate::schedule::Hours;

/// Nothing is said about what it selects while it is in force. Incidents go on and are recorded; one that still
/// lasts when the silence ends is told of then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Its number, from 1 upwards.
    pub id: u64,
    /// What it is about.
    pub selection: Selection,
    /// From when, Unix seconds.
    pub from: f64,
    /// Until when, Unix seconds; `None` until somebody ends it.
    pub until: Option<f64>,
    /// It ends by itself once no open incident is left of those it selects.
    pub until_resolved: bool,
    /// It is about one incident, whatever else it selects, and ends by itself once that has changed or is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_change: Option<UntilChange>,
    /// It is in force only at these hours; `None` is all the time.
    pub hours: Option<Hours>,
    /// Who asked for it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was ended by hand or by itself, Unix seconds.
    pub ended_at: Option<f64>,
}

/// A silence ready to be asked.
#[derive(Debug, Clone)]
pub struct CompiledSilence {
    /// As it was asked for.
    pub silence: Silence,
    matcher: Matcher,
    hours: Option<Week>,
}

impl CompiledSilence {
    /// Reads a silence.
    ///
    /// # Errors
    /// What is wrong with what it selects or with its hours, for people.
    pub fn new(silence: Silence) -> Result<Self, String> {
        let matcher = Matcher::new(&silence.selection)?;
        let hours = silence.hours.as_ref().map(Hours::week).transpose()?;
        if silence.until.is_some_and(|until| until <= silence.from) {
            return Err("it would end before it begins".to_owned());
        }
        Ok(Self {
            silence,
            matcher,
            hours,
        })
    }

    /// Whether it has ended for good at `now`, Unix seconds.
    pub fn is_over(&self, now: f64) -> bool {
        self.silence.ended_at.is_some() || self.silence.until.is_some_and(|until| now >= until)
    }

    /// Whether it is in force at `now`, Unix seconds.
    pub fn in_force(&self, now: f64) -> bool {
        !self.is_over(now)
            && now >= self.silence.from
            && self.hours.as_ref().is_none_or(|hours| hours.contains(now))
    }

    /// Whether it is about this incident.
    pub fn covers(&self, incident: &Incident) -> bool {
        let other = |until: &UntilChange| until.incident != incident.id;
        if self.silence.until_change.as_ref().is_some_and(other) {
            return false;
        }
        self.matcher.selects(&About {
            name: incident.subject.name(),
            severity: incident.severity,
            anomaly: Some(&incident.anomaly),
        })
    }

    /// Whether it is about a subject of that name, whatever the anomaly.
    pub fn covers_name(&self, name: &str) -> bool {
        self.matcher.selects(&About {
            name,
            severity: crate::anomaly::Severity::Critical,
            anomaly: None,
        })
    }
}
