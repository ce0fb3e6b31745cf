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
    /// It did not answer in the time there was.
    #[error("`{place}` does not answer: timeout: {reason}")]
    TimedOut {
        /// The source.
        place: String,
        /// What took too long.
        reason: String,
    },
    /// It is not asked for a while, as it has not answered several times in a row.
    #[error(
        "`{place}` has not answered {failures} times in a row and is left alone for {seconds:.0} seconds more"
    )]
    LeftAlone {
        /// The source.
        place: String,
        /// How often.
        failures: usize,
        /// For how long.
        seconds: f64,
    },
    /// It lets nobody in like this.
    #[error("`{place}` refuses us: {reason}")]
    Denied {
        /// The source.
        place: String,
        /// What it said, or is wrong with its certificate.
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
    /// More came than is read at one go.
    #[error("`{place}` answers more than {megabytes} MB for `{part}`")]
    TooLarge {
        /// The source.
        place: String,
        /// What was asked for.
        part: String,
        /// The limit.
        megabytes: u64,
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
            Self::Unavailable { .. } | Self::TimedOut { .. } | Self::LeftAlone { .. } => true,
            Self::Store(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether it is about the part that was asked for, and says nothing of the source: the next part may be good.
    #[must_use]
    pub fn is_of_the_part(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Malformed { .. } | Self::TooLarge { .. }
        )
    }

    /// What a person could do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unavailable { .. } | Self::TimedOut { .. } => Some(
                "is the server running, and is this its address? the same command goes on where this one ended",
            ),
            Self::Denied { .. } => Some("login, token and certificates belong to this server?"),
            Self::TooLarge { .. } => Some("ask for less at a time: narrower patterns, or a later `--from`"),
            Self::Redirected { .. } => Some("name the address it redirects to"),
            Self::Malformed { .. } => {
                Some("is this the address of the server itself, without `/render` or `/api`?")
            }
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}
