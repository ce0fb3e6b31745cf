//! Numbers and texts as JSON has them.

use serde::Serialize;

/// `message` as JSON.
pub(super) fn json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("names are text and numbers finite or null")
}

/// Milliseconds of Unix time; the original's unit.
pub(super) fn milliseconds(at: f64) -> i64 {
    (at * 1_000.0).round() as i64
}

/// A score that can be written: JSON has no word for what is no number.
pub(super) fn finite(score: f64) -> f64 {
    if score.is_nan() {
        0.0
    } else {
        score.clamp(f64::MIN, f64::MAX)
    }
}
