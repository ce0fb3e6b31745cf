//! Why a replay ended before its end.

use std::path::PathBuf;

use crate::sources::SourceError;
use crate::store::StoreError;

/// Why a replay ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A file or folder that is not there, or may not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without files to replay.
    #[error("there is no `*.csv` in `{}`", path.display())]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// A place without metrics to replay.
    #[error("`{place}` has no metric that matches")]
    NoMetrics {
        /// The place; holds no secret.
        place: String,
    },
    /// What is read must not be written.
    #[error("the output `{}` lies in the input `{}`", output.display(), input.display())]
    OutputInInput {
        /// The folder for the output.
        output: PathBuf,
        /// What is replayed.
        input: PathBuf,
    },
    /// A folder or file that takes nothing.
    #[error("cannot write `{}`: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that has no lines.
    #[error("`{}` has a line of more than a megabyte and is no file of rows", path.display())]
    LongLine {
        /// The file.
        path: PathBuf,
    },
    /// Labels that are none.
    #[error("`{}` has no labels: {reason}", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The learned detectors' reason.
    #[error("the learned vote cannot be fitted: {0}")]
    Learned(String),
    /// Told to stop.
    #[error("interrupted")]
    Interrupted,
    /// The source's reason.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store's reason.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BacktestError {
    /// What a person could do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoFiles { .. } => Some("name a folder with files `timestamp,value`, or one such file"),
            Self::NoMetrics { .. } => {
                Some("patterns are those of the settings: `=a.b`, `web-*.cpu`, `/^test[.]/`")
            }
            Self::OutputInInput { .. } => Some("the same paths would be written; name another folder"),
            Self::Labels { .. } => {
                Some("the form is `{\"path.csv\": [[start, end], …]}`, times as in the files")
            }
            Self::Source(error) => error.hint(),
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}
