//! A single point far from where it was expected: |error| over the scale, up and down on their own.

use super::law::Law;
use super::pack::{Pack, packed};

/// The least limit, in mean |error|: 5.6 standard deviations of normal noise.
const LEAST: f32 = 7.4;

/// Large errors that came before and were not learnt: when and how large.
const KNOWN: usize = 4;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Step {
    up: Law<40>,
    down: Law<40>,
    /// The last peaks over the limit, up and down.
    peaks: [[f32; KNOWN]; 2],
    times: [[u32; KNOWN]; 2],
}

packed!(Step {
    up,
    down,
    peaks,
    times
});

impl Step {
    /// Takes an error in scales, what was allowed for taken off, and gives the score, negative for down. What came before
    /// is remembered without the allowance, which changes from day to day.
    pub(super) fn observe(&mut self, time: f64, error: f32, allowance: f32, learns: bool, risk: f32) -> f32 {
        let size = error.abs();
        let side = usize::from(error < 0.0);
        let limit = self.limit(side, allowance);
        let law = if side == 0 { &mut self.up } else { &mut self.down };
        if learns {
            law.learn(size, LEAST, risk, 8);
            if size > law.limit() && law.limit().is_finite() {
                self.remember(side, time as u32, size * allowance);
            }
        }
        (size / limit).copysign(error)
    }

    pub(super) fn fade(&mut self) {
        self.up.fade();
        self.down.fade();
    }

    /// The limit of one side: the law's, or over what came at like size three times within ten days.
    pub(super) fn limit(&self, side: usize, allowance: f32) -> f32 {
        let law = if side == 0 { &self.up } else { &self.down };
        let limit = law.limit();
        let mut sizes = self.peaks[side];
        sizes.sort_unstable_by(f32::total_cmp);
        // Of the four, the largest three or the smallest three must be alike.
        let alike = |three: &[f32]| three[0] > 0.0 && three[2] < 1.8 * three[0];
        let usual = if alike(&sizes[1..]) {
            sizes[3] * 1.4
        } else if alike(&sizes[..3]) {
            sizes[2] * 1.4
        } else {
            0.0
        };
        limit.max(usual / allowance)
    }

    fn remember(&mut self, side: usize, time: u32, size: f32) {
        let times = &mut self.times[side];
        let peaks = &mut self.peaks[side];
        // The newest is the one with the latest time.
        let mut newest = 0;
        let mut oldest = 0;
        for i in 0..KNOWN {
            if time.saturating_sub(times[i]) > 14 * 86_400 {
                peaks[i] = 0.0;
                times[i] = 0;
            }
            if times[i] > times[newest] {
                newest = i;
            }
            if times[i] < times[oldest] {
                oldest = i;
            }
        }
        if times[newest] > 0 && time.saturating_sub(times[newest]) < 3600 {
            peaks[newest] = peaks[newest].max(size);
        } else {
            times[oldest] = time;
            peaks[oldest] = size;
        }
    }
}
