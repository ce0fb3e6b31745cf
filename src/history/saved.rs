//! What a process that starts needs to know of its life before.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use skywatch_alerters::incident::Incident;
use skywatch_alerters::silence::Silence;
use skywatch_alerters::state::{APART, Cooldown};

use super::columns::{key, number, read, severity, subject};
use super::{HistoryError, HistoryReader};

/// The state as it was last committed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Saved {
    /// Incidents that last, and those that ended lately, by number.
    pub incidents: Vec<Incident>,
    /// The first number no incident has ever had.
    pub next_incident: u64,
    /// Silences not ended by a person, by number; their time may be over.
    pub silences: Vec<Silence>,
    /// The first number no silence has ever had.
    pub next_silence: u64,
    /// When receivers last got a notice about subjects.
    pub cooldowns: Vec<Cooldown>,
    /// Everything else, by key.
    pub meta: BTreeMap<String, Value>,
    /// Entries that could not be read and are missing above; the log names them.
    pub unreadable: u64,
}

impl HistoryReader {
    /// The state as of one commit, with the incidents that last or ended at or after `since` (Unix seconds).
    ///
    /// # Errors
    /// As any reading. An entry that cannot be read is counted, not an error.
    pub fn load(&self, since: f64) -> Result<Saved, HistoryError> {
        // A transaction that only reads: all the tables are seen as of the same commit.
        let transaction = self.connection.unchecked_transaction();
        let _transaction = transaction.map_err(|error| self.failure(&error))?;
        let mut saved = Saved::default();
        saved.incidents = self.bodies(
            "incident",
            "SELECT id, body FROM incidents WHERE closed_at IS NULL
             UNION ALL SELECT id, body FROM incidents WHERE closed_at >= ?1
             UNION ALL SELECT id, body FROM incidents WHERE closed_at < ?1 AND closed_at >= ?1 - 604800
                AND (json_extract(body, '$.waiting') <> '[]'
                     OR phase = 'closed' AND json_extract(body, '$.last_anomalous') >= ?1) ORDER BY id",
            [since],
            &mut saved.unreadable,
        )?;
        saved.next_incident = self.next("incidents")?;
        saved.silences = self.bodies(
            "silence",
            "SELECT id, body FROM silences WHERE ended_at IS NULL ORDER BY id",
            [],
            &mut saved.unreadable,
        )?;
        saved.next_silence = self.next("silences")?;
        saved.cooldowns = self.rows(
            "SELECT receiver, kind, name, told_at, severity FROM cooldowns ORDER BY receiver, kind, name",
            [],
            |row| {
                Ok(Cooldown {
                    receiver: row.get(0)?,
                    subject: subject(&row.get::<_, String>(1)?, row.get(2)?)?,
                    told: Some((
                        row.get::<_, Option<f64>>(3)?.unwrap_or_default(),
                        severity(&row.get::<_, String>(4)?)?,
                    )),
                })
            },
        )?;
        let meta = self.rows("SELECT key, body FROM meta", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        for (key, body) in meta {
            match read("entry", &key, &body) {
                Some(value) => drop(saved.meta.insert(key, value)),
                None => saved.unreadable += 1,
            }
        }
        Ok(saved)
    }

    /// The values of a table, without those that cannot be read, which are counted.
    pub(super) fn bodies<T: DeserializeOwned>(
        &self,
        what: &str,
        sql: &str,
        parameters: impl rusqlite::Params,
        unreadable: &mut u64,
    ) -> Result<Vec<T>, HistoryError> {
        let rows = self.rows(sql, parameters, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        let mut values = Vec::with_capacity(rows.len());
        for (id, body) in rows {
            match read(what, &id, &body) {
                Some(value) => values.push(value),
                None => *unreadable += 1,
            }
        }
        Ok(values)
    }

    /// All rows of a query.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        each: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, HistoryError> {
        let collect = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map(parameters, each)?.collect()
        };
        collect().map_err(|error| self.failure(&error))
    }

    /// The first number a table has never given in turn. Those given apart say nothing of that; as long as there are any
    /// the largest of the others counts, beside what the writer itself knows.
    fn next(&self, table: &str) -> Result<u64, HistoryError> {
        let last = self.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", [table], |row| {
            row.get(0).map(number)
        })?;
        let Some(last) = last.first().copied() else {
            return Ok(1);
        };
        if last < APART {
            return Ok(last + 1);
        }
        let in_turn = format!("SELECT coalesce(max(id), 0) FROM {table} WHERE id < ?");
        let in_turn = self.rows(&in_turn, [key(APART)], |row| row.get(0).map(number))?;
        Ok(in_turn.first().map_or(1, |last| last + 1))
    }
}
