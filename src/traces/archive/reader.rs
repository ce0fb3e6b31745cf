//! Looking at kept traces.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use flate2::read::DeflateDecoder;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::FORM;
use crate::archive_file::ArchiveError;
use crate::traces::document::TraceDocument;

/// Largest document, bytes: some times what a trace of the most spans takes.
const LARGEST: u64 = 256 << 20;

/// The archive, by whoever reads it.
#[derive(Debug)]
pub(crate) struct ArchiveReader {
    connection: Connection,
    path: PathBuf,
}

/// A trace in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TraceSummary {
    /// Its id.
    pub(crate) id: String,
    /// When it was kept, Unix seconds.
    pub(crate) kept: f64,
    /// When it began, Unix seconds.
    pub(crate) began: f64,
    /// The kind of request it is.
    pub(crate) kind: String,
    /// How long it took, seconds.
    pub(crate) seconds: f64,
    /// How many spans it has.
    pub(crate) spans: i64,
    /// `anomalous`, `normal` or `unjudged`.
    pub(crate) verdict: String,
    /// What was found, or why nobody could say.
    pub(crate) sentence: String,
}

/// Which traces a list is of.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TraceFilter {
    /// Also those that are not anomalous.
    pub(crate) all: bool,
    /// Those of one kind of request.
    pub(crate) kind: Option<String>,
    /// Those kept before, Unix seconds.
    pub(crate) before: Option<f64>,
}

impl ArchiveReader {
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

    /// The newest traces first, at most `most`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn list(&self, filter: &TraceFilter, most: usize) -> Result<Vec<TraceSummary>, ArchiveError> {
        let verdict = if filter.all {
            ""
        } else {
            "AND verdict = 'anomalous'"
        };
        let kind = if filter.kind.is_some() {
            "AND kind = ?3"
        } else {
            "AND ?3 IS NULL"
        };
        let select = format!(
            "SELECT id, kept, began, kind, seconds, spans, verdict, sentence FROM trace \
             WHERE kept < ?1 {verdict} {kind} ORDER BY kept DESC, id LIMIT ?2"
        );
        let before = filter.before.unwrap_or(f64::MAX);
        let read = || {
            let mut statement = self.connection.prepare(&select)?;
            let rows = statement.query_map(params![before, most as i64, filter.kind], |row| {
                Ok(TraceSummary {
                    id: row.get(0)?,
                    kept: row.get(1)?,
                    began: row.get(2)?,
                    kind: row.get(3)?,
                    seconds: row.get(4)?,
                    spans: row.get(5)?,
                    verdict: row.get(6)?,
                    sentence: row.get(7)?,
                })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(FORM.failed(&self.path))
    }

    /// A trace by its id.
    ///
    /// # Errors
    /// The file, or this trace in it, cannot be read.
    pub(crate) fn trace(&self, id: &str) -> Result<Option<TraceDocument>, ArchiveError> {
        let body: Option<Vec<u8>> = self
            .connection
            .query_row("SELECT body FROM trace WHERE id = ?1", params![id], |row| {
                row.get(0)
            })
            .optional()
            .map_err(FORM.failed(&self.path))?;
        let Some(body) = body else { return Ok(None) };
        let document = inflated(&body).map_err(|why| ArchiveError::Damaged {
            path: self.path.clone(),
            one: "trace",
            why,
        })?;
        Ok(Some(document))
    }
}

fn inflated(body: &[u8]) -> Result<TraceDocument, String> {
    let mut text = Vec::new();
    let read = DeflateDecoder::new(body).take(LARGEST).read_to_end(&mut text);
    read.map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}
