//! Ways in which an incident can become another trouble than it was.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How an incident has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentChange {
    /// It is over, however it ended.
    Over,
    /// It became more severe than it had been.
    Severity,
    /// The value lies on the other side of what is expected.
    Direction,
    /// The most likely value now lies outside of what was expected then.
    ExpectedLevel,
}

impl fmt::Display for IncidentChange {
    /// In words that follow on `ended, as`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => "the incident is over",
            Self::Severity => "it became more severe",
            Self::Direction => "it went to the other side of what is expected",
            Self::ExpectedLevel => "what is expected has changed",
        })
    }
}
