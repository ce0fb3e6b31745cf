//! What would happen with a subject, for people who ask.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::tell::routed;
use super::{Policy, State};
use crate::anomaly::Subject;
use crate::incident::Incident;
use crate::matcher::About;
use crate::route::Tried;

/// What is known of a subject and who would hear of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Its live incident.
    pub incident: Option<Incident>,
    /// Numbers of the silences over it that are in force.
    pub silences: Vec<u64>,
    /// Every route looked at on the way.
    pub tried: Vec<Tried>,
    /// Each receiver it leads to.
    pub prospects: Vec<Prospect>,
}

/// What one receiver was told and will be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prospect {
    /// The receiver.
    pub receiver: String,
    /// The route that leads there.
    pub route: String,
    /// When it was last told of the live incident, Unix seconds.
    pub told_at: Option<f64>,
    /// Unix seconds before which it hears of no new incident about the subject.
    pub cooling_until: Option<f64>,
    /// When it is next told if nothing changes, Unix seconds; `None` when it is not.
    pub next_at: Option<f64>,
    /// Why it is so, in a sentence.
    pub why: String,
}

impl State {
    /// What would happen with a subject at `now`, Unix seconds.
    pub fn outlook(&self, policy: &Policy, subject: &Subject, now: f64) -> Outlook {
        let incident = self.about(subject);
        let silences: Vec<u64> = self
            .silences
            .values()
            .filter(|armed| armed.in_force(now))
            .filter(|armed| match incident {
                Some(incident) => armed.covers(incident),
                None => armed.covers_name(subject.name()),
            })
            .map(|armed| armed.silence.id)
            .collect();
        let about = About {
            name: subject.name(),
            severity: incident.map_or_else(Default::default, |incident| incident.severity),
            anomaly: incident.map(|incident| &incident.anomaly),
        };
        let tried = policy.routes.explain(&about, now);
        let prospects = match incident {
            Some(incident) => routed(policy, incident, now)
                .into_iter()
                .map(|(receiver, route)| self.prospect(incident, receiver, route, &silences, now))
                .collect(),
            None => {
                let taking = policy.routes.taking(&about, now);
                let leads = taking
                    .iter()
                    .flat_map(|route| route.receivers.iter().map(move |receiver| (receiver, route)));
                let mut seen = BTreeSet::new();
                leads
                    .filter(|(receiver, _)| seen.insert(receiver.as_str()))
                    .map(|(receiver, route)| Prospect {
                        receiver: receiver.clone(),
                        route: route.name.clone(),
                        told_at: None,
                        cooling_until: self
                            .cooling_until(receiver, subject, route, now)
                            .filter(|until| *until > now),
                        next_at: None,
                        why: "nothing is wrong with it".to_owned(),
                    })
                    .collect()
            }
        };
        Outlook {
            incident: incident.cloned(),
            silences,
            tried,
            prospects,
        }
    }

    fn prospect(
        &self,
        incident: &Incident,
        receiver: &str,
        route: &crate::route::Route,
        silences: &[u64],
        now: f64,
    ) -> Prospect {
        let told = incident.told.get(receiver);
        let cooling_until = self
            .cooling_until(receiver, &incident.subject, route, now)
            .filter(|until| *until > now);
        let (next_at, why) = if let Some(silence) = silences.first() {
            let until = self.silence(*silence).and_then(|silence| silence.until);
            (until, format!("silence {silence} is in force"))
        } else if !incident.phase.is_open() {
            (None, format!("the incident is {}", incident.phase))
        } else if let Some(ack) = &incident.ack {
            (None, format!("{} has it", ack.by))
        } else if let Some(held) = route.limits.hold(&incident.anomaly).filter(|_| told.is_none()) {
            (None, held)
        } else if self.firing(incident, receiver, told, route, now).is_some() {
            (Some(now), "it waits for its group's turn".to_owned())
        } else if let (None, Some(until)) = (told, cooling_until) {
            (
                Some(until),
                "the receiver heard of the same subject lately".to_owned(),
            )
        } else if let Some(told) = told {
            match route.pace.repeat {
                Some(repeat) => (
                    Some(told.fired_at + repeat),
                    "it was told, and is told again if it lasts".to_owned(),
                ),
                None => (None, "it was told".to_owned()),
            }
        } else {
            (None, "nothing is to be said".to_owned())
        };
        Prospect {
            receiver: receiver.to_owned(),
            route: route.name.clone(),
            told_at: told.map(|told| told.at),
            cooling_until,
            next_at,
            why,
        }
    }
}
