//! Whose answers a replay asks for.

use serde::Serialize;

/// Whose answers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayProfile {
    /// The streaming detectors.
    Adaptive,
    /// The nine classic tests.
    Skyline,
    /// The streaming detectors with the learned vote, fitted as time goes on.
    Learned,
}

impl ReplayProfile {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Skyline => "skyline",
            Self::Learned => "learned",
        }
    }
}
