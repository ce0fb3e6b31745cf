//! A metric's own noise law: how large a statistic usually gets, and how far its tail reaches.
//!
//! The distribution is kept as counts in bins of a quarter octave, upward from half the scale: two bytes a bin. From its
//! top twentieth the tail is fitted by the moment estimator of Dekkers, Einmahl and de Haan (Annals of Statistics 17,
//! 1989), which tells light tails from heavy ones, and the size is read off that would be passed [`RISK`] times a day. Values over the limit do not teach: an anomaly must not hide the next one.
//!
//! Cost: a point costs one increment; a fit costs one look at the bins, after each 64 points of the first 1,024 and then
//! after each 256.

use super::pack::{Pack, packed};

/// Where the lowest bin begins: the leading bits of 0.5, the two highest of the mantissa included.
const LOWEST: u32 = 0.5f32.to_bits() >> SHIFT;
const SHIFT: u32 = 21;
/// Share of points that are the tail.
const TAIL: f32 = 0.05;
/// The least number of points that make a tail.
const LEAST: u32 = 20;
/// Points that the expectation of an exponential tail, of shape 0, counts for in the fit of the shape.
const PRIOR: f32 = 30.0;
/// Sizes over so many times the beginning of the tail teach once an episode.
const FAR: f32 = 1.7;

/// How often one statistic of one metric may pass its limit by chance, a day.
pub(super) const RISK: f32 = 1e-5;

/// The distribution of one non-negative statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Law<const BINS: usize> {
    counts: [u16; BINS],
    /// The limit of the last fit; infinite before the first.
    limit: f32,
    /// Sizes over this are far out in the tail.
    far: f32,
    /// Points since the last that was.
    since: u8,
    /// Points until the next fit.
    wait: u16,
    /// Points learnt, at most 65,535.
    points: u16,
}

packed!(Law<const BINS: usize> {
    counts,
    limit,
    far,
    since,
    wait,
    points
});

impl<const BINS: usize> Default for Law<BINS> {
    fn default() -> Self {
        Self {
            counts: [0; BINS],
            limit: f32::INFINITY,
            far: f32::INFINITY,
            since: 0,
            wait: 64,
            points: 0,
        }
    }
}

impl<const BINS: usize> Law<BINS> {
    /// Learns one value. `least`: what the limit must never fall below; `risk`: how often it may be passed, a point;
    /// `apart`: points between two sizes far out that count as two episodes.
    #[inline]
    pub(super) fn learn(&mut self, size: f32, least: f32, risk: f32, apart: u8) {
        self.since = self.since.saturating_add(1);
        if size > self.limit {
            self.since = 0;
            return;
        }
        if size > self.far {
            // One episode is one observation, however long it lasts.
            let near = self.since < apart;
            self.since = 0;
            if near {
                return;
            }
        }
        let bin = ((size.to_bits() >> SHIFT).max(LOWEST) - LOWEST).min(BINS as u32 - 1);
        let count = &mut self.counts[bin as usize];
        *count += 1;
        let full = *count == u16::MAX;
        self.points = self.points.saturating_add(1);
        self.wait -= 1;
        if self.wait == 0 || full {
            if full {
                self.counts.iter_mut().for_each(|count| *count /= 2);
            }
            self.fit(least, risk);
        }
    }

    /// Lets an eighth of what was learnt stand, when it was learnt under other conditions.
    pub(super) fn fade(&mut self) {
        self.counts.iter_mut().for_each(|count| *count /= 8);
        self.points /= 8;
    }

    /// The limit: no less than `least`, infinite before there is one.
    #[inline]
    pub(super) fn limit(&self) -> f32 {
        self.limit
    }

    fn fit(&mut self, least: f32, risk: f32) {
        self.wait = if self.points < 1024 { 64 } else { 256 };
        let total: u32 = self.counts.iter().map(|&count| u32::from(count)).sum();
        let wanted = ((total as f32 * TAIL) as u32).max(LEAST);
        let (mut above, mut first, mut highest) = (0u32, BINS, 0);
        for bin in (0..BINS).rev() {
            if self.counts[bin] > 0 {
                highest = highest.max(bin);
            }
            if bin == 0 || above >= wanted {
                break;
            }
            above += u32::from(self.counts[bin]);
            first = bin;
        }
        let guard = edge(highest + 1);
        let mut limit = guard.max(least);
        if above >= LEAST {
            let from = edge(first);
            self.far = FAR * from;
            let (mut m1, mut m2) = (0.0f32, 0.0f32);
            for bin in first..BINS {
                let count = f32::from(self.counts[bin]);
                if count > 0.0 {
                    let log = (edge(bin) * edge(bin + 1)).sqrt().ln() - from.ln();
                    m1 += count * log;
                    m2 += count * log * log;
                }
            }
            let count = above as f32;
            m1 /= count;
            m2 /= count;
            // A bin is as wide as it is: its own spread about its middle.
            let width = 0.17f32;
            m2 += width * width / 12.0;
            let negative = 1.0 - 0.5 / (1.0 - (m1 * m1 / m2).min(0.98));
            let shape = m1 + negative;
            let shape = shape * count / (count + PRIOR);
            let shape = shape.clamp(-0.2, 0.7);
            let ratio = count / total as f32 / risk;
            let reach = if shape.abs() < 1e-3 {
                ratio.ln()
            } else {
                (ratio.powf(shape) - 1.0) / shape
            };
            let tail = from * (1.0 + m1 * (1.0 - negative.min(0.0)) * reach);
            limit = limit.max(tail);
        } else {
            limit = limit.max(1.5 * guard);
        }
        self.limit = limit;
    }
}

/// The lower edge of a bin.
fn edge(bin: usize) -> f32 {
    f32::from_bits((LOWEST + bin as u32) << SHIFT)
}
