//! What can go wrong with the history, sorted by what the caller should do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the history did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// There is no such file, or no such folder.
    #[error("history `{path}` does not exist")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is no database, or one that breaks its own format.
    #[error("history `{path}` is broken: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// A sound database, but of another program.
    #[error("`{path}` is a database, but not a history of Skywatch")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The tables are those of another version of Skywatch.
    #[error("history `{path}` has version {found} of its tables, this Skywatch knows version {known}")]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that was found.
        found: i64,
        /// The version this program writes.
        known: i64,
    },
    /// The file or its folder may not be read or written.
    #[error("history `{path}` may not be used: {reason}")]
    Denied {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The disk is full, read-only or failing. What was committed is safe; what was under way is not in it.
    #[error("history `{path}` cannot be written: {reason}")]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another process writes it.
    #[error("history `{path}` is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("history `{path}`: {reason}")]
    Other {
        /// The file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
}

impl HistoryError {
    /// Whether the disk is to blame: go on from memory, and commit the same again later on the same handle.
    #[must_use]
    pub fn is_of_disk(&self) -> bool {
        matches!(self, Self::Disk { .. })
    }

    /// Whether the same call may succeed later without a change to this process.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Disk { .. } | Self::InUse { .. })
    }

    /// Whether the file itself is lost: go on from memory, close it, and begin a new one with
    /// [`History::open_or_anew`](super::History::open_or_anew).
    #[must_use]
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }

    /// What a person could do, where that is known; printed on a `hint:` line of its own.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => {
                Some("is `state_dir` right? The history is begun when `skywatch run` starts")
            }
            Self::Broken { .. } => Some("`sqlite3 FILE .recover` gets out of it what is still readable"),
            Self::Foreign { .. } => Some("give Skywatch another `state_dir`, or move that file away"),
            Self::Version { found, known, .. } if found > known => {
                Some("a newer Skywatch has written it: run that one, or move the file away to begin anew")
            }
            Self::Version { .. } => Some("an older Skywatch has written it: start `skywatch run` once"),
            Self::Denied { .. } => {
                Some("the file and its folder must belong to the user that Skywatch runs as")
            }
            Self::Disk { .. } => {
                Some("free space on the disk of `state_dir`; alerts go on from memory meanwhile")
            }
            Self::InUse { .. } => Some("stop the other `skywatch`, or give this one another `state_dir`"),
            Self::Other { .. } => None,
        }
    }

    /// What the database said, with the file it was about.
    pub(super) fn of_database(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Broken { path, reason },
            Some(ErrorCode::PermissionDenied) => Self::Denied { path, reason },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse { path },
            Some(
                ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen,
            ) => Self::Disk { path, reason },
            _ => Self::Other { path, reason },
        }
    }

    /// What the system said of a file.
    pub(super) fn of_system(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        let reason = error.to_string();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing { path },
            io::ErrorKind::PermissionDenied => Self::Denied { path, reason },
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::ReadOnlyFilesystem => Self::Disk { path, reason },
            _ => Self::Other { path, reason },
        }
    }
}
