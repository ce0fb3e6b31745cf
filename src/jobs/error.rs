//! What keeps a job from being done.

use skywatch_algorithms::learned::LearnedError;

use crate::models::ModelError;
use crate::store::StoreError;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// Histories cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network cannot be fitted.
    #[error(transparent)]
    Learned(#[from] LearnedError),
    /// The place of models cannot be read or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// What is to be learnt from cannot be fetched.
    #[error(transparent)]
    Source(#[from] crate::sources::SourceError),
    /// There is nothing to learn from.
    #[error("{0}")]
    Nothing(String),
    /// The job does not say what its kind needs.
    #[error("the job cannot be read: {0}")]
    Task(#[from] serde_json::Error),
    /// The job is of another kind than those there are.
    #[error("this Skywatch knows no job of the kind `{0}`")]
    UnknownKind(String),
    /// The job is no longer ours, or stop was said.
    #[error("stopped before anything was published")]
    Stopped,
}
