//! Where a value came from.

use std::fmt;
use std::path::PathBuf;

/// The layer that set an option, precise enough to go and change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the settings file, counted from one.
    File {
        /// The file as the caller named it.
        path: PathBuf,
        /// The line of the key.
        line: usize,
    },
    /// An environment variable, by its name.
    Environment(String),
    /// A command-line flag, as the user types it.
    Flag(String),
}

impl Origin {
    /// The origin as the end of an error's first line: ` in /etc/skywatch.toml line 12`.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Default => String::new(),
            Self::File { path, line } => format!(" in {} line {line}", path.display()),
            Self::Environment(name) => format!(" in environment variable `{name}`"),
            Self::Flag(name) => format!(" in flag `{name}`"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}
