//! The beat: whether the analyzer still moves, and what it is at, told without asking it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The metric one worker has under judgement; shared between that worker and the watchdog.
#[derive(Debug, Clone, Default)]
pub struct WorkerProgress {
    /// `None` between passes. Held for the moment of a read or a write.
    at: Arc<Mutex<Option<Arc<str>>>>,
}

impl WorkerProgress {
    /// The worker turns to a metric, or rests.
    pub fn turn_to(&self, metric: Option<&Arc<str>>) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = metric.map(Arc::clone);
    }

    /// What the worker is at.
    pub fn at(&self) -> Option<Arc<str>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
