//! Taking in reports: those of observers of ours, and those that other servers have taken from theirs.

use std::sync::Arc;

use skywatch_algorithms::verdicts::{HealthMetric, HealthObservation, VIEW_LENGTH};

use super::Plane;
use super::records::{Accepted, Incoming, ReportOrigin, Row, Taken};
use super::subject::{Kept, MICROSECOND, SUBJECT_BYTES, VIEW_BYTES, cost};
use crate::health::limits::HealthRefusal;

/// Servers whose numbers are remembered for a view; repeats of more are not recognised.
const SOURCES: usize = 64;

impl Plane {
    /// Takes a report of an observer of ours. A subject that nobody watched is watched from now on.
    pub fn submit(&mut self, handle: u64, report: &Incoming, now: i64) -> Result<Accepted, HealthRefusal> {
        self.handles.check(handle, report.observer)?;
        let (subject, observer) = (
            self.names.intern(report.subject),
            self.names.intern(report.observer),
        );
        let observation = self.observation(report);
        self.room_for(&subject, &observer, &observation)?;
        let is_new = self.watch(&subject, now)?;
        for held in self.hold.take(&subject, &self.options.holding, now) {
            if self.room_for(&subject, &held.observer, &held.observation).is_ok() {
                self.add(&subject, &held.observer, &held.observation, held.origin, now);
            }
        }
        let sequence = self.add(&subject, &observer, &observation, None, now);
        self.look_at(&subject, now);
        let ignored_by = self
            .subjects
            .get(&subject)
            .map(|known| known.ignored_by.iter().cloned().collect());
        Ok(Accepted {
            sequence,
            subject,
            observer,
            observation,
            is_new,
            ignored_by: ignored_by.unwrap_or_default(),
        })
    }

    /// Takes a report that another server has taken from an observer of its own. `sequence` is its number there, 0 for none.
    pub fn learn(
        &mut self,
        source: &str,
        sequence: u64,
        report: &Incoming,
        now: i64,
    ) -> Result<Taken, HealthRefusal> {
        let (subject, observer) = (
            self.names.intern(report.subject),
            self.names.intern(report.observer),
        );
        let known = self.subjects.get(&subject);
        let is_watched = known.is_some_and(|known| known.watched.is_some());
        let last = known
            .and_then(|known| known.views.get(&observer))
            .and_then(|kept| kept.learned.iter().find(|last| *last.source == *source));
        if sequence > 0 && last.is_some_and(|last| last.sequence >= sequence) {
            return Ok(Taken::Repeat);
        }
        let origin = Some(ReportOrigin {
            source: self.names.intern(source),
            sequence,
        });
        let observation = self.observation(report);
        if !is_watched && self.options.filter {
            let lost = self.hold.put(
                &subject,
                observer,
                observation,
                origin,
                &self.options.holding,
                now,
            );
            self.unheld += lost as u64;
            return Ok(Taken::Ignored);
        }
        self.room_for(&subject, &observer, &observation)?;
        let is_new = self.watch(&subject, now)?;
        let number = self.add(&subject, &observer, &observation, origin, now);
        // Whoever tells us of a subject is interested in it.
        self.attend(source, &subject);
        self.look_at(&subject, now);
        Ok(Taken::Accepted(Accepted {
            sequence: number,
            subject,
            observer,
            observation,
            is_new,
            ignored_by: Vec::new(),
        }))
    }

    fn observation(&mut self, report: &Incoming) -> Arc<HealthObservation> {
        let metrics = report.metrics.iter().map(|(name, status, score)| HealthMetric {
            name: self.names.intern(name),
            status: *status,
            score: *score,
        });
        Arc::new(HealthObservation::new(report.at, metrics.collect()))
    }

    /// Whether a report fits in.
    fn room_for(
        &self,
        subject: &str,
        observer: &str,
        observation: &HealthObservation,
    ) -> Result<(), HealthRefusal> {
        let limits = &self.options.limits;
        let known = self.subjects.get(subject);
        let full = |what, limit| Err(HealthRefusal::Full { what, limit });
        if known.is_none() && self.subjects.len() >= limits.subjects {
            return full("subjects", limits.subjects);
        }
        let has_view = known.is_some_and(|known| known.views.contains_key(observer));
        if !has_view && known.is_some_and(|known| known.views.len() >= limits.views) {
            return full("observers of a subject", limits.views);
        }
        let needed = cost(observation) + if has_view { 0 } else { VIEW_BYTES + SUBJECT_BYTES };
        if self.memory + needed > limits.memory {
            return full("bytes of reports", limits.memory);
        }
        Ok(())
    }

    /// Adds an observation to its view; there is room for it, and the subject is known.
    fn add(
        &mut self,
        subject: &Arc<str>,
        observer: &Arc<str>,
        observation: &Arc<HealthObservation>,
        origin: Option<ReportOrigin>,
        now: i64,
    ) -> u64 {
        // Microseconds, so that numbers grow over restarts even if the file was lost.
        let sequence = (self.sequence + 1).max(u64::try_from(now / MICROSECOND).unwrap_or(0));
        self.sequence = sequence;
        if let Some(superseded) = self.put(subject, observer, observation, origin.as_ref(), sequence) {
            self.rows.push(Row::Superseded(superseded));
        }
        self.rows.push(Row::Observation {
            sequence,
            subject: Arc::clone(subject),
            observer: Arc::clone(observer),
            observation: Arc::clone(observation),
            origin,
        });
        sequence
    }

    /// The part of adding that restoring shares. Gives the number of the one that went.
    pub(super) fn put(
        &mut self,
        subject: &Arc<str>,
        observer: &Arc<str>,
        observation: &Arc<HealthObservation>,
        origin: Option<&ReportOrigin>,
        sequence: u64,
    ) -> Option<u64> {
        let known = self.subjects.get_mut(subject)?;
        let kept = known.views.entry(Arc::clone(observer)).or_insert_with(|| {
            self.memory += VIEW_BYTES + observer.len();
            Kept::default()
        });
        let mut superseded = None;
        if kept.view.len() == VIEW_LENGTH {
            self.memory -= kept.view.iter().next().map_or(0, cost);
            superseded = kept.numbers.pop_front().map(|(number, _)| number);
        } else {
            self.observations += 1;
        }
        self.memory += cost(observation);
        kept.view.push(Arc::clone(observation));
        kept.numbers.push_back((sequence, origin.is_none()));
        if let Some(origin) = origin.filter(|origin| origin.sequence > 0) {
            if let Some(last) = kept.learned.iter_mut().find(|last| last.source == origin.source) {
                last.sequence = last.sequence.max(origin.sequence);
            } else if kept.learned.len() < SOURCES {
                kept.learned.push(origin.clone());
            }
        }
        superseded
    }
}
