//! The tables, and opening the file that holds them.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::error::EventsError;
use crate::clock::unix_now;
use crate::files;

/// `SkyE`, so that nobody takes another program's file for ours.
const APPLICATION: i64 = 0x536b_7945;
const VERSION: i64 = 1;
/// How long to wait for another process that writes: a commit takes milliseconds, a person with the `sqlite3` shell longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes the write-ahead log is cut back to after a burst.
const LOG_BYTES: i64 = 16 << 20;

/// `AUTOINCREMENT`, as no number may come again: it rides on each message. `sent` is the number through which a sink has all;
/// `at` of a message is when it was committed, of a repeat and of keys when they were last seen; all in Unix seconds.
const TABLES: &str = "
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic INTEGER NOT NULL,
    at REAL NOT NULL,
    event_at REAL NOT NULL,
    bytes INTEGER NOT NULL,
    key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE sink (name TEXT PRIMARY KEY, sent INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE repeat (key BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX repeat_at ON repeat (at);
CREATE TABLE entity_keys (entity_name TEXT PRIMARY KEY, keys TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox (instance TEXT NOT NULL);
INSERT INTO outbox VALUES (lower(hex(randomblob(6))));
";

/// Opens the file, and begins it where there is none. One that is broken is put aside, with an error in the log.
///
/// # Errors
/// When it cannot be used, or is not ours.
pub(super) fn open(path: &Path) -> Result<Connection, EventsError> {
    // Several processes open it, and only one may find that it is broken.
    let _lock = lock(path)?;
    match connect(path) {
        Err(OpenFailure::Database(error)) if is_broken(&error) => {
            let aside = files::put_database_aside(path, "broken", unix_now()).map_err(|error| refused(path, &error))?;
            tracing::error!(
                "the outbox of events `{}` is broken :: {error} :: it is kept as `{}`, and a new one begins: what was not sent is in the old",
                path.display(),
                aside.display()
            );
            connect(path)
        }
        outcome => outcome,
    }
    .map_err(|failure| match failure {
        OpenFailure::Database(error) => refused(path, &error),
        OpenFailure::Foreign(what) => EventsError::ForeignOutbox {
            path: path.to_owned(),
            what,
        },
    })
}

pub(super) fn refused(path: &Path, error: &dyn std::fmt::Display) -> EventsError {
    EventsError::Outbox {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

enum OpenFailure {
    Database(rusqlite::Error),
    Foreign(&'static str),
}

impl From<rusqlite::Error> for OpenFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

fn connect(path: &Path) -> Result<Connection, OpenFailure> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && tables > 0 {
        return Err(OpenFailure::Foreign("another program's"));
    }
    if version > VERSION {
        return Err(OpenFailure::Foreign("a newer Skywatch's"));
    }
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // Forced to the disk with each commit: an event that was published outlives the power.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    if tables == 0 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
    }
    Ok(connection)
}

fn is_broken(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn lock(path: &Path) -> Result<File, EventsError> {
    let file = files::write(&files::with_end(path, ".lock")).map_err(|error| refused(path, &error))?;
    file.lock().map_err(|error| refused(path, &error))?;
    Ok(file)
}
