//! Why a health file is not used.

use std::path::{Path, PathBuf};

/// Why the file is not used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system or SQLite says no.
    #[error("health file `{path}` cannot be used: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
    /// Another process writes it.
    #[error("health file `{path}` is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is another program's, or of another version.
    #[error("`{path}` is a database, but not one of this version of the health plane")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
}

impl JournalError {
    /// What the system or SQLite said of a file.
    pub(super) fn of(path: &Path, error: &dyn std::fmt::Display) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}
