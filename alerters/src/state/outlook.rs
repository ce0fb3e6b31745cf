//! What would happen with a subject, for people who ask.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::IncidentState;
use super::decision::{Why, routed};
use super::event::IncidentEvent;
use super::policy::AlertPolicy;
use crate::anomaly::Subject;
use crate::incident::Incident;
use crate::matcher::About;
use crate::route::{Route, Tried};

/// Incidents up to which all of them are looked at to foretell the next notice about one.
const AHEAD: usize = 500;
/// Moments looked at for it, how far ahead, and the least time between two, seconds.
const STEPS_AHEAD: usize = 3_000;
const FAR_AHEAD: f64 = 8.0 * 86_400.0;
const SOON: f64 = 1e-3;

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

impl IncidentState {
    /// What would happen with a subject at `now`, Unix seconds.
    pub fn outlook(&self, policy: &AlertPolicy, subject: &Subject, now: f64) -> Outlook {
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
            Some(incident) => {
                let next = self.forecast(policy, incident.id, now);
                routed(policy, &self.failing, incident, now)
                    .into_iter()
                    .map(|(receiver, route)| self.prospect(policy, incident, receiver, route, &next, now))
                    .collect()
            }
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
                        cooling_until: self.cooling_until(receiver, subject, route, now),
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
        policy: &AlertPolicy,
        incident: &Incident,
        receiver: &str,
        route: &Route,
        next: &BTreeMap<String, f64>,
        now: f64,
    ) -> Prospect {
        let told = incident.told.get(receiver);
        let known = policy.receivers.iter().find(|known| known.name == receiver);
        let why = match known.map(|known| self.decision(incident, known, Some(route), now).why) {
            Some(Why::Due) => "it waits for its group's turn".to_owned(),
            Some(Why::Over) => format!("the incident is {}", incident.phase),
            Some(Why::Silenced(silence)) => format!("silence {silence} is in force"),
            Some(Why::Follows(source)) => {
                format!("it follows from incident {source}, and is told if it lasts beyond that")
            }
            Some(Why::Taken) => {
                let by = incident.ack.as_ref().map_or("somebody", |ack| ack.by.as_str());
                format!("{by} has it")
            }
            Some(Why::Held(why)) => why,
            Some(Why::Cooling) => "the receiver heard of the same subject lately".to_owned(),
            Some(Why::Told) => "it was told, and is told again if it lasts".to_owned(),
            Some(Why::ToldOnce) => "it was told".to_owned(),
            Some(Why::NoRoute) | None => "nothing is to be said".to_owned(),
        };
        Prospect {
            receiver: receiver.to_owned(),
            route: route.name.clone(),
            told_at: told.map(|told| told.at),
            cooling_until: self.cooling_until(receiver, &incident.subject, route, now),
            next_at: next.get(receiver).copied(),
            why,
        }
    }

    fn cooling_until(&self, receiver: &str, subject: &Subject, route: &Route, now: f64) -> Option<f64> {
        let (until, _) = self.cooling(receiver, subject, route, now)?;
        (until > now).then_some(until)
    }

    /// When each receiver is next told of an incident if nothing happens but that time passes, Unix seconds. The core
    /// itself is let run ahead on a copy: what is foretold is what will be done, whatever the rules are.
    fn forecast(&self, policy: &AlertPolicy, incident: u64, now: f64) -> BTreeMap<String, f64> {
        let mut ahead = self.clone();
        if ahead.incidents.len() > AHEAD {
            // In a crowd only those that may share a notice, or a cap, with this one.
            let waits = |other: &Incident| !other.waiting.is_empty();
            ahead
                .incidents
                .retain(|id, other| *id == incident || waits(other));
        }
        let mut next = BTreeMap::new();
        let mut at = now;
        for _ in 0..STEPS_AHEAD {
            let Ok(step) = ahead.step(policy, IncidentEvent::Tick, at) else {
                break;
            };
            for (notice, told) in step.notices.iter().zip(&step.told) {
                let lists = |item: &crate::notice::NoticeItem| item.incident == incident;
                if told.contains(&incident) || notice.news().is_some_and(|news| news.items.iter().any(lists))
                {
                    next.entry(notice.receiver.clone()).or_insert(at);
                }
            }
            at = ahead.next_moment(policy, at);
            if next.len() == policy.receivers.len() || at > now + FAR_AHEAD {
                break;
            }
        }
        next
    }

    /// The next moment after `now` at which there may be something to say though nothing happens; infinity is never.
    fn next_moment(&self, policy: &AlertPolicy, now: f64) -> f64 {
        let silences = self.silences.values().map(|armed| &armed.silence);
        let ends = silences
            .flat_map(|silence| [Some(silence.from), silence.until])
            .flatten();
        let turns = policy.receivers.iter().filter_map(|receiver| {
            let waiting_news = self.pending.get(&receiver.name)?;
            Some(waiting_news.next_turn(now, receiver.cap, policy.partial_after))
        });
        let first = ends
            .filter(|at| *at > now)
            .chain(turns)
            .fold(f64::INFINITY, f64::min);
        // What has just been told is asked about again at once: when it is told next follows from that.
        first.min(self.wake_at.max(now + SOON))
    }
}
