//! Keeping how entities were.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::{EntityArchiveError, EntityScore, EntitySummary, SCHEMA, VERSION};
use crate::files;

/// How long to wait for a reader.
const PATIENCE: Duration = Duration::from_secs(5);
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
    pub(in crate::entities) fn open(path: &Path, age: f64) -> Result<Self, EntityArchiveError> {
        Self::try_open(path, age).or_else(|error| {
            let aside = path.with_extension("sqlite.broken");
            tracing::error!(
                "entities are kept anew, the old file is `{}` :: {error}",
                aside.display()
            );
            for end in ["", "-wal", "-shm"] {
                let with_end = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
                // What is not there is not in the way.
                let _ = std::fs::rename(with_end(path), with_end(&aside));
            }
            Self::try_open(path, age)
        })
    }

    fn try_open(path: &Path, age: f64) -> Result<Self, EntityArchiveError> {
        let of_file = |source| EntityArchiveError::File {
            path: path.to_owned(),
            source,
        };
        // Made for its owner only, and never through a link.
        drop(files::write(path).map_err(of_file)?);
        let failed = EntityArchiveError::of(path);
        let connection = Connection::open(path).map_err(&failed)?;
        let prepare = || {
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
            connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))
        };
        match prepare().map_err(&failed)? {
            0 => connection
                .execute_batch(&format!(
                    "BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT"
                ))
                .map_err(&failed)?,
            VERSION => {}
            found => {
                let path = path.to_owned();
                return Err(EntityArchiveError::OtherVersion { path, found });
            }
        }
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
    ) -> Result<(), EntityArchiveError> {
        self.try_write(records, gone, now)
            .map_err(EntityArchiveError::of(&self.path))
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
    ) -> Result<Vec<f64>, EntityArchiveError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT score FROM score WHERE entity = (SELECT id FROM entity WHERE name = ?1) ORDER BY at DESC LIMIT ?2",
            )?;
            let rows = statement.query_map(params![name, most as i64], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<f64>>>()
        };
        let mut scores = read().map_err(EntityArchiveError::of(&self.path))?;
        scores.reverse();
        Ok(scores)
    }
}
