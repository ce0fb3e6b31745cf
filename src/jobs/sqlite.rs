//! The queue in a file of SQLite, for a node without Redis.
//!
//! Several processes of one machine may have it open: the one that schedules, the trainer, a command. Each step is one
//! transaction that begins by taking the write lock, so two trainers never take the same job. A hold ends by itself when
//! the time written with it has passed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use skywatch_settings::Jobs;

use super::{Job, JobOutcome, JobQueue, JobState, OpenQueue, QueueError, TakenJob, Task, new_id, pause};

/// How long to wait for another process's transaction: each is a few rows, so that longer means a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two looks when there is nothing to do: SQLite wakes nobody, and a look is one indexed query.
const LOOK_EACH: Duration = Duration::from_millis(200);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    tick TEXT UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'done', 'dead')),
    tries INTEGER NOT NULL,
    worker TEXT NOT NULL,
    -- From when it may be taken: at once, when its pause is over, or when its holder has been silent for too long.
    due REAL NOT NULL,
    enqueued_at REAL NOT NULL,
    changed_at REAL NOT NULL,
    outcome TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (due) WHERE state IN ('queued', 'running', 'waiting');
";

/// Where the queue lies in a state folder.
#[must_use]
pub(crate) fn jobs_path(state_dir: &Path) -> PathBuf {
    state_dir.join("jobs.sqlite")
}

/// A handle of the queue.
pub struct SqliteQueue {
    connection: Connection,
    path: PathBuf,
    jobs: Jobs,
}

impl SqliteQueue {
    /// Opens the queue and begins it where there is none. Its folder must exist.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] if the file cannot be used.
    pub fn open(path: &Path, jobs: Jobs) -> Result<Self, QueueError> {
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(PATIENCE)?;
            let _: String =
                connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.execute_batch(TABLES)?;
            Ok(connection)
        };
        let connection = open().map_err(|error: rusqlite::Error| QueueError::Unavailable {
            place: path.display().to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            jobs,
        })
    }

    /// Does `work` in one transaction.
    fn within<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, QueueError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let done = transaction.and_then(|transaction| {
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        done.map_err(|error| QueueError::Unavailable {
            place: self.path.display().to_string(),
            reason: error.to_string(),
        })
    }

    fn take_now(&mut self, worker: &str, now: f64) -> Result<Option<TakenJob>, QueueError> {
        let (tries_most, lease) = (self.jobs.tries as i64, self.jobs.lease.as_secs_f64());
        let row = self.within(|transaction| {
            transaction.execute(
                "UPDATE jobs SET state = 'dead', changed_at = ?1, outcome = 'its trainer fell silent in try ' || tries || ' of ' || ?2
                 WHERE state = 'running' AND due <= ?1 AND tries >= ?2",
                params![now, tries_most],
            )?;
            let next = "SELECT id, task, tries FROM jobs WHERE state IN ('queued', 'running', 'waiting') AND due <= ?1
                        ORDER BY due, enqueued_at, id LIMIT 1";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let found: Option<(String, String, u32)> = transaction.query_row(next, [now], read).optional()?;
            let Some((id, task, tries)) = found else {
                return Ok(None);
            };
            transaction.execute(
                "UPDATE jobs SET state = 'running', worker = ?2, tries = tries + 1, due = ?3, changed_at = ?4 WHERE id = ?1",
                params![id, worker, now + lease, now],
            )?;
            Ok(Some((id, task, tries + 1)))
        })?;
        let Some((id, task, tries)) = row else {
            return Ok(None);
        };
        let hold = tries.to_string();
        match serde_json::from_str(&task) {
            Ok(task) => Ok(Some(TakenJob {
                id,
                task,
                tries,
                hold,
            })),
            Err(error) => {
                let taken = TakenJob {
                    id,
                    task: Task::default(),
                    tries,
                    hold,
                };
                self.finish(&taken, worker, &JobOutcome::Failed(error.to_string()), now)?;
                Ok(None)
            }
        }
    }
}

impl JobQueue for SqliteQueue {
    fn enqueue(&mut self, task: &Task, tick: Option<&str>, now: f64) -> Result<Option<String>, QueueError> {
        let id = new_id(now);
        let task = serde_json::to_string(task).map_err(|error| QueueError::Unreadable {
            place: self.describe(),
            what: error.to_string(),
        })?;
        let keep = self.jobs.keep.as_secs_f64();
        let added = self.within(|transaction| {
            transaction.execute(
                "DELETE FROM jobs WHERE state IN ('done', 'dead') AND changed_at < ?1",
                [now - keep],
            )?;
            transaction.execute(
                "INSERT OR IGNORE INTO jobs VALUES (?1, ?2, ?3, 'queued', 0, '', ?4, ?4, ?4, '')",
                params![id, task, tick, now],
            )
        })?;
        Ok((added == 1).then_some(id))
    }

    fn take(&mut self, worker: &str, now: f64, wait: Duration) -> Result<Option<TakenJob>, QueueError> {
        let begun = Instant::now();
        loop {
            if let Some(taken) = self.take_now(worker, now + begun.elapsed().as_secs_f64())? {
                return Ok(Some(taken));
            }
            let Some(left) = wait.checked_sub(begun.elapsed()) else {
                return Ok(None);
            };
            std::thread::sleep(left.min(LOOK_EACH));
        }
    }

    fn beat(&mut self, taken: &TakenJob, worker: &str, now: f64) -> Result<bool, QueueError> {
        let lease = self.jobs.lease.as_secs_f64();
        let beaten = self.within(|transaction| {
            transaction.execute(
                "UPDATE jobs SET due = ?4 WHERE id = ?1 AND state = 'running' AND worker = ?2 AND tries = ?3",
                params![taken.id, worker, taken.tries, now + lease],
            )
        })?;
        Ok(beaten == 1)
    }

    fn finish(
        &mut self,
        taken: &TakenJob,
        worker: &str,
        outcome: &JobOutcome,
        now: f64,
    ) -> Result<bool, QueueError> {
        let (state, text) = outcome.ends(taken.tries, self.jobs.tries);
        let (tries, due) = match state {
            JobState::Waiting => (taken.tries, now + pause(&self.jobs, taken.tries)),
            JobState::Queued => (taken.tries - 1, now),
            _ => (taken.tries, now),
        };
        let ended = self.within(|transaction| {
            transaction.execute(
                "UPDATE jobs SET state = ?4, outcome = ?5, tries = ?6, due = ?7, changed_at = ?8
                 WHERE id = ?1 AND state = 'running' AND worker = ?2 AND tries = ?3",
                params![
                    taken.id,
                    worker,
                    taken.tries,
                    state.as_str(),
                    text,
                    tries,
                    due,
                    now
                ],
            )
        })?;
        Ok(ended == 1)
    }

    fn list(&mut self, most: usize) -> Result<Vec<Job>, QueueError> {
        let rows = self.within(|transaction| {
            let mut select = transaction.prepare(
                "SELECT id, task, state, tries, worker, enqueued_at, changed_at, outcome FROM jobs
                 ORDER BY enqueued_at DESC, id DESC LIMIT ?1",
            )?;
            let rows = select.query_map([most as i64], |row| {
                let (task, state): (String, String) = (row.get(1)?, row.get(2)?);
                let (Ok(task), Some(state)) = (serde_json::from_str(&task), JobState::read(&state)) else {
                    return Ok(None);
                };
                Ok(Some(Job {
                    id: row.get(0)?,
                    task,
                    state,
                    tries: row.get(3)?,
                    worker: row.get(4)?,
                    enqueued_at: row.get(5)?,
                    changed_at: row.get(6)?,
                    outcome: row.get(7)?,
                }))
            })?;
            rows.collect::<rusqlite::Result<Vec<Option<Job>>>>()
        })?;
        Ok(rows.into_iter().flatten().collect())
    }

    fn revive(&mut self, id: &str, now: f64) -> Result<bool, QueueError> {
        let revived = self.within(|transaction| {
            transaction.execute(
                "UPDATE jobs SET state = 'queued', tries = 0, due = ?2, changed_at = ?2 WHERE id = ?1 AND state = 'dead'",
                params![id, now],
            )
        })?;
        Ok(revived == 1)
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }
}

/// Makes handles of the queue in one file.
pub struct OpenSqliteQueue {
    /// The file.
    pub path: PathBuf,
    /// Limits.
    pub jobs: Jobs,
}

impl OpenQueue for OpenSqliteQueue {
    fn open(&self) -> Result<Box<dyn JobQueue>, QueueError> {
        Ok(Box::new(SqliteQueue::open(&self.path, self.jobs.clone())?))
    }
}
