//! What is known: subjects with their views, who is watched, who may submit. It does no I/O and reads no clock.
//!
//! Every change is also a [`Row`], in the order in which it was made; whoever writes the rows down and hands them to
//! [`Plane::restore`] after a restart has the same plane again. A subject's state is worked out with each report and, as votes
//! expire, when [`Plane::tick`] says so; the majority verdict is worked out when it is asked for, so it is never an old one.

mod handles;
mod hold;
mod names;
mod queries;
mod restore;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use skywatch_algorithms::verdicts::{
    Damping, HealthEvidence, HealthMetric, HealthObservation, HealthView, Policy, SECOND, Status, Track,
    Transition, VIEW_LENGTH, assess,
};

use self::handles::Handles;
use self::hold::Hold;
pub use self::hold::Holding;
use self::names::HealthNames;
pub(crate) use self::queries::Numbered;
pub use self::queries::Views;
pub use self::queries::{PlaneCounts, SubjectVerdict};
use super::limits::{HealthLimits, HealthRefusal};

/// Views from which on a subject is not assessed with each report, but [`SOON`] after the first of several.
const MANY_VIEWS: usize = 32;
/// Nanoseconds.
const SOON: i64 = SECOND / 10;
/// Nanoseconds; numbers of reports count microseconds.
const MICROSECOND: i64 = 1_000;
/// Pieces of evidence a transition keeps, the deciding ones.
const EVIDENCE_KEPT: usize = 8;
/// Servers whose numbers are remembered for a view; repeats of more are not recognised.
const SOURCES: usize = 64;
/// Transitions kept in memory; a state is kept on its own.
const TRANSITIONS: usize = 10_000;
/// Estimated bytes an observation takes with its place in a view, and what each metric adds.
const OBSERVATION_BYTES: usize = 120;
const METRIC_BYTES: usize = 24;
/// Estimated bytes of a view and of a subject, with their places in maps.
const VIEW_BYTES: usize = 250;
const SUBJECT_BYTES: usize = 450;

/// How a plane works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Bounds on what is taken.
    pub limits: HealthLimits,
    /// When votes expire.
    pub policy: Policy,
    /// When a subject flaps.
    pub damping: Damping,
    /// What is held of what is not watched.
    pub holding: Holding,
    /// Whether reports of other servers are taken only about subjects that are watched here.
    pub filter: bool,
}

/// A report, checked but not kept yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming<'m> {
    /// Who saw it.
    pub observer: &'m str,
    /// Of whom.
    pub subject: &'m str,
    /// When, in Unix nanoseconds.
    pub at: i64,
    /// What: names, statuses, scores.
    pub metrics: Vec<(&'m str, Status, f32)>,
}

/// Where a learned report came from: the server, and its number there (0 for none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportOrigin {
    /// The id of the server.
    pub source: Arc<str>,
    /// Its number there.
    pub sequence: u64,
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It is kept.
    Accepted(Accepted),
    /// It was kept before.
    Repeat,
    /// Nobody is interested; it is held for a while.
    Ignored,
}

/// A report that is kept, for others to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Its number.
    pub sequence: u64,
    /// Of whom it is.
    pub subject: Arc<str>,
    /// Who saw it.
    pub observer: Arc<str>,
    /// What was seen.
    pub observation: Arc<HealthObservation>,
    /// Whether the subject is watched since this report only.
    pub is_new: bool,
    /// Servers that do not want it.
    pub ignored_by: Vec<Arc<str>>,
}

/// A change of a subject's state, with what led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaneChange {
    /// Of whom.
    pub subject: Arc<str>,
    /// From what to what.
    pub transition: Transition,
    /// The deciding votes.
    pub evidence: Vec<HealthEvidence>,
}

/// One change of what is known, to be written down.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A report was added to its view.
    Observation {
        /// Its number.
        sequence: u64,
        /// Of whom.
        subject: Arc<str>,
        /// By whom.
        observer: Arc<str>,
        /// What.
        observation: Arc<HealthObservation>,
        /// From which server, if it was learned.
        origin: Option<ReportOrigin>,
    },
    /// A newer report has taken the place of the one with this number.
    Superseded(u64),
    /// Reports that are no longer known.
    Forgotten(Vec<u64>),
    /// A subject is watched since this time.
    Watched(Arc<str>, i64),
    /// A subject is no longer watched.
    Unwatched(Arc<str>),
    /// An observer of a module got a handle.
    Registered {
        /// The handle.
        handle: u64,
        /// The module.
        module: Arc<str>,
        /// The observer.
        observer: Arc<str>,
        /// When, in Unix nanoseconds.
        at: i64,
    },
    /// A server does not want to hear of a subject.
    Ignoring(Arc<str>, Arc<str>),
    /// A server wants to hear of a subject again.
    Attending(Arc<str>, Arc<str>),
    /// A subject's state changed.
    Changed(PlaneChange),
}

/// All that is known of one subject.
#[derive(Debug, Default)]
struct PlaneSubject {
    /// Since when it is watched; `None` for one that only others told us not to tell them of.
    watched: Option<i64>,
    views: BTreeMap<Arc<str>, Kept>,
    ignored_by: BTreeSet<Arc<str>>,
    track: Option<Track>,
    /// When its assessment is due; `i64::MAX` for never. There may be older entries in the heap.
    due: i64,
}

/// A view, and the number of each of its observations.
#[derive(Debug, Default)]
struct Kept {
    view: HealthView,
    numbers: VecDeque<(u64, bool)>,
    /// The last number of each server that has told us of this.
    learned: Vec<ReportOrigin>,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Plane {
    options: Options,
    names: HealthNames,
    subjects: HashMap<Arc<str>, PlaneSubject>,
    handles: Handles,
    hold: Hold,
    /// The last number given to a report.
    sequence: u64,
    due: BinaryHeap<Reverse<(i64, Arc<str>)>>,
    /// Estimated bytes of all subjects.
    memory: usize,
    observations: usize,
    /// Reports that were given up while they were held.
    unheld: u64,
    transitions: VecDeque<PlaneChange>,
    rows: Vec<Row>,
}

impl Plane {
    /// An empty plane.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// How it works.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The changes since this was last asked, in their order.
    pub fn take_rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    /// Gives `observer` of `module` its handle, and watches it from now on.
    pub fn register(&mut self, module: &str, observer: &str, now: i64) -> Result<u64, HealthRefusal> {
        let (module, observer) = (self.names.intern(module), self.names.intern(observer));
        let (handle, is_new) = self
            .handles
            .give(&module, &observer, self.options.limits.observers)?;
        if is_new {
            let watched = Arc::clone(&observer);
            self.rows.push(Row::Registered {
                handle,
                module,
                observer,
                at: now,
            });
            self.watch(&watched, now)?;
        } else {
            self.watch(&observer, now)?;
        }
        Ok(handle)
    }

    /// Watches a subject. Says whether it was not watched before.
    pub fn observe(&mut self, subject: &str, now: i64) -> Result<bool, HealthRefusal> {
        let subject = self.names.intern(subject);
        self.watch(&subject, now)
    }

    fn watch(&mut self, subject: &Arc<str>, now: i64) -> Result<bool, HealthRefusal> {
        if self
            .subjects
            .get(subject)
            .is_some_and(|known| known.watched.is_some())
        {
            return Ok(false);
        }
        self.subject(subject)?.watched = Some(now);
        self.rows.push(Row::Watched(Arc::clone(subject), now));
        Ok(true)
    }

    /// The subject of this name, made if there is room.
    fn subject(&mut self, name: &Arc<str>) -> Result<&mut PlaneSubject, HealthRefusal> {
        let limit = self.options.limits.subjects;
        if !self.subjects.contains_key(name) {
            if self.subjects.len() >= limit {
                return Err(HealthRefusal::Full {
                    what: "subjects",
                    limit,
                });
            }
            self.memory += SUBJECT_BYTES + name.len();
        }
        let known = self.subjects.entry(Arc::clone(name));
        Ok(known.or_insert_with(|| PlaneSubject {
            due: i64::MAX,
            ..PlaneSubject::default()
        }))
    }

    /// Forgets a subject and all reports about it. Says whether it was watched.
    pub fn stop_observing(&mut self, subject: &str) -> bool {
        let Some((name, known)) = self.subjects.remove_entry(subject) else {
            return false;
        };
        let mut numbers = Vec::new();
        for (observer, kept) in &known.views {
            self.memory -= bytes_of(observer, kept);
            self.observations -= kept.view.len();
            numbers.extend(kept.numbers.iter().map(|(number, _)| *number));
        }
        self.memory -= SUBJECT_BYTES + name.len();
        self.transitions.retain(|change| change.subject != name);
        if !numbers.is_empty() {
            self.rows.push(Row::Forgotten(numbers));
        }
        self.rows.push(Row::Unwatched(Arc::clone(&name)));
        if !known.ignored_by.is_empty() {
            // Whether others want to hear of it has nothing to do with us.
            self.memory += SUBJECT_BYTES + name.len();
            let rest = PlaneSubject {
                ignored_by: known.ignored_by,
                due: i64::MAX,
                ..PlaneSubject::default()
            };
            self.subjects.insert(name, rest);
        }
        known.watched.is_some()
    }

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
    fn put(
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

    /// From now on `peer` is not told of a subject.
    pub fn ignore(&mut self, peer: &str, subject: &str) -> Result<(), HealthRefusal> {
        let (peer, subject) = (self.names.intern(peer), self.names.intern(subject));
        if self.subject(&subject)?.ignored_by.insert(Arc::clone(&peer)) {
            self.rows.push(Row::Ignoring(peer, subject));
        }
        Ok(())
    }

    /// From now on `peer` is told of a subject.
    pub fn attend(&mut self, peer: &str, subject: &str) {
        let Some((name, known)) = self.subjects.get_key_value(subject) else {
            return;
        };
        if !known.ignored_by.contains(peer) {
            return;
        }
        let (peer, subject) = (self.names.intern(peer), Arc::clone(name));
        if let Some(known) = self.subjects.get_mut(&subject) {
            known.ignored_by.remove(&peer);
            if known.watched.is_none() && known.ignored_by.is_empty() {
                self.subjects.remove(&subject);
                self.memory -= SUBJECT_BYTES + subject.len();
            }
        }
        self.rows.push(Row::Attending(peer, subject));
    }

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
    fn look_at(&mut self, subject: &Arc<str>, now: i64) {
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

    fn note(&mut self, change: PlaneChange) {
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

/// Which observations are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Those made at this time or before. Unix nanoseconds.
    MadeBefore(i64),
    /// Those made so long before the newest of their view, which stays. Nanoseconds.
    BehindNewest(i64),
    /// Those that came before this time. Unix nanoseconds.
    CameBefore(i64),
}

impl Kept {
    /// Drops observations and adds their numbers to `gone`.
    fn expire(&mut self, expiry: Expiry, gone: &mut Vec<u64>) {
        let newest = self.view.len().saturating_sub(1);
        let newest_at = self.view.newest().map_or(0, HealthObservation::at);
        let numbers = &self.numbers;
        let before = gone.len();
        self.view.retain(|position, seen| {
            let number = numbers.get(position).map_or(0, |(number, _)| *number);
            let stays = match expiry {
                Expiry::MadeBefore(limit) => seen.at() > limit,
                Expiry::BehindNewest(span) => {
                    position == newest || newest_at.saturating_sub(seen.at()) < span
                }
                Expiry::CameBefore(limit) => number >= u64::try_from(limit / MICROSECOND).unwrap_or(0),
            };
            if !stays {
                gone.push(number);
            }
            stays
        });
        let dropped = &gone[before..];
        self.numbers.retain(|(number, _)| !dropped.contains(number));
    }
}

fn cost(observation: &HealthObservation) -> usize {
    OBSERVATION_BYTES + METRIC_BYTES * observation.metrics().len()
}

fn bytes_of(observer: &str, kept: &Kept) -> usize {
    VIEW_BYTES + observer.len() + kept.view.iter().map(cost).sum::<usize>()
}
