//! Detectors that carry a small state per metric, and the adaptive profile made of them.
//!
//! One [`Adaptive`] belongs to one metric. It is shown every point once, in order of time, and answers with one score
//! of one meaning: 1 is the limit at which the live system opens an incident, whatever the metric. Fitting is nothing
//! but observing many points, so batch and stream agree to the bit.

mod memory;
mod rest;

pub use memory::{Hour, Hours, LongMemory, REACH};
pub use rest::{DEFAULT_REST, Rest};

use crate::window::Window;

/// What one point was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// 0 for nothing, 1 at the limit of an alarm; finite.
    pub score: f32,
}

impl Reading {
    /// Whether the point alone is reason for an alarm.
    #[must_use]
    pub fn is_alarm(self) -> bool {
        self.score >= 1.0
    }
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
    /// Each detector, highest score first.
    pub parts: Vec<Part>,
    /// Why, in one sentence without a full stop.
    pub sentence: String,
    /// Whether the rate of a counter is judged.
    pub is_rate: bool,
}

/// The adaptive profile's knowledge of one metric: at most 4 KiB.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Adaptive {
    level: f64,
    scale: f64,
    last: f64,
    time: f64,
    score: f32,
    seen: u32,
}

impl Adaptive {
    /// Shows the next point and asks for its score. A point that is not later than the last one, or not finite, changes
    /// nothing and scores 0.
    pub fn observe(&mut self, time: f64, value: f64, memory: &mut impl LongMemory) -> Reading {
        let _ = memory;
        if !time.is_finite() || !value.is_finite() || (self.seen > 0 && time <= self.time) {
            return Reading::default();
        }
        let residual = (value - self.level).abs();
        self.score = if self.seen > 100 {
            (residual / (15.0 * self.scale + 1e-9)) as f32
        } else {
            0.0
        };
        self.level += 0.1 * (value - self.level);
        self.scale += 0.001 * (residual - self.scale);
        self.last = value;
        self.time = time;
        self.seen = self.seen.saturating_add(1);
        Reading { score: self.score }
    }

    /// Observes all points of a window that are later than the last one seen; the last reading.
    pub fn fit(&mut self, window: Window<'_>, memory: &mut impl LongMemory) -> Reading {
        let mut reading = Reading { score: self.score };
        let from = window
            .times()
            .partition_point(|&time| self.seen > 0 && time <= self.time);
        for (&time, &value) in window.times()[from..].iter().zip(&window.values()[from..]) {
            reading = self.observe(time, value, memory);
        }
        reading
    }

    /// Time of the newest point seen, Unix seconds; `None` before the first.
    #[must_use]
    pub fn last_time(&self) -> Option<f64> {
        (self.seen > 0).then_some(self.time)
    }

    /// Share of the warm-up that is done, 0 to 1; from 1 on its scores count, before that the classic votes serve.
    #[must_use]
    pub fn warmth(&self) -> f64 {
        (f64::from(self.seen) / 1440.0).min(1.0)
    }

    /// Unix seconds from which its scores will count if points go on as they came; `None` when they do already, or
    /// before the second point.
    #[must_use]
    pub fn ready_at(&self) -> Option<f64> {
        (self.warmth() < 1.0).then_some(self.time + (1.0 - self.warmth()) * 86_400.0)
    }

    /// Explains the newest point.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            score: self.score,
            observed: self.last,
            expected: self.level,
            low: self.level - 15.0 * self.scale,
            high: self.level + 15.0 * self.scale,
            parts: vec![Part {
                detector: "step",
                score: self.score,
            }],
            sentence: String::from("stub"),
            is_rate: false,
        }
    }

    /// Appends the state to `bytes`, of a length that does not depend on what it holds.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        for number in [self.level, self.scale, self.last, self.time] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.score.to_le_bytes());
        bytes.extend(self.seen.to_le_bytes());
    }

    /// Reads what [`Adaptive::write`] wrote and takes it off the front of `bytes`; `None` if there is too little.
    #[must_use]
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut number = || Some(f64::from_le_bytes(*bytes.split_off(..8)?.first_chunk()?));
        Some(Self {
            level: number()?,
            scale: number()?,
            last: number()?,
            time: number()?,
            score: f32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?),
            seen: u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?),
        })
    }

    /// The version of what [`Adaptive::write`] writes. A state of another version is not read but learnt anew.
    pub const VERSION: u32 = 0;
}
