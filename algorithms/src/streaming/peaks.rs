//! How large a statistic usually gets: the largest of each three hours, the last 64 of them.
//!
//! Two quantiles of those maxima are all that is used: the median says where ordinary peaks are, the ninth decile how
//! far they scatter. A limit is extrapolated from both as for a Gumbel law of maxima (Gumbel, Statistics of Extremes,
//! 1958); nothing is fitted to single points, and events in half of all blocks do not move the median. A byte a block.

use super::pack::{Pack, packed};

/// Blocks kept: eight days of three hours.
const BLOCKS: usize = 64;
/// Seconds of a block, where points come often enough …
pub(super) const BLOCK: f64 = 10_800.0;
/// … else so many steps.
pub(super) const BLOCK_STEPS: f64 = 10.0;
/// Blocks of what is usual elsewhere that stand beside the first ones, one less for each eight that are known.
const PRIOR: usize = 8;
/// How far beyond the median a limit lies, in distances from median to ninth decile. For normal noise by the minute
/// the sum is 7.2 mean errors, 5.7 sigma: passed once in 10⁵ days.
const REACH: f32 = 3.75;
/// The same for the median itself: a quarter over what passes for usual.
const OVER: f32 = 1.25;
/// Maxima never scatter less than that, as a share of the median: normal noise has .18.
const SCATTER: f32 = 0.25;
/// Maxima that scatter more than this (ninth decile over median) have a heavy tail, where an extrapolation says little:
/// the limit rises with the cube of it. Normal noise has 1.2, Student's t with three degrees of freedom 2.2.
const HEAVY: f32 = 1.7;

/// The largest values of one non-negative statistic.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Peaks {
    blocks: [u8; BLOCKS],
    count: u32,
    /// The largest of the block under way.
    largest: f32,
    /// What a median is before anything is known.
    prior: f32,
    median: f32,
    decile: f32,
}

packed!(Peaks {
    blocks,
    count,
    largest,
    prior,
    median,
    decile
});

impl Peaks {
    pub(super) fn new(prior: f32) -> Self {
        Self {
            blocks: [0; BLOCKS],
            count: 0,
            largest: 0.0,
            prior,
            median: prior,
            decile: prior,
        }
    }

    /// Takes a value of the block under way.
    pub(super) fn see(&mut self, size: f32) {
        self.largest = self.largest.max(size);
    }

    /// Median of the maxima.
    pub(super) fn median(&self) -> f32 {
        self.median
    }

    /// Their ninth decile.
    pub(super) fn decile(&self) -> f32 {
        self.decile
    }

    /// The size that is hardly ever reached by what is usual here, no less than `least`.
    pub(super) fn limit(&self, least: f32) -> f32 {
        let scatter = (self.decile - self.median).max(SCATTER * self.median);
        let heavy = (self.decile / (HEAVY * self.median)).max(1.0);
        (OVER * self.median + REACH * scatter).max(least) * heavy.powi(3)
    }

    /// Ends a block.
    pub(super) fn turn(&mut self) {
        self.blocks[self.count as usize % BLOCKS] = code(self.largest);
        self.count = self.count.saturating_add(1);
        self.largest = 0.0;
        let known = (self.count as usize).min(BLOCKS);
        let prior = PRIOR.saturating_sub(self.count as usize / PRIOR);
        let mut sorted = [0; BLOCKS + PRIOR];
        sorted[..known].copy_from_slice(&self.blocks[..known]);
        sorted[known..known + prior].fill(code(self.prior));
        let sorted = &mut sorted[..known + prior];
        sorted.sort_unstable();
        self.median = size(sorted[sorted.len() / 2]);
        self.decile = size(sorted[(sorted.len() * 9 / 10).min(sorted.len() - 1)]);
    }
}

/// A sixteenth of an octave a step, from a quarter up; never 0, which stands for nothing known.
pub(super) fn code(size: f32) -> u8 {
    let steps = (size.max(0.25) / 0.25).log2() * 16.0;
    1 + (steps as u32).min(254) as u8
}

pub(super) fn size(code: u8) -> f32 {
    if code == 0 {
        0.0
    } else {
        0.25 * (f32::from(code - 1) / 16.0).exp2()
    }
}
