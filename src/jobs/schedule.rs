//! The schedule: on each minute that a cron line names, one job, however many nodes have the same line.
//!
//! A minute's number is the tick the queue is told, and the queue takes each tick once. Minutes that passed while nobody
//! was there are not made up for: the next training learns from the same points and newer ones.

use std::time::Duration;

use skywatch_settings::Cron;

use super::{JobQueue, OpenQueue, QueueError, Task, opened};
use crate::clock::unix_now;
use crate::stop::Stop;

/// Puts tasks into a queue when their time comes.
pub struct Scheduler<'s> {
    /// The queue.
    pub open: &'s dyn OpenQueue,
    /// When, in UTC.
    pub cron: Cron,
    /// What, a job each.
    pub tasks: Vec<Task>,
}

/// Enqueues what is due between two moments, the later one included: at most one job, that of the last minute named.
/// Returns the job's id, if it was this call that added it.
///
/// # Errors
/// The queue's.
pub fn enqueue_due(
    queue: &mut dyn JobQueue,
    cron: &Cron,
    task: &Task,
    after: f64,
    until: f64,
) -> Result<Option<String>, QueueError> {
    let (first, last) = ((after / 60.0).floor() as i64 + 1, (until / 60.0).floor() as i64);
    // An hour at most: a machine that slept for a month does not go through all of it.
    let named = (first.max(last - 60)..=last)
        .rev()
        .find(|minute| cron.names(*minute));
    match named {
        Some(minute) => queue.enqueue(task, Some(&format!("{}@{minute}", task.describe())), until),
        None => Ok(None),
    }
}

impl Scheduler<'_> {
    /// Keeps the schedule until `stop` is said.
    pub fn run(&self, stop: &Stop) {
        let mut after = unix_now();
        let mut queue: Option<Box<dyn JobQueue>> = None;
        loop {
            let to_next = 60.0 - unix_now().rem_euclid(60.0) + 0.05;
            if stop.sleep(Duration::from_secs_f64(to_next)) {
                return;
            }
            let until = unix_now();
            match self.tick(&mut queue, after, until) {
                Ok(()) => after = until,
                // Tried again in the next minute, with this one's tick.
                Err(error) => {
                    queue = None;
                    tracing::warn!("the schedule of training :: {error}");
                }
            }
        }
    }

    fn tick(&self, queue: &mut Option<Box<dyn JobQueue>>, after: f64, until: f64) -> Result<(), QueueError> {
        let queue = opened(queue, self.open)?;
        for task in &self.tasks {
            if let Some(id) = enqueue_due(&mut **queue, &self.cron, task, after, until)? {
                tracing::info!("job {id} :: {} :: enqueued by the schedule", task.describe());
            }
        }
        Ok(())
    }
}
