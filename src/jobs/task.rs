//! What a job is to do, as it lies in the queue.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is to be done: a kind, and the fields it needs. A queue holds what another version may have put there; what is of no
/// kind that is known fails when it is begun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What the kind is called.
    pub kind: String,
    /// The kind's own fields.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}
