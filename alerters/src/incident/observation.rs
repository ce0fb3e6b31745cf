//! How a subject looked at one moment: what finders hand over.

use serde::{Deserialize, Serialize};

use crate::anomaly::{Anomaly, Subject, null_unless_finite};

/// How one subject looked at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What was looked at.
    pub subject: Subject,
    /// What was seen.
    pub outcome: ObservedOutcome,
}

/// What was seen of a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedOutcome {
    /// Something is wrong with it.
    Anomalous(Box<Anomaly>),
    /// It was judged, and its last point, of this Unix time, is normal.
    Normal {
        /// Time of the point.
        at: f64,
        /// Its value as it was judged; NaN where there is none.
        #[serde(with = "null_unless_finite")]
        value: f64,
    },
    /// It was judged, and its last point is normal only because a new level was taken for usual.
    Settled {
        /// Time of the point.
        at: f64,
        /// Its value as it was judged: the new level.
        #[serde(with = "null_unless_finite")]
        value: f64,
        /// The level before; NaN where it is not known.
        #[serde(with = "null_unless_finite")]
        before: f64,
    },
    /// Nobody could judge it.
    Unknown,
    /// It does not exist any more.
    Deleted,
}
