//! Whether a metric is judged by its values or by their rate, in the classic profile.

use skywatch_algorithms::{Window, counter};

/// Seconds between two looks at whether a metric known as a counter still never decreases (earthgecko's interval).
const CHECK_INTERVAL: f64 = 300.0;

/// Whether a metric is judged by its values or by their rate.
///
/// The class outlives its evidence by `full_duration`, so that the reset of a counter, or a restart of
/// ours, does not turn it into a gauge that jumped.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CounterClass {
    /// Unix seconds up to which the metric counts as a counter; 0 for one that does not.
    pub until: f64,
    /// Unix seconds of the last sight of a never-decreasing window.
    pub seen: f64,
}

impl CounterClass {
    /// The class of a never-decreasing window that was seen at `seen`, Unix seconds; `full_duration` in seconds.
    pub fn seen_at(seen: f64, full_duration: f64) -> Self {
        Self {
            until: seen + full_duration,
            seen,
        }
    }

    /// The class as it lies in the store: the text of Unix seconds, or nothing. A moment later than `now` was stored by a
    /// clock that was wrong.
    pub(super) fn read(stored: Option<&[u8]>, now: f64, full_duration: f64) -> Self {
        let seen = stored.and_then(|text| std::str::from_utf8(text).ok()?.parse::<f64>().ok());
        seen.map_or_else(Self::default, |seen| Self::seen_at(seen.min(now), full_duration))
    }

    /// The key under which the store keeps a metric's class: Unix seconds of the last never-decreasing window.
    pub(super) fn key(metric: &str) -> String {
        format!("skywatch.counter.{metric}")
    }

    /// Whether the metric is judged by its rate at `now`.
    pub fn is_counter(&self, now: f64) -> bool {
        now < self.until
    }

    /// Whether it was a counter, and is none any more at `now`.
    pub(super) fn has_ended(&self, now: f64) -> bool {
        self.until > 0.0 && !self.is_counter(now)
    }

    /// Looks at a window if a look is due; a new `seen` must be stored.
    pub(super) fn refresh(&mut self, window: Window<'_>, now: f64, full_duration: f64) {
        let due = !self.is_counter(now) || now - self.seen > CHECK_INTERVAL;
        if due && counter::never_decreasing(window) {
            *self = Self::seen_at(now, full_duration);
        }
    }
}
