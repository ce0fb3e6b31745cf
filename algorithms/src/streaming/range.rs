//! The range of the last six days, and how far a value lies outside it. It ranks what is no alarm.

use super::pack::{Pack, packed};

/// Days the range is taken of, and today.
const DAYS: usize = 7;
/// Points before it says anything.
const ENOUGH: u32 = 100;
/// Scales of noise that weigh as much as the range.
const NOISE: f64 = 20.0;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Range {
    lows: [f32; DAYS],
    highs: [f32; DAYS],
    day: u32,
    points: u32,
}

packed!(Range {
    lows,
    highs,
    day,
    points
});

impl Default for Range {
    fn default() -> Self {
        Self {
            lows: [f32::INFINITY; DAYS],
            highs: [f32::NEG_INFINITY; DAYS],
            day: 0,
            points: 0,
        }
    }
}

impl Range {
    /// How far the value lies outside the range before it, over range and noise.
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
        let slot = day as usize % DAYS;
        self.lows[slot] = self.lows[slot].min(value as f32);
        self.highs[slot] = self.highs[slot].max(value as f32);
        self.points = self.points.saturating_add(1);
        if self.points < ENOUGH || high < low {
            return 0.0;
        }
        let over = (value - high).max(low - value).max(0.0);
        (over / (high - low + NOISE * scale)) as f32
    }
}
