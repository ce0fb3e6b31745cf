//! Unrest: errors larger or smaller than usual for an hour, whatever their sign.

use super::law::Law;
use super::pack::{Pack, packed};

/// Share by which the running mean moves with a point.
const GAIN: f32 = 1.0 / 40.0;
/// The usual standard deviation of that mean over its level for normal noise, inverted.
const STRETCH: f32 = 8.0;
const LEAST: f32 = 6.0;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Spread {
    mean: f32,
    pub(super) usual: f32,
    points: u16,
    pub(super) law: Law<32>,
}

packed!(Spread {
    mean,
    usual,
    points,
    law
});

impl Spread {
    pub(super) fn fade(&mut self) {
        self.law.fade();
    }

    /// Takes the next clipped error, in scales, and gives the score.
    pub(super) fn observe(&mut self, clipped: f32, learns: bool, risk: f32) -> f32 {
        let size = clipped.abs();
        self.points = self.points.saturating_add(1);
        if self.points == 1 {
            self.mean = 1.0;
            self.usual = 1.0;
        }
        self.mean += GAIN * (size - self.mean);
        self.usual += (size - self.usual) / f32::from(self.points).min(1440.0);
        let over = STRETCH * (self.mean / self.usual.max(0.2) - 1.0);
        let over = over.max(0.0);
        let score = over / self.law.limit();
        if learns && self.points > 60 {
            self.law.learn(over, LEAST, risk, 0);
        }
        score
    }
}
