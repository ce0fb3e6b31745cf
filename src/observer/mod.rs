//! What this process sees of what it depends on, while it works with it: the observer's side of the health plane.
//!
//! Whoever calls something keeps an [`ObservedMetric`] and says how each call went; whoever sends takes the other end, the
//! [`ObserverReports`], and hands what it finds there to a server. Between them lies no queue of calls but the state of each
//! metric, so a call that goes as the one before costs a lock that nobody else wants and two looks at a clock, and nothing grows
//! while the server is away. A change is handed out at once; what stays as it is is repeated each [`REPEAT`], once a subject. A
//! request that is not answered within [`PENDING_AFTER`] is told as pending since its beginning: what follows from that is the
//! server's to say, also if this process hangs or dies. There is no I/O here.

mod reports;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Sender, bounded};
use skywatch_algorithms::verdicts::Status;

pub use reports::{ObserverReports, OwnReport};
use subject::{BROKEN, DOUBTFUL, Sighting, SubjectSeen, WORKING};
pub use subject::{PENDING_AFTER, REPEAT};

/// Subjects one process reports on at a time; what is seen of more is not told.
const MOST_SUBJECTS: usize = 10_000;
/// Makes handles on what is observed. Cheap to clone; one that is [off](Self::off) costs nothing.
#[derive(Debug, Clone)]
pub struct Observer(Option<Arc<ObserverShared>>);

/// What handles and the sending end share.
#[derive(Debug)]
struct ObserverShared {
    /// All times inside are nanoseconds since then, so that a clock that is set overtakes no request.
    begun: Instant,
    subjects: Mutex<Subjects>,
    /// Wakes who sends: there is a change.
    changed: Sender<()>,
}

/// The subjects by name, and other names of them.
#[derive(Debug, Default)]
struct Subjects {
    known: HashMap<Arc<str>, Arc<Mutex<SubjectSeen>>>,
    aliases: HashMap<String, Arc<str>>,
    refused: u64,
}

/// One metric of one subject as this process sees it: `write` of `redis:main`. Belongs to whoever makes the calls; all handles on
/// one metric speak for the same vote.
#[derive(Debug, Clone)]
pub struct ObservedMetric(Option<MetricPlace>);

#[derive(Debug, Clone)]
struct MetricPlace {
    shared: Arc<ObserverShared>,
    subject: Arc<Mutex<SubjectSeen>>,
    metric: usize,
}

/// A request that is under way. Dropping it withdraws it: nothing is known of how it went.
#[derive(Debug)]
#[must_use = "a request that is dropped is withdrawn"]
pub struct PendingGuard<'m> {
    metric: &'m ObservedMetric,
    number: u64,
}

impl Observer {
    /// One that reports to nobody.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// One that reports, and the end at which its reports come out.
    #[must_use]
    pub fn new() -> (Self, ObserverReports) {
        let (changed, wait) = bounded(1);
        let shared = Arc::new(ObserverShared {
            begun: Instant::now(),
            subjects: Mutex::default(),
            changed,
        });
        let reports = ObserverReports {
            shared: Arc::clone(&shared),
            changed: wait,
        };
        (Self(Some(shared)), reports)
    }

    /// Whether anybody hears what is observed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// From now on `name`, an address for instance, stands for this subject.
    pub fn map_subject(&self, name: &str, subject: &str) {
        if let Some(shared) = &self.0 {
            let aliases = &mut locked(&shared.subjects).aliases;
            aliases.insert(name.to_owned(), Arc::from(subject));
        }
    }

    /// A handle on one metric of a subject, by its name or by another one it is mapped from.
    #[must_use]
    pub fn metric(&self, subject: &str, metric: &str) -> ObservedMetric {
        let Some(shared) = &self.0 else {
            return ObservedMetric(None);
        };
        let Some(subject) = locked(&shared.subjects).of(subject) else {
            return ObservedMetric(None);
        };
        let metric = locked(&subject).metric(metric);
        ObservedMetric(Some(MetricPlace {
            shared: Arc::clone(shared),
            subject,
            metric,
        }))
    }
}

impl Subjects {
    fn of(&mut self, name: &str) -> Option<Arc<Mutex<SubjectSeen>>> {
        let name: Arc<str> = self.aliases.get(name).cloned().unwrap_or_else(|| Arc::from(name));
        if let Some(known) = self.known.get(&name) {
            return Some(Arc::clone(known));
        }
        if self.known.len() >= MOST_SUBJECTS {
            // Those that nobody has a handle on, and of which all is told.
            self.known
                .retain(|_, subject| Arc::strong_count(subject) > 1 || locked(subject).is_unsent());
        }
        if self.known.len() >= MOST_SUBJECTS {
            if self.refused == 0 {
                tracing::warn!(
                    "what is seen of `{name}` is not reported :: {MOST_SUBJECTS} subjects are observed"
                );
            }
            self.refused += 1;
            return None;
        }
        let subject = Arc::new(Mutex::new(SubjectSeen::new(Arc::clone(&name))));
        self.known.insert(name, Arc::clone(&subject));
        Some(subject)
    }
}

impl ObservedMetric {
    /// One that reports to nobody.
    #[must_use]
    pub fn off() -> Self {
        Self(None)
    }

    /// Notes that a request begins.
    pub fn begin(&self) -> PendingGuard<'_> {
        let number = self.step(|seen, metric, now| seen.begin(metric, now));
        PendingGuard {
            metric: self,
            number: number.unwrap_or(0),
        }
    }

    /// Makes a call that may hang: pending while it lasts, and a failure if it gives an error.
    ///
    /// # Errors
    /// Those of the call.
    pub fn watch<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let request = self.begin();
        let outcome = call();
        match &outcome {
            Ok(_) => request.answered(),
            Err(_) => request.failed(),
        }
        outcome
    }

    /// It was seen to work.
    pub fn healthy(&self) {
        self.inform(Status::Healthy, WORKING);
    }

    /// It was seen to fail.
    pub fn failed(&self) {
        self.inform(Status::Unhealthy, BROKEN);
    }

    /// Something about it is odd.
    pub fn doubtful(&self) {
        self.inform(Status::MaybeUnhealthy, DOUBTFUL);
    }

    /// It is as it was seen last.
    pub fn still(&self) {
        self.step(SubjectSeen::still);
    }

    /// What was seen of it: a status and a score, 0 (worst) to 100.
    pub fn inform(&self, status: Status, score: f32) {
        let changed = self.step(|seen, metric, at| seen.inform(metric, Sighting { status, score, at }));
        self.wake_if(changed == Some(true));
    }

    fn step<T>(&self, step: impl FnOnce(&mut SubjectSeen, usize, i64) -> T) -> Option<T> {
        let place = self.0.as_ref()?;
        let now = place.shared.now();
        Some(step(&mut locked(&place.subject), place.metric, now))
    }

    fn wake_if(&self, changed: bool) {
        if let Some(place) = self.0.as_ref().filter(|_| changed) {
            // Full: it is about to wake.
            let _ = place.shared.changed.try_send(());
        }
    }
}

impl PendingGuard<'_> {
    /// It was answered as it should be.
    pub fn answered(self) {
        self.end(Status::Healthy, WORKING);
    }

    /// It was not.
    pub fn failed(self) {
        self.end(Status::Unhealthy, BROKEN);
    }

    fn end(self, status: Status, score: f32) {
        let number = self.number;
        let changed = self.metric.step(|seen, metric, at| {
            seen.end(metric, number);
            seen.inform(metric, Sighting { status, score, at })
        });
        self.metric.wake_if(changed == Some(true));
    }
}

impl Drop for PendingGuard<'_> {
    fn drop(&mut self) {
        // Once it has ended there is none of this number.
        self.metric.step(|seen, metric, _| seen.end(metric, self.number));
    }
}

impl ObserverShared {
    /// Nanoseconds since the beginning.
    fn now(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(i64::MAX)
    }
}

/// The lock's content: what panics holding it leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
