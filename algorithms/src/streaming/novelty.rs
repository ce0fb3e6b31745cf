//! Block novelty: two blocks in a row, each its least and largest value, against all earlier pairs of blocks.
//!
//! The distance to the nearest earlier pair (largest of the four differences) over the range so far and the usual
//! distance: a discord in the sense of Keogh, Lin and Fu (HOT SAX, 2005) over a coarse form that keeps amplitude.
//! A block is eight points; the newest two are looked at with every point, the earlier ones are kept where they ended.
//! 472 blocks, two numbers of 16 bits each: 1,888 bytes. O(472) a point that is looked at.

use super::pack::{Pack, packed};

pub(super) const BLOCKS: usize = 472;
/// Points of a block.
const LENGTH: usize = 8;
/// How many usual distances weigh as much as the range.
const NOISE: f32 = 20.0;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Novelty {
    lows: [i16; BLOCKS],
    highs: [i16; BLOCKS],
    /// Blocks that were ever finished.
    blocks: u32,
    /// A value is `origin + unit × stored`.
    origin: f64,
    unit: f64,
    /// The last sixteen points, newest last.
    last: [f64; 2 * LENGTH],
    /// Points of the block under way.
    points: u8,
    /// Least and largest stored value so far.
    least: i16,
    most: i16,
    /// Mean distance of a block, and of a pair, in units.
    means: [f32; 2],
}

packed!(Novelty {
    lows,
    highs,
    blocks,
    origin,
    unit,
    last,
    points,
    least,
    most,
    means
});

impl Default for Novelty {
    fn default() -> Self {
        Self {
            lows: [0; BLOCKS],
            highs: [0; BLOCKS],
            blocks: 0,
            origin: 0.0,
            unit: 0.0,
            last: [0.0; 2 * LENGTH],
            points: 0,
            least: 0,
            most: 0,
            means: [0.0; 2],
        }
    }
}

/// How new the last points are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct New {
    /// Distance over range and noise, 0 to 1.
    pub(super) of_range: f32,
    /// Whether they end a block.
    pub(super) is_block: bool,
    /// Distance over the usual distance.
    pub(super) of_usual: f32,
}

impl Novelty {
    /// Takes the next value. Looks at the newest points at the end of a block, and between if `wanted`.
    pub(super) fn observe(&mut self, value: f64, wanted: bool, still: f64, scale: f64) -> New {
        self.last.rotate_left(1);
        self.last[2 * LENGTH - 1] = value;
        self.points += 1;
        let ends = usize::from(self.points) >= LENGTH;
        if ends {
            self.points = 0;
        }
        if self.blocks < 2 {
            if ends {
                self.begin();
            }
            return New::default();
        }
        if !ends && !wanted {
            return New::default();
        }
        self.make_room();
        let (low0, high0) = self.block(0);
        let (low, high) = self.block(LENGTH);
        let distances = self.nearest([low0, high0, low, high]);
        let range = f32::from(self.most.max(high).abs_diff(self.least.min(low)));
        let still = 2.0 * (still / self.unit) as f32;
        let least = ((0.5 * scale / self.unit) as f32).max(1.0);
        let mut new = New {
            of_range: 1.0,
            is_block: false,
            of_usual: 1.0,
        };
        if self.blocks > 20 {
            for (distance, mean) in distances.into_iter().zip(self.means) {
                new.of_range *= distance / (range + NOISE * mean + still).max(1.0);
                new.of_usual *= distance / mean.max(least);
            }
            new.of_range = new.of_range.sqrt();
            new.of_usual = new.of_usual.sqrt();
        } else {
            new = New::default();
        }
        if ends {
            let gain = (1.0 / self.blocks as f32).max(1.0 / BLOCKS as f32);
            for (mean, distance) in self.means.iter_mut().zip(distances) {
                *mean += gain * (distance - *mean);
            }
            self.keep(low, high);
        }
        new.is_block = ends;
        new
    }

    fn begin(&mut self) {
        let (low, high) = bounds(&self.last[LENGTH..]);
        if self.blocks == 0 {
            self.origin = low;
            self.unit = ((high - low) / 2000.0).max(low.abs() * 1e-6).max(1e-12);
        }
        self.make_room();
        let (low, high) = self.block(LENGTH);
        if self.blocks == 0 {
            (self.least, self.most) = (low, high);
        }
        self.keep(low, high);
    }

    fn keep(&mut self, low: i16, high: i16) {
        let at = self.blocks as usize % BLOCKS;
        self.lows[at] = low;
        self.highs[at] = high;
        self.least = self.least.min(low);
        self.most = self.most.max(high);
        self.blocks += 1;
    }

    /// The stored form of the block that begins there.
    fn block(&self, from: usize) -> (i16, i16) {
        let (low, high) = bounds(&self.last[from..from + LENGTH]);
        let code = |value: f64| ((value - self.origin) / self.unit) as i16;
        (code(low), code(high))
    }

    /// Makes the unit large enough for the newest points.
    fn make_room(&mut self) {
        let (low, high) = bounds(&self.last);
        while (low - self.origin).abs().max((high - self.origin).abs()) > 32_000.0 * self.unit {
            self.unit *= 2.0;
            self.lows
                .iter_mut()
                .chain(&mut self.highs)
                .for_each(|stored| *stored /= 2);
            self.least /= 2;
            self.most /= 2;
            self.means.iter_mut().for_each(|mean| *mean /= 2.0);
        }
    }

    /// Distances to the nearest kept block, and to the nearest pair, that do not overlap the newest points.
    fn nearest(&self, new: [i16; 4]) -> [f32; 2] {
        let kept = (self.blocks as usize).min(BLOCKS);
        let usable = kept.saturating_sub(2);
        if usable < 2 {
            return [0.0; 2];
        }
        // Oldest first: from `at` to the end and then from 0; the newest two blocks may overlap the newest points.
        let at = if kept == BLOCKS {
            self.blocks as usize % BLOCKS
        } else {
            0
        };
        let head = usable.min(kept - at);
        let mut nearest = self.nearest_in(at..at + head, new);
        if usable > head {
            let tail = self.nearest_in(0..usable - head, new);
            let seam = self
                .near(kept - 1, new[0], new[1])
                .max(self.near(0, new[2], new[3]));
            nearest = [nearest[0].min(tail[0]), nearest[1].min(tail[1]).min(seam)];
        }
        nearest.map(f32::from)
    }

    fn near(&self, block: usize, low: i16, high: i16) -> u16 {
        self.lows[block]
            .abs_diff(low)
            .max(self.highs[block].abs_diff(high))
    }

    fn nearest_in(&self, blocks: std::ops::Range<usize>, new: [i16; 4]) -> [u16; 2] {
        let (lows, highs) = (&self.lows[blocks.clone()], &self.highs[blocks]);
        let mut nearest = [u16::MAX; 2];
        let distance = |at: usize, low: i16, high: i16| lows[at].abs_diff(low).max(highs[at].abs_diff(high));
        for later in 1..lows.len().min(highs.len()) {
            let second = distance(later, new[2], new[3]);
            nearest[0] = nearest[0].min(second);
            nearest[1] = nearest[1].min(second.max(distance(later - 1, new[0], new[1])));
        }
        if let Some(first) = (!lows.is_empty()).then(|| distance(0, new[2], new[3])) {
            nearest[0] = nearest[0].min(first);
        }
        nearest
    }
}

fn bounds(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        })
}
