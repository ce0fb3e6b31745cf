//! Why a source did not give what it was asked for.

use crate::store::StoreError;

/// What went wrong. `place` holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Refused, cut off, too slow, or out of order for the moment.
    #[error("`{place}` does not answer: {reason}")]
    Unavailable {
        /// The source.
        place: String,
        /// What the system or the server said.
        reason: String,
    },
    /// It does not give this.
    #[error("`{place}` refuses `{part}`: {reason}")]
    Refused {
        /// The source.
        place: String,
        /// What was asked for.
        part: String,
        /// What it said.
        reason: String,
    },
    /// It points elsewhere, and is not followed there.
    #[error("`{place}` redirects to `{to}`, and redirects are not followed")]
    Redirected {
        /// The source.
        place: String,
        /// Where it points to.
        to: String,
    },
    /// What came is not what was to come.
    #[error("`{place}` gives no series for `{part}`: {reason}")]
    Malformed {
        /// The source.
        place: String,
        /// What was asked for.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{path}`: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// What was asked for describes no source.
    #[error("{reason}")]
    Options {
        /// Which option and why.
        reason: String,
    },
    /// The Redis' reason.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SourceError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Store(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// What a person could do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unavailable { .. } => Some(
                "is the server running, and is this its address? the same command goes on where this one ended",
            ),
            Self::Redirected { .. } => Some("name the address it redirects to"),
            Self::Malformed { .. } => Some("is this the address of Graphite itself, without `/render`?"),
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}
