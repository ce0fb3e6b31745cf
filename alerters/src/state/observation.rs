//! What looks at subjects do to incidents.

use std::collections::HashSet;

use super::event::Step;
use super::policy::AlertPolicy;
use super::{Fresh, IncidentState};
use crate::anomaly::{Anomaly, Subject};
use crate::incident::{Hysteresis, Incident, IncidentTransition, Observation, ObservedOutcome, Phase};

/// Seconds that a subject whose finder reports only what it has made sure of must be well to count as well again, once it
/// is flapping; doubled as for others. Two and a half minutes: a component is looked at several times a minute.
const FLAPPING_CONFIRMED: f64 = 150.0;
/// Windows kept of one event: notices chart only the worst few.
const WINDOWS: usize = 500;

impl IncidentState {
    /// Notes that nothing is known of subjects of a kind that was looked at as a whole, where there is no look at them.
    pub(super) fn not_looked_at(
        &mut self,
        kind: &str,
        observations: &[Observation],
        now: f64,
        step: &mut Step,
    ) {
        let looked_at: HashSet<u64> = observations
            .iter()
            .filter(|observation| !matches!(observation.outcome, ObservedOutcome::Unknown))
            .filter_map(|observation| self.by_subject.get(&observation.subject).copied())
            .collect();
        for (id, incident) in &mut self.incidents {
            let lasts = incident.phase.is_open() || incident.phase == Phase::Pending;
            if lasts && incident.subject.kind().name == kind && !looked_at.contains(id) {
                unknown(incident, now, step);
            }
        }
    }

    /// Takes looks that happened at the same time.
    pub(super) fn observations(
        &mut self,
        policy: &AlertPolicy,
        observations: Vec<Observation>,
        now: f64,
        step: &mut Step,
        fresh: &mut Fresh,
    ) {
        // Numbers are given in an order of our own, so that the order of simultaneous looks does not show.
        let mut observations: Vec<(f64, Observation)> = observations
            .into_iter()
            .map(|observation| (badness(&observation), observation))
            .collect();
        observations
            .sort_by(|(worse, a), (bad, b)| bad.total_cmp(worse).then_with(|| a.subject.cmp(&b.subject)));
        for (_, observation) in observations {
            let flapping = self
                .about(&observation.subject)
                .and_then(|incident| incident.flapping(now));
            let rules = rules_for(&observation.subject, policy, flapping);
            match observation.outcome {
                ObservedOutcome::Anomalous(anomaly) => self.anomalous(*anomaly, now, &rules, step, fresh),
                ObservedOutcome::Normal { at, value } => {
                    self.well(&observation.subject, step, |incident| {
                        incident.normal(at, value, now, &rules)
                    });
                    self.forget_if_never_one(&observation.subject, &rules);
                }
                ObservedOutcome::Settled { at, value, before } => {
                    self.well(&observation.subject, step, |incident| {
                        incident.settled(at, value, before, now, &rules)
                    });
                    self.forget_if_never_one(&observation.subject, &rules);
                }
                ObservedOutcome::Unknown => {
                    if let Some(incident) = self.known(&observation.subject) {
                        unknown(incident, now, step);
                    }
                }
                ObservedOutcome::Deleted => {
                    let Some(incident) = self.known(&observation.subject) else {
                        continue;
                    };
                    let (id, phase) = (incident.id, incident.phase);
                    if let Some(transition) = incident.deleted(now) {
                        step.transitions.push(transition);
                        step.touched.insert(id);
                    } else if phase == Phase::Pending {
                        self.drop_incident(id);
                    }
                }
            }
        }
    }

    fn anomalous(
        &mut self,
        anomaly: Anomaly,
        now: f64,
        rules: &Hysteresis,
        step: &mut Step,
        fresh: &mut Fresh,
    ) {
        let known = self.by_subject.get(&anomaly.subject);
        let live = known.filter(|id| {
            self.incidents
                .get(id)
                .is_some_and(|incident| incident.is_live(now, rules))
        });
        // In its rest: what lasts goes on, but nothing begins and nothing comes back.
        let is_resting = anomaly.strength.is_some_and(|strength| !strength.opens);
        let lasts = live.is_some_and(|id| {
            self.incidents
                .get(id)
                .is_some_and(|incident| !incident.phase.is_over())
        });
        if is_resting && !lasts {
            return;
        }
        let id = live.copied().unwrap_or_else(|| {
            let id = self.new_incident();
            self.by_subject.insert(anomaly.subject.clone(), id);
            let incident = Box::new(Incident::first_seen(id, &anomaly));
            self.incidents.insert(id, incident);
            id
        });
        let Some(incident) = self.incidents.get_mut(&id) else {
            return;
        };
        let worst_before = incident.severity;
        if let Some(transition) = incident.anomalous(&anomaly, now, rules) {
            step.transitions.push(transition);
            step.touched.insert(id);
        }
        if incident.severity > worst_before && incident.phase.is_open() {
            step.touched.insert(id);
        }
        if fresh.len() < WINDOWS && !anomaly.window().times.is_empty() {
            fresh.insert(id, anomaly.evidence);
        }
    }

    /// Lets a subject's incident take a point that is not anomalous.
    fn well(
        &mut self,
        subject: &Subject,
        step: &mut Step,
        take: impl FnOnce(&mut Incident) -> Option<IncidentTransition>,
    ) {
        let Some(incident) = self.known(subject) else {
            return;
        };
        let known_again = incident.unknown_since.is_some() && incident.phase.is_open();
        let transition = take(incident);
        if known_again || transition.is_some() {
            step.touched.insert(incident.id);
        }
        step.transitions.extend(transition);
    }

    /// Forgets an incident that was pending and has not been seen often enough for so long that it never was one.
    fn forget_if_never_one(&mut self, subject: &Subject, rules: &Hysteresis) {
        let forgotten = self
            .known(subject)
            .filter(|incident| incident.is_forgotten(rules));
        if let Some(id) = forgotten.map(|incident| incident.id) {
            self.drop_incident(id);
        }
    }

    fn known(&mut self, subject: &Subject) -> Option<&mut Incident> {
        let incident = self.incidents.get_mut(self.by_subject.get(subject)?)?;
        Some(incident)
    }

    /// Forgets a pending incident as if it had never been.
    pub(super) fn drop_incident(&mut self, id: u64) {
        if let Some(incident) = self.incidents.remove(&id) {
            self.by_subject.remove(&incident.subject);
        }
    }
}

/// When an incident about the subject opens and ends.
fn rules_for(subject: &Subject, policy: &AlertPolicy, flapping: Option<u32>) -> Hysteresis {
    let rules = policy.hysteresis;
    if !subject.kind().is_confirmed {
        return rules.damped(flapping);
    }
    let confirmed = Hysteresis {
        seen: 1,
        of: 1,
        resolve_after: flapping.map_or(0.0, |_| FLAPPING_CONFIRMED),
        ..rules
    };
    confirmed.damped(flapping)
}

fn unknown(incident: &mut Incident, now: f64, step: &mut Step) {
    if incident.unknown_since.is_none() && !incident.phase.is_over() {
        incident.unknown_since = Some(now);
        if incident.phase.is_open() {
            step.touched.insert(incident.id);
        }
    }
}

/// Most severe first; what is not anomalous comes last.
fn badness(observation: &Observation) -> f64 {
    match &observation.outcome {
        ObservedOutcome::Anomalous(anomaly) => 1.0 + anomaly.severity as u8 as f64 * 2.0 + anomaly.score(),
        _ => 0.0,
    }
}
