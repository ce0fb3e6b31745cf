//! The way back: what rows said, after a restart. What is watched comes first, the rest in the order of its numbers; nothing
//! of this makes rows again.

use std::sync::Arc;

use skywatch_algorithms::verdicts::{HealthObservation, Track};

use super::Plane;
use super::records::{PlaneChange, ReportOrigin};

impl Plane {
    /// A subject is watched.
    pub fn restore_watched(&mut self, subject: &str, since: i64) {
        let subject = self.names.intern(subject);
        if let Ok(known) = self.subject(&subject) {
            known.watched = Some(since);
        }
    }

    /// An observer has a handle.
    pub fn restore_handle(&mut self, handle: u64, module: &str, observer: &str) {
        let (module, observer) = (self.names.intern(module), self.names.intern(observer));
        self.handles.restore(handle, module, observer);
    }

    /// A server does not want to hear of a subject.
    pub fn restore_ignoring(&mut self, peer: &str, subject: &str) {
        let (peer, subject) = (self.names.intern(peer), self.names.intern(subject));
        if let Ok(known) = self.subject(&subject) {
            known.ignored_by.insert(peer);
        }
    }

    /// The one copy of a name, for what is restored.
    pub fn restore_name(&mut self, name: &str) -> Arc<str> {
        self.names.intern(name)
    }

    /// A report is in its view. One about a subject that is not watched is left out.
    pub fn restore_observation(
        &mut self,
        sequence: u64,
        subject: &Arc<str>,
        observer: &Arc<str>,
        observation: HealthObservation,
        origin: Option<&ReportOrigin>,
    ) {
        self.sequence = self.sequence.max(sequence);
        self.put(subject, observer, &Arc::new(observation), origin, sequence);
    }

    /// The last number that was given, also to what is no longer known.
    pub fn restore_sequence(&mut self, sequence: u64) {
        self.sequence = self.sequence.max(sequence);
    }

    /// A subject changed.
    pub fn restore_change(&mut self, change: PlaneChange) {
        let transition = &change.transition;
        if let Some(known) = self.subjects.get_mut(&change.subject) {
            let before = known.track.take();
            let before = before.unwrap_or_else(|| Track::new(transition.from, transition.at));
            known.track = Some(before.after(transition));
        }
        self.note(change);
    }

    /// All is restored: how the subjects are now. What has changed meanwhile is a change like any other.
    pub fn restored(&mut self, now: i64) {
        let subjects: Vec<_> = self.subjects.keys().cloned().collect();
        for subject in subjects {
            self.look_at(&subject, now);
        }
    }
}
