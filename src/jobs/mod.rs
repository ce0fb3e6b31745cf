//! Work that waits for a trainer: queued once, done at least once, by whoever is free.
//!
//! Where there is a Redis the queue is a stream there with one group of consumers ([`RedisQueue`]), and all nodes share
//! the work; without one it is a file of SQLite in the state folder ([`SqliteQueue`]). Both keep the same promises: a job
//! that was taken says it is alive every few seconds ([`JobQueue::beat`]), and one that has fallen silent is taken by
//! another, so a killed trainer loses nothing and a slow one is not robbed; one that fails is tried again later, and in
//! the end put with the dead, where people see it; what is enqueued for a tick is enqueued once, however many schedulers
//! there are. What somebody who lost a job says of it afterwards is not heard.
//!
//! The clock is the caller's, so nodes should agree on the time within a few seconds. A job is a small JSON text; no code
//! is in it.

mod error;
mod histories;
mod kind;
mod kinds;
mod redis;
mod schedule;
mod sqlite;
mod task;
mod trainer;
mod training;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use skywatch_settings::Jobs;

use crate::backoff::Backoff;

pub use error::TrainingError;
pub use histories::{FileHistories, Histories, StoreHistories};
pub use kind::JobKind;
pub(crate) use kinds::FAMILIES;
pub use kinds::{EntityExamples, EntityNetworkJob, FamiliesJob, SensorJob, SequenceJob, TracesJob};
pub use redis::{OpenRedisQueue, RedisQueue};
pub use schedule::{Scheduler, enqueue_due};
pub(crate) use sqlite::jobs_path;
pub use sqlite::{OpenSqliteQueue, SqliteQueue};
pub use task::Task;
pub use trainer::{GoOn, JobWork, Trainer, TrainerOptions};
pub use training::{SensorSource, Training};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Nobody has it.
    Queued,
    /// Somebody is at it.
    Running,
    /// It failed and waits to be tried again.
    Waiting,
    /// It ended well.
    Done,
    /// It failed too often.
    Dead,
}

impl JobState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    fn read(word: &str) -> Option<Self> {
        let all = [Self::Queued, Self::Running, Self::Waiting, Self::Done, Self::Dead];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Unique for ever.
    pub id: String,
    /// What is to be done.
    pub task: Task,
    /// Where it is.
    pub state: JobState,
    /// How often it was begun.
    pub tries: u32,
    /// Who has it or had it last; empty for nobody.
    pub worker: String,
    /// Unix seconds when it was enqueued.
    pub enqueued_at: f64,
    /// Unix seconds of the last change of state.
    pub changed_at: f64,
    /// What came of it: a result or the last error.
    pub outcome: String,
}

/// A job that is ours until we finish it or fall silent.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenJob {
    /// Which.
    pub id: String,
    /// What is to be done.
    pub task: Task,
    /// Which try this is, from 1.
    pub tries: u32,
    /// The queue's own word for our hold on it.
    hold: String,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOutcome {
    /// Well, with a word on what came of it.
    Done(String),
    /// Badly; to be tried again if there are tries left.
    Failed(String),
    /// Not at all: we were told to stop. Free for others at once, and no try is counted.
    Released,
}

impl JobOutcome {
    /// The state of a job after it, and what is said of the job, when so many tries were begun of so `many` there are.
    fn ends(&self, tries: u32, many: usize) -> (JobState, &str) {
        match self {
            Self::Done(text) => (JobState::Done, text),
            Self::Failed(text) if (tries as usize) < many => (JobState::Waiting, text),
            Self::Failed(text) => (JobState::Dead, text),
            Self::Released => (JobState::Queued, ""),
        }
    }
}

/// Seconds before the try after `tries`.
fn pause(jobs: &Jobs, tries: u32) -> f64 {
    let mut backoff = Backoff::new(jobs.backoff, jobs.backoff_max);
    // After 64 doublings every pause is the longest one.
    for _ in 1..tries.clamp(1, 64) {
        backoff.pause();
    }
    backoff.pause().as_secs_f64()
}

/// A queue of jobs. A handle belongs to one thread and reconnects by itself; all calls block for a round trip or a
/// commit, `take` at most for its `wait` longer. `now` is Unix seconds. More methods than three, because they are one
/// promise: none of them makes sense without the others.
pub trait JobQueue: Send {
    /// Adds a job and returns its id; with a `tick`, only if nothing was added for the same tick before (`None` then).
    fn enqueue(&mut self, task: &Task, tick: Option<&str>, now: f64) -> Result<Option<String>, QueueError>;

    /// Takes the next job: one whose holder has fallen silent, one whose pause is over, or one nobody had.
    fn take(&mut self, worker: &str, now: f64, wait: Duration) -> Result<Option<TakenJob>, QueueError>;

    /// Says that we are still at it. False if it is not ours any more: stop.
    fn beat(&mut self, taken: &TakenJob, worker: &str, now: f64) -> Result<bool, QueueError>;

    /// Says how it ended. False if it is not ours any more; then nothing has changed.
    fn finish(
        &mut self,
        taken: &TakenJob,
        worker: &str,
        outcome: &JobOutcome,
        now: f64,
    ) -> Result<bool, QueueError>;

    /// All jobs that are remembered, newest first, at most `most`.
    fn list(&mut self, most: usize) -> Result<Vec<Job>, QueueError>;

    /// Queues a dead job again, with all its tries. False if it is not dead.
    fn revive(&mut self, id: &str, now: f64) -> Result<bool, QueueError>;

    /// Where it is, for people.
    fn describe(&self) -> String;
}

/// The handle that is open, or one that is opened now.
fn opened<'q>(
    queue: &'q mut Option<Box<dyn JobQueue>>,
    open: &dyn OpenQueue,
) -> Result<&'q mut Box<dyn JobQueue>, QueueError> {
    Ok(match queue {
        Some(queue) => queue,
        none => none.insert(open.open()?),
    })
}

/// An id nobody else makes: the time, a count in this process, and a number by chance.
fn new_id(now: f64) -> String {
    use std::hash::{BuildHasher as _, Hasher as _};
    static MADE: AtomicU64 = AtomicU64::new(0);
    let chance = std::hash::RandomState::new().build_hasher().finish() as u32;
    let count = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{:x}-{count:x}-{chance:08x}", (now * 1e6) as u64)
}

/// Makes handles of one queue for several threads.
pub trait OpenQueue: Send + Sync {
    /// A handle that has answered once.
    ///
    /// # Errors
    /// Whatever keeps the queue from answering.
    fn open(&self) -> Result<Box<dyn JobQueue>, QueueError>;
}

/// Why a queue did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// It does not answer; the same call may succeed later.
    #[error("jobs in `{place}`: {reason}")]
    Unavailable {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
    /// It holds something that is no job.
    #[error("jobs in `{place}`: `{what}` cannot be read")]
    Unreadable {
        /// Where.
        place: String,
        /// What.
        what: String,
    },
    /// The store's reason.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}
