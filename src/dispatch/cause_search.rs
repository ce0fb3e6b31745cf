//! Searches for what moved with incidents: which are under way, what they found, and why some were not made.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use skywatch_alerters::causes::IncidentCauses;

/// Why nobody looked for what moved with an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SkipReason {
    /// Too many opened at once.
    Crowd,
    /// Too many were asked before it.
    Queue,
    /// Its turn came too late.
    Late,
    /// The store was not read.
    Store,
}

impl SkipReason {
    /// All, in the order of their counters.
    pub(super) const ALL: [Self; 4] = [Self::Crowd, Self::Queue, Self::Late, Self::Store];

    /// As the counter has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Crowd => "crowd",
            Self::Queue => "queue",
            Self::Late => "late",
            Self::Store => "store",
        }
    }

    /// For people, beside the incident.
    pub(super) fn note(self) -> &'static str {
        match self {
            Self::Crowd => "more incidents opened at once than are looked at",
            Self::Queue => "too many searches waited",
            Self::Late => "its turn came too late",
            Self::Store => "the store was not read",
        }
    }
}

/// What the thread has to say.
#[derive(Debug)]
pub struct FoundCauses {
    /// What was found, by the incidents' numbers; also those that now share a cause.
    pub(super) news: Vec<(u64, IncidentCauses)>,
    /// Incidents that were not looked at.
    pub(super) skipped: Vec<(u64, SkipReason)>,
}

/// What is being looked for, and what was counted of it.
#[derive(Default)]
pub(super) struct CauseSearches {
    /// Incidents under way, and until when notices wait for them.
    under_way: HashMap<u64, Instant>,
    /// Incidents that were looked at.
    searched: u64,
    /// Those that were not, in the order of [`SkipReason::ALL`].
    skipped: [u64; SkipReason::ALL.len()],
}

impl CauseSearches {
    pub(super) fn began(&mut self, incidents: &[u64], wait: Duration) {
        let until = Instant::now() + wait;
        self.under_way.extend(incidents.iter().map(|id| (*id, until)));
    }

    pub(super) fn ended(&mut self, incidents: impl Iterator<Item = u64>) {
        for incident in incidents {
            self.searched += u64::from(self.under_way.remove(&incident).is_some());
        }
    }

    pub(super) fn skipped(&mut self, incidents: &[(u64, SkipReason)]) {
        for (incident, reason) in incidents {
            self.under_way.remove(incident);
            self.skipped[*reason as usize] += 1;
        }
    }

    pub(super) fn skipped_so_far(&self) -> u64 {
        self.skipped.iter().sum()
    }

    pub(super) fn is_awaited(&self, incident: u64, now: Instant) -> bool {
        self.under_way.get(&incident).is_some_and(|until| now < *until)
    }

    /// How long until the next wait ends; `None` while nothing is waited for.
    pub(super) fn next_end(&self) -> Option<Duration> {
        let now = Instant::now();
        let left = self
            .under_way
            .values()
            .map(|until| until.saturating_duration_since(now));
        left.filter(|left| !left.is_zero()).min()
    }

    /// Lets notices go without.
    pub(super) fn give_up(&mut self) {
        self.under_way.clear();
    }

    /// Counter name and value.
    pub(super) fn counters(&self) -> Vec<(String, u64)> {
        let skipped = SkipReason::ALL.iter().zip(self.skipped);
        let skipped = skipped.map(|(reason, n)| (format!("causes.skipped.{}", reason.name()), n));
        [("causes.searched".to_owned(), self.searched)]
            .into_iter()
            .chain(skipped)
            .collect()
    }
}

/// The names of all counters there are.
#[cfg(test)]
pub(crate) fn every_counter() -> Vec<String> {
    let mut counters = CauseSearches::default().counters();
    counters.extend(super::shared::counters(0, 0));
    counters.into_iter().map(|(name, _)| name).collect()
}
