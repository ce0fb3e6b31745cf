//! The entries of the log that all nodes have of what the leading one writes down.

use serde::{Deserialize, Serialize};

use crate::history::HistoryWrite;

/// One entry.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(super) enum LogEntry {
    /// The log begins here, with writes that make an empty history what the leading node's is.
    Begins {
        /// What the ids of that history's notices begin with: no other history has the same.
        origin: String,
    },
    /// Something was written.
    Write {
        /// What.
        write: HistoryWrite,
    },
    /// Whoever has everything up to here has everything.
    Whole,
}

impl LogEntry {
    /// As it lies in the log.
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a map with text for keys has a JSON form")
    }
}
