//! What time does to a plane: subjects are assessed when a report comes and when their votes expire, and what is too old is
//! dropped.

use std::cmp::Reverse;
use std::sync::Arc;

use skywatch_algorithms::verdicts::{SECOND, Track, assess};

use super::Plane;
use super::records::{Expiry, PlaneChange, Row};
use super::subject::bytes_of;

/// Views from which on a subject is not assessed with each report, but [`SOON`] after the first of several.
pub(super) const MANY_VIEWS: usize = 32;
/// Nanoseconds.
pub(super) const SOON: i64 = SECOND / 10;
/// Pieces of evidence a transition keeps, the deciding ones.
const EVIDENCE_KEPT: usize = 8;
/// Transitions kept in memory; a state is kept on its own.
const TRANSITIONS: usize = 10_000;

impl Plane {
    /// Drops observations, and says how many.
    pub fn expire(&mut self, expiry: Expiry, now: i64) -> usize {
        let mut gone = Vec::new();
        let mut touched = Vec::new();
        for (name, known) in &mut self.subjects {
            let before = gone.len();
            known.views.retain(|observer, kept| {
                let old = bytes_of(observer, kept);
                kept.expire(expiry, &mut gone);
                let stays = !kept.view.is_empty();
                self.memory -= old - if stays { bytes_of(observer, kept) } else { 0 };
                stays
            });
            if gone.len() > before {
                touched.push(Arc::clone(name));
            }
        }
        self.observations -= gone.len();
        let count = gone.len();
        if count > 0 {
            self.rows.push(Row::Forgotten(gone));
        }
        for subject in touched {
            self.look_at(&subject, now);
        }
        self.hold.expire(&self.options.holding, now);
        count
    }

    /// Looks again at all subjects whose time has come. Says when to come again, in Unix nanoseconds.
    pub fn tick(&mut self, now: i64) -> Option<i64> {
        while let Some(Reverse((at, _))) = self.due.peek() {
            if *at > now {
                return Some(*at);
            }
            let Some(Reverse((at, subject))) = self.due.pop() else {
                break;
            };
            if self.subjects.get(&subject).is_some_and(|known| known.due == at) {
                self.assess(&subject, now);
            }
        }
        None
    }

    /// Works out a subject's state, now or soon.
    pub(super) fn look_at(&mut self, subject: &Arc<str>, now: i64) {
        let many = self
            .subjects
            .get(subject)
            .is_some_and(|known| known.views.len() > MANY_VIEWS);
        if many {
            self.schedule(subject, Some(now.saturating_add(SOON)), false);
        } else {
            self.assess(subject, now);
        }
    }

    fn assess(&mut self, subject: &Arc<str>, now: i64) {
        let Some(known) = self.subjects.get_mut(subject) else {
            return;
        };
        let views = known.views.iter().map(|(observer, kept)| (observer, &kept.view));
        let found = assess(views, &self.options.policy, now);
        let damping = &self.options.damping;
        let transition = match &mut known.track {
            Some(track) => track.step(found.state, damping, now),
            None => {
                known.track = Some(Track::new(found.state, now));
                None
            }
        };
        let calm = known.track.as_ref().and_then(|track| track.due(damping));
        if let Some(transition) = transition {
            let mut evidence = found.evidence;
            evidence.truncate(EVIDENCE_KEPT);
            let change = PlaneChange {
                subject: Arc::clone(subject),
                transition,
                evidence,
            };
            self.note(change.clone());
            self.rows.push(Row::Changed(change));
        }
        self.schedule(subject, [found.due, calm].into_iter().flatten().min(), true);
    }

    pub(super) fn note(&mut self, change: PlaneChange) {
        if self.transitions.len() == TRANSITIONS {
            self.transitions.pop_front();
        }
        self.transitions.push_back(change);
    }

    /// Has a subject looked at again at `due`; an earlier time stays unless `replace`.
    fn schedule(&mut self, subject: &Arc<str>, due: Option<i64>, replace: bool) {
        let Some(known) = self.subjects.get_mut(subject) else {
            return;
        };
        let due = due.unwrap_or(i64::MAX);
        if due == known.due || !replace && due > known.due {
            return;
        }
        // Entries of an earlier time stay in the heap; when they come up, the subject's own time says that they are old.
        known.due = due;
        if due < i64::MAX {
            self.due.push(Reverse((due, Arc::clone(subject))));
        }
        if self.due.len() > 1_024 + 4 * self.subjects.len() {
            let subjects = &self.subjects;
            self.due
                .retain(|Reverse((at, subject))| subjects.get(subject).is_some_and(|known| known.due == *at));
        }
    }
}
