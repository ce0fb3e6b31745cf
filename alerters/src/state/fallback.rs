//! Who is told instead of a receiver that cannot be reached.

use super::IncidentState;
use super::policy::{AlertPolicy, FailingReceivers};
use crate::anomaly::Subject;
use crate::incident::Incident;

/// What the name of a component begins with that stands for a receiver.
pub(crate) const RECEIVER_COMPONENT: &str = "skywatch.receiver.";

/// Seconds before a receiver counts as failing in which notices to it may have been made that never arrived: three tries and
/// the pauses between them.
const TRIED_FOR: f64 = 300.0;

impl IncidentState {
    /// The receivers about which an incident is open.
    pub(super) fn failing_receivers(&self, policy: &AlertPolicy) -> FailingReceivers {
        let since = |name: &String| {
            let component = Subject::Component(format!("{RECEIVER_COMPONENT}{name}"));
            let incident = self
                .about(&component)
                .filter(|incident| incident.phase.is_open())?;
            Some((name.clone(), incident.since))
        };
        let names = policy.receivers.iter().map(|receiver| &receiver.name);
        names.filter_map(since).collect()
    }
}

/// Who is told of an incident in the place of `receiver`, if that one fails and has not been told before.
pub(super) fn instead<'r>(
    policy: &'r AlertPolicy,
    failing: &FailingReceivers,
    incident: &Incident,
    receiver: &str,
) -> Option<&'r str> {
    let mut name = receiver;
    // Each may have another one in its place; a circle ends with the last.
    for _ in &policy.receivers {
        let since = failing.get(name)?;
        let arrived = incident
            .told
            .get(name)
            .is_some_and(|told| told.at < since - TRIED_FOR);
        let known = policy.receivers.iter().find(|known| known.name == name)?;
        let other = known.fallback.as_deref().filter(|_| !arrived)?;
        if !failing.contains_key(other) {
            return Some(other);
        }
        name = other;
    }
    None
}
