//! From errors seen to the error that is too large.
//!
//! `KSigma`: mean + k·standard deviation, as rb-aioutliers has it with k = 5; robust: median + k·1.4826·MAD, which a few
//! wild errors in the training data do not move. `PeaksOverThreshold` (Pickands 1975; Siffer et al. 2017): what lies
//! beyond a high quantile follows a generalised Pareto law, fitted by probability-weighted moments (Hosking and Wallis
//! 1987, closed form); the limit is where that law puts the asked risk. O(n log n); errors that are not finite are left
//! out.

use serde::{Deserialize, Serialize};

use super::LearnedError;

/// Fewest errors a limit is made from: five spreads of fewer are a guess.
const FEWEST: usize = 20;
/// Fewest excesses a law of two parameters is fitted to; with fewer the quantile is taken lower.
const FEWEST_EXCESSES: usize = 10;
/// Shapes of the law that are believed. Beyond one half it has no variance, and a few excesses do not prove that.
const SHAPES: std::ops::RangeInclusive<f64> = -0.5..=0.5;

/// How a limit follows from errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// Centre + k spreads.
    KSigma {
        /// How many.
        k: f64,
        /// Median and MAD instead of mean and standard deviation.
        robust: bool,
    },
    /// A tail fitted beyond a quantile.
    PeaksOverThreshold {
        /// The share of errors that may lie beyond the limit.
        risk: f64,
        /// The quantile from which the tail is fitted.
        level: f64,
    },
}

impl Default for Rule {
    /// Five spreads, the rule of rb-aioutliers.
    fn default() -> Self {
        Self::KSigma {
            k: 5.0,
            robust: false,
        }
    }
}

/// The largest error that is no anomaly, for all columns together and for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// How they were made.
    pub rule: Rule,
    /// For all columns together, the calendar's too: the original's one limit.
    pub all: f64,
    /// A column each, in the order of the model's columns.
    pub columns: Vec<f64>,
}

impl Rule {
    /// The limit for `errors`, which are put in order. Finite and above 0.
    ///
    /// # Errors
    /// [`LearnedError::TooFew`] for fewer than 20 finite errors.
    pub fn limit(self, errors: &mut Vec<f64>) -> Result<f64, LearnedError> {
        errors.retain(|error| error.is_finite());
        if errors.len() < FEWEST {
            return Err(LearnedError::TooFew {
                what: "errors for a limit",
                given: errors.len(),
                needed: FEWEST,
            });
        }
        errors.sort_unstable_by(f64::total_cmp);
        let limit = match self {
            Self::KSigma { k, robust: false } => {
                let count = errors.len() as f64;
                let mean = errors.iter().sum::<f64>() / count;
                let variance = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / count;
                mean + k * variance.sqrt()
            }
            Self::KSigma { k, robust: true } => {
                let centre = quantile(errors, 0.5);
                let mut from_centre: Vec<f64> = errors.iter().map(|error| (error - centre).abs()).collect();
                from_centre.sort_unstable_by(f64::total_cmp);
                centre + k * 1.4826 * quantile(&from_centre, 0.5)
            }
            Self::PeaksOverThreshold { risk, level } => tail_limit(errors, risk, level),
        };
        // A model that is never wrong still needs a limit to divide by.
        Ok(limit.max(1e-9))
    }
}

/// The number below which a share of sorted numbers lies, linear between two.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = sorted[at.floor() as usize];
    below + (sorted[at.ceil() as usize] - below) * at.fract()
}

fn tail_limit(sorted: &[f64], risk: f64, level: f64) -> f64 {
    let count = sorted.len() as f64;
    let level = level.min(1.0 - FEWEST_EXCESSES as f64 / count).max(0.0);
    let threshold = quantile(sorted, level);
    let from = sorted.partition_point(|error| *error <= threshold);
    let excesses = &sorted[from..];
    let number = excesses.len() as f64;
    if excesses.is_empty() {
        return threshold;
    }
    // Moments weighted by the chance that another excess is larger.
    let mean = excesses.iter().map(|error| error - threshold).sum::<f64>() / number;
    let weighted = excesses.iter().enumerate();
    let weighted = weighted.map(|(rank, error)| (error - threshold) * (number - rank as f64 - 0.65) / number);
    let second = weighted.sum::<f64>() / number;
    let shape = (2.0 - mean / (mean - 2.0 * second)).clamp(*SHAPES.start(), *SHAPES.end());
    let shape = if shape.is_nan() { 0.0 } else { shape };
    // The scale that keeps the mean with this shape.
    let scale = mean * (1.0 - shape);
    let beyond = risk * count / number;
    let reach = if shape.abs() < 1e-6 {
        -scale * beyond.ln()
    } else {
        scale / shape * (beyond.powf(-shape) - 1.0)
    };
    threshold + reach.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn k_sigma_is_the_textbooks() {
        let mut errors: Vec<f64> = (0..100).map(f64::from).collect();
        let limit = Rule::KSigma {
            k: 2.0,
            robust: false,
        }
        .limit(&mut errors)
        .unwrap();
        assert!((limit - (49.5 + 2.0 * 833.25_f64.sqrt())).abs() < 1e-9);
        let limit = Rule::KSigma { k: 2.0, robust: true }.limit(&mut errors).unwrap();
        assert!((limit - (49.5 + 2.0 * 1.4826 * 25.0)).abs() < 1e-9);
    }

    #[test]
    fn a_few_wild_errors_do_not_move_the_robust_limit() {
        let mut random = Random::new(1);
        let quiet: Vec<f64> = (0..1000).map(|_| random.normal().abs()).collect();
        let mut wild = quiet.clone();
        wild.extend([1e6; 10]);
        let limit = |errors: &[f64], robust| {
            let rule = Rule::KSigma { k: 5.0, robust };
            rule.limit(&mut errors.to_vec()).unwrap()
        };
        assert!(limit(&wild, true) < 1.1 * limit(&quiet, true));
        assert!(limit(&wild, false) > 100.0 * limit(&quiet, false));
    }

    #[test]
    fn the_tail_is_found_where_the_law_puts_it() {
        let rule = Rule::PeaksOverThreshold {
            risk: 1e-3,
            level: 0.95,
        };
        let mut random = Random::new(2);
        // Exponential: the answer is ln 1000.
        let mut light: Vec<f64> = (0..50_000).map(|_| -(1.0 - random.unit()).ln()).collect();
        let limit = rule.limit(&mut light).unwrap();
        assert!((limit - 1000f64.ln()).abs() < 0.4, "{limit}");
        // Pareto of shape 0.25: the answer is 1000^0.25.
        let mut heavy: Vec<f64> = (0..50_000).map(|_| (1.0 - random.unit()).powf(-0.25)).collect();
        let limit = rule.limit(&mut heavy).unwrap();
        assert!((limit - 1000f64.powf(0.25)).abs() < 0.5, "{limit}");
    }

    #[test]
    fn strange_errors_give_a_usable_limit_or_a_refusal() {
        let pot = Rule::PeaksOverThreshold {
            risk: 1e-4,
            level: 0.98,
        };
        for rule in [Rule::default(), Rule::KSigma { k: 5.0, robust: true }, pot] {
            let constant = rule.limit(&mut vec![0.0; 50]).unwrap();
            assert!(constant > 0.0 && constant.is_finite());
            assert!(rule.limit(&mut vec![f64::NAN; 50]).is_err());
            assert!(rule.limit(&mut vec![1.0; 19]).is_err());
            let mut stepped = vec![0.0; 49];
            stepped.push(5.0);
            assert!(rule.limit(&mut stepped).unwrap().is_finite());
        }
    }
}
