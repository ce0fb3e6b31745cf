//! What ends a backfill.

use crate::sources::SourceError;
use crate::store::StoreError;

/// Why a backfill ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// The source gives nothing any more.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store takes nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was learnt cannot be left.
    #[error("cannot leave what was learnt in `{path}`: {source}")]
    Memory {
        /// The folder of the long memory, or of the states.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// What is done cannot be written down.
    #[error("cannot keep the progress in `{path}`: {source}")]
    Progress {
        /// The file or its folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl BackfillError {
    /// What a person could do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Progress { .. } | Self::Memory { .. } => None,
        }
    }
}
