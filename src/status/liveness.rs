//! The beat: whether the analyzer still moves, and what it is at, told without asking it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Between passes no metric is under judgement.
const NONE: usize = usize::MAX;

/// The metric one worker has under judgement; shared between that worker and the watchdog.
#[derive(Debug, Clone)]
pub struct WorkerProgress {
    /// The worker's metrics. Held for the moment of a read or a write.
    names: Arc<Mutex<Arc<Vec<Arc<str>>>>>,
    /// Its place among them, or [`NONE`]. A number, not a name, as it is told of every metric of every pass.
    at: Arc<AtomicUsize>,
}

impl Default for WorkerProgress {
    fn default() -> Self {
        Self {
            names: Arc::default(),
            at: Arc::new(AtomicUsize::new(NONE)),
        }
    }
}

impl WorkerProgress {
    /// Says which metrics the worker has.
    pub fn has(&self, names: &Arc<Vec<Arc<str>>>) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(names);
    }

    /// The worker turns to the metric at that place, or rests.
    pub fn turn_to(&self, metric: Option<usize>) {
        self.at.store(metric.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// What the worker is at.
    pub fn at(&self) -> Option<Arc<str>> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(self.at.load(Ordering::Relaxed)).map(Arc::clone)
    }
}

/// Shared between the supervisor, which sets it, and the watchdog, which reads it.
#[derive(Debug, Clone, Default)]
pub struct Liveness {
    /// When the running pass must have ended; `None` between passes. Held for the moment of a read or
    /// a write, as is the other.
    due: Arc<Mutex<Option<Instant>>>,
    workers: Arc<Mutex<Vec<WorkerProgress>>>,
}

impl Liveness {
    /// A new worker to watch.
    pub fn watch(&self, progress: WorkerProgress) {
        self.workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(progress);
    }

    /// The metrics under judgement, at most one a worker.
    pub fn at(&self) -> Vec<String> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers
            .iter()
            .filter_map(|worker| worker.at().map(|name| name.to_string()))
            .collect()
    }

    /// A pass begins and must have ended by `due`.
    pub fn pass_begins(&self, due: Instant) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = Some(due);
    }

    /// The pass has ended.
    pub fn pass_ends(&self) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether no pass is overdue.
    pub fn is_well(&self) -> bool {
        let due = *self.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.is_none_or(|due| Instant::now() < due)
    }
}
