//! Keeping how entities were.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{EntityScore, EntitySummary, FORM};
use crate::archive_file::ArchiveError;

/// Seconds between two looks for scores that are too old: each reads the whole file.
const PRUNE_EACH: f64 = 3_600.0;

/// An entity as it is, and what was said of its newest rows.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::entities) struct EntityRecord {
    pub(in crate::entities) summary: EntitySummary,
    pub(in crate::entities) scores: Vec<EntityScore>,
}

/// The file, by whoever writes it.
#[derive(Debug)]
pub(in crate::entities) struct EntityArchive {
    connection: Connection,
    path: PathBuf,
    /// Seconds for which scores are kept.
    age: f64,
    /// When it was last looked for those too old, Unix seconds.
    pruned: f64,
}

impl EntityArchive {
    /// Opens the file, or begins it. One that cannot be used is renamed to `NAME.broken`.
    pub(in crate::entities) fn open(path: &Path, age: f64) -> Result<Self, ArchiveError> {
        let (connection, ()) = FORM.open_or_anew(path, |_| Ok(()))?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            age,
            pruned: 0.0,
        })
    }

    /// Writes how entities are at `now`, Unix seconds, and removes those that are gone, in one transaction.
    pub(in crate::entities) fn write(
        &mut self,
        records: &[EntityRecord],
        gone: &[Arc<str>],
        now: f64,
    ) -> Result<(), ArchiveError> {
        self.try_write(records, gone, now)
            .map_err(FORM.failed(&self.path))
    }

    fn try_write(&mut self, records: &[EntityRecord], gone: &[Arc<str>], now: f64) -> rusqlite::Result<()> {
        let prunes = now - self.pruned >= PRUNE_EACH;
        let transaction = self.connection.transaction()?;
        {
            let mut entity = transaction.prepare_cached(
                "INSERT INTO entity (name, body) VALUES (?1, ?2) \
                 ON CONFLICT (name) DO UPDATE SET body = excluded.body RETURNING id",
            )?;
            let mut score =
                transaction.prepare_cached("INSERT OR REPLACE INTO score VALUES (?1, ?2, ?3, ?4)")?;
            for record in records {
                // A summary is texts and numbers, which JSON has.
                let body = serde_json::to_string(&record.summary).unwrap_or_default();
                let id: i64 = entity.query_row(params![record.summary.name, body], |row| row.get(0))?;
                for EntityScore {
                    at,
                    score: value,
                    is_anomalous,
                } in &record.scores
                {
                    score.execute(params![id, at, value, is_anomalous])?;
                }
            }
            for name in gone {
                let scores = "DELETE FROM score WHERE entity = (SELECT id FROM entity WHERE name = ?1)";
                transaction.execute(scores, params![&**name])?;
                transaction.execute("DELETE FROM entity WHERE name = ?1", params![&**name])?;
            }
            if prunes {
                let oldest = params![now - self.age];
                transaction.execute("DELETE FROM score WHERE at < ?1", oldest)?;
                // Those that settings of an earlier run have named.
                transaction.execute("DELETE FROM entity WHERE body ->> '$.seen' < ?1", oldest)?;
            }
        }
        transaction.commit()?;
        if prunes {
            self.pruned = now;
        }
        Ok(())
    }

    /// The newest scores of an entity, `most` at most, oldest first.
    pub(in crate::entities) fn newest_scores(
        &self,
        name: &str,
        most: usize,
    ) -> Result<Vec<f64>, ArchiveError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT score FROM score WHERE entity = (SELECT id FROM entity WHERE name = ?1) ORDER BY at DESC LIMIT ?2",
            )?;
            let rows = statement.query_map(params![name, most as i64], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<f64>>>()
        };
        let mut scores = read().map_err(FORM.failed(&self.path))?;
        scores.reverse();
        Ok(scores)
    }
}
