//! Traces on disk: the anomalous ones and a sample of the others, in one SQLite file of the state folder, bounded by age and
//! by bytes.
//!
//! One process writes it, the pages read it. They are samples: a file that cannot be read is put aside and begun anew, and a
//! write that fails costs what it would have kept.

mod reader;
mod writer;

use std::path::{Path, PathBuf};

use crate::archive_file::ArchiveForm;
pub(crate) use reader::{ArchiveReader, TraceFilter, TraceSummary};
pub(super) use writer::TraceArchive;

/// Where traces are kept.
pub(crate) fn archive_path(state_dir: &Path) -> PathBuf {
    state_dir.join("traces.sqlite")
}

/// The form of the file. `kept` and `began` are Unix seconds, `body` is a deflated document.
const FORM: ArchiveForm = ArchiveForm {
    what: "traces",
    none: "no trace has been kept yet",
    version: 2,
    pragmas: "PRAGMA auto_vacuum = INCREMENTAL;",
    schema: "
    CREATE TABLE trace (
        id TEXT PRIMARY KEY NOT NULL,
        kept REAL NOT NULL,
        began REAL NOT NULL,
        kind TEXT NOT NULL,
        seconds REAL NOT NULL,
        spans INTEGER NOT NULL,
        verdict TEXT NOT NULL,
        sentence TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
    CREATE INDEX trace_by_verdict ON trace (verdict, kept);
    CREATE INDEX trace_by_time ON trace (kept);
    CREATE INDEX trace_by_kind ON trace (kind, kept);
",
};

#[cfg(test)]
mod tests;
