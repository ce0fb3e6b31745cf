//! Looking at how entities were.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{EntityScore, EntitySummary, FORM};
use crate::archive_file::ArchiveError;

/// The file, by whoever reads it.
#[derive(Debug)]
pub(crate) struct EntityReader {
    connection: Connection,
    path: PathBuf,
}

impl EntityReader {
    /// Opens the file for questions only.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`] and others.
    pub(crate) fn open(path: &Path) -> Result<Self, ArchiveError> {
        Ok(Self {
            connection: FORM.read(path)?,
            path: path.to_owned(),
        })
    }

    /// All entities, by name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn list(&self) -> Result<Vec<EntitySummary>, ArchiveError> {
        let read = || {
            let mut statement = self.connection.prepare("SELECT body FROM entity ORDER BY name")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let bodies = read().map_err(FORM.failed(&self.path))?;
        // One that another version has written in another form is written anew at its next look.
        Ok(bodies
            .iter()
            .filter_map(|body| serde_json::from_str(body).ok())
            .collect())
    }

    /// An entity, and its scores from `since` (Unix seconds) on, oldest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn entity(
        &self,
        name: &str,
        since: f64,
    ) -> Result<Option<(EntitySummary, Vec<EntityScore>)>, ArchiveError> {
        let read = || {
            let found = self
                .connection
                .query_row(
                    "SELECT id, body FROM entity WHERE name = ?1",
                    params![name],
                    |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)),
                )
                .optional()?;
            let Some((id, body)) = found else { return Ok(None) };
            let mut statement = self.connection.prepare(
                "SELECT at, score, anomalous FROM score WHERE entity = ?1 AND at >= ?2 ORDER BY at",
            )?;
            let rows = statement.query_map(params![id, since], |row| {
                Ok(EntityScore {
                    at: row.get(0)?,
                    score: row.get(1)?,
                    is_anomalous: row.get(2)?,
                })
            })?;
            Ok(Some((body, rows.collect::<rusqlite::Result<Vec<_>>>()?)))
        };
        let found: Option<(String, Vec<EntityScore>)> = read().map_err(FORM.failed(&self.path))?;
        Ok(found.and_then(|(body, scores)| Some((serde_json::from_str(&body).ok()?, scores))))
    }
}
