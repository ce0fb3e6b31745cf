//! Why a configuration cannot be read.

use std::path::PathBuf;

/// Why a configuration cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AnteaterError {
    /// A file or folder that cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no configuration.
    #[error("`{}` is no configuration of gala-anteater: {reason}", path.display())]
    Malformed {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
