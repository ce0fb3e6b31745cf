//! From scores of several detectors to one probability.
//!
//! Each detector's score is turned into its surprise s = −ln p, p the share of held-back normal traces with at least that score
//! ([`UpperTail`]). Those of structure all ask what should stand in a place, in different ways, so that the same step makes all of them
//! high: of them the largest counts. Those of latency look at times of different size, a span, a service, the whole, and each adds: the
//! surprises are joined as √(max² + Σs²), between Fisher's sum, which detectors that each see a little raise together, and
//! Tippett's largest, which one alone decides. Detectors still depend on each other, so what that norm means is not taken from a
//! law but, once more, from the held-back traces: the trace's score is the surprise of its norm among theirs. No label is used
//! anywhere.

use serde::{Deserialize, Serialize};

use super::baseline::LATENCY;
use super::tail::UpperTail;

/// Width of the buckets of scores, nats.
const WIDTH: f64 = 0.05;
/// Least scale of a tail of scores: a nat more of a score is at most e⁵ times rarer. Scores of a detector that never departs
/// from its usual on normal traces would otherwise make any departure infinite.
const LEAST_SCALE: f64 = 0.2;
/// Scale that a calibrated score has: it becomes e times rarer a nat.
const COMMON_SCALE: f64 = 1.0;

/// Traces that must lie above a quantile for it to be one.
const FEWEST_ABOVE: f64 = 3.0;

/// What scores of normal traces are like.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Calibration {
    detectors: Vec<UpperTail>,
    joint: UpperTail,
}

impl Calibration {
    /// The calibration by scores of held-back normal traces, a row each, NaN where a detector did not judge.
    pub(super) fn fit(rows: &[Vec<f64>]) -> Self {
        let new = || UpperTail::new(WIDTH).with_least_scale(LEAST_SCALE);
        let count = rows.first().map_or(0, Vec::len);
        let mut all = Self {
            detectors: vec![new(); count],
            joint: new(),
        };
        for row in rows {
            for (tail, score) in all.detectors.iter_mut().zip(row) {
                tail.learn(*score);
            }
        }
        all.detectors.iter_mut().for_each(UpperTail::refit);
        for row in rows {
            let norm = norm(&all.surprises(row));
            all.joint.learn(norm);
        }
        all.joint.refit();
        all
    }

    /// The surprises of a trace's scores; 0 where a detector did not judge.
    pub(super) fn surprises(&self, scores: &[f64]) -> Vec<f64> {
        let pairs = self.detectors.iter().zip(scores);
        pairs
            .map(|(tail, score)| tail.surprise(*score, COMMON_SCALE))
            .collect()
    }

    /// The joint surprise above which at most `share` of normal traces lie: the quantile of the held-back ones where three of them
    /// lie above it, else what the tail says.
    pub(super) fn threshold(&self, share: f64) -> f64 {
        let enough = f64::from(self.joint.total()) * share >= FEWEST_ABOVE;
        let quantile = self.joint.quantile(1.0 - share).filter(|_| enough);
        quantile.map_or(-share.ln(), |norm| self.joint.surprise(norm, COMMON_SCALE))
    }

    /// −ln of the share of normal traces whose surprises are at least as large together.
    pub(super) fn joint(&self, surprises: &[f64]) -> f64 {
        self.joint.surprise(norm(surprises), COMMON_SCALE)
    }
}

fn norm(surprises: &[f64]) -> f64 {
    let (mut structure, mut latency) = (0.0_f64, 0.0);
    for (detector, surprise) in surprises.iter().enumerate() {
        if LATENCY.contains(&detector) {
            latency += surprise * surprise;
        } else {
            structure = structure.max(*surprise);
        }
    }
    (structure * structure + latency).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn a_hundredth_of_normal_traces_is_above_the_limit_of_a_hundredth() {
        // Five dependent detectors in units of their own, one of which never says anything.
        let mut random = Random::new(11);
        let mut row = || {
            let shared = random.normal();
            let own = (shared + random.normal()).exp();
            vec![own, 5.0 * shared, 0.0, shared + random.normal(), own + shared]
        };
        let held: Vec<_> = (0..4_000).map(|_| row()).collect();
        let calibration = Calibration::fit(&held);
        let fresh: Vec<_> = (0..20_000).map(|_| row()).collect();
        let joint = |scores: &Vec<f64>| calibration.joint(&calibration.surprises(scores));
        let above = fresh.iter().filter(|scores| joint(scores) > 100_f64.ln()).count();
        assert!((120..280).contains(&above), "{above} of 20,000");
        assert!(joint(&vec![1.0, 0.0, 3.0, 1.0, 1.0]) > 100_f64.ln());
    }
}
