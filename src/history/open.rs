//! Opening a history, and putting a broken one aside.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use super::schema::{self, APPLICATION, Stamp, VERSION};
use super::{History, HistoryError, HistoryReader, Lock};
use crate::files;

/// How long to wait while another process holds the file for a moment: a person with the `sqlite3` shell, a checkpoint.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes the write-ahead log is cut back to once a wave of incidents is over.
const LOG_BYTES: i64 = 16 << 20;

/// What [`History::open_or_anew`] gives.
#[derive(Debug)]
pub struct Opened {
    /// Ready for use.
    pub history: History,
    /// Where the broken file lies that was found in its place, and what was wrong with it.
    pub aside: Option<(PathBuf, HistoryError)>,
}

impl HistoryReader {
    /// Opens the history for questions only; another process may be writing it meanwhile.
    ///
    /// # Errors
    /// [`HistoryError::Missing`] if there is none yet, [`HistoryError::Version`] if an older or a newer Skywatch wrote
    /// it; otherwise as [`History::open`].
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        File::open(path).map_err(|error| HistoryError::of_system(path, &error))?;
        let reader = Self {
            connection: connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
            path: path.to_owned(),
        };
        let Stamp { version, empty, .. } = reader.stamp()?;
        match version {
            VERSION => Ok(reader),
            // Whoever makes it has not committed its tables yet.
            0 if empty => Err(HistoryError::Missing { path: reader.path }),
            _ => Err(reader.of_version(version)),
        }
    }

    /// What the file says about itself, provided it is ours or empty.
    fn stamp(&self) -> Result<Stamp, HistoryError> {
        let stamp = schema::stamp(&self.connection).map_err(|error| self.failure(&error))?;
        if stamp.application == APPLICATION || stamp.empty {
            Ok(stamp)
        } else {
            Err(HistoryError::Foreign {
                path: self.path.clone(),
            })
        }
    }

    fn of_version(&self, found: i64) -> HistoryError {
        HistoryError::Version {
            path: self.path.clone(),
            found,
            known: VERSION,
        }
    }

    /// Reads the whole file once; what is wrong with it had better be known before the first commit.
    fn check(&self) -> Result<(), HistoryError> {
        let found: String = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| self.failure(&error))?;
        if found == "ok" {
            return Ok(());
        }
        Err(HistoryError::Broken {
            path: self.path.clone(),
            reason: found.replace('\n', " "),
        })
    }

    /// Whether the log is folded into the file when it is closed.
    fn fold_on_close(&self, fold: bool) -> Result<(), HistoryError> {
        let set = self
            .connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !fold);
        set.map(drop).map_err(|error| self.failure(&error))
    }
}

impl History {
    /// Opens the history for writing, and begins it with mode 0600 where there is none. Its folder must exist.
    ///
    /// Checks the whole file, so it takes as long as reading it from the disk.
    ///
    /// # Errors
    /// One of each kind: no folder, broken, another program's, a newer Skywatch's, no permission, a disk that takes
    /// nothing, another process that writes it.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let lock = lock(path)?;
        Self::open_locked(path, lock).map_err(|(error, _)| error)
    }

    /// The same, but a broken file is renamed to `<name>.broken-<date>` together with its log, and a new one is
    /// begun. `now` is in Unix seconds and gives the date.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for a broken file only if it cannot be renamed.
    pub fn open_or_anew(path: &Path, now: f64) -> Result<Opened, HistoryError> {
        let lock = lock(path)?;
        // A history is never shorter than its head: it was cut, or a disk was full at its first moment.
        if fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0) {
            tracing::error!(
                "history `{}` is empty, 0 bytes; a new one begins: open incidents, silences and unsent notices of before, if \
                 there were any, are not known any more",
                path.display()
            );
        }
        let (error, lock) = match Self::open_locked(path, lock) {
            Ok(history) => return Ok(Opened { history, aside: None }),
            Err(failed) => failed,
        };
        if !error.is_broken() {
            return Err(error);
        }
        let aside = files::put_database_aside(path, "broken", now)
            .map_err(|error| HistoryError::of_system(path, &error))?;
        tracing::error!(
            "{error}; it is kept as `{}`, and a new history begins: open incidents, silences and unsent notices of \
             before are not known any more\n  hint: {}",
            aside.display(),
            error.hint().unwrap_or_default()
        );
        let history = Self::open_locked(path, lock).map_err(|(error, _)| error)?;
        Ok(Opened {
            history,
            aside: Some((aside, error)),
        })
    }

    /// Opens a file that no other process may write; gives the lock back if it cannot be opened.
    fn open_locked(path: &Path, lock: Lock) -> Result<Self, (HistoryError, Lock)> {
        match open_for_writing(path) {
            Ok(reader) => Ok(Self { reader, _lock: lock }),
            Err(error) => Err((error, lock)),
        }
    }
}

fn open_for_writing(path: &Path) -> Result<HistoryReader, HistoryError> {
    // SQLite gives its log the mode of the file itself.
    let file = files::write(path).map_err(|error| HistoryError::of_system(path, &error))?;
    drop(file);
    let mut reader = HistoryReader {
        connection: connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        path: path.to_owned(),
    };
    // A broken file is left as it is, with its log beside it, so that something can still be saved from it.
    reader.fold_on_close(false)?;
    let readonly = reader.connection.is_readonly(MAIN_DB);
    if readonly.map_err(|error| reader.failure(&error))? {
        return Err(HistoryError::Denied {
            path: path.to_owned(),
            reason: "it is read-only".to_owned(),
        });
    }
    let Stamp { version, .. } = reader.stamp()?;
    if version > VERSION {
        return Err(reader.of_version(version));
    }
    reader.check()?;
    reader.fold_on_close(true)?;
    prepare(&mut reader.connection, version).map_err(|error| reader.failure(&error))?;
    Ok(reader)
}

/// Sets a writer's options and brings the tables up to date.
fn prepare(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(
            "the history has no write-ahead log on this disk: whoever reads it holds up whoever writes"
        );
    }
    connection.pragma_update(None, "synchronous", "full")?;
    // On macOS a plain fsync does not reach the disk.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    schema::migrate(connection, version)
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection, HistoryError> {
    let connect = || {
        let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(PATIENCE)?;
        // A sort must not need a second disk.
        connection.pragma_update(None, "temp_store", "memory")?;
        Ok(connection)
    };
    connect().map_err(|error| HistoryError::of_database(path, &error))
}

/// Becomes the one writer. The lock is a file of its own: closing a second descriptor of the database would take away
/// the locks SQLite has on it.
fn lock(path: &Path) -> Result<Lock, HistoryError> {
    let file = files::write(&files::with_end(path, ".lock"))
        .map_err(|error| HistoryError::of_system(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(HistoryError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(HistoryError::of_system(path, &error)),
    }
}
