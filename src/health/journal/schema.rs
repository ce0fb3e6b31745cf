//! The tables, and opening the file that holds them.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error::JournalError;
use crate::files;

/// `SkyH`, so that nobody takes another program's file for ours.
const APPLICATION: i64 = 0x536b_7948;
const VERSION: i64 = 1;

/// How long to wait for somebody who holds the file for a moment, such as a person with the `sqlite3` shell.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes the write-ahead log is cut back to after a burst.
const LOG_BYTES: i64 = 64 << 20;

/// Times are Unix nanoseconds. The number of a report is the microsecond in which it came, or the one after the report
/// before it, so it also says how old it is. `metrics` is a JSON object: name to status number and score.
const TABLES: &str = r#"
CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE observation (
    sequence INTEGER PRIMARY KEY,
    subject INTEGER NOT NULL,
    observer INTEGER NOT NULL,
    at INTEGER NOT NULL,
    live INTEGER NOT NULL DEFAULT 1,
    source INTEGER,
    learned INTEGER,
    metrics TEXT NOT NULL
);
CREATE INDEX superseded ON observation (sequence) WHERE live = 0;
CREATE TABLE watched (subject INTEGER PRIMARY KEY, since INTEGER NOT NULL);
CREATE TABLE handle (
    handle INTEGER PRIMARY KEY,
    module TEXT NOT NULL,
    observer TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE TABLE ignoring (peer INTEGER NOT NULL, subject INTEGER NOT NULL, PRIMARY KEY (peer, subject)) WITHOUT ROWID;
CREATE TABLE change (
    id INTEGER PRIMARY KEY,
    subject INTEGER NOT NULL,
    was INTEGER NOT NULL,
    became INTEGER NOT NULL,
    at INTEGER NOT NULL,
    flapping INTEGER NOT NULL,
    evidence TEXT NOT NULL
);
CREATE VIEW panorama AS
    SELECT sequence AS id, s.text AS subject, o.text AS observer,
        strftime('%Y-%m-%d %H:%M:%S', at / 1000000000, 'unixepoch')
            || rtrim(rtrim(printf('.%09d', at % 1000000000), '0'), '.') || '+00:00' AS time,
        (SELECT group_concat(key || ': ' || json_extract(
                '["INVALID","NA","HEALTHY","PENDING","MAYBE_UNHEALTHY","UNHEALTHY","DYING","DEAD"]',
                '$[' || json_extract(value, '$[0]') || ']') || ', ' || printf('%.1f', json_extract(value, '$[1]')) || '; ', '')
            FROM json_each(metrics)) AS metrics
    FROM observation JOIN name s ON s.id = subject JOIN name o ON o.id = observer;
CREATE VIEW registration AS
    SELECT handle AS id, handle, module, observer,
        strftime('%Y-%m-%d %H:%M:%S', at / 1000000000, 'unixepoch') || '+00:00' AS time
    FROM handle;
"#;

/// Opens the file, and begins it with mode 0600 where there is none.
pub(super) fn open(path: &Path) -> Result<Connection, JournalError> {
    let failure = |error: &dyn std::fmt::Display| JournalError::of(path, error);
    drop(files::write(path).map_err(|error| failure(&error))?);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failure(&error))?;
    let is_ours = prepare(&connection).map_err(|error| failure(&error))?;
    if is_ours {
        Ok(connection)
    } else {
        Err(JournalError::Foreign {
            path: path.to_owned(),
        })
    }
}

/// Makes an empty file ours. Says whether it is.
fn prepare(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(PATIENCE)?;
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if tables == 0 && application == 0 {
        connection.execute_batch(&format!(
            "BEGIN EXCLUSIVE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT"
        ))?;
    } else if application != APPLICATION || number("PRAGMA user_version")? != VERSION {
        return Ok(false);
    }
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.query_row(
        &format!("PRAGMA journal_size_limit = {LOG_BYTES}"),
        [],
        |_| Ok(()),
    )?;
    connection.execute_batch("PRAGMA synchronous = NORMAL")?;
    Ok(true)
}
