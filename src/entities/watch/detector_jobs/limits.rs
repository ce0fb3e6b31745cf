//! The limits of a job's metrics, and what they say of a series.

use skywatch_algorithms::entities::rules::{
    DisruptionOptions, NSigmaOptions, SpaceOptions, TimeOptions, deviating_in_space, deviating_in_time,
    deviating_nodes, disruption_score, establish_score, latency_score, n_sigma_score, sum_threshold,
};

/// How a metric is judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum JobLimits {
    /// Not by limits of its own.
    None,
    /// The share of outliers among the newest values.
    Outliers(OutlierLimits),
    /// The same for round trips, of which a connection has few.
    Establish {
        /// Seconds that are judged.
        observed: f64,
        /// Share of outliers from which on it is anomalous.
        ratio: f64,
        /// What outliers must be on average for anybody to notice.
        least: f64,
    },
    /// The sum of events.
    Sum {
        /// From which on it is anomalous.
        threshold: f64,
    },
    /// Container disruption.
    Disruption {
        /// As the detector has them.
        options: DisruptionOptions,
        /// Share of values beyond the limit from which on it is anomalous.
        ratio: f64,
    },
    /// Slow nodes.
    Node(NodeLimits),
}

/// Limits of the n-sigma family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OutlierLimits {
    pub(crate) options: NSigmaOptions,
    /// Share of outliers from which on it is anomalous.
    pub(crate) ratio: f64,
    /// What outliers must be on average for anybody to notice; none where any is noticed.
    pub(crate) least: Option<f64>,
}

/// How nodes are held against themselves and each other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeLimits {
    pub(crate) time: TimeOptions,
    pub(crate) space: Option<SpaceOptions>,
    /// Whether each device of a host counts by itself.
    pub(crate) is_device: bool,
    /// How several series of one are taken together: `avg`, `max`, `min` or `sum`.
    pub(crate) method: String,
}

/// What is said of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SeriesVerdict {
    /// 0 to 1.
    pub(super) score: f64,
    pub(super) is_anomalous: bool,
    /// Whether that follows from the other series, not from its own past.
    pub(super) is_by_others: bool,
}

/// The windows of all series of a metric, oldest value first, `expected` values each if none is missing, `step` seconds apart.
/// What is said of each; none where a series says nothing.
pub(super) fn judged(
    windows: &[Vec<f64>],
    limits: &JobLimits,
    expected: usize,
    step: f64,
) -> Vec<Option<SeriesVerdict>> {
    let beyond = |score: Option<f64>, ratio: f64| {
        score.map(|score| SeriesVerdict {
            score,
            is_anomalous: score >= ratio,
            is_by_others: false,
        })
    };
    match limits {
        JobLimits::None => vec![None; windows.len()],
        JobLimits::Outliers(limits) => {
            let score = |values: &Vec<f64>| match limits.least {
                Some(least) => latency_score(values, expected, least, limits.options),
                None => n_sigma_score(values, expected, limits.options),
            };
            windows
                .iter()
                .map(|values| beyond(score(values), limits.ratio))
                .collect()
        }
        JobLimits::Establish {
            observed,
            ratio,
            least,
        } => {
            let newest = (observed / step).round() as usize;
            let split = |values: &Vec<f64>| values.len().saturating_sub(newest);
            let before: Vec<f64> = windows
                .iter()
                .flat_map(|values| values[..split(values)].to_vec())
                .collect();
            let score = |values: &Vec<f64>| establish_score(&before, &values[split(values)..], *least);
            windows
                .iter()
                .map(|values| beyond(score(values), *ratio))
                .collect()
        }
        JobLimits::Sum { threshold } => {
            let verdict = |values: &Vec<f64>| {
                sum_threshold(values, *threshold).map(|is_anomalous| SeriesVerdict {
                    score: f64::from(u8::from(is_anomalous)),
                    is_anomalous,
                    is_by_others: false,
                })
            };
            windows.iter().map(verdict).collect()
        }
        JobLimits::Disruption { options, ratio } => {
            let score = |values: &Vec<f64>| disruption_score(values, expected, *options);
            windows
                .iter()
                .map(|values| beyond(score(values), *ratio))
                .collect()
        }
        JobLimits::Node(limits) => nodes(windows, limits),
    }
}

/// A node is slow while the newest value is in a run of those that deviate, unless the others say that all are alike.
fn nodes(windows: &[Vec<f64>], limits: &NodeLimits) -> Vec<Option<SeriesVerdict>> {
    let in_time: Vec<Vec<bool>> = windows
        .iter()
        .map(|values| deviating_in_time(values, limits.time))
        .collect();
    let is_out: Vec<bool> = in_time.iter().map(|flags| flags.last() == Some(&true)).collect();
    let newest: Vec<Vec<f64>> = windows
        .iter()
        .map(|values| values[values.len().saturating_sub(limits.time.shortest)..].to_vec())
        .collect();
    let in_space = limits
        .space
        .and_then(|options| deviating_in_space(&newest, options));
    let slow = deviating_nodes(&is_out, in_space.as_deref());
    let pairs = slow.iter().zip(&in_time).zip(windows);
    pairs
        .map(|((slow, flags), values)| {
            let out = flags.iter().filter(|flag| **flag).count() as f64;
            (!values.is_empty()).then(|| SeriesVerdict {
                score: if *slow {
                    (out / flags.len() as f64).max(0.01)
                } else {
                    0.0
                },
                is_anomalous: *slow,
                is_by_others: in_space.is_some(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(newest: f64) -> Vec<f64> {
        let before = (0..60).map(|at| 10.0 + f64::from(at % 7));
        before.chain(std::iter::repeat_n(newest, 6)).collect()
    }

    #[test]
    fn each_kind_of_limit_tells_the_series_that_is_out() {
        let outliers = |least| {
            let options = NSigmaOptions {
                observed: 6,
                ..NSigmaOptions::default()
            };
            JobLimits::Outliers(OutlierLimits {
                options,
                ratio: 0.5,
                least,
            })
        };
        let node = JobLimits::Node(NodeLimits {
            time: TimeOptions::default(),
            space: None,
            is_device: false,
            method: "avg".to_owned(),
        });
        let establish = JobLimits::Establish {
            observed: 30.0,
            ratio: 0.5,
            least: 50.0,
        };
        let said = |limits: &JobLimits| -> Vec<bool> {
            let windows = [window(90.0), window(12.0)];
            let all = judged(&windows, limits, 66, 5.0);
            all.iter()
                .map(|verdict| verdict.is_some_and(|verdict| verdict.is_anomalous))
                .collect()
        };
        for limits in [outliers(None), outliers(Some(50.0)), node, establish] {
            assert_eq!(said(&limits), [true, false], "{limits:?}");
        }
        assert_eq!(said(&outliers(Some(100.0))), [false, false]);
        assert_eq!(said(&JobLimits::Sum { threshold: 1_000.0 }), [true, false]);
        assert_eq!(
            judged(&[vec![]], &JobLimits::Sum { threshold: 1.0 }, 10, 5.0),
            [None]
        );
    }
}
