//! Reports of other servers about subjects nobody here is interested in, kept for a while: if somebody becomes interested, they
//! are there.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use skywatch_algorithms::verdicts::{HealthObservation, SECOND};

use super::records::ReportOrigin;

/// How much is held, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Nanoseconds.
    pub time: i64,
    /// Reports about one subject; the oldest goes.
    pub each: usize,
    /// Reports about all subjects; beyond that none is held.
    pub all: usize,
}

impl Default for Holding {
    /// The original's; `all` is ours.
    fn default() -> Self {
        Self {
            time: 180 * SECOND,
            each: 60,
            all: 100_000,
        }
    }
}

/// A report that is held.
#[derive(Debug, Clone)]
pub(super) struct HeldReports {
    pub(super) observer: Arc<str>,
    pub(super) observation: Arc<HealthObservation>,
    pub(super) origin: Option<ReportOrigin>,
    since: i64,
}

/// What is held, by subject.
#[derive(Debug, Default)]
pub(super) struct Hold {
    subjects: HashMap<Arc<str>, VecDeque<HeldReports>>,
    count: usize,
}

impl Hold {
    /// Holds a report that came at `now`. Says how many reports were given up for it, or instead of it.
    pub(super) fn put(
        &mut self,
        subject: &Arc<str>,
        observer: Arc<str>,
        observation: Arc<HealthObservation>,
        origin: Option<ReportOrigin>,
        holding: &Holding,
        now: i64,
    ) -> usize {
        if self.count >= holding.all {
            self.expire(holding, now);
        }
        let full = self.count >= holding.all;
        let held = self.subjects.entry(Arc::clone(subject)).or_default();
        let mut lost = 0;
        while !held.is_empty() && (full && lost == 0 || held.len() >= holding.each) {
            held.pop_front();
            lost += 1;
        }
        if full && lost == 0 || holding.each == 0 {
            if held.is_empty() {
                self.subjects.remove(subject);
            }
            return 1;
        }
        held.push_back(HeldReports {
            observer,
            observation,
            origin,
            since: now,
        });
        self.count = self.count + 1 - lost;
        lost
    }

    /// Takes out what is held about a subject, oldest first.
    pub(super) fn take(&mut self, subject: &str, holding: &Holding, now: i64) -> Vec<HeldReports> {
        let held = self.subjects.remove(subject).unwrap_or_default();
        self.count -= held.len();
        let fresh = held
            .into_iter()
            .filter(|held| held.since > now.saturating_sub(holding.time));
        fresh.collect()
    }

    /// Drops what was held for too long.
    pub(super) fn expire(&mut self, holding: &Holding, now: i64) {
        let limit = now.saturating_sub(holding.time);
        self.subjects.retain(|_, held| {
            held.retain(|held| held.since > limit);
            !held.is_empty()
        });
        self.count = self.subjects.values().map(VecDeque::len).sum();
    }

    /// How many reports are held.
    pub(super) fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_reports_are_held_for_a_while() {
        let holding = Holding {
            time: 100,
            each: 3,
            all: 4,
        };
        let mut hold = Hold::default();
        let put = |hold: &mut Hold, subject: &str, now| {
            let seen = Arc::new(HealthObservation::new(now, Vec::new()));
            hold.put(&Arc::from(subject), "o".into(), seen, None, &holding, now)
        };
        assert_eq!([1, 2, 3, 4].map(|now| put(&mut hold, "a", now)), [0, 0, 0, 1]);
        assert_eq!(put(&mut hold, "b", 5), 0);
        // All is full: another subject gets nothing, one that has some gives up its oldest.
        assert_eq!(
            (put(&mut hold, "c", 6), put(&mut hold, "b", 7), hold.len()),
            (1, 1, 4)
        );
        // What is too old makes room.
        assert_eq!((put(&mut hold, "c", 103), hold.len()), (0, 3));
        let times =
            |held: Vec<HeldReports>| held.iter().map(|held| held.observation.at()).collect::<Vec<_>>();
        assert_eq!(times(hold.take("a", &holding, 103)), [4]);
        assert!(times(hold.take("b", &holding, 107)).is_empty());
        assert_eq!(
            (times(hold.take("a", &holding, 103)), hold.len()),
            (Vec::new(), 1)
        );
    }
}
