//! Why entities could not be judged: of files, and live.

use std::path::PathBuf;

use super::{DetectorJobError, EntityDetectorError};
use crate::archive_file::ArchiveError;
use crate::sources::SourceError;

/// Why files of entities could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum EntityFileError {
    /// A file or folder that is not there, or may not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without entities.
    #[error("there is no `ENTITY/train.csv.gz` with a `test.csv.gz` beside it in `{}`", path.display())]
    NoEntities {
        /// The folder.
        path: PathBuf,
    },
    /// A training file whose test file is missing, or the other way round.
    #[error("`{}` has no `{missing}` beside it", path.display())]
    NoCounterpart {
        /// The file that is there.
        path: PathBuf,
        /// The file that is not.
        missing: &'static str,
    },
    /// A line that is no row of the table.
    #[error("`{}` line {line}: {why}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// From 1, the heading included.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Rows that nothing can be learnt from, or judged by what was learnt.
    #[error("`{}`: {source}", path.display())]
    Unusable {
        /// The file they are from.
        path: PathBuf,
        /// Why.
        source: EntityDetectorError,
    },
    /// Output that could not be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The command was told to end.
    #[error("stopped before all entities were judged; those written are whole")]
    Stopped,
}

/// Why entities cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum EntityWatchError {
    /// The source cannot be used as it is set.
    #[error("entities: {0}")]
    Source(#[from] SourceError),
    /// A file of an entity that cannot be learnt from.
    #[error(transparent)]
    Files(#[from] EntityFileError),
    /// A source that says nothing.
    #[error("nothing is known of entities: {0}")]
    NoAnswer(String),
    /// A job that cannot be run.
    #[error(transparent)]
    Job(#[from] DetectorJobError),
    /// How entities are cannot be kept.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The system refuses a thread.
    #[error("cannot learn entities: {0}")]
    Thread(#[source] std::io::Error),
}
