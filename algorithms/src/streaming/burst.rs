//! Metrics that are mostly zero: a burst is measured against the bursts before it.
//!
//! Errors, retries, restarts: nothing for hours and then some. A mean and a scale of such a metric mean nothing; what is
//! known is how high bursts were and how much came in ten points. Both are held against the largest known, slowly
//! forgotten. A burst is learnt when it is over, or when it goes on.

use super::pack::{Pack, packed};

/// By how much the largest known must be passed, by one point and by the leaking sum.
const OVER: [f32; 2] = [3.1, 2.75];
/// Share of the sum that stays with each point: about ten points count.
const STAYS: f32 = 0.9;
/// Bursts that must be known: two may be alike by chance.
const ENOUGH: u8 = 3;
/// Points of zero that end a burst, and points after which one is learnt though it goes on: two hours by the minute.
const PAUSE: u8 = 10;
const LONG: u8 = 120;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Burst {
    /// The sum of the last points, leaking.
    sum: f32,
    /// The largest point and sum of this burst.
    now: [f32; 2],
    /// The largest known.
    known: [f32; 2],
    pause: u8,
    length: u8,
    bursts: u8,
}

packed!(Burst {
    sum,
    now,
    known,
    pause,
    length,
    bursts
});

impl Burst {
    /// The newest point or sum over the largest known.
    pub(super) fn over(&self) -> f64 {
        let over = [0, 1].map(|part| self.now[part] / self.known[part].max(f32::MIN_POSITIVE));
        f64::from(over[0].max(over[1]))
    }

    /// Takes the next value; its ratio to the bursts before it, `None` as long as too few are known. `day`: points a day.
    pub(super) fn observe(&mut self, value: f32, day: f32) -> Option<f32> {
        let forget = 1.0 - 0.03 / day;
        let size = value.abs();
        self.sum = STAYS * self.sum + size;
        self.now = [self.now[0].max(size), self.now[1].max(self.sum)];
        self.pause = if size == 0.0 {
            self.pause.saturating_add(1)
        } else {
            0
        };
        self.length = if self.now[0] == 0.0 {
            0
        } else {
            self.length.saturating_add(1)
        };
        let is_known = self.bursts >= ENOUGH;
        let mut score = 0.0f32;
        for (part, over) in OVER.iter().enumerate() {
            self.known[part] *= forget;
            let latest = if part == 0 { size } else { self.sum };
            if is_known && size > 0.0 {
                score = score.max(latest / (over * self.known[part]));
            }
        }
        if self.now[0] > 0.0 && (self.pause == PAUSE || self.length >= LONG) {
            for (part, over) in OVER.iter().enumerate() {
                // What was over the limit teaches no more than the limit.
                let most = if self.bursts < ENOUGH {
                    f32::INFINITY
                } else {
                    over * self.known[part]
                };
                self.known[part] = self.known[part].max(self.now[part].min(most));
            }
            self.bursts = self.bursts.saturating_add(1);
            (self.now, self.length) = ([0.0; 2], 0);
        }
        is_known.then_some(score)
    }
}
