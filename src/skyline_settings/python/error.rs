//! What no Python would read.

/// What no Python would read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct PythonError {
    /// The line, from one.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}
