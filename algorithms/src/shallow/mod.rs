//! One request, one series, no memory: which of these points are odd, and what should they have been?
//!
//! Two scorers behind one question. [`Scorer::Forest`] is the shallow detector of rb-aioutliers as it is: a triangular
//! smoother and an isolation forest over what is left. It always finds about one point in a hundred odd, relative to the
//! request. [`Scorer::Scales`] is ours: how far the series lies from its own usual, on three scales of time at once.
//! Both see the whole request, later points too; for judging as points come there is [`crate::streaming`].
//!
//! Points that are not finite are left out of question and answer. Times rise.

mod forest;
mod scales;
mod smoother;

pub use forest::ForestOptions;
pub use scales::ScalesOptions;
pub use smoother::smooth;

/// How to look at a request.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Scorer {
    /// As rb-aioutliers does. O(n log n).
    Forest(ForestOptions),
    /// By distance from the usual on three scales. O(n log n).
    Scales(ScalesOptions),
}

impl Default for Scorer {
    fn default() -> Self {
        Self::Scales(ScalesOptions::default())
    }
}

/// What one point of a request was found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointFinding {
    /// The point's place in the request.
    pub row: usize,
    /// What it should have been.
    pub expected: f64,
    /// How odd it is; larger is odder, comparable within one request.
    pub score: f64,
    /// Whether it is odd enough.
    pub is_outlier: bool,
}

impl Scorer {
    /// Looks at `values` at `times` (Unix seconds, as many): one finding for each point that is finite, in order. None
    /// for none; the rest of the longer slice is left out.
    #[must_use]
    pub fn judge(&self, times: &[f64], values: &[f64]) -> Vec<PointFinding> {
        let (mut rows, mut at, mut what) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (&time, &value)) in times.iter().zip(values).enumerate() {
            if time.is_finite() && value.is_finite() {
                rows.push(row);
                at.push(time);
                what.push(value);
            }
        }
        if rows.is_empty() {
            return Vec::new();
        }
        let (expected, scores, limit) = match self {
            Self::Forest(options) => forest::judge(&at, &what, options),
            Self::Scales(options) => scales::judge(&at, &what, options),
        };
        let parts = rows.into_iter().zip(expected).zip(scores);
        parts
            .map(|((row, expected), score)| PointFinding {
                row,
                expected,
                score,
                is_outlier: score > limit,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn both() -> [Scorer; 2] {
        [Scorer::Forest(ForestOptions::default()), Scorer::default()]
    }

    fn day(seed: u64) -> (Vec<f64>, Vec<f64>) {
        let mut random = Random::new(seed);
        let times: Vec<f64> = (0..2016).map(|n| 1.7e9 + 300.0 * f64::from(n)).collect();
        let wave = |time: f64| 50.0 + 20.0 * (std::f64::consts::TAU * time / 86_400.0).sin();
        let values = times.iter().map(|&time| wave(time) + random.normal()).collect();
        (times, values)
    }

    #[test]
    fn what_is_planted_is_found() {
        let (times, mut values) = day(1);
        values[1000] += 60.0;
        for scorer in both() {
            let found = scorer.judge(&times, &values);
            assert_eq!(found.len(), 2016);
            assert!(found[1000].is_outlier, "{scorer:?} {:?}", found[1000]);
            assert!((found[1000].expected - values[1000]).abs() > 20.0);
        }
    }

    #[test]
    fn the_same_request_gets_the_same_answer() {
        let (times, values) = day(2);
        for scorer in both() {
            assert_eq!(scorer.judge(&times, &values), scorer.judge(&times, &values));
        }
    }

    #[test]
    fn strange_requests_are_answered() {
        for scorer in both() {
            assert!(scorer.judge(&[], &[]).is_empty());
            for count in [1, 2, 3, 4, 5, 9, 20] {
                let times: Vec<f64> = (0..count).map(f64::from).collect();
                for value in [0.0, 7.0, 1e300, -1e300] {
                    let found = scorer.judge(&times, &vec![value; times.len()]);
                    assert_eq!(found.len(), times.len());
                    assert!(
                        found.iter().all(|found| found.score.is_finite()),
                        "{scorer:?} {value}"
                    );
                }
            }
            let (times, mut values) = day(3);
            values[10] = f64::NAN;
            values[11] = f64::INFINITY;
            let found = scorer.judge(&times, &values);
            assert_eq!((found.len(), found[10].row), (2014, 12));
            assert!(
                found
                    .iter()
                    .all(|found| found.score.is_finite() && found.expected.is_finite())
            );
        }
    }

    #[test]
    fn a_constant_has_no_outliers_on_scales() {
        let times: Vec<f64> = (0..500).map(|n| 60.0 * f64::from(n)).collect();
        let found = Scorer::default().judge(&times, &vec![3.5; 500]);
        assert!(
            found
                .iter()
                .all(|found| !found.is_outlier && found.expected == 3.5)
        );
    }
}
