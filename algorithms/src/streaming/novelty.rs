//! Newness: the last six points as their least and largest value, against all earlier blocks of six.
//!
//! The distance to the nearest earlier block is the discord of Keogh, Lin and Fu (HOT SAX, 2005) over a coarse form that
//! keeps amplitude. Over the usual distance it says how new the last points are; over range and noise it ranks what is no
//! alarm. 400 blocks of two numbers of 16 bits: 1,600 bytes, 40 hours by the minute. O(400) a point that is looked at.

use super::pack::{Pack, packed};

/// Blocks kept: 40 hours by the minute in 1,600 bytes, more than a day and a night.
pub(super) const BLOCKS: usize = 400;
/// Points of a block.
pub(super) const LENGTH: usize = 6;
/// How many usual distances weigh as much as the range: of a metric that only makes noise the range says nothing.
const NOISE: f32 = 20.0;
/// Units in the range of the first block, and in the farthest value.
const FIRST_UNITS: f64 = 200.0;
const MOST_UNITS: f64 = 32_000.0;
/// Blocks in a row that were too large for the unit before it grows.
const CROWDED: u8 = 10;
/// Blocks before the usual distance means anything.
const FEW: u32 = 20;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Novelty {
    lows: [i16; BLOCKS],
    highs: [i16; BLOCKS],
    /// Blocks that were ever finished.
    blocks: u32,
    /// A value is `origin + unit × stored`.
    origin: f64,
    unit: f64,
    /// The last points, newest last.
    last: [f64; LENGTH],
    /// Points of the block under way.
    points: u8,
    /// Blocks in a row that the unit was too small for.
    crowded: u8,
    /// Least and largest stored value so far.
    least: i16,
    most: i16,
    /// Mean distance of a block, in units.
    mean: f32,
}

packed!(Novelty {
    lows,
    highs,
    blocks,
    origin,
    unit,
    last,
    points,
    crowded,
    least,
    most,
    mean
});

impl Default for Novelty {
    fn default() -> Self {
        Self {
            lows: [0; BLOCKS],
            highs: [0; BLOCKS],
            blocks: 0,
            origin: 0.0,
            unit: 0.0,
            last: [0.0; LENGTH],
            points: 0,
            crowded: 0,
            least: 0,
            most: 0,
            mean: 0.0,
        }
    }
}

/// How new the last points are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct New {
    /// Distance over the usual distance.
    pub(super) of_usual: f32,
    /// Distance over range and noise, 0 to 1; 1 as long as neither is known.
    pub(super) of_range: f32,
    /// Whether they end a block, enough blocks being known.
    pub(super) is_block: bool,
}

/// Before anything is known nothing is a reason to be quiet.
const UNKNOWN: New = New {
    of_usual: 1.0,
    of_range: 1.0,
    is_block: false,
};

impl Novelty {
    /// Blocks that are known.
    pub(super) fn known(&self) -> u32 {
        self.blocks.min(BLOCKS as u32)
    }

    /// Takes the next value. Looks at the newest points at the end of a block, and between if `is_wanted`. `least`: the
    /// least distance that counts as usual.
    pub(super) fn observe(&mut self, value: f64, is_wanted: bool, least: f64) -> New {
        self.last.rotate_left(1);
        self.last[LENGTH - 1] = value;
        self.points += 1;
        let ends = usize::from(self.points) >= LENGTH;
        if ends {
            self.points = 0;
        }
        if self.blocks == 0 {
            if ends {
                self.begin();
            }
            return UNKNOWN;
        }
        if !ends && !is_wanted {
            return UNKNOWN;
        }
        if ends {
            self.make_room();
        }
        let (low, high) = self.block();
        let distance = self.nearest(low, high, ends);
        let usual = self.mean.max((least / self.unit) as f32).max(0.5);
        let mut new = UNKNOWN;
        new.of_usual = distance / usual;
        if self.blocks > FEW {
            let range = f32::from(self.most.max(high).abs_diff(self.least.min(low)));
            new.of_range = distance / (range + NOISE * self.mean).max(1.0);
            new.is_block = ends;
        } else {
            new.of_usual = new.of_usual.max(1.0);
        }
        if ends {
            let gain = (1.0 / self.blocks as f32).max(1.0 / BLOCKS as f32);
            self.mean += gain * (distance - self.mean);
            self.keep(low, high);
        }
        new
    }

    fn begin(&mut self) {
        let (low, high) = bounds(&self.last);
        self.origin = low;
        self.unit = ((high - low) / FIRST_UNITS).max(low.abs() * 1e-6).max(1e-12);
        let (low, high) = self.block();
        (self.least, self.most) = (low, high);
        self.keep(low, high);
    }

    fn keep(&mut self, low: i16, high: i16) {
        let at = self.blocks as usize % BLOCKS;
        self.lows[at] = low;
        self.highs[at] = high;
        self.least = self.least.min(low);
        self.most = self.most.max(high);
        self.blocks = self.blocks.saturating_add(1);
    }

    /// The stored form of the last points.
    fn block(&self) -> (i16, i16) {
        let (low, high) = bounds(&self.last);
        // Out of reach saturates.
        let code = |value: f64| ((value - self.origin) / self.unit) as i16;
        (code(low), code(high))
    }

    /// Makes the unit large enough for the newest points, if so many blocks in a row were too large for it. What is out
    /// of reach for less long is stored as the farthest there is: one wild hour must not make all else look alike.
    fn make_room(&mut self) {
        let (low, high) = bounds(&self.last);
        let farthest = (low - self.origin).abs().max((high - self.origin).abs());
        if farthest <= MOST_UNITS * self.unit {
            self.crowded = 0;
            return;
        }
        self.crowded += 1;
        if self.crowded < CROWDED && self.blocks > FEW {
            return;
        }
        self.crowded = 0;
        while farthest > MOST_UNITS * self.unit {
            self.unit *= 2.0;
            let stored = self.lows.iter_mut().chain(&mut self.highs);
            stored.for_each(|stored| *stored /= 2);
            self.least /= 2;
            self.most /= 2;
            self.mean /= 2.0;
        }
    }

    /// Distance to the nearest kept block that does not overlap the newest points; they overlap the last one kept unless
    /// they are a whole block themselves.
    fn nearest(&self, low: i16, high: i16, is_block: bool) -> f32 {
        let kept = (self.blocks as usize).min(BLOCKS);
        let newest = (self.blocks as usize - 1) % BLOCKS;
        let nearest = if is_block {
            self.nearest_in(0..kept, low, high)
        } else {
            let before = self.nearest_in(0..newest, low, high);
            before.min(self.nearest_in(newest + 1..kept, low, high))
        };
        if nearest == u16::MAX {
            0.0
        } else {
            f32::from(nearest)
        }
    }

    fn nearest_in(&self, blocks: std::ops::Range<usize>, low: i16, high: i16) -> u16 {
        if blocks.start >= blocks.end {
            return u16::MAX;
        }
        let (lows, highs) = (&self.lows[blocks.clone()], &self.highs[blocks]);
        let mut nearest = u16::MAX;
        for (&kept_low, &kept_high) in lows.iter().zip(highs) {
            nearest = nearest.min(kept_low.abs_diff(low).max(kept_high.abs_diff(high)));
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
