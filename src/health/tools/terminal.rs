//! What a tool says, and why it fails.

/// Why a tool ends without having done its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToolError {
    /// The command line is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Anything else: exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl ToolError {
    /// Anything else, in the words of its cause.
    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A line on standard error.
pub(super) fn complain(line: &str) {
    use std::io::Write as _;
    // Nobody is left to be told that standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Text on standard output, as it is.
pub(super) fn print(text: &str) -> Result<(), ToolError> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| match error.kind() {
            // A reader who has seen enough is no failure worth a word.
            std::io::ErrorKind::BrokenPipe => ToolError::Failed(String::new()),
            _ => ToolError::failed(error),
        })
}
