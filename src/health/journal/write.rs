//! Rows into tables.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use skywatch_algorithms::verdicts::{HealthEvidence, HealthObservation, HealthState, Standing, Status};

use crate::health::plane::Row;

/// Names whose numbers are remembered.
const NAMES: usize = 100_000;
/// Rows deleted in one transaction, a few milliseconds.
const SLICE: usize = 5_000;
/// Changes of state that stay in the file, the newest.
const CHANGES: i64 = 10_000;

/// How long what was superseded stays in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// For how long.
    pub age: Duration,
    /// How many reports at most.
    pub rows: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(7 * 86_400),
            rows: 1_000_000,
        }
    }
}

/// Writes rows through a connection.
pub(super) struct JournalWriter {
    connection: Connection,
    names: HashMap<Arc<str>, i64>,
    retention: Retention,
    /// Reports in the file that are in no view any more.
    superseded: usize,
}

impl JournalWriter {
    pub(super) fn new(connection: Connection, retention: Retention) -> rusqlite::Result<Self> {
        let superseded = connection.query_row(
            "SELECT count(*) FROM observation INDEXED BY superseded WHERE live = 0",
            [],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(Self {
            connection,
            names: HashMap::new(),
            retention,
            superseded: usize::try_from(superseded).unwrap_or(0),
        })
    }

    /// Writes all of them, or none.
    pub(super) fn write(&mut self, rows: &[Row]) -> rusqlite::Result<()> {
        let is_forced = rows.iter().any(|row| matches!(row, Row::Registered { .. }));
        let execute = |writer: &Self, sql: &str| writer.connection.execute_batch(sql);
        if is_forced {
            execute(self, "PRAGMA synchronous = FULL")?;
        }
        execute(self, "BEGIN IMMEDIATE")?;
        let outcome = rows.iter().try_for_each(|row| self.write_row(row));
        let outcome = outcome.and_then(|()| execute(self, "COMMIT"));
        if outcome.is_err() {
            // The names of this transaction are not in the file; it may have been rolled back already.
            self.names.clear();
            let _ = execute(self, "ROLLBACK");
        } else {
            self.superseded += rows
                .iter()
                .filter(|row| matches!(row, Row::Superseded(_)))
                .count();
        }
        if is_forced {
            execute(self, "PRAGMA synchronous = NORMAL")?;
        }
        outcome
    }

    fn write_row(&mut self, row: &Row) -> rusqlite::Result<()> {
        match row {
            Row::Observation {
                sequence,
                subject,
                observer,
                observation,
                origin,
            } => {
                let (subject, observer) = (self.name(subject)?, self.name(observer)?);
                let source = origin
                    .as_ref()
                    .map(|origin| self.name(&origin.source))
                    .transpose()?;
                let learned = origin.as_ref().map(|origin| origin.sequence.cast_signed());
                self.run(
                    "INSERT INTO observation (sequence, subject, observer, at, source, learned, metrics)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        sequence.cast_signed(),
                        subject,
                        observer,
                        observation.at(),
                        source,
                        learned,
                        metrics(observation)
                    ],
                )
            }
            Row::Superseded(sequence) => self.run(
                "UPDATE observation SET live = 0 WHERE sequence = ?1",
                params![sequence.cast_signed()],
            ),
            Row::Forgotten(sequences) => sequences.iter().try_for_each(|sequence| {
                self.run(
                    "DELETE FROM observation WHERE sequence = ?1",
                    params![sequence.cast_signed()],
                )
            }),
            Row::Watched(subject, since) => {
                let subject = self.name(subject)?;
                self.run(
                    "INSERT OR REPLACE INTO watched (subject, since) VALUES (?1, ?2)",
                    params![subject, since],
                )
            }
            Row::Unwatched(subject) => {
                let subject = self.name(subject)?;
                self.run("DELETE FROM watched WHERE subject = ?1", params![subject])?;
                self.run("DELETE FROM change WHERE subject = ?1", params![subject])
            }
            Row::Registered {
                handle,
                module,
                observer,
                at,
            } => self.run(
                "INSERT INTO handle (handle, module, observer, at) VALUES (?1, ?2, ?3, ?4)",
                params![handle.cast_signed(), module, observer, at],
            ),
            Row::Ignoring(peer, subject) => {
                let (peer, subject) = (self.name(peer)?, self.name(subject)?);
                self.run(
                    "INSERT OR IGNORE INTO ignoring (peer, subject) VALUES (?1, ?2)",
                    params![peer, subject],
                )
            }
            Row::Attending(peer, subject) => {
                let (peer, subject) = (self.name(peer)?, self.name(subject)?);
                self.run(
                    "DELETE FROM ignoring WHERE peer = ?1 AND subject = ?2",
                    params![peer, subject],
                )
            }
            Row::Changed(change) => {
                let subject = self.name(&change.subject)?;
                let evidence: Vec<_> = change.evidence.iter().map(SavedEvidence::from).collect();
                let transition = &change.transition;
                self.run(
                    "INSERT INTO change (subject, was, became, at, flapping, evidence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        subject,
                        transition.from as i64,
                        transition.to as i64,
                        transition.at,
                        transition.flapping,
                        serde_json::to_string(&evidence).unwrap_or_else(|_| "[]".to_owned())
                    ],
                )
            }
        }
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.execute(values).map(drop)
    }

    /// The number of a name.
    fn name(&mut self, name: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.names.get(name) {
            return Ok(*id);
        }
        let connection = &self.connection;
        let mut find = connection.prepare_cached("SELECT id FROM name WHERE text = ?1")?;
        let found = find.query_row([&**name], |row| row.get(0)).optional()?;
        let id = match found {
            Some(id) => id,
            None => connection
                .prepare_cached("INSERT INTO name (text) VALUES (?1)")?
                .insert([&**name])?,
        };
        if self.names.len() >= NAMES {
            self.names.clear();
        }
        self.names.insert(Arc::clone(name), id);
        Ok(id)
    }

    /// Deletes a slice of what is too old or too much.
    pub(super) fn prune(&mut self, now: SystemTime) -> rusqlite::Result<()> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let limit = i64::try_from(now.saturating_sub(self.retention.age).as_micros()).unwrap_or(i64::MAX);
        let surplus = self.superseded.saturating_sub(self.retention.rows).min(SLICE);
        let connection = &self.connection;
        let mut delete = connection.prepare_cached(
            "DELETE FROM observation WHERE sequence IN (SELECT sequence FROM observation INDEXED BY superseded
             WHERE live = 0 AND sequence < ?1 ORDER BY sequence LIMIT ?2)",
        )?;
        let too_much = delete.execute(params![i64::MAX, surplus as i64])?;
        let too_old = delete.execute(params![limit, SLICE as i64])?;
        self.superseded = self.superseded.saturating_sub(too_much + too_old);
        let mut delete =
            connection.prepare_cached("DELETE FROM change WHERE id <= (SELECT max(id) FROM change) - ?1")?;
        delete.execute([CHANGES])?;
        Ok(())
    }
}

/// The metrics of an observation as JSON: `{"cpu":[5,30.0]}`.
pub(super) fn metrics(observation: &HealthObservation) -> String {
    let mut text = String::from("{");
    for metric in observation.metrics() {
        if text.len() > 1 {
            text.push(',');
        }
        let name = serde_json::to_string(&*metric.name);
        let value = serde_json::to_string(&(metric.status as u8, metric.score));
        // Neither a text nor a pair of numbers can fail.
        text.push_str(&name.unwrap_or_default());
        text.push(':');
        text.push_str(&value.unwrap_or_default());
    }
    text.push('}');
    text
}

/// A vote as JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct SavedEvidence {
    observer: String,
    metric: String,
    status: u8,
    score: f32,
    at: i64,
    standing: u8,
}

const STANDINGS: [Standing; 6] = [
    Standing::Failing,
    Standing::Overdue,
    Standing::Doubt,
    Standing::Working,
    Standing::Waiting,
    Standing::Expired,
];

const STATES: [HealthState; 6] = [
    HealthState::Healthy,
    HealthState::Unknown,
    HealthState::Suspected,
    HealthState::Overdue,
    HealthState::Gray,
    HealthState::Unhealthy,
];

/// The state of a number in the file.
pub(super) fn state(number: i64) -> HealthState {
    let found = STATES.into_iter().find(|state| *state as i64 == number);
    found.unwrap_or(HealthState::Unknown)
}

impl From<&HealthEvidence> for SavedEvidence {
    fn from(vote: &HealthEvidence) -> Self {
        Self {
            observer: vote.observer.to_string(),
            metric: vote.metric.to_string(),
            status: vote.status as u8,
            score: vote.score,
            at: vote.at,
            standing: vote.standing as u8,
        }
    }
}

impl From<SavedEvidence> for HealthEvidence {
    fn from(saved: SavedEvidence) -> Self {
        let standing = STANDINGS
            .into_iter()
            .find(|standing| *standing as u8 == saved.standing);
        Self {
            observer: Arc::from(saved.observer),
            metric: Arc::from(saved.metric),
            status: Status::from_number(i32::from(saved.status)).unwrap_or(Status::Na),
            score: saved.score,
            at: saved.at,
            standing: standing.unwrap_or(Standing::Expired),
        }
    }
}
