//! Keeping traces.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rusqlite::{Connection, params};
use skywatch_settings::Traces;

use super::FORM;
use crate::archive_file::ArchiveError;
use crate::traces::document::TraceDocument;
use crate::traces::judgement::TraceJudgement;

/// What a row takes beside its body, bytes: texts and four indices.
const ROW_BYTES: i64 = 500;

/// The archive, by whoever writes it.
#[derive(Debug)]
pub(in crate::traces) struct TraceArchive {
    connection: Connection,
    path: PathBuf,
    /// How long traces are kept.
    age: Duration,
    /// Bytes of them at most.
    most: i64,
    /// Bytes of all rows.
    bytes: i64,
}

impl TraceArchive {
    /// Opens the file, or begins it. One that cannot be used is renamed to `NAME.broken`.
    pub(in crate::traces) fn open(path: &Path, settings: &Traces) -> Result<Self, ArchiveError> {
        let sum = format!("SELECT COALESCE(SUM(LENGTH(body) + {ROW_BYTES}), 0) FROM trace");
        let (connection, bytes) = FORM.open_or_anew(path, |connection| {
            connection.query_row(&sum, [], |row| row.get(0))
        })?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            age: settings.keep,
            most: i64::try_from(settings.keep_bytes).unwrap_or(i64::MAX),
            bytes,
        })
    }

    /// Keeps traces in one transaction, `now` in Unix seconds, and lets go what is too old or too much: of what is too much
    /// first those that are not anomalous.
    pub(in crate::traces) fn keep(&mut self, traces: &[TraceDocument], now: f64) -> Result<(), ArchiveError> {
        let failed = FORM.failed(&self.path);
        let before = self.bytes;
        let outcome = self.try_keep(traces, now).map_err(failed);
        if outcome.is_err() {
            self.bytes = before;
        }
        outcome
    }

    fn try_keep(&mut self, traces: &[TraceDocument], now: f64) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for document in traces {
            let body = deflated(document);
            let sentence = match &document.judgement {
                TraceJudgement::Unjudged { why } => why.as_str(),
                TraceJudgement::Normal { .. } => "",
                TraceJudgement::Anomalous { sentences, .. } => sentences.first().map_or("", String::as_str),
            };
            let row = params![
                document.trace_id,
                now,
                document.start_us as f64 / 1e6,
                document.kind,
                document.duration_us as f64 / 1e6,
                document.spans.len() as i64,
                document.judgement.word(),
                sentence,
                body,
            ];
            // A trace that was too long in coming may come in two halves: the second is what is known now.
            self.bytes -= removed(&transaction, "id = ?1", params![document.trace_id])?;
            transaction
                .prepare_cached("INSERT INTO trace VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
                .execute(row)?;
            self.bytes += body.len() as i64 + ROW_BYTES;
        }
        let oldest = now - self.age.as_secs_f64();
        self.bytes -= removed(&transaction, "kept < ?1", params![oldest])?;
        for which in ["verdict <> 'anomalous'", "1"] {
            while self.bytes > self.most {
                let some = format!("id IN (SELECT id FROM trace WHERE {which} ORDER BY kept LIMIT 20)");
                match removed(&transaction, &some, params![])? {
                    0 => break,
                    bytes => self.bytes -= bytes,
                }
            }
        }
        transaction.commit()?;
        self.connection.execute_batch("PRAGMA incremental_vacuum")
    }
}

/// Removes rows; how many bytes they had.
fn removed(
    transaction: &rusqlite::Transaction<'_>,
    which: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<i64> {
    let delete = format!("DELETE FROM trace WHERE {which} RETURNING LENGTH(body)");
    let mut statement = transaction.prepare_cached(&delete)?;
    let lengths = statement.query_map(parameters, |row| row.get::<_, i64>(0))?;
    lengths.map(|length| Ok(length? + ROW_BYTES)).sum()
}

/// A document as it is kept.
fn deflated(document: &TraceDocument) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    let written = serde_json::to_writer(&mut encoder, document).map_err(std::io::Error::from);
    // Writing to memory does not fail, and a document has no maps whose keys are no texts.
    let _ = written.and_then(|()| encoder.flush());
    encoder.finish().unwrap_or_default()
}
