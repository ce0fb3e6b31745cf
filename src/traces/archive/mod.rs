//! Traces on disk: the anomalous ones and a sample of the others, in one SQLite file of the state folder, bounded by age and
//! by bytes.
//!
//! One process writes it, the pages read it. They are samples: a file that cannot be read is put aside and begun anew, and a
//! write that fails costs what it would have kept.

mod reader;
mod writer;

use std::path::{Path, PathBuf};

pub(crate) use reader::{ArchiveReader, TraceFilter, TraceSummary};
pub(super) use writer::TraceArchive;

/// Where traces are kept.
pub(crate) fn archive_path(state_dir: &Path) -> PathBuf {
    state_dir.join("traces.sqlite")
}

/// The version of the file's form; another one is begun anew.
const VERSION: i64 = 2;

/// Why the archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// There is none yet.
    #[error("no trace has been kept yet in `{}`", .0.display())]
    Missing(PathBuf),
    /// Another version of ours has written it.
    #[error("`{}` has version {found} and not {VERSION}", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// The version it says it has.
        found: i64,
    },
    /// The library's reason.
    #[error("cannot use the traces in `{}`: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A trace in it cannot be read.
    #[error("a trace in `{}` cannot be read: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl ArchiveError {
    fn of(path: &Path) -> impl Fn(rusqlite::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Sqlite {
            path: path.clone(),
            source,
        }
    }
}

/// The form of the file. `kept` and `began` are Unix seconds, `body` is a deflated document.
const SCHEMA: &str = "
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
";

#[cfg(test)]
mod tests;
