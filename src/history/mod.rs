//! What must outlive the process: incidents, what was and is to be said about them, silences, quiet times.
//!
//! One SQLite file, one writer, any number of readers. A [`HistoryBatch`] is one transaction, so an incident and the
//! notices about it are both there or both not. The write-ahead log is forced to the disk with **every** commit
//! (`synchronous = FULL`): `NORMAL` would survive a killed process, but a power cut could take back a commit whose
//! notice has already gone out, and the next incident would then get the same number and its notice the same id,
//! which the other side takes for a repeat. A pass commits once, so this costs milliseconds a minute.
//!
//! A broken file is put aside, never deleted, and a new one is begun ([`History::open_or_anew`]): to watch without
//! memory is better than not to watch. A full disk takes nothing that was committed; the caller goes on from memory
//! and hands in the same again later, which is harmless when it was there already.
//!
//! It knows nothing of who finds and who sends, and does not read the clock.

mod batch;
mod columns;
mod error;
mod open;
mod outbox;
mod past;
mod prune;
mod queries;
mod saved;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

pub use batch::{HistoryBatch, PassRecord, Posting, Settled};
pub use error::HistoryError;
pub use open::Opened;
pub use outbox::{DeadLetters, Depth, NoticeRecord, NoticeState};
pub use past::{DayCounts, NoticeFilter, SubjectCounts};
pub use prune::Pruned;
pub use queries::{Before, Filter, Life};
pub use saved::Saved;
pub use write::{HistoryWrite, LOG_POSITION};

/// Where the history lies in a state folder.
#[must_use]
pub fn history_path(state_dir: &Path) -> PathBuf {
    state_dir.join("history.sqlite")
}

/// What can be asked of a history. Any number of processes may have one open while another writes.
#[derive(Debug)]
pub struct HistoryReader {
    connection: Connection,
    /// For messages.
    path: PathBuf,
}

/// The one handle that writes; everything a [`HistoryReader`] can be asked it can be asked too.
#[derive(Debug)]
pub struct History {
    reader: HistoryReader,
    _lock: Lock,
}

/// Says that we are the one writer. When we die, in whatever way, the system unlocks it.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing it is not enough: a child that is being started at this moment has a copy of it.
        let _ = self.0.unlock();
    }
}

impl Deref for History {
    type Target = HistoryReader;

    fn deref(&self) -> &HistoryReader {
        &self.reader
    }
}

impl HistoryReader {
    /// Where the file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failure(&self, error: &rusqlite::Error) -> HistoryError {
        HistoryError::of_database(&self.path, error)
    }
}
