//! What a look at one metric shows, for people who ask why.

use serde::{Deserialize, Serialize};
use skywatch_alerters::Anomaly;

/// What a look at one metric shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Examination {
    /// The metric.
    pub metric: String,
    /// The store it was read from.
    pub source: String,
    /// Whose answer it is, in a few words; empty when nobody runs and it was worked out from what was saved.
    #[serde(default)]
    pub answered_by: String,
    /// When it was looked at, Unix seconds.
    pub now: f64,
    /// Points in the window.
    pub points: usize,
    /// Stored points that no window can use.
    pub unusable: u64,
    /// Length of the window, seconds.
    pub length: f64,
    /// Age of its last point, seconds; `None` without one.
    pub age: Option<f64>,
    /// Whether the rate of a counter is judged.
    pub rate: bool,
    /// `normal`, `anomalous`, or why it is not analyzed: `TooShort`, `Stale`, `Boring`, `DeletedByRoomba`, `Other`.
    pub verdict: String,
    /// Why, in a sentence.
    pub why: String,
    /// How far the adaptive profile has learnt it, 0 to 1; `None` in the classic profile.
    #[serde(default)]
    pub warmth: Option<f64>,
    /// When it will have, Unix seconds, if that is known and lies ahead.
    #[serde(default)]
    pub ready_at: Option<f64>,
    /// Time of the first point the adaptive profile has learnt from, Unix seconds; `None` in the classic profile.
    #[serde(default)]
    pub known_since: Option<f64>,
    /// The judged point and every detector's answer, as an anomaly has them; without the window.
    pub judged: Option<Anomaly>,
}
