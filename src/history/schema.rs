//! The tables, and how an older file gets them.
//!
//! Columns are what is searched and sorted by; what was said is whole in `body`, as JSON. The columns follow
//! from the body, never the other way. A migration only ever adds to the end of [`MIGRATIONS`].

use rusqlite::{Connection, TransactionBehavior};

/// Marks a file as a history of Skywatch: `skyw`.
pub(super) const APPLICATION: i64 = 0x736b_7977;

/// What leads from each version of the tables to the next; the first begins with nothing.
const MIGRATIONS: &[&str] = &["
    -- `closed_at` is empty exactly while the incident lasts. AUTOINCREMENT, so that the number of a forgotten
    -- incident is never given again.
    CREATE TABLE incidents (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        phase TEXT NOT NULL,
        severity TEXT NOT NULL,
        since REAL,
        opened_at REAL,
        closed_at REAL,
        updated REAL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX incidents_by_name ON incidents (name, kind);
    CREATE INDEX incidents_by_opening ON incidents (opened_at);
    CREATE INDEX incidents_by_closing ON incidents (closed_at);

    -- The same step said twice, as after a commit of which nobody knows how it ended, is one step; `before` is
    -- empty at the beginning because two NULLs are never the same.
    CREATE TABLE transitions (
        seq INTEGER PRIMARY KEY,
        incident INTEGER NOT NULL,
        at REAL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        why TEXT NOT NULL,
        UNIQUE (incident, at, before, after)
    ) STRICT;

    -- Outbox and record in one. `settled_at` is when it was sent, given up or dismissed.
    CREATE TABLE notices (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        receiver TEXT NOT NULL,
        route TEXT NOT NULL,
        thread TEXT NOT NULL,
        made_at REAL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead', 'dropped')),
        tries INTEGER NOT NULL,
        next_try REAL,
        last_error TEXT,
        settled_at REAL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX notices_waiting ON notices (receiver, seq) WHERE state = 'waiting';
    CREATE INDEX notices_dead ON notices (seq) WHERE state = 'dead';
    CREATE INDEX notices_by_settling ON notices (settled_at);

    -- Which incidents a notice told of.
    CREATE TABLE incident_notices (
        incident INTEGER NOT NULL,
        notice INTEGER NOT NULL,
        PRIMARY KEY (incident, notice)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX incident_notices_by_notice ON incident_notices (notice);

    -- How the other side calls a conversation.
    CREATE TABLE threads (
        receiver TEXT NOT NULL,
        thread TEXT NOT NULL,
        reference TEXT NOT NULL,
        PRIMARY KEY (receiver, thread)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE silences (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        ended_at REAL,
        body TEXT NOT NULL
    ) STRICT;

    CREATE TABLE cooldowns (
        receiver TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        told_at REAL,
        PRIMARY KEY (receiver, kind, name)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE meta (
        key TEXT PRIMARY KEY,
        body TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Sums over `passes` passes: one until thinned to one row an hour.
    CREATE TABLE passes (
        at REAL PRIMARY KEY,
        passes INTEGER NOT NULL,
        metrics INTEGER NOT NULL,
        analyzed INTEGER NOT NULL,
        anomalies INTEGER NOT NULL,
        seconds REAL,
        longest REAL
    ) STRICT;
",
    "
    -- From here on incidents also end as `settled` and `closed`, and say with which value: an older program must not read
    -- them. Those that ended before say how all the same.
    UPDATE incidents SET body = json_set(body, '$.ending', json_object('outcome', phase))
        WHERE phase IN ('resolved', 'gone') AND json_valid(body) AND json_extract(body, '$.ending') IS NULL;
    -- How bad it was when it was told: worse is told at once. What was told before this was known counts as the least.
    ALTER TABLE cooldowns ADD COLUMN severity TEXT NOT NULL DEFAULT 'info';
",
    "
    -- An anomaly's evidence is a list of kinds, votes among them, and its severity is said by its finder: what was said
    -- before had one window and votes beside it.
    UPDATE incidents SET body = json_set(json_remove(body, '$.anomaly.votes'),
            '$.anomaly.severity', severity,
            '$.anomaly.evidence', json_array(
                json_object('kind', 'votes', 'votes', body -> '$.anomaly.votes'),
                json_set(body -> '$.anomaly.evidence', '$.kind', 'window')))
        WHERE json_valid(body) AND json_type(body, '$.anomaly.evidence') = 'object';
    UPDATE notices SET body = json_set(body, '$.content.items', json((
            SELECT json_group_array(json_set(json_remove(item.value, '$.anomaly.votes'),
                '$.anomaly.severity', item.value ->> '$.severity',
                '$.anomaly.evidence', json_array(
                    json_object('kind', 'votes', 'votes', item.value -> '$.anomaly.votes'),
                    json_set(item.value -> '$.anomaly.evidence', '$.kind', 'window'))))
            FROM json_each(notices.body, '$.content.items') AS item)))
        WHERE json_valid(body) AND json_type(body, '$.content.items[0].anomaly.evidence') = 'object';
",
    "
    -- What moved with an incident, worked out beside the passes.
    CREATE TABLE causes (
        incident INTEGER PRIMARY KEY,
        at REAL,
        body TEXT NOT NULL
    ) STRICT;
"];

/// The version of the tables this program reads and writes.
pub(super) const VERSION: i64 = MIGRATIONS.len().cast_signed() as i64;

/// What a file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// How many migrations it has seen.
    pub(super) version: i64,
    /// Whose it is; [`APPLICATION`] is ours.
    pub(super) application: i64,
    /// Whether it has no tables at all.
    pub(super) empty: bool,
}

/// Reads a file's [`Stamp`], all of it at one moment: another process may be making it.
pub(super) fn stamp(connection: &Connection) -> rusqlite::Result<Stamp> {
    let connection = connection.unchecked_transaction()?;
    Ok(Stamp {
        version: connection.pragma_query_value(None, "user_version", |row| row.get(0))?,
        application: connection.pragma_query_value(None, "application_id", |row| row.get(0))?,
        empty: connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| {
            row.get(0)
        })?,
    })
}

/// Brings a file from `version` to [`VERSION`] in one transaction: a crash leaves it as it was, and nobody sees it half done.
pub(super) fn migrate(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    let done = usize::try_from(version).unwrap_or(0);
    if done >= MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for sql in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
