//! Detectors that carry a small state per metric, and the adaptive profile made of them.
//!
//! One [`Adaptive`] belongs to one metric. It is shown every point once, in order of time, and answers with one score
//! of one meaning: 1 is the limit at which the live system opens an incident, whatever the metric. Fitting is nothing
//! but observing many points, so batch and stream agree to the bit.

mod adaptive;
mod burst;
mod counter;
mod departure;
mod hour;
mod hours;
mod isolated;
mod judging;
mod learned;
mod level;
mod limits;
mod novelty;
mod pack;
mod parts;
mod peaks;
mod range;
mod report;
mod rest;
mod runs;
mod score;
mod season;
mod slots;
mod standing;
mod sums;
mod switches;

pub use adaptive::Adaptive;
pub use hours::{Hour, InMemoryHours, LongMemory, REACH};
pub use parts::PARTS;
pub use report::{DetectorScore, Report};
pub use rest::Rest;
pub use score::Reading;
pub use standing::MetricStanding;

use crate::window::Window;

/// Where forecasts of metrics come from: a learned model, as the adaptive profile sees it. Asked by any thread.
pub trait Forecasts: Send + Sync {
    /// What the newest value of the metric's canonical window should be, from what is before it; the growth a second if
    /// `is_rate`, though the window is as stored. `None` for a metric that the model does not know, or learnt the other way.
    fn forecast(&self, metric: &str, window: Window<'_>, is_rate: bool) -> Option<f64>;
}

#[cfg(test)]
mod tests;
