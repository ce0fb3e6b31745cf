//! Which incidents are held back, as they follow from another one.

use super::IncidentState;
use super::event::Step;
use super::policy::AlertPolicy;
use crate::anomaly::Subject;
use crate::incident::Incident;
use crate::inhibition::{ActiveSource, InhibitRule};

impl IncidentState {
    /// The causes that hold others back at `now`.
    pub(super) fn active_sources<'p>(&self, policy: &'p AlertPolicy, now: f64) -> Vec<ActiveSource<'p>> {
        let by = &policy.inhibition;
        let of = |rule: &'p InhibitRule| {
            let source = self.about(&Subject::Component(rule.source.clone()))?;
            ActiveSource::of(source, rule, by, now)
        };
        by.rules.iter().filter_map(of).collect()
    }

    /// The incident that news of a component of this name would follow from at `now`, if it is to be held back.
    pub fn inhibitor(&self, policy: &AlertPolicy, name: &str, now: f64) -> Option<u64> {
        let sources = self.active_sources(policy, now);
        let source = sources.iter().find(|source| source.selects(name));
        source.map(|source| source.incident)
    }

    /// How many open incidents are held back.
    pub fn inhibited(&self) -> usize {
        let held = |incident: &&Incident| incident.phase.is_open() && incident.inhibited_by.is_some();
        self.incidents().filter(held).count()
    }
}

/// Notes from which of the causes an incident follows.
pub(super) fn mind_sources(incident: &mut Incident, sources: &[ActiveSource<'_>], step: &mut Step) {
    let source = sources
        .iter()
        .find(|source| incident.phase.is_open() && source.explains(incident))
        .map(|source| source.incident);
    if incident.inhibited_by != source {
        incident.inhibited_by = source;
        step.touched.insert(incident.id);
    }
}
