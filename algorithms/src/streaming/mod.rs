//! Detectors that carry a small state per metric, and the adaptive profile made of them.
//!
//! One [`Adaptive`] belongs to one metric. It is shown every point once, in order of time, and answers with one score
//! of one meaning: 1 is the limit at which the live system opens an incident, whatever the metric. Fitting is nothing
//! but observing many points, so batch and stream agree to the bit.

mod adaptive;
mod burst;
mod counter;
mod isolated;
mod learned;
mod level;
mod memory;
mod novelty;
mod pack;
mod peaks;
mod range;
mod report;
mod rest;
mod runs;
mod score;
mod season;
mod since;
mod slots;
mod sums;
mod switches;

pub use adaptive::{Adaptive, PARTS};
pub use memory::{Hour, Hours, LongMemory, REACH};
pub use rest::Rest;
pub use score::Reading;

use crate::window::Window;

/// Where a metric stands with its newest point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// Within what was expected before anything happened, or nothing ever did.
    Usual,
    /// The newest point is anomalous.
    Out,
    /// No alarm any more, but not back either: a new level was taken for usual.
    Settled {
        /// Where the level was before.
        before: f64,
    },
}

/// Where forecasts of metrics come from: a learned model, as the adaptive profile sees it. Asked by any thread.
pub trait Forecasts: Send + Sync {
    /// What the newest value of the metric's canonical window should be, from what is before it; the growth a second if
    /// `is_rate`, though the window is as stored. `None` for a metric that the model does not know, or learnt the other way.
    fn forecast(&self, metric: &str, window: Window<'_>, is_rate: bool) -> Option<f64>;
}

/// One detector's part in a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Its name, in snake case.
    pub detector: &'static str,
    /// Its own score; 1 at its limit.
    pub score: f32,
}

/// The newest point, explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The score.
    pub score: f32,
    /// The value judged (a counter's rate a second).
    pub observed: f64,
    /// The value expected.
    pub expected: f64,
    /// The least value that would not have been an alarm.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// Each detector, highest score first; `learned` only where a model knows the metric.
    pub parts: Vec<Part>,
    /// Why, in one sentence without a full stop.
    pub sentence: String,
    /// Whether the rate of a counter is judged.
    pub is_rate: bool,
}

#[cfg(test)]
mod tests;
