//! Who is to be told what, and when: worked out anew from each incident and from what was told of it.

use std::collections::BTreeSet;

use super::IncidentState;
use super::event::Step;
use super::fallback::{RECEIVER_COMPONENT, instead};
use super::inhibit::mind_sources;
use super::policy::{AlertPolicy, FailingReceivers, ReceiverPolicy};
use crate::anomaly::{Severity, Subject};
use crate::group::{GroupKey, WantedNews};
use crate::incident::{Incident, LastTold, Phase};
use crate::matcher::About;
use crate::notice::NewsKind;
use crate::route::{Grouping, Route};

/// What a receiver is to be told of an incident at one moment, and why: the one answer both notices and forecasts follow.
#[derive(Debug)]
pub(super) struct NewsDecision {
    /// What is to be said now.
    pub(super) what: Option<NewsKind>,
    /// When the answer may be another one though nothing happens, Unix seconds; infinity is never.
    pub(super) next: f64,
    /// Why.
    pub(super) why: Why,
}

/// Why something is said or not.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Why {
    /// It is to be said.
    Due,
    /// The incident has ended, and nothing of that is left to be said.
    Over,
    /// A silence of this number is in force.
    Silenced(u64),
    /// It follows from the incident of this number.
    Follows(u64),
    /// Somebody has it.
    Taken,
    /// No route leads there now.
    NoRoute,
    /// It is too small for the route.
    Held(String),
    /// The receiver heard of the same subject lately.
    Cooling,
    /// It was told, and is told again.
    Told,
    /// It was told.
    ToldOnce,
}

impl NewsDecision {
    fn say(what: NewsKind) -> Self {
        Self {
            what: Some(what),
            next: f64::INFINITY,
            why: Why::Due,
        }
    }

    fn wait(next: f64, why: Why) -> Self {
        Self {
            what: None,
            next,
            why,
        }
    }

    fn nothing(why: Why) -> Self {
        Self::wait(f64::INFINITY, why)
    }
}

impl IncidentState {
    /// Works out anew what waits for each receiver.
    pub(super) fn work_out(&mut self, policy: &AlertPolicy, now: f64, step: &mut Step) {
        self.failing = self.failing_receivers(policy);
        let sources = self.active_sources(policy, now);
        let mut incidents = std::mem::take(&mut self.incidents);
        let mut wake = sources
            .iter()
            .map(|source| source.until)
            .fold(f64::INFINITY, f64::min);
        for incident in incidents.values_mut() {
            if incident.phase == Phase::Pending {
                continue;
            }
            // A receiver that is not there any more is waited for by nobody.
            incident
                .waiting
                .retain(|name| policy.receivers.iter().any(|receiver| receiver.name == *name));
            self.mind_silence(incident, now, step);
            mind_sources(incident, &sources, step);
            let routed = if incident.phase.is_open() && incident.silenced_by.is_none() {
                routed(policy, &self.failing, incident, now)
            } else {
                Vec::new()
            };
            for receiver in &policy.receivers {
                let route = routed.iter().find(|(name, _)| *name == receiver.name);
                let route = route.map(|(_, route)| *route);
                let decision = self.decision(incident, receiver, route, now);
                wake = wake.min(decision.next);
                let wanted = decision
                    .what
                    .and_then(|what| self.wanted(policy, incident, receiver, route, what, now));
                let changed = if wanted.is_some() {
                    incident.waiting.insert(receiver.name.clone())
                } else {
                    incident.waiting.remove(&receiver.name)
                };
                // That it still lasts need not be remembered as waiting: it is asked anew.
                if changed && decision.what != Some(NewsKind::Lasts) {
                    step.touched.insert(incident.id);
                }
                if wanted.is_some() || changed {
                    let waiting_news = self.pending.entry(receiver.name.clone()).or_default();
                    waiting_news.want(incident.id, wanted, now);
                }
            }
        }
        self.incidents = incidents;
        self.wake_at = if self.minds_the_hour(policy) {
            wake.min(next_minute(now))
        } else {
            wake
        };
    }

    /// Whether what is said may change with the hour of the day.
    fn minds_the_hour(&self, policy: &AlertPolicy) -> bool {
        !self.incidents.is_empty()
            && (policy.routes.have_hours()
                || self.silences.values().any(|armed| armed.silence.hours.is_some()))
    }

    /// Notes under which silence the incident is, and when one over it has ended.
    fn mind_silence(&self, incident: &mut Incident, now: f64, step: &mut Step) {
        let before = incident.silenced_by;
        let over_it = self
            .silences
            .values()
            .find(|armed| incident.phase.is_open() && armed.in_force(now) && armed.covers(incident));
        incident.silenced_by = over_it.map(|armed| armed.silence.id);
        if before != incident.silenced_by {
            step.touched.insert(incident.id);
            // One that is in force and merely does not cover it at the moment has not ended.
            let ended = |id: u64| self.silences.get(&id).is_none_or(|armed| !armed.in_force(now));
            if before.is_some_and(ended) && over_it.is_none() && incident.phase.is_open() {
                incident.silence_ended_at = Some(now);
                let until_change = before
                    .and_then(|id| self.silences.get(&id))
                    .and_then(|armed| armed.silence.until_change.as_ref());
                incident.silence_ended_by = until_change.and_then(|until| until.ended_by);
            }
        }
    }

    /// What a receiver is to be told of an incident now, and if nothing, when that may change.
    pub(super) fn decision(
        &self,
        incident: &Incident,
        receiver: &ReceiverPolicy,
        route: Option<&Route>,
        now: f64,
    ) -> NewsDecision {
        let told = incident.told.get(&receiver.name);
        let decision = self.decide_by_route(incident, receiver, told, route, now);
        let (Some(refresh), Some(told)) = (receiver.audience.refresh(), told) else {
            return decision;
        };
        if decision.what.is_some() || !incident.phase.is_open() || told.over {
            return decision;
        }
        // Whatever keeps people from being told, a machine that is told nothing takes it for over.
        let last = told.refreshed_at.map_or(told.at, |at| at.max(told.at));
        let due = last + refresh;
        if now >= due || last > now {
            NewsDecision::say(NewsKind::Lasts)
        } else {
            NewsDecision {
                next: decision.next.min(due),
                ..decision
            }
        }
    }

    fn decide_by_route(
        &self,
        incident: &Incident,
        receiver: &ReceiverPolicy,
        told: Option<&LastTold>,
        route: Option<&Route>,
        now: f64,
    ) -> NewsDecision {
        if incident.phase.is_over() {
            return match told {
                Some(told) if !told.over && receiver.resolved => {
                    NewsDecision::say(NewsKind::of_end(incident.phase))
                }
                // Whoever closed it before anybody was told knows of it.
                None if incident.waiting.contains(&receiver.name) && incident.phase != Phase::Closed => {
                    NewsDecision::say(NewsKind::Passed)
                }
                _ => NewsDecision::nothing(Why::Over),
            };
        }
        if !incident.phase.is_open() {
            return NewsDecision::nothing(Why::Over);
        }
        if let Some(silence) = incident.silenced_by {
            return NewsDecision::nothing(Why::Silenced(silence));
        }
        if let (Some(source), None) = (incident.inhibited_by, told) {
            return NewsDecision::nothing(Why::Follows(source));
        }
        if incident.ack.is_some() {
            return match told {
                Some(told) if !told.over && !told.acknowledged => NewsDecision::say(NewsKind::Acknowledged),
                _ => NewsDecision::nothing(Why::Taken),
            };
        }
        match route {
            Some(route) => self.firing(incident, &receiver.name, told, route, now),
            None => NewsDecision::nothing(Why::NoRoute),
        }
    }

    /// What is to be said, and with which others.
    fn wanted(
        &self,
        policy: &AlertPolicy,
        incident: &Incident,
        receiver: &ReceiverPolicy,
        route: Option<&Route>,
        what: NewsKind,
        now: f64,
    ) -> Option<WantedNews> {
        let told = incident.told.get(&receiver.name);
        let taken;
        let route = match (told, route) {
            (Some(told), _) => {
                let recent_sends = policy.routes.find(&told.route);
                let at_once = Grouping {
                    depth: 0,
                    wait: 0.0,
                    interval: recent_sends.map_or(60.0, |route| route.grouping.interval),
                };
                return Some(WantedNews {
                    key: GroupKey::Thread(told.thread.clone()),
                    what,
                    route: told.route.clone(),
                    grouping: receiver.audience.grouping(at_once),
                });
            }
            (None, Some(route)) => route,
            // It waited, and was over before its route would have told of it.
            (None, None) => {
                taken = routed(policy, &self.failing, incident, now);
                taken.iter().find(|(name, _)| *name == receiver.name)?.1
            }
        };
        let grouping = receiver.audience.grouping(route.grouping);
        let namespace = grouping.namespace(&incident.subject).to_owned();
        Some(WantedNews {
            key: GroupKey::New {
                route: route.name.clone(),
                namespace,
            },
            what,
            route: route.name.clone(),
            grouping,
        })
    }

    /// What a route would say of an open incident that nobody has taken.
    fn firing(
        &self,
        incident: &Incident,
        receiver: &str,
        told: Option<&LastTold>,
        route: &Route,
        now: f64,
    ) -> NewsDecision {
        let Some(told) = told else {
            if let Some(held) = route.limits.hold(&incident.anomaly) {
                return NewsDecision::nothing(Why::Held(held));
            }
            if incident.silence_ended_at.is_some() {
                return NewsDecision::say(NewsKind::SilenceEnded);
            }
            if let Some((until, severity)) = self.cooling(receiver, &incident.subject, route, now)
                && now < until
                && incident.severity <= severity
            {
                return NewsDecision::wait(until, Why::Cooling);
            }
            return NewsDecision::say(if incident.returns > 0 {
                NewsKind::Returned
            } else {
                NewsKind::Opened
            });
        };
        if incident.silence_ended_at.is_some_and(|ended| ended > told.at) {
            return NewsDecision::say(NewsKind::SilenceEnded);
        }
        // Whoever was told that it is over believes so until he is told otherwise.
        if told.over {
            return NewsDecision::say(NewsKind::Returned);
        }
        if incident.severity > told.severity {
            return NewsDecision::say(NewsKind::Worse);
        }
        match route.pace.repeat {
            // A time ahead of now is that of a clock that was wrong.
            Some(repeat) if now >= told.fired_at + repeat || told.fired_at > now + repeat => {
                NewsDecision::say(NewsKind::Reminder)
            }
            Some(repeat) => NewsDecision::wait(told.fired_at + repeat, Why::Told),
            None => NewsDecision::nothing(Why::ToldOnce),
        }
    }

    /// Until when a receiver is left in peace about a subject, Unix seconds, unless it becomes worse than this.
    pub(super) fn cooling(
        &self,
        receiver: &str,
        subject: &Subject,
        route: &Route,
        now: f64,
    ) -> Option<(f64, Severity)> {
        let (at, severity) = *self.cooldowns.get(receiver)?.get(subject)?;
        // A time ahead of now is that of a clock that was wrong.
        (at <= now).then_some((at + route.pace.cooldown, severity))
    }
}

/// The beginning of the minute after `now`: hours of the day are told in minutes.
pub(super) fn next_minute(now: f64) -> f64 {
    (now / 60.0).floor() * 60.0 + 60.0
}

/// The receivers an open incident leads to, each with the first route that leads there. What is wrong with a receiver is
/// told to others. While a receiver cannot be reached, the one that is told instead is among them.
pub(super) fn routed<'r>(
    policy: &'r AlertPolicy,
    failing_receivers: &FailingReceivers,
    incident: &Incident,
    now: f64,
) -> Vec<(&'r str, &'r Route)> {
    let about = About {
        name: incident.subject.name(),
        severity: incident.severity,
        anomaly: Some(&incident.anomaly),
    };
    let taking = policy.routes.taking(&about, now);
    let failing = incident.subject.name().strip_prefix(RECEIVER_COMPONENT);
    let mut seen = BTreeSet::new();
    let mut routed: Vec<(&str, &Route)> = Vec::new();
    for route in &taking {
        for receiver in &route.receivers {
            if Some(receiver.as_str()) != failing && seen.insert(receiver.as_str()) {
                routed.push((receiver, route));
            }
        }
    }
    let mut others: Vec<(&str, &Route)> = Vec::new();
    for (receiver, route) in &routed {
        if let Some(other) = instead(policy, failing_receivers, incident, receiver)
            && Some(other) != failing
            && seen.insert(other)
        {
            others.push((other, *route));
        }
    }
    routed.extend(others);
    if let (true, Some(failing), Some(route)) = (routed.is_empty(), failing, taking.first()) {
        let others = policy
            .receivers
            .iter()
            .filter(|receiver| receiver.name != failing);
        routed.extend(others.map(|receiver| (receiver.name.as_str(), *route)));
    }
    routed
}
