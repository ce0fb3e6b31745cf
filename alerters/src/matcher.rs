//! Which subjects a route or a silence is about.

use serde::{Deserialize, Serialize};

use crate::anomaly::Severity;

/// What is selected, as somebody wrote it. All that is given must hold; of the entries of one list, any.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Patterns of the subject's name, in the five forms of [`skywatch_settings::Pattern`].
    pub metrics: Vec<String>,
    /// Tags of the name: `dc=eu`, `dc!=eu`, `dc=~eu.*`, `dc!~eu.*`; a regular expression holds for the whole value.
    pub tags: Vec<String>,
    /// At least so severe.
    pub severity: Option<Severity>,
    /// Detectors one of which called it anomalous.
    pub detectors: Vec<String>,
}
