//! What is known: subjects with their views, who is watched, who may submit. It does no I/O and reads no clock.
//!
//! Every change is also a [`Row`], in the order in which it was made; whoever writes the rows down and hands them to
//! [`Plane::restore`] after a restart has the same plane again. A subject's state is worked out with each report and, as votes
//! expire, when [`Plane::tick`] says so; the majority verdict is worked out when it is asked for, so it is never an old one.

mod handles;
mod hold;
mod interest;
mod names;
mod options;
mod queries;
mod records;
mod reports;
mod restore;
mod subject;
#[cfg(test)]
mod tests;
mod upkeep;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use self::handles::Handles;
use self::hold::Hold;
pub use self::hold::Holding;
use self::names::HealthNames;
pub use self::options::Options;
pub(crate) use self::queries::Numbered;
pub use self::queries::{PlaneCounts, SubjectVerdict, Views};
pub use self::records::{Accepted, Expiry, Incoming, PlaneChange, ReportOrigin, Row, Taken};
use self::subject::{PlaneSubject, SUBJECT_BYTES, bytes_of};
use super::limits::HealthRefusal;

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
}
