//! What incidents say of their subjects, told to the health plane: the dispatch is an observer like any other. Incidents that the
//! plane itself has led to are not told back to it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use skywatch_alerters::incident::{Incident, Phase};
use skywatch_alerters::state::Step;
use skywatch_alerters::{Severity, Subject};
use skywatch_algorithms::verdicts::Status;

use crate::dispatch::self_monitor::OWN_COMPONENTS;
use crate::observer::{ObservedMetric, Observer};

/// The metric of these votes.
const METRIC: &str = "incident";
/// How often it is told of incidents that they last.
const STILL_EACH: Duration = Duration::from_secs(60);
/// Bytes of the longest name that a plane takes, with the kind before it.
const LONGEST: usize = 256;

/// A vote for each open incident.
pub(super) struct IncidentVotes {
    observer: Observer,
    /// By the incident's number.
    open: HashMap<u64, ObservedMetric>,
    told_at: Instant,
}

impl IncidentVotes {
    /// With those that are known from before.
    pub(super) fn new<'i>(observer: Observer, known: impl Iterator<Item = &'i Incident>) -> Self {
        let mut votes = Self {
            observer,
            open: HashMap::new(),
            told_at: Instant::now(),
        };
        known.for_each(|incident| votes.vote(incident));
        votes
    }

    /// Takes what became of incidents.
    pub(super) fn follow(&mut self, step: &Step) {
        step.incidents.iter().for_each(|incident| self.vote(incident));
    }

    /// Tells from time to time what lasts.
    pub(super) fn tick(&mut self) {
        if self.told_at.elapsed() >= STILL_EACH {
            self.told_at = Instant::now();
            self.open.values().for_each(ObservedMetric::still);
        }
    }

    fn vote(&mut self, incident: &Incident) {
        if !self.observer.is_on() {
            return;
        }
        if incident.phase.is_open() {
            let Some(name) = name(&incident.subject) else {
                return;
            };
            let metric = self
                .open
                .entry(incident.id)
                .or_insert_with(|| self.observer.metric(&name, METRIC));
            let status = match incident.severity {
                Severity::Critical => Status::Unhealthy,
                Severity::Warning | Severity::Info => Status::MaybeUnhealthy,
            };
            let score = 100.0 * (1.0 - incident.anomaly.score().clamp(0.0, 1.0));
            metric.inform(status, score as f32);
        } else if let Some(metric) = self.open.remove(&incident.id) {
            match incident.phase {
                Phase::Resolved | Phase::Settled => metric.healthy(),
                // Whoever closed it, or deleted its subject, has not made it well.
                _ => metric.inform(Status::Na, 0.0),
            }
        }
    }
}

/// The subject as the plane calls it: `metric:web1.cpu`. Components that are not ours are the plane's own.
fn name(subject: &Subject) -> Option<String> {
    let is_planes = matches!(subject, Subject::Component(name) if !name.starts_with(OWN_COMPONENTS));
    let name = format!("{}:{}", subject.kind().name, subject.name());
    (!is_planes && name.len() <= LONGEST).then_some(name)
}
