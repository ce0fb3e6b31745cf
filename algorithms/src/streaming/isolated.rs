//! Isolated spikes: how far a metric usually throws a single point out.
//!
//! What tells noise with a heavy tail from events is that its large errors stand alone: the median of the three-hour
//! maxima of isolated errors is 2.9 scales on real service metrics (97 in 100 of them below 4.5), 7.7 on Student's t with
//! three degrees of freedom, 8 on latencies, 6 on lognormal noise. An error is isolated if no error of its sign within four
//! points is more than half as large; so it is judged four points later.

use super::pack::{Pack, packed};
use super::peaks::Peaks;

/// Points to each side within which a like error makes one no longer isolated: events last, and four points tell.
const NEAR: usize = 4;
/// Errors kept: the one in question and both sides.
const WINDOW: usize = 2 * NEAR + 1;
/// Usual peak of isolated errors before any are known, in scales.
const PRIOR: f32 = 3.5;
/// Median times ninth decile up to which a metric is as quiet as real service metrics: 4.5 × 7, their heaviest tenth.
const USUAL: f32 = 31.5;
/// By which power limits rise beyond that.
const POWER: f32 = 1.25;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Isolated {
    /// The last errors, signed, newest last.
    last: [f32; WINDOW],
    peaks: Peaks,
    factor: f32,
}

packed!(Isolated { last, peaks, factor });

impl Default for Isolated {
    fn default() -> Self {
        Self {
            last: [0.0; WINDOW],
            peaks: Peaks::new(PRIOR),
            factor: 1.0,
        }
    }
}

impl Isolated {
    /// By how much the limit of a single error is higher than elsewhere, at least 1.
    pub(super) fn factor(&self) -> f32 {
        self.factor
    }

    /// Takes an error in scales, with its sign.
    pub(super) fn observe(&mut self, error: f32) {
        self.last.rotate_left(1);
        self.last[WINDOW - 1] = error;
        let middle = self.last[NEAR];
        let is_near = |&near: &f32| near * middle > 0.0 && near.abs() > 0.5 * middle.abs();
        let (before, after) = (&self.last[..NEAR], &self.last[NEAR + 1..]);
        if middle != 0.0 && !before.iter().any(is_near) && !after.iter().any(is_near) {
            self.peaks.see(middle.abs());
        }
    }

    /// Ends a block of three hours.
    pub(super) fn turn(&mut self) {
        self.peaks.turn();
        let product = self.peaks.median() * self.peaks.decile();
        self.factor = (product / USUAL).max(1.0).powf(POWER);
    }
}
