//! Levels that come and go: a size of jump that was seen before, and stayed, is ordinary.
//!
//! A jump of ten scales that is still more than half way out after an hour is a switch of level: the level is taken over,
//! and the size is remembered, four a side for two weeks. Three alike (one in a metric's first week, when nothing else is
//! known) make such a size usual. Spikes are not remembered: knowing them cost a tenth of all real events.

use super::pack::{Pack, packed};

/// An error, in scales, that may be the beginning of a switch; smaller ones the level follows by itself.
const JUMP: f32 = 10.0;
/// How long it must stay, seconds and steps, whichever is longer: an hour tells a level from an event, and three points of
/// a slow metric do not (cloud .62 to .57 with three).
const STAYS: f64 = 3600.0;
const STAYS_STEPS: f64 = 10.0;
/// Share of that in which a move that goes on is one jump.
const MOVES: f64 = 0.35;
/// Sizes kept of each side: one more than must be alike.
const KEPT: usize = 4;
/// Seconds after which a size is forgotten: two weeks, so that what comes once a week is not.
const FORGOTTEN: f64 = 14.0 * 86_400.0;
/// Sizes within this factor are alike, and what passes the largest by this one is not.
const ALIKE: f32 = 1.8;
const OVER: f32 = 1.75;
/// Alike ones that make a size usual, in the first week and later.
const ENOUGH: [usize; 2] = [1, 3];

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Switches {
    /// Sizes in scales and times, up and down.
    sizes: [[f32; KEPT]; 2],
    times: [[u32; KEPT]; 2],
    limits: [f32; 2],
    /// A jump that may be one: when it began (0 for none), from where, how far, in scales.
    began: f64,
    from: f64,
    distance: f64,
    size: f32,
}

packed!(Switches {
    sizes,
    times,
    limits,
    began,
    from,
    distance,
    size
});

/// A point as switches see it.
pub(super) struct Jump {
    /// Unix seconds.
    pub(super) time: f64,
    pub(super) value: f64,
    /// Where the last few points are.
    pub(super) now: f64,
    /// Where the level was before the point.
    pub(super) level: f64,
    /// |error| in scales.
    pub(super) size: f32,
    /// Usual seconds between two points.
    pub(super) step: f64,
    pub(super) is_first_week: bool,
}

impl Switches {
    /// The size that is no anomaly on that side, in scales; 0 if none is known.
    pub(super) fn limit(&self, side: usize) -> f32 {
        self.limits[side]
    }

    /// Forgets a jump under way.
    pub(super) fn clear(&mut self) {
        self.began = 0.0;
    }

    /// Takes a point; whether the level before is left for good.
    pub(super) fn observe(&mut self, jump: &Jump) -> bool {
        if self.began == 0.0 {
            if jump.size >= JUMP {
                self.began = jump.time;
                self.from = jump.level;
                self.distance = jump.value - jump.level;
                self.size = jump.size;
            }
            return false;
        }
        let stays = STAYS.max(STAYS_STEPS * jump.step);
        let since = jump.time - self.began;
        let share = |value: f64| (value - self.from) / self.distance;
        if since < stays {
            let share = share(jump.value);
            if share > 1.0 && since < MOVES * stays {
                // The move goes on: its size is what it comes to.
                self.distance *= share;
                self.size *= share as f32;
            }
            return false;
        }
        let is_left = share(jump.now) > 0.5;
        if is_left {
            let side = usize::from(self.distance < 0.0);
            let oldest = (0..KEPT).min_by_key(|&kept| self.times[side][kept]).unwrap_or(0);
            self.sizes[side][oldest] = self.size;
            self.times[side][oldest] = self.began as u32;
            self.turn(jump.time, jump.is_first_week);
        }
        self.began = 0.0;
        is_left
    }

    /// Works out what is usual at `time`.
    pub(super) fn turn(&mut self, time: f64, is_first_week: bool) {
        let enough = ENOUGH[usize::from(!is_first_week)];
        for side in 0..2 {
            let mut known = [0.0; KEPT];
            let mut count = 0;
            for (&size, &at) in self.sizes[side].iter().zip(&self.times[side]) {
                if at > 0 && time - f64::from(at) <= FORGOTTEN {
                    known[count] = size;
                    count += 1;
                }
            }
            let known = &mut known[..count];
            known.sort_unstable_by(f32::total_cmp);
            let alike = known
                .windows(enough)
                .filter(|alike| alike[enough - 1] <= ALIKE * alike[0]);
            self.limits[side] = alike.map(|alike| OVER * alike[enough - 1]).fold(0.0, f32::max);
        }
    }
}
