//! The worker threads as the supervisor holds them: orders down one channel a worker, reports up one channel for all.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::AnalyzerError;
use super::inquiry::MetricQuestion;
use super::options::WorkerOptions;
use super::report::PassReport;
use super::roster::Change;
use super::shard_pass::WorkerOrder;
use super::worker::Worker;
use crate::status::{Liveness, WorkerProgress};
use crate::stop::Stop;
use crate::store::Connect;

/// How often it is looked whether the workers live while their reports are waited for.
const LOOK_EACH: Duration = Duration::from_millis(500);

/// A worker as the supervisor holds it.
struct WorkerHandle {
    orders: Sender<WorkerOrder>,
    thread: JoinHandle<()>,
}

/// All workers.
pub(super) struct WorkerPool {
    workers: Vec<WorkerHandle>,
    reports: Receiver<PassReport>,
}

impl WorkerPool {
    /// Starts so many workers. `questions`: where each hears what people ask, in the order of their seats; fewer, or none, if nobody
    /// can ask.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(super) fn start<K: Connect>(
        connect: &K,
        workers: usize,
        options: &WorkerOptions,
        questions: &[Receiver<MetricQuestion>],
        liveness: &Liveness,
        stop: &Stop,
    ) -> Result<Self, AnalyzerError> {
        let (send_report, reports) = bounded(workers);
        let start = |number: usize| {
            let (orders, receive) = bounded(2);
            let progress = WorkerProgress::default();
            liveness.watch(progress.clone());
            let options = WorkerOptions {
                seat: (number, workers),
                ..options.clone()
            };
            let mut worker = Worker::new(connect.clone(), options, progress, stop.clone());
            if let Some(questions) = questions.get(number) {
                worker = worker.with_questions(questions.clone());
            }
            let send_report = send_report.clone();
            let thread = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || worker.run(&receive, &send_report))
                .map_err(AnalyzerError::Thread)?;
            Ok(WorkerHandle { orders, thread })
        };
        let workers = (0..workers).map(start).collect::<Result<_, AnalyzerError>>()?;
        Ok(Self { workers, reports })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Gives all the same order.
    ///
    /// # Errors
    /// One has died.
    pub(super) fn order(&self, order: impl Fn() -> WorkerOrder) -> Result<(), AnalyzerError> {
        self.workers
            .iter()
            .try_for_each(|worker| worker.orders.send(order()).map_err(|_| AnalyzerError::WorkerDied))
    }

    /// Tells each what has come to its shard and left it; none for nothing.
    pub(super) fn assign(&self, changes: Vec<Change>) {
        for (worker, change) in self.workers.iter().zip(changes) {
            if !(change.add.is_empty() && change.remove.is_empty()) {
                // A closed channel shows again, and is handled, when the pass itself is ordered.
                let _ = worker.orders.send(WorkerOrder::Assign {
                    add: change.add,
                    remove: change.remove,
                });
            }
        }
    }

    /// Waits for a worker's report until `due`, looking now and then whether all of them live.
    ///
    /// # Errors
    /// A worker hangs, with what `liveness` knows of it, or has died.
    pub(super) fn next_report(&self, due: Instant, liveness: &Liveness) -> Result<PassReport, AnalyzerError> {
        loop {
            match self.reports.recv_timeout(LOOK_EACH) {
                Ok(report) => return Ok(report),
                Err(RecvTimeoutError::Disconnected) => return Err(AnalyzerError::WorkerDied),
                Err(RecvTimeoutError::Timeout)
                    if self.workers.iter().any(|worker| worker.thread.is_finished()) =>
                {
                    // It may have reported just before it ended.
                    return self.reports.try_recv().map_err(|_| AnalyzerError::WorkerDied);
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() >= due => {
                    return Err(AnalyzerError::Hung {
                        metrics: liveness.at(),
                    });
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Lets all end, and waits until they have.
    ///
    /// # Errors
    /// One has died.
    pub(super) fn end(self) -> Result<(), AnalyzerError> {
        // All channels are closed before the first is waited for.
        let threads: Vec<_> = self.workers.into_iter().map(|worker| worker.thread).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| AnalyzerError::WorkerDied))
    }
}
