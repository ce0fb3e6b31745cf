//! What can be asked of a plane. Answers are copies that share their observations, so nobody holds the plane for long.

use std::collections::BTreeMap;
use std::sync::Arc;

use skywatch_algorithms::verdicts::{
    Assessment, HealthObservation, HealthState, HealthView, Inference, assess, infer,
};

use super::Plane;
use super::records::PlaneChange;
use super::subject::PlaneSubject;

/// How a subject is, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectVerdict {
    /// Its state, which flapping may keep worse than what is assessed.
    pub state: HealthState,
    /// Since when, in Unix nanoseconds.
    pub since: i64,
    /// Whether it goes back and forth.
    pub flapping: bool,
    /// What is assessed now, with its evidence.
    pub assessment: Assessment,
}

/// How much is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaneCounts {
    /// Subjects with a report or a watcher.
    pub subjects: usize,
    /// Observers with a handle.
    pub observers: usize,
    /// Observations in views.
    pub observations: usize,
    /// Estimated bytes of them.
    pub memory: usize,
    /// Reports held of what is not watched.
    pub held: usize,
    /// Reports that were given up while they were held, since the start.
    pub unheld: u64,
}

/// Views of one subject, by observer.
pub type Views = Vec<(Arc<str>, HealthView)>;

/// An observation of an observer of ours, with its number, for a server that wants to know what is known.
pub(crate) type Numbered = (u64, Arc<str>, HealthObservation);

impl Plane {
    /// The newest report about a subject; of equal times that of the first observer by name.
    #[must_use]
    pub fn latest(&self, subject: &str) -> Option<(Arc<str>, HealthObservation)> {
        let known = self.subjects.get(subject)?;
        let mut found: Option<(&Arc<str>, &HealthObservation)> = None;
        for (observer, kept) in &known.views {
            for seen in kept.view.iter() {
                if found.is_none_or(|(_, newest)| seen.at() > newest.at()) {
                    found = Some((observer, seen));
                }
            }
        }
        found.map(|(observer, seen)| (Arc::clone(observer), seen.clone()))
    }

    /// All views of a subject, by observer; `None` if there is none.
    #[must_use]
    pub fn views(&self, subject: &str) -> Option<Views> {
        let known = self.subjects.get(subject)?;
        (!known.views.is_empty()).then(|| copies(known))
    }

    /// One view.
    #[must_use]
    pub fn view(&self, subject: &str, observer: &str) -> Option<HealthView> {
        let kept = self.subjects.get(subject)?.views.get(observer)?;
        Some(kept.view.clone())
    }

    /// The majority's verdict on a subject.
    #[must_use]
    pub fn inference(&self, subject: &str) -> Option<Inference> {
        let known = self.subjects.get(subject)?;
        infer(known.views.iter().map(|(observer, kept)| (observer, &kept.view)))
    }

    /// What is watched, and since when.
    #[must_use]
    pub fn watched(&self) -> Vec<(Arc<str>, i64)> {
        let subjects = self.subjects.iter();
        subjects
            .filter_map(|(name, known)| Some((Arc::clone(name), known.watched?)))
            .collect()
    }

    /// All views of all subjects that have one.
    #[must_use]
    pub fn all_views(&self) -> Vec<(Arc<str>, Views)> {
        let known = self.subjects.iter().filter(|(_, known)| !known.views.is_empty());
        known
            .map(|(name, known)| (Arc::clone(name), copies(known)))
            .collect()
    }

    /// Our verdict on a subject at `now`; `None` if it is not watched.
    #[must_use]
    pub fn verdict(&self, subject: &str, now: i64) -> Option<SubjectVerdict> {
        self.verdict_of(self.subjects.get(subject)?, now)
    }

    /// All verdicts from a state on, by name of the subject.
    #[must_use]
    pub fn verdicts(&self, at_least: HealthState, now: i64) -> Vec<(Arc<str>, SubjectVerdict)> {
        let mut found: Vec<_> = self
            .subjects
            .iter()
            .filter(|(_, known)| known.state() >= at_least)
            .filter_map(|(name, known)| Some((Arc::clone(name), self.verdict_of(known, now)?)))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    fn verdict_of(&self, known: &PlaneSubject, now: i64) -> Option<SubjectVerdict> {
        let watched = known.watched?;
        let views = known.views.iter().map(|(observer, kept)| (observer, &kept.view));
        let assessment = assess(views, &self.options.policy, now);
        let track = known.track.as_ref();
        Some(SubjectVerdict {
            state: known.state(),
            since: track.map_or(watched, |track| track.since()),
            flapping: track.is_some_and(|track| track.is_flapping(&self.options.damping, now)),
            assessment,
        })
    }

    /// The last changes of one subject or of all, the newest first.
    pub fn transitions<'p>(&'p self, subject: Option<&'p str>) -> impl Iterator<Item = &'p PlaneChange> {
        let newest = self.transitions.iter().rev();
        newest.filter(move |change| subject.is_none_or(|subject| *change.subject == *subject))
    }

    /// What observers of ours have seen of a subject, in the order in which it came.
    pub(crate) fn own_observations(&self, subject: &str) -> Vec<Numbered> {
        let mut own = Vec::new();
        let views = self
            .subjects
            .get(subject)
            .into_iter()
            .flat_map(|known| &known.views);
        for (observer, kept) in views {
            let numbered = kept
                .view
                .iter()
                .zip(&kept.numbers)
                .filter(|(_, (_, is_own))| *is_own);
            own.extend(numbered.map(|(seen, (number, _))| (*number, Arc::clone(observer), seen.clone())));
        }
        own.sort_by_key(|(number, _, _)| *number);
        own
    }

    /// Whether a server does not want to hear of a subject.
    #[must_use]
    pub fn is_ignored_by(&self, subject: &str, peer: &str) -> bool {
        self.subjects
            .get(subject)
            .is_some_and(|known| known.ignored_by.contains(peer))
    }

    /// How many watched subjects are in each state.
    #[must_use]
    pub fn states(&self) -> BTreeMap<HealthState, usize> {
        let mut found = HealthState::ALL.map(|state| (state, 0)).into();
        let watched = self.subjects.values().filter(|known| known.watched.is_some());
        watched.fold(&mut found, |found: &mut BTreeMap<_, _>, known| {
            *found.entry(known.state()).or_default() += 1;
            found
        });
        found
    }

    /// How much is known.
    #[must_use]
    pub fn counts(&self) -> PlaneCounts {
        PlaneCounts {
            subjects: self.subjects.len(),
            observers: self.handles.len(),
            observations: self.observations,
            memory: self.memory,
            held: self.hold.len(),
            unheld: self.unheld,
        }
    }
}

impl PlaneSubject {
    fn state(&self) -> HealthState {
        self.track
            .as_ref()
            .map_or(HealthState::Unknown, |track| track.state())
    }
}

fn copies(known: &PlaneSubject) -> Views {
    let views = known.views.iter();
    views
        .map(|(observer, kept)| (Arc::clone(observer), kept.view.clone()))
        .collect()
}
