//! What goes together in one notice, and how many of them one receiver gets.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::notice::NewsKind;
use crate::route::Grouping;

/// Seconds after which it does not matter any more when a group last spoke.
const LONGEST_INTERVAL: f64 = 7_200.0;

/// What one receiver is to be told, until it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct PendingByReceiver {
    /// What waits, by group.
    pub(crate) groups: BTreeMap<GroupKey, Group>,
    /// The group each incident waits in.
    places: HashMap<u64, GroupKey>,
    /// When groups last spoke, and the latest notices: what must be known after a restart.
    pub(crate) pace: RecentSends,
    /// Groups whose turn it was while the rate cap held them back.
    pub(crate) held: BTreeSet<GroupKey>,
}

/// What a receiver was sent lately; kept over restarts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentSends {
    /// Unix seconds of the notices within the rate cap's time, oldest first.
    sent: VecDeque<f64>,
    /// Unix seconds of the last notice about each group of new incidents, by route and namespace.
    groups: BTreeMap<String, f64>,
}

/// Incidents of one route whose names begin alike; or the later news of one thread.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GroupKey {
    /// Incidents nobody has heard of yet.
    New {
        /// The route that took them.
        route: String,
        /// What their names have in common.
        namespace: String,
    },
    /// More about what was told in this thread.
    Thread(String),
}

impl GroupKey {
    fn as_text(&self) -> String {
        match self {
            Self::New { route, namespace } => format!("{route}/{namespace}"),
            Self::Thread(thread) => format!("/{thread}"),
        }
    }
}

/// Incidents that wait to be told of together.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// Since when the first of them waits, Unix seconds.
    pub(crate) since: f64,
    /// The route they were taken by; of a thread, the one it began with.
    pub(crate) route: String,
    /// How long, and how often.
    pub(crate) grouping: Grouping,
    /// What is to be said of which incident.
    pub(crate) due: BTreeMap<u64, NewsKind>,
}

impl PendingByReceiver {
    /// Notes what is to be said about an incident, or that nothing is any more.
    pub(crate) fn want(&mut self, incident: u64, wanted: Option<WantedNews>, now: f64) {
        let same_place = |key: &GroupKey| wanted.as_ref().is_some_and(|wanted| wanted.key == *key);
        if let Some(place) = self.places.get(&incident)
            && !same_place(place)
        {
            if let Some(group) = self.groups.get_mut(place) {
                group.due.remove(&incident);
                if group.due.is_empty() {
                    self.groups.remove(place);
                    self.held.remove(place);
                }
            }
            self.places.remove(&incident);
        }
        if let Some(wanted) = wanted {
            self.places.insert(incident, wanted.key.clone());
            let group = self.groups.entry(wanted.key).or_insert_with(|| Group {
                since: now,
                route: wanted.route,
                grouping: wanted.grouping,
                due: BTreeMap::new(),
            });
            group.due.insert(incident, wanted.what);
        }
    }

    /// The groups whose turn it is at `now`, in order.
    pub(crate) fn ready(&self, now: f64) -> Vec<GroupKey> {
        let turn = |(key, group): &(&GroupKey, &Group)| {
            let spoke = self.pace.groups.get(&key.as_text());
            // A time ahead of now is that of a clock that was wrong.
            let rested = spoke.is_none_or(|at| now - at >= group.grouping.interval || *at > now);
            rested && (now - group.since >= group.grouping.wait || group.since > now)
        };
        let ready = self.groups.iter().filter(turn);
        ready.map(|(key, _)| key.clone()).collect()
    }

    /// Since when the first of these groups waits, Unix seconds.
    pub(crate) fn since(&self, keys: &[GroupKey]) -> f64 {
        let groups = keys.iter().filter_map(|key| self.groups.get(key));
        groups.map(|group| group.since).fold(f64::INFINITY, f64::min)
    }

    /// How many notices may go out at `now`.
    pub(crate) fn allowance(&mut self, now: f64, cap: RateCap) -> usize {
        self.pace.sent.retain(|at| now - at < cap.per && *at <= now);
        cap.notices.saturating_sub(self.pace.sent.len())
    }

    /// When it may be the turn of a group that is not ready at `now`, or of one that the cap holds back; infinity is
    /// never.
    pub(crate) fn next_turn(&self, now: f64, cap: RateCap, partial_after: f64) -> f64 {
        let mut next = f64::INFINITY;
        let mut at = |moment: f64| {
            if moment > now {
                next = next.min(moment);
            }
        };
        for (key, group) in &self.groups {
            at(group.since + group.grouping.wait);
            at(group.since + partial_after);
            if let Some(spoke) = self.pace.groups.get(&key.as_text()) {
                at(spoke + group.grouping.interval);
            }
        }
        if !self.groups.is_empty() {
            self.pace.sent.iter().for_each(|sent| at(sent + cap.per));
        }
        next
    }

    /// Takes out groups that speak now; with `paced` it counts for the cap and for how often they speak.
    pub(crate) fn speak(&mut self, keys: &[GroupKey], paced: bool, now: f64) -> Vec<Group> {
        if paced {
            self.pace.sent.push_back(now);
            self.pace.groups.retain(|_, at| now - *at < LONGEST_INTERVAL);
        }
        let mut speaking = Vec::with_capacity(keys.len());
        for key in keys {
            if paced {
                self.pace.groups.insert(key.as_text(), now);
            }
            self.held.remove(key);
            if let Some(group) = self.groups.remove(key) {
                for incident in group.due.keys() {
                    self.places.remove(incident);
                }
                speaking.push(group);
            }
        }
        speaking
    }
}

/// What is to be said about one incident, and with which others.
pub(crate) struct WantedNews {
    pub(crate) key: GroupKey,
    pub(crate) what: NewsKind,
    pub(crate) route: String,
    pub(crate) grouping: Grouping,
}

/// How many notices a receiver gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateCap {
    /// So many …
    pub notices: usize,
    /// … in so many seconds.
    pub per: f64,
}
