//! Where settings can come from.

use std::path::PathBuf;

/// What the caller has: everything settings can come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The settings file asked for on the command line. Without one, `SKYWATCH_CONFIG` in `env` may name it; without
    /// that there is none.
    pub file: Option<PathBuf>,
    /// The environment. Only `SKYWATCH__*`, `SKYWATCH_CONFIG` and `HOME` are looked at.
    pub env: Vec<(String, String)>,
    /// Flags that stand for options: dotted key, value as typed, the flag's name as the user types it.
    pub flags: Vec<(String, String, String)>,
}

impl Sources {
    /// The settings file: the one asked for, else the one `SKYWATCH_CONFIG` names.
    pub(crate) fn file_or_variable(&self) -> Option<PathBuf> {
        self.file
            .clone()
            .or_else(|| self.variable("SKYWATCH_CONFIG").map(PathBuf::from))
    }

    /// A variable that is set to something.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }
}
