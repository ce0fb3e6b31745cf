//! Who is to be told what, and the notices that tell it.

use std::collections::BTreeMap;

use super::decision::routed;
use super::event::{Cooldown, Step};
use super::policy::{AlertPolicy, Audience, ReceiverPolicy};
use super::{Fresh, IncidentState};
use crate::anomaly::{Evidence, Severity};
use crate::group::GroupKey;
use crate::incident::{Incident, LastTold};
use crate::notice::{BATCH, Content, Counts, LISTED, News, NewsKind, Notice, NoticeItem};

/// Incidents of one notice that keep their window, to be charted.
const CHARTED: usize = 3;

impl IncidentState {
    /// Makes the notices whose turn it is.
    pub(super) fn flush(&mut self, policy: &AlertPolicy, now: f64, fresh: &Fresh, step: &mut Step) {
        for receiver in &policy.receivers {
            let Some(waiting_news) = self.pending.get(&receiver.name) else {
                continue;
            };
            let people = receiver.audience == Audience::People;
            let ready: Vec<GroupKey> = waiting_news
                .ready(now)
                .into_iter()
                .filter(|key| !people || self.is_whole(&receiver.name, key, policy.partial_after, now))
                .collect();
            if ready.is_empty() {
                continue;
            }
            if !people {
                for key in ready {
                    self.make_notices(policy, receiver, &[key], 0, now, fresh, step);
                }
                continue;
            }
            let Some(waiting_news) = self.pending.get_mut(&receiver.name) else {
                continue;
            };
            let (new, threads): (Vec<_>, Vec<_>) = ready
                .into_iter()
                .partition(|key| matches!(key, GroupKey::New { .. }));
            let mut plan: Vec<Vec<GroupKey>> =
                if new.len() > policy.digest_from || !waiting_news.held.is_empty() {
                    Vec::from_iter((!new.is_empty()).then_some(new))
                } else {
                    new.into_iter().map(|key| vec![key]).collect()
                };
            plan.extend(threads.into_iter().map(|key| vec![key]));
            // Who has waited longest speaks first, so that a cap keeps nobody waiting for good.
            plan.sort_by(|a, b| waiting_news.since(a).total_cmp(&waiting_news.since(b)));
            let allowed = waiting_news.allowance(now, receiver.cap);
            let later = plan.split_off(allowed.min(plan.len()));
            let held_back = waiting_news.held.len();
            waiting_news.held.extend(later.into_iter().flatten());
            if !waiting_news.held.is_empty() {
                step.held_back
                    .push((receiver.name.clone(), waiting_news.held.len()));
            }
            for (place, keys) in plan.into_iter().enumerate() {
                let held_back = if place == 0 { held_back } else { 0 };
                self.make_notices(policy, receiver, &keys, held_back, now, fresh, step);
            }
        }
    }

    /// Whether a group is worth a notice yet: news that some of a thread are over waits for the rest of it.
    fn is_whole(&self, receiver: &str, key: &GroupKey, partial_after: f64, now: f64) -> bool {
        let GroupKey::Thread(thread) = key else {
            return true;
        };
        let Some(group) = self
            .pending
            .get(receiver)
            .and_then(|waiting_news| waiting_news.groups.get(key))
        else {
            return false;
        };
        let only_ends = group.due.values().all(|what| what.is_over());
        if !only_ends || now - group.since >= partial_after || group.since > now {
            return true;
        }
        let members = self.threads.get(thread).into_iter().flatten();
        members
            .filter_map(|id| self.incidents.get(id))
            .all(|incident| !incident.phase.is_open())
    }

    /// Makes the notice of groups that speak together; for a machine as many as their incidents fill.
    #[expect(
        clippy::too_many_arguments,
        reason = "one place calls it, and each is of another kind"
    )]
    fn make_notices(
        &mut self,
        policy: &AlertPolicy,
        receiver: &ReceiverPolicy,
        keys: &[GroupKey],
        held_back: usize,
        now: f64,
        fresh: &Fresh,
        step: &mut Step,
    ) {
        let people = receiver.audience == Audience::People;
        let Some(waiting_news) = self.pending.get_mut(&receiver.name) else {
            return;
        };
        let groups = waiting_news.speak(keys, people, now);
        let Some(first) = groups.first() else { return };
        let due: BTreeMap<u64, NewsKind> = groups
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
        let (in_one, listed) = if people {
            (told.len().max(1), LISTED)
        } else {
            (BATCH, BATCH)
        };
        for told in told.chunks(in_one) {
            let id = self.new_notice_id();
            let thread = match &keys[0] {
                GroupKey::Thread(thread) => thread.clone(),
                GroupKey::New { .. } => id.clone(),
            };
            let counts = self.mark_told(policy, &receiver.name, &thread, told, &due, now, step);
            let members = self.threads.get(&thread).into_iter().flatten();
            let still_open = members
                .filter_map(|id| self.incidents.get(id))
                .filter(|incident| incident.phase.is_open())
                .count() as u64;
            let repeat = policy
                .routes
                .find(&first.route)
                .and_then(|route| route.pace.repeat);
            let items = told.iter().take(listed).enumerate().map(|(place, id)| {
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
                receiver: receiver.name.clone(),
                route: first.route.clone(),
                at: now,
                content: Content::Incidents(News {
                    items: items.collect(),
                    counts,
                    still_open,
                    held_back: held_back as u64,
                    group,
                }),
                base_url: policy.base_url.clone(),
                command: policy.command.clone(),
            });
            // That it still lasts is no part of its history.
            let news = told.iter().filter(|id| due[id] != NewsKind::Lasts);
            step.told.push(news.copied().collect());
        }
        if people {
            step.paced.insert(receiver.name.clone());
        }
    }

    /// Notes on each incident that the receiver was told of it, and counts what it was told.
    #[expect(
        clippy::too_many_arguments,
        reason = "one place calls it, and each is of another kind"
    )]
    fn mark_told(
        &mut self,
        policy: &AlertPolicy,
        receiver: &str,
        thread: &str,
        ids: &[u64],
        due: &BTreeMap<u64, NewsKind>,
        now: f64,
        step: &mut Step,
    ) -> Counts {
        let mut counts = Counts::default();
        for id in ids {
            let (Some(incident), Some(what)) = (self.incidents.get_mut(id), due.get(id)) else {
                continue;
            };
            incident.waiting.remove(receiver);
            if *what == NewsKind::Lasts {
                if let Some(told) = incident.told.get_mut(receiver) {
                    told.refreshed_at = Some(now);
                    self.wake_at = f64::NEG_INFINITY;
                }
                counts.firing += 1;
                counts.critical += u64::from(incident.severity == Severity::Critical);
                continue;
            }
            let route = match incident.told.get(receiver) {
                Some(told) => told.route.clone(),
                None => routed(policy, &self.failing, incident, now)
                    .into_iter()
                    .find(|(name, _)| *name == receiver)
                    .map(|(_, route)| route.name.clone())
                    .unwrap_or_default(),
            };
            let firing = what.is_firing();
            let fired_before = incident.told.get(receiver).map(|told| told.fired_at);
            let told = LastTold {
                thread: thread.to_owned(),
                route,
                at: now,
                fired_at: if firing { now } else { fired_before.unwrap_or(now) },
                severity: incident.severity,
                over: what.is_over(),
                acknowledged: *what == NewsKind::Acknowledged,
                refreshed_at: None,
            };
            incident.told.insert(receiver.to_owned(), told);
            step.touched.insert(*id);
            // What is next to be said of it, and when, is another thing now.
            self.wake_at = f64::NEG_INFINITY;
            self.threads.entry(thread.to_owned()).or_default().insert(*id);
            if firing {
                counts.firing += 1;
                counts.critical += u64::from(incident.severity == Severity::Critical);
            } else if *what == NewsKind::Acknowledged {
                counts.acknowledged += 1;
            } else {
                counts.resolved += 1;
            }
            // The word that it is over ends the quiet that the word of its beginning began.
            let subjects = self.cooldowns.entry(receiver.to_owned()).or_default();
            let told = if firing {
                let told = (now, incident.severity);
                subjects.insert(incident.subject.clone(), told);
                Some(told)
            } else if what.is_over() && subjects.remove(&incident.subject).is_some() {
                None
            } else {
                continue;
            };
            step.cooldowns.push(Cooldown {
                receiver: receiver.to_owned(),
                subject: incident.subject.clone(),
                told,
            });
        }
        counts
    }

    fn item(
        &self,
        incident: &Incident,
        what: NewsKind,
        repeat: Option<f64>,
        now: f64,
        evidence: Option<Vec<Evidence>>,
    ) -> NoticeItem {
        let mut anomaly = incident.anomaly.clone();
        if let Some(evidence) = evidence {
            anomaly.evidence = evidence;
        }
        let over = what.is_over();
        let remark = match (&incident.ack, what) {
            (Some(ack), NewsKind::Acknowledged) => format!("{} has it", ack.by),
            (_, NewsKind::SilenceEnded) => match incident.silence_ended_by {
                Some(change) => format!("the silence has ended, as {change}"),
                None => String::new(),
            },
            _ => String::new(),
        };
        NoticeItem {
            incident: incident.id,
            what,
            anomaly,
            severity: incident.severity,
            since: incident.since,
            until: incident.closed_at.filter(|_| over),
            ending: incident.ending.clone().filter(|_| over),
            flapping: incident.flapping(now),
            before: 0,
            last_before: None,
            not_before: repeat
                .filter(|_| what.is_firing() && what != NewsKind::Lasts)
                .map(|repeat| now + repeat),
            remark,
            causes: None,
        }
    }
}

/// Firing before over, severe before mild, high scores before low; then by name.
fn worst_first(a: &Incident, a_what: NewsKind, b: &Incident, b_what: NewsKind) -> std::cmp::Ordering {
    let rank = |incident: &Incident, what: NewsKind| (what.is_firing(), incident.severity);
    rank(b, b_what)
        .cmp(&rank(a, a_what))
        .then_with(|| b.anomaly.score().total_cmp(&a.anomaly.score()))
        .then_with(|| a.subject.cmp(&b.subject))
}
