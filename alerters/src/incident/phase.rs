//! Where an incident is in its life.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an incident is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Seen, but not often enough yet to speak of.
    Pending,
    /// It lasts.
    Open,
    /// It lasts, and somebody has it.
    Acknowledged,
    /// It is over: back to what was expected before. For half an hour it can still come back as the same incident.
    Resolved,
    /// It is over as a new level was accepted. It can come back as a resolved one can.
    Settled,
    /// Its subject was deleted.
    Gone,
    /// Somebody closed it. While its subject stays as it is nothing new begins about it, unless it becomes worse.
    Closed,
}

impl Phase {
    /// Every phase, in the order of an incident's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Open,
        Self::Acknowledged,
        Self::Resolved,
        Self::Settled,
        Self::Gone,
        Self::Closed,
    ];

    /// Whether the incident lasts and has been opened.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Acknowledged)
    }

    /// Whether it has ended.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::Settled | Self::Gone | Self::Closed)
    }

    /// In one lower-case word, as in the JSON form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Settled => "settled",
            Self::Gone => "gone",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
