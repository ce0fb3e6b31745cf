//! What a job is to do, as it lies in the queue.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::kinds::{JobKind, KINDS};

/// What is to be done: a kind, and the fields it needs. A queue holds what another version may have put there; what is of no
/// [kind](KINDS) that is known fails when it is begun.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What the kind is called.
    pub kind: String,
    /// The kind's own fields.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

impl Task {
    /// The task of a job.
    #[must_use]
    pub fn of<J: JobKind>(job: &J) -> Self {
        let details = serde_json::to_value(job).expect("a job is a struct of texts and numbers");
        Self {
            kind: J::NAME.to_owned(),
            details: details.as_object().cloned().unwrap_or_default(),
        }
    }

    /// The job of the task.
    pub(super) fn job<J: JobKind>(&self) -> Result<J, serde_json::Error> {
        serde_json::from_value(self.details.clone().into())
    }

    /// The task in a few words, the same for the same task.
    #[must_use]
    pub fn describe(&self) -> String {
        let kind = KINDS.iter().find(|kind| kind.name == self.kind);
        let text = kind.and_then(|kind| (kind.describe)(self));
        text.unwrap_or_else(|| self.kind.clone())
    }
}
