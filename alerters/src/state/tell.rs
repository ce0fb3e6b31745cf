//! Who is to be told what, and the notices that tell it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fresh, Policy, Receiver, State, Step};
use crate::anomaly::{Severity, Subject};
use crate::group::{GroupKey, Wanted};
use crate::incident::{Incident, Phase, Told};
use crate::matcher::About;
use crate::notice::{Content, Counts, Item, LISTED, News, Notice, What};
use crate::route::{Grouping, Route};

/// What the name of a component begins with that stands for a receiver.
pub(crate) const RECEIVER_COMPONENT: &str = "skywatch.receiver.";
/// Incidents of one notice that keep their window, to be charted.
const CHARTED: usize = 3;

impl State {
    /// Works out anew what waits for each receiver.
    pub(super) fn work_out(&mut self, policy: &Policy, now: f64, step: &mut Step) {
        let mut incidents = std::mem::take(&mut self.incidents);
        for incident in incidents.values_mut() {
            if incident.phase == Phase::Pending {
                continue;
            }
            // A receiver that is not there any more is waited for by nobody.
            incident
                .waiting
                .retain(|name| policy.receivers.iter().any(|receiver| receiver.name == *name));
            let silenced = self.mind_silence(incident, now, step);
            let routed = if incident.phase.is_open() && !silenced {
                routed(policy, incident, now)
            } else {
                Vec::new()
            };
            for receiver in &policy.receivers {
                let route = routed.iter().find(|(name, _)| *name == receiver.name);
                let wanted = self.wanted(
                    policy,
                    incident,
                    receiver,
                    route.map(|(_, route)| *route),
                    silenced,
                    now,
                );
                let changed = if wanted.is_some() {
                    incident.waiting.insert(receiver.name.clone())
                } else {
                    incident.waiting.remove(&receiver.name)
                };
                if changed {
                    step.touched.insert(incident.id);
                }
                if wanted.is_some() || changed {
                    let desk = self.desks.entry(receiver.name.clone()).or_default();
                    desk.want(incident.id, wanted, now);
                }
            }
        }
        self.incidents = incidents;
    }

    /// Whether the incident is under a silence; notes when one over it has ended.
    fn mind_silence(&self, incident: &mut Incident, now: f64, step: &mut Step) -> bool {
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
            }
        }
        over_it.is_some()
    }

    /// What a receiver is to be told of an incident now, if anything.
    fn wanted(
        &self,
        policy: &Policy,
        incident: &Incident,
        receiver: &Receiver,
        route: Option<&Route>,
        silenced: bool,
        now: f64,
    ) -> Option<Wanted> {
        let told = incident.told.get(&receiver.name);
        let what = if incident.phase == Phase::Resolved {
            match told {
                Some(told) if !told.over && receiver.resolved => What::Resolved,
                None if incident.waiting.contains(&receiver.name) => What::Passed,
                _ => return None,
            }
        } else if !incident.phase.is_open() || silenced {
            return None;
        } else if incident.ack.is_some() {
            told.filter(|told| !told.over && !told.acknowledged)?;
            What::Acknowledged
        } else {
            self.firing(incident, &receiver.name, told, route?, now)?
        };
        let (key, route, grouping) = match (told, route) {
            (Some(told), _) => {
                let spoken = policy.routes.find(&told.route);
                let interval = spoken.map_or(60.0, |route| route.grouping.interval);
                let at_once = Grouping {
                    depth: 0,
                    wait: 0.0,
                    interval,
                };
                (GroupKey::Thread(told.thread.clone()), told.route.clone(), at_once)
            }
            (None, Some(route)) => {
                let namespace = route.grouping.namespace(&incident.subject).to_owned();
                let key = GroupKey::New {
                    route: route.name.clone(),
                    namespace,
                };
                (key, route.name.clone(), route.grouping)
            }
            // It waited, and was over before its route would have told of it.
            (None, None) => {
                let taken = routed(policy, incident, now);
                let (_, route) = taken.into_iter().find(|(name, _)| *name == receiver.name)?;
                let namespace = route.grouping.namespace(&incident.subject).to_owned();
                let key = GroupKey::New {
                    route: route.name.clone(),
                    namespace,
                };
                (key, route.name.clone(), route.grouping)
            }
        };
        Some(Wanted {
            key,
            what,
            route,
            grouping,
        })
    }

    /// What a route would say of an open incident that nobody has taken.
    pub(super) fn firing(
        &self,
        incident: &Incident,
        receiver: &str,
        told: Option<&Told>,
        route: &Route,
        now: f64,
    ) -> Option<What> {
        let Some(told) = told else {
            if route.limits.hold(&incident.anomaly).is_some() {
                return None;
            }
            if incident.silence_ended_at.is_some() {
                return Some(What::SilenceEnded);
            }
            if self
                .cooling_until(receiver, &incident.subject, route, now)
                .is_some_and(|until| now < until)
            {
                return None;
            }
            return Some(if incident.returns > 0 {
                What::Returned
            } else {
                What::Opened
            });
        };
        if incident.silence_ended_at.is_some_and(|ended| ended > told.at) {
            Some(What::SilenceEnded)
        } else if told.over {
            (now >= told.fired_at + route.pace.cooldown || told.fired_at > now).then_some(What::Returned)
        } else if incident.severity > told.severity {
            Some(What::Worse)
        } else {
            let repeat = route.pace.repeat?;
            (now >= told.fired_at + repeat || told.fired_at > now + repeat).then_some(What::Reminder)
        }
    }

    /// Until when a receiver is left in peace about a subject, Unix seconds.
    pub(super) fn cooling_until(
        &self,
        receiver: &str,
        subject: &Subject,
        route: &Route,
        now: f64,
    ) -> Option<f64> {
        let at = *self.cooldowns.get(receiver)?.get(subject)?;
        // A time ahead of now is that of a clock that was wrong.
        (at <= now).then_some(at + route.pace.cooldown)
    }

    /// Makes the notices whose turn it is.
    pub(super) fn flush(&mut self, policy: &Policy, now: f64, fresh: &Fresh, step: &mut Step) {
        for receiver in &policy.receivers {
            let Some(desk) = self.desks.get(&receiver.name) else {
                continue;
            };
            let ready: Vec<GroupKey> = desk
                .ready(now)
                .into_iter()
                .filter(|key| self.is_whole(&receiver.name, key, policy.partial_after, now))
                .collect();
            if ready.is_empty() {
                continue;
            }
            let Some(desk) = self.desks.get_mut(&receiver.name) else {
                continue;
            };
            let (new, threads): (Vec<_>, Vec<_>) = ready
                .into_iter()
                .partition(|key| matches!(key, GroupKey::New { .. }));
            let mut plan: Vec<Vec<GroupKey>> = if new.len() > policy.digest_from || !desk.held.is_empty() {
                Vec::from_iter((!new.is_empty()).then_some(new))
            } else {
                new.into_iter().map(|key| vec![key]).collect()
            };
            plan.extend(threads.into_iter().map(|key| vec![key]));
            // Who has waited longest speaks first, so that a cap keeps nobody waiting for good.
            plan.sort_by(|a, b| desk.since(a).total_cmp(&desk.since(b)));
            let allowed = desk.allowance(now, receiver.cap);
            let later = plan.split_off(allowed.min(plan.len()));
            let held_back = desk.held.len();
            desk.held.extend(later.into_iter().flatten());
            if !desk.held.is_empty() {
                step.held_back.push((receiver.name.clone(), desk.held.len()));
            }
            for (place, keys) in plan.into_iter().enumerate() {
                let held_back = if place == 0 { held_back } else { 0 };
                self.make_notice(policy, &receiver.name, &keys, held_back, now, fresh, step);
            }
        }
    }

    /// Whether a group is worth a notice yet: news that some of a thread are over waits for the rest of it.
    fn is_whole(&self, receiver: &str, key: &GroupKey, partial_after: f64, now: f64) -> bool {
        let GroupKey::Thread(thread) = key else {
            return true;
        };
        let Some(group) = self.desks.get(receiver).and_then(|desk| desk.groups.get(key)) else {
            return false;
        };
        let only_ends = group.due.values().all(|what| *what == What::Resolved);
        if !only_ends || now - group.since >= partial_after || group.since > now {
            return true;
        }
        let members = self.threads.get(thread).into_iter().flatten();
        members
            .filter_map(|id| self.incidents.get(id))
            .all(|incident| !incident.phase.is_open())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one place calls it, and each is of another kind"
    )]
    fn make_notice(
        &mut self,
        policy: &Policy,
        receiver: &str,
        keys: &[GroupKey],
        held_back: usize,
        now: f64,
        fresh: &Fresh,
        step: &mut Step,
    ) {
        let Some(desk) = self.desks.get_mut(receiver) else {
            return;
        };
        let groups = desk.speak(keys, now);
        let Some(first) = groups.first() else { return };
        let id = format!("{}.{}", self.origin, self.next.notice);
        self.next.notice += 1;
        let (thread, route) = match &keys[0] {
            GroupKey::Thread(thread) => (thread.clone(), first.route.clone()),
            GroupKey::New { .. } => (id.clone(), first.route.clone()),
        };
        let due: BTreeMap<u64, What> = groups
            .iter()
            .flat_map(|group| &group.due)
            .map(|(id, what)| (*id, *what))
            .collect();
        let mut told: Vec<u64> = due
            .keys()
            .copied()
            .filter(|id| self.incidents.contains_key(id))
            .collect();
        told.sort_by(|a, b| worst_first(&self.incidents[a], due[a], &self.incidents[b], due[b]));
        let counts = self.mark_told(policy, receiver, &thread, &due, now, step);
        let members = self.threads.get(&thread).into_iter().flatten();
        let still_open = members
            .filter_map(|id| self.incidents.get(id))
            .filter(|incident| incident.phase.is_open())
            .count() as u64;
        let repeat = policy.routes.find(&route).and_then(|route| route.pace.repeat);
        let items = told.iter().take(LISTED).enumerate().map(|(place, id)| {
            let window = fresh.get(id).filter(|_| place < CHARTED);
            self.item(&self.incidents[id], due[id], repeat, now, window.cloned())
        });
        let group = match keys {
            [GroupKey::New { namespace, .. }] if told.len() > 1 => namespace.clone(),
            _ => String::new(),
        };
        step.notices.push(Notice {
            id,
            thread,
            receiver: receiver.to_owned(),
            route,
            at: now,
            content: Content::Incidents(News {
                items: items.collect(),
                counts,
                still_open,
                held_back: held_back as u64,
                group,
            }),
            base_url: policy.base_url.clone(),
        });
        step.told.push(told);
        step.paced.insert(receiver.to_owned());
    }

    /// Notes on each incident that the receiver was told of it, and counts what it was told.
    fn mark_told(
        &mut self,
        policy: &Policy,
        receiver: &str,
        thread: &str,
        due: &BTreeMap<u64, What>,
        now: f64,
        step: &mut Step,
    ) -> Counts {
        let mut counts = Counts::default();
        for (id, what) in due {
            let Some(incident) = self.incidents.get_mut(id) else {
                continue;
            };
            let route = match incident.told.get(receiver) {
                Some(told) => told.route.clone(),
                None => routed(policy, incident, now)
                    .into_iter()
                    .find(|(name, _)| *name == receiver)
                    .map(|(_, route)| route.name.clone())
                    .unwrap_or_default(),
            };
            let firing = what.is_firing();
            let fired_before = incident.told.get(receiver).map(|told| told.fired_at);
            let told = Told {
                thread: thread.to_owned(),
                route,
                at: now,
                fired_at: if firing { now } else { fired_before.unwrap_or(now) },
                severity: incident.severity,
                over: matches!(what, What::Resolved | What::Passed),
                acknowledged: *what == What::Acknowledged,
            };
            incident.told.insert(receiver.to_owned(), told);
            incident.waiting.remove(receiver);
            step.touched.insert(*id);
            self.threads.entry(thread.to_owned()).or_default().insert(*id);
            if firing {
                counts.firing += 1;
                counts.critical += u64::from(incident.severity == Severity::Critical);
            } else if *what == What::Acknowledged {
                counts.acknowledged += 1;
            } else {
                counts.resolved += 1;
            }
            if firing || *what == What::Passed {
                let subjects = self.cooldowns.entry(receiver.to_owned()).or_default();
                subjects.insert(incident.subject.clone(), now);
                step.cooldowns
                    .push((receiver.to_owned(), incident.subject.clone(), now));
            }
        }
        counts
    }

    fn item(
        &self,
        incident: &Incident,
        what: What,
        repeat: Option<f64>,
        now: f64,
        window: Option<crate::anomaly::Evidence>,
    ) -> Item {
        let mut anomaly = incident.anomaly.clone();
        if let Some(window) = window {
            anomaly.evidence = window;
        }
        let remark = match (&incident.ack, what) {
            (Some(ack), What::Acknowledged) => format!("{} has it", ack.by),
            _ => String::new(),
        };
        Item {
            incident: incident.id,
            what,
            anomaly,
            severity: incident.severity,
            since: incident.since,
            until: incident.closed_at.filter(|_| !what.is_firing()),
            before: 0,
            last_before: None,
            not_before: repeat.filter(|_| what.is_firing()).map(|repeat| now + repeat),
            remark,
        }
    }
}

/// The receivers an open incident leads to, each with the first route that leads there. What is wrong with a receiver is
/// told to others.
pub(super) fn routed<'r>(policy: &'r Policy, incident: &Incident, now: f64) -> Vec<(&'r str, &'r Route)> {
    let about = About {
        name: incident.subject.name(),
        severity: incident.severity,
        anomaly: Some(&incident.anomaly),
    };
    let taking = policy.routes.taking(&about, now);
    let failing = match &incident.subject {
        Subject::Component(name) => name.strip_prefix(RECEIVER_COMPONENT),
        _ => None,
    };
    let mut seen = BTreeSet::new();
    let mut routed: Vec<(&str, &Route)> = Vec::new();
    for route in &taking {
        for receiver in &route.receivers {
            if Some(receiver.as_str()) != failing && seen.insert(receiver.as_str()) {
                routed.push((receiver, route));
            }
        }
    }
    if let (true, Some(failing), Some(route)) = (routed.is_empty(), failing, taking.first()) {
        let others = policy
            .receivers
            .iter()
            .filter(|receiver| receiver.name != failing);
        routed.extend(others.map(|receiver| (receiver.name.as_str(), *route)));
    }
    routed
}

/// Firing before over, severe before mild, high scores before low; then by name.
fn worst_first(a: &Incident, a_what: What, b: &Incident, b_what: What) -> std::cmp::Ordering {
    let rank = |incident: &Incident, what: What| (what.is_firing(), incident.severity);
    rank(b, b_what)
        .cmp(&rank(a, a_what))
        .then_with(|| b.anomaly.score().total_cmp(&a.anomaly.score()))
        .then_with(|| a.subject.cmp(&b.subject))
}
