//! Records: how far a value lies outside the range of the last days.

use super::pack::{Pack, packed};

/// Days the range is taken of.
const DAYS: usize = 6;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    lows: [f32; DAYS],
    highs: [f32; DAYS],
    day: u32,
    points: u32,
    /// The range before the newest value.
    low: f32,
    high: f32,
}

packed!(Record {
    lows,
    highs,
    day,
    points,
    low,
    high
});

impl Default for Record {
    fn default() -> Self {
        Self {
            lows: [f32::INFINITY; DAYS],
            highs: [f32::NEG_INFINITY; DAYS],
            day: 0,
            points: 0,
            low: 0.0,
            high: 0.0,
        }
    }
}

impl Record {
    /// The least and the largest value of the last days before the newest value.
    pub(super) fn bounds(&self) -> [f64; 2] {
        [f64::from(self.low), f64::from(self.high)]
    }

    /// The range before this value, and how far over it the value is, over the range and the noise.
    pub(super) fn observe(&mut self, time: f64, value: f64, scale: f64) -> f32 {
        let day = (time / 86_400.0) as u32;
        if day != self.day {
            for missed in self.day.max(day.saturating_sub(DAYS as u32)) + 1..=day {
                let slot = missed as usize % DAYS;
                self.lows[slot] = f32::INFINITY;
                self.highs[slot] = f32::NEG_INFINITY;
            }
            self.day = day;
        }
        let low = f64::from(self.lows.iter().copied().fold(f32::INFINITY, f32::min));
        let high = f64::from(self.highs.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        (self.low, self.high) = (low as f32, high as f32);
        let slot = day as usize % DAYS;
        self.lows[slot] = self.lows[slot].min(value as f32);
        self.highs[slot] = self.highs[slot].max(value as f32);
        self.points = self.points.saturating_add(1);
        if self.points < 100 || high < low {
            return 0.0;
        }
        let over = (value - high).max(low - value).max(0.0);
        (over / (high - low + 20.0 * scale)) as f32
    }
}
