//! SPOT and DSPOT: a limit for a stream that follows from how its largest values are distributed, and learns as it goes.
//!
//! Siffer, Fouque, Termier, Largouët (KDD 2017), algorithms 2 and 3. What exceeds a high quantile t of the first values is
//! fitted by a generalised Pareto law ([`ParetoTail`]), and the limit is where that law puts the asked risk q,
//!
//! > z = t + σ/γ · ((q·n / N)^−γ − 1)
//!
//! with n values seen and N above t. A value above z is anomalous and teaches nothing; one between t and z refits the law.
//! Upwards only: for drops, give negated values. O(1) a value, O(peaks) where it is a peak.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::tail::ParetoTail;

/// Peaks that are kept at most: more do not make the fit better, and a stream has no end. Beyond it the older half is
/// dropped, and half of the values seen with it.
const MOST_PEAKS: usize = 2_000;
/// Fewest first values.
const FEWEST: usize = 10;

/// How rare an anomaly is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpotOptions {
    /// q: the share of values like the first ones that may lie above the limit.
    pub risk: f64,
    /// The quantile of the first values from which the law is fitted; taken lower until two values lie above it.
    pub level: f64,
}

impl Default for SpotOptions {
    /// gala-anteater's.
    fn default() -> Self {
        Self {
            risk: 1e-3,
            level: 0.98,
        }
    }
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpotOutcome {
    /// Above the limit.
    Anomalous,
    /// Among the largest, and learnt from.
    Peak,
    /// One of many; or no finite number, which is passed over.
    Common,
}

/// A stream's limit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "KeptSpot")]
pub struct Spot {
    risk: f64,
    start: f64,
    /// How far values were above the start, oldest first.
    peaks: Vec<f64>,
    seen: f64,
    /// Follows from the others; infinite where they allow none, which JSON cannot say.
    #[serde(skip)]
    limit: f64,
}

/// What is kept of one.
#[derive(Deserialize)]
struct KeptSpot {
    risk: f64,
    start: f64,
    peaks: Vec<f64>,
    seen: f64,
}

impl From<KeptSpot> for Spot {
    fn from(kept: KeptSpot) -> Self {
        let KeptSpot {
            risk,
            start,
            peaks,
            seen,
        } = kept;
        let mut spot = Self {
            risk,
            start,
            peaks,
            seen,
            limit: f64::INFINITY,
        };
        spot.refit();
        spot
    }
}

impl Spot {
    /// Learns from the first values; those not finite are left out. None if fewer than ten are left, or all are alike.
    #[must_use]
    pub fn fit(first: &[f64], options: SpotOptions) -> Option<Self> {
        let mut sorted: Vec<f64> = first.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        if sorted.len() < FEWEST || sorted.first() == sorted.last() {
            return None;
        }
        let above = |start: f64| sorted.len() - sorted.partition_point(|value| *value <= start);
        let mut place =
            ((options.level.clamp(0.0, 1.0) * sorted.len() as f64) as usize).min(sorted.len() - 1);
        while place > 0 && above(sorted[place]) < 2 {
            place -= 1;
        }
        let start = sorted[place];
        let mut spot = Self {
            risk: options.risk,
            start,
            peaks: first
                .iter()
                .filter(|value| value.is_finite() && **value > start)
                .map(|value| value - start)
                .collect(),
            seen: sorted.len() as f64,
            limit: f64::INFINITY,
        };
        spot.refit();
        Some(spot)
    }

    /// The limit as it is now.
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Judges the next value, and learns from it unless it is anomalous.
    pub fn judge(&mut self, value: f64) -> SpotOutcome {
        if !value.is_finite() {
            return SpotOutcome::Common;
        }
        if value > self.limit {
            return SpotOutcome::Anomalous;
        }
        self.seen += 1.0;
        if value <= self.start {
            return SpotOutcome::Common;
        }
        if self.peaks.len() == MOST_PEAKS {
            self.peaks.drain(..MOST_PEAKS / 2);
            self.seen /= 2.0;
        }
        self.peaks.push(value - self.start);
        self.refit();
        SpotOutcome::Peak
    }

    fn refit(&mut self) {
        if let Some(tail) = ParetoTail::fit(&self.peaks) {
            let reach = tail.reach(self.risk * self.seen / self.peaks.len() as f64);
            self.limit = self.start + if reach.is_finite() { reach.max(0.0) } else { 0.0 };
        }
    }
}

/// SPOT of what a stream is above its own recent mean, for one whose level drifts.
#[derive(Debug, Clone)]
pub struct DriftSpot {
    newest: VecDeque<f64>,
    depth: usize,
    spot: Spot,
}

impl DriftSpot {
    /// Learns from the first values: the first `depth` of them are the first mean. None if fewer than ten are left after
    /// them.
    #[must_use]
    pub fn fit(first: &[f64], depth: usize, options: SpotOptions) -> Option<Self> {
        let depth = depth.max(1);
        let finite: Vec<f64> = first.iter().copied().filter(|value| value.is_finite()).collect();
        let mut newest: VecDeque<f64> = finite.iter().copied().take(depth).collect();
        let mut above = Vec::with_capacity(finite.len());
        for value in finite.iter().skip(depth) {
            above.push(value - mean(&newest));
            newest.pop_front();
            newest.push_back(*value);
        }
        let spot = Spot::fit(&above, options)?;
        Some(Self { newest, depth, spot })
    }

    /// The limit of the next value.
    #[must_use]
    pub fn limit(&self) -> f64 {
        mean(&self.newest) + self.spot.limit()
    }

    /// Judges the next value; an anomalous one does not move the mean.
    pub fn judge(&mut self, value: f64) -> SpotOutcome {
        if !value.is_finite() {
            return SpotOutcome::Common;
        }
        let outcome = self.spot.judge(value - mean(&self.newest));
        if outcome != SpotOutcome::Anomalous {
            if self.newest.len() == self.depth {
                self.newest.pop_front();
            }
            self.newest.push_back(value);
        }
        outcome
    }
}

fn mean(values: &VecDeque<f64>) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn alarms_are_as_rare_as_asked_and_what_is_far_out_is_one() {
        let mut random = Random::new(6);
        let first: Vec<f64> = (0..2_000).map(|_| random.normal()).collect();
        let mut spot = Spot::fit(&first, SpotOptions::default()).unwrap();
        // 3.09 is where the normal law has a thousandth.
        assert!((spot.limit() - 3.09).abs() < 0.4, "{}", spot.limit());
        let alarms = (0..20_000)
            .filter(|_| spot.judge(random.normal()) == SpotOutcome::Anomalous)
            .count();
        assert!((8..=40).contains(&alarms), "{alarms} of 20,000");
        assert_eq!(spot.judge(9.0), SpotOutcome::Anomalous);
        assert_eq!(spot.judge(f64::NAN), SpotOutcome::Common);
        // What is above the limit is never learnt, so the law is fitted to a tail that is cut: it ends a little low.
        assert!((2.6..3.2).contains(&spot.limit()), "{}", spot.limit());
    }

    #[test]
    fn a_drift_is_followed_by_the_one_that_is_made_for_it() {
        let mut random = Random::new(8);
        let mut value = |at: usize| 0.01 * at as f64 + random.normal();
        let first: Vec<f64> = (0..1_000).map(&mut value).collect();
        let mut plain = Spot::fit(&first, SpotOptions::default()).unwrap();
        let mut drifting = DriftSpot::fit(&first, 20, SpotOptions::default()).unwrap();
        let (mut alarms, mut drift_alarms) = (0, 0);
        for at in 1_000..6_000 {
            let value = value(at);
            alarms += usize::from(plain.judge(value) == SpotOutcome::Anomalous);
            drift_alarms += usize::from(drifting.judge(value) == SpotOutcome::Anomalous);
        }
        assert!(drift_alarms <= 25 && alarms > 1_000, "{drift_alarms} {alarms}");
        assert_eq!(drifting.judge(drifting.limit() + 0.1), SpotOutcome::Anomalous);
    }

    #[test]
    fn too_little_is_no_limit_and_a_long_stream_stays_small() {
        assert!(Spot::fit(&[1.0; 50], SpotOptions::default()).is_none());
        assert!(Spot::fit(&[1.0, 2.0, f64::NAN], SpotOptions::default()).is_none());
        assert!(DriftSpot::fit(&[1.0; 12], 5, SpotOptions::default()).is_none());
        let first: Vec<f64> = (0..20).map(f64::from).collect();
        let mut spot = Spot::fit(
            &first,
            SpotOptions {
                risk: 1e-9,
                level: 0.5,
            },
        )
        .unwrap();
        (0..MOST_PEAKS + 50).for_each(|_| {
            spot.judge(15.0);
        });
        assert!(spot.peaks.len() <= MOST_PEAKS && spot.limit() >= 15.0);
    }
}
