//! How far out a number lies in the upper tail of those seen before.
//!
//! A histogram of equal buckets, and above its 90th percentile an exponential fitted to the excesses: peaks over threshold with
//! shape zero (Pickands 1975). Of logarithms of durations that is a Pareto tail, and the mean excess is Hill's
//! estimator (1975). Few excesses are shrunk towards a scale that many tails have in common. Below the 90th percentile the answer is
//! the share of numbers at or above. −ln of that probability is the *surprise*, of one unit for all numbers: about 1 on
//! average, 4.6 once in a hundred, whatever the law. O(buckets above the number) a question; some 50 buckets of 8 bytes.

use serde::{Deserialize, Serialize};

/// Share of numbers that make the tail: enough of a few hundred to fit, little enough to be tail.
const TAIL_SHARE: f64 = 0.1;

/// How many excesses the common scale counts for: as much as 20 numbers have.
const PRIOR_EXCESSES: f64 = 2.0;

/// Numbers after which all counts are halved: what is old gives way.
const WINDOW: u32 = 16_384;

/// Largest bucket number either way.
const FARTHEST: f64 = 1e6;

/// The upper tail of numbers, learnt one at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UpperTail {
    /// Width of a bucket, in the unit of the numbers.
    width: f64,
    /// The least scale of the tail, in the same unit; numbers that hardly vary would make one of none.
    least: f64,
    /// Bucket and count, by bucket; bucket b holds [b, b + 1)·width.
    buckets: Vec<(i32, u32)>,
    total: u32,
    fit: TailFit,
}

/// What follows from the buckets, made anew when they have grown by a twentieth.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct TailFit {
    /// First bucket of the tail.
    first: i32,
    /// Numbers in the tail.
    count: u32,
    /// Sum of their excesses over the lower edge of the first bucket, in widths.
    excess: f64,
    /// The total at which to fit anew.
    next: u32,
}

impl UpperTail {
    pub(super) fn new(width: f64) -> Self {
        Self {
            width,
            least: width,
            buckets: Vec::new(),
            total: 0,
            fit: TailFit::default(),
        }
    }

    /// The same with a tail that is never steeper than this.
    pub(super) fn with_least_scale(self, least: f64) -> Self {
        Self { least, ..self }
    }

    /// Numbers learnt, as far as they are remembered.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    fn bucket(&self, number: f64) -> i32 {
        (number / self.width).floor().clamp(-FARTHEST, FARTHEST) as i32
    }

    /// Learns a number; one that is none is passed over.
    pub(super) fn learn(&mut self, number: f64) {
        if number.is_nan() {
            return;
        }
        let bucket = self.bucket(number);
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 += 1,
            Err(at) => self.buckets.insert(at, (bucket, 1)),
        }
        self.total += 1;
        if self.total >= WINDOW {
            self.buckets
                .iter_mut()
                .for_each(|(_, count)| *count = count.div_ceil(2));
            self.total = self.buckets.iter().map(|(_, count)| *count).sum();
            self.fit.next = 0;
        }
        if self.total >= self.fit.next {
            self.refit();
        }
    }

    /// Makes the fit follow from all that was learnt.
    pub(super) fn refit(&mut self) {
        let most = (f64::from(self.total) * TAIL_SHARE).max(1.0);
        let (mut count, mut first) = (0, self.buckets.last().map_or(0, |(bucket, _)| bucket + 1));
        for (bucket, here) in self.buckets.iter().rev() {
            if f64::from(count + here) > most {
                break;
            }
            (count, first) = (count + here, *bucket);
        }
        // The bucket below may be all there is: then the tail is empty and begins above it.
        let in_tail = self
            .buckets
            .iter()
            .rev()
            .take_while(|(bucket, _)| *bucket >= first);
        let excess = in_tail.map(|(bucket, count)| f64::from(*count) * (f64::from(bucket - first) + 0.5));
        self.fit = TailFit {
            first,
            count,
            excess: excess.sum(),
            next: self.total + self.total / 20 + 1,
        };
    }

    /// Mean excess of the tail in the numbers' unit, of as many numbers as make it worth something.
    pub(super) fn scale(&self) -> Option<f64> {
        let count = f64::from(self.fit.count);
        (self.fit.count >= 10).then(|| self.fit.excess * self.width / count)
    }

    /// −ln of the probability of a number at least as large; `common` is the scale of tails of its kind. 0 where nothing was learnt.
    pub(super) fn surprise(&self, number: f64, common: f64) -> f64 {
        if self.total == 0 || number.is_nan() {
            return 0.0;
        }
        let bucket = self.bucket(number);
        let all = f64::from(self.total) + 1.0;
        if bucket < self.fit.first {
            let mut above = 1.0;
            for (other, count) in self
                .buckets
                .iter()
                .rev()
                .take_while(|(other, _)| *other >= bucket)
            {
                let share = if *other == bucket { 0.5 } else { 1.0 };
                above += share * f64::from(*count);
            }
            return -(above / all).min(1.0).ln();
        }
        let count = f64::from(self.fit.count);
        let excesses = self.fit.excess * self.width + PRIOR_EXCESSES * common;
        let scale = (excesses / (count + PRIOR_EXCESSES)).max(self.least);
        let beyond = number - f64::from(self.fit.first) * self.width;
        beyond.max(0.0) / scale - ((count.max(1.0)) / all).ln()
    }

    /// The number below which the share `level` of all lies, as exactly as buckets are wide; none before anything was learnt.
    pub(super) fn quantile(&self, level: f64) -> Option<f64> {
        let wanted = level * f64::from(self.total);
        let mut below = 0.0;
        for (bucket, count) in &self.buckets {
            below += f64::from(*count);
            if below >= wanted {
                return Some(f64::from(bucket + 1) * self.width);
            }
        }
        None
    }
}

/// The scale that tails have in common: the median of those that have one, else `otherwise`.
pub(super) fn common_scale<'t>(tails: impl Iterator<Item = &'t UpperTail>, otherwise: f64) -> f64 {
    let mut scales: Vec<f64> = tails.filter_map(UpperTail::scale).collect();
    scales.sort_by(f64::total_cmp);
    scales.get(scales.len() / 2).copied().unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn surprise_is_minus_the_logarithm_of_how_rarely_it_is_reached() {
        // An exponential law of mean 2: the truth is number / 2, in and far beyond the sample.
        let mut random = Random::new(5);
        let mut tail = UpperTail::new(0.05);
        for _ in 0..10_000 {
            tail.learn(-2.0 * (1.0 - random.unit()).ln());
        }
        tail.refit();
        for number in [1.0, 4.0, 10.0, 40.0] {
            let surprise = tail.surprise(number, 1.0);
            assert!(
                (surprise - number / 2.0).abs() < 0.1 + number / 40.0,
                "{number}: {surprise}"
            );
        }
        assert!((tail.quantile(0.99).unwrap() - 9.21).abs() < 0.4);
    }

    #[test]
    fn few_and_equal_numbers_have_a_tail_of_the_common_scale() {
        let mut tail = UpperTail::new(0.1);
        assert_eq!(tail.surprise(1.0, 1.0), 0.0);
        for _ in 0..3 {
            tail.learn(5.0);
        }
        assert!(tail.surprise(5.0, 1.0) < 1.0);
        let far = tail.surprise(9.0, 1.0);
        assert!((far - (4.0_f64.ln() + 3.9)).abs() < 0.2, "{far}");
        tail.learn(f64::NAN);
        tail.learn(f64::INFINITY);
        assert!(tail.surprise(f64::INFINITY, 1.0) > 1.0 && tail.surprise(f64::NAN, 1.0) == 0.0);
    }

    #[test]
    fn a_new_level_is_learnt_in_bounded_time() {
        let mut tail = UpperTail::new(0.05);
        for _ in 0..100_000 {
            tail.learn(1.0);
        }
        let before = tail.surprise(2.0, 0.2);
        for _ in 0..4_000 {
            tail.learn(2.0);
        }
        assert!(before > 10.0 && tail.surprise(2.0, 0.2) < 3.0);
    }
}
