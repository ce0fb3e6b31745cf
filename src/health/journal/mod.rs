//! What outlives the process: one SQLite file that says what the plane knew.
//!
//! One thread writes. It takes all that waits into one transaction, so many reports cost one commit, and says when it is
//! there. The write-ahead log is handed to the system with each commit and not forced to the disk: a killed process loses
//! nothing, a power cut the last moments. Handles are forced, as one given twice would let an observer speak for another.
//!
//! While the disk takes nothing, rows are kept in memory, up to a bound, and written later. The views `panorama` and
//! `registration` show the file as the original's tables.

mod error;
mod load;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::sync::oneshot;

pub use self::error::JournalError;
use self::write::JournalWriter;
pub use self::write::Retention;
use super::plane::{Options, Plane, Row};
use crate::files;

/// Batches that may wait for the writer; a report is refused when there is no room.
pub(super) const WAITING: usize = 65_536;
/// Rows of one transaction at most.
const TOGETHER: usize = 4_096;
/// Rows kept while the disk takes nothing; beyond that the oldest are given up.
const BACKLOG: usize = 200_000;
/// Pause before the disk is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often what is too old is deleted.
const PRUNE: Duration = Duration::from_secs(10);

/// What the writer has done.
#[derive(Debug, Default)]
pub struct JournalWritten {
    /// Rows that are in the file.
    pub rows: AtomicU64,
    /// Rows that were given up, as the disk took nothing for too long.
    pub lost: AtomicU64,
    /// Times the disk took nothing.
    pub failures: AtomicU64,
}

/// Rows of one step, and who waits for them.
struct Batch {
    rows: Vec<Row>,
    done: Option<oneshot::Sender<()>>,
}

/// The way to the writer. It ends, after all is written, when this is dropped.
#[derive(Debug)]
pub struct Journal {
    batches: Option<Sender<Batch>>,
    thread: Option<JoinHandle<()>>,
    written: Arc<JournalWritten>,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Batch of {} rows", self.rows.len())
    }
}

impl Journal {
    /// Opens the file, or begins it, and gives the plane it tells of. `now` is in Unix nanoseconds.
    ///
    /// # Errors
    /// When the file cannot be used; nothing of it is changed then.
    pub fn open(
        path: &Path,
        options: Options,
        retention: Retention,
        now: i64,
    ) -> Result<(Self, Plane), JournalError> {
        let lock = lock(path)?;
        let connection = schema::open(path)?;
        let plane = load::load(&connection, options, now).map_err(|error| JournalError::of(path, &error))?;
        let (batches, waiting) = bounded(WAITING);
        let written = Arc::new(JournalWritten::default());
        let keeper = JournalKeeper {
            _lock: lock,
            writer: JournalWriter::new(connection, retention)
                .map_err(|error| JournalError::of(path, &error))?,
            path: path.to_owned(),
            written: Arc::clone(&written),
            backlog: Vec::new(),
            failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("health-journal".to_owned())
            .spawn(move || keeper.run(&waiting))
            .map_err(|error| JournalError::of(path, &error))?;
        let journal = Self {
            batches: Some(batches),
            thread: Some(thread),
            written,
        };
        Ok((journal, plane))
    }

    /// Whether rows can be handed over now. Only one thread at a time may ask and then hand over.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.batches.as_ref().is_some_and(|batches| !batches.is_full())
    }

    /// Hands over rows. What comes back is told once they are in the file; it ends without that if the disk takes nothing.
    pub fn write(&self, rows: Vec<Row>) -> Option<oneshot::Receiver<()>> {
        if rows.is_empty() {
            return None;
        }
        let (done, told) = oneshot::channel();
        let batch = Batch {
            rows,
            done: Some(done),
        };
        if let Some(Err(refused)) = self.batches.as_ref().map(|batches| batches.try_send(batch)) {
            let lost = refused.into_inner().rows.len() as u64;
            self.written.lost.fetch_add(lost, Ordering::Relaxed);
        }
        Some(told)
    }

    /// What was written.
    #[must_use]
    pub fn written(&self) -> &JournalWritten {
        &self.written
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.batches.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes the right to write, which the system gives back when we die.
fn lock(path: &Path) -> Result<File, JournalError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let beside = path.with_file_name(name);
    let file = files::write(&beside).map_err(|error| JournalError::of(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(JournalError::of(path, &error)),
    }
}

/// The thread that writes.
struct JournalKeeper {
    /// Held for as long as there is something to write.
    _lock: File,
    writer: JournalWriter,
    path: PathBuf,
    written: Arc<JournalWritten>,
    /// What the disk has not taken.
    backlog: Vec<Row>,
    /// Whether the last try failed: a lasting failure is logged once.
    failing: bool,
}

impl JournalKeeper {
    fn run(mut self, waiting: &Receiver<Batch>) {
        let mut pruned = Instant::now();
        loop {
            let pause = if self.failing { AGAIN } else { PRUNE };
            match waiting.recv_timeout(pause) {
                Ok(first) => {
                    let mut told = Vec::new();
                    self.take(first, &mut told);
                    while self.backlog.len() < TOGETHER {
                        let Ok(next) = waiting.try_recv() else { break };
                        self.take(next, &mut told);
                    }
                    if self.commit() {
                        for done in told {
                            // Whoever does not wait any more needs no answer.
                            let _ = done.send(());
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.commit();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if pruned.elapsed() > PRUNE {
                pruned = Instant::now();
                if let Err(error) = self.writer.prune(std::time::SystemTime::now()) {
                    self.fail(&error);
                }
            }
        }
        if !self.commit() {
            let lost = self.backlog.len();
            tracing::error!("health file `{}` :: {lost} rows are lost", self.path.display());
        }
    }

    fn take(&mut self, batch: Batch, told: &mut Vec<oneshot::Sender<()>>) {
        self.backlog.extend(batch.rows);
        told.extend(batch.done);
    }

    /// Writes what waits. Says whether all of it is in the file.
    fn commit(&mut self) -> bool {
        if self.backlog.is_empty() {
            return true;
        }
        match self.writer.write(&self.backlog) {
            Ok(()) => {
                self.written
                    .rows
                    .fetch_add(self.backlog.len() as u64, Ordering::Relaxed);
                self.backlog.clear();
                if self.failing {
                    self.failing = false;
                    tracing::info!("health file `{}` takes rows again", self.path.display());
                }
                true
            }
            Err(error) => {
                self.fail(&error);
                let surplus = self.backlog.len().saturating_sub(BACKLOG);
                self.backlog.drain(..surplus);
                self.written.lost.fetch_add(surplus as u64, Ordering::Relaxed);
                false
            }
        }
    }

    fn fail(&mut self, error: &rusqlite::Error) {
        self.written.failures.fetch_add(1, Ordering::Relaxed);
        if !self.failing {
            self.failing = true;
            tracing::error!(
                "health file `{}` cannot be written :: {error} :: what is reported is kept in memory",
                self.path.display()
            );
        }
    }
}
