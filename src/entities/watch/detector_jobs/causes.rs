//! What stands out on a machine while something is wrong there: the original's ranking of causes, by spectral residual.
//!
//! The last ten minutes of every series of the metrics that may be the cause are asked for when a job has found something, for that machine
//! alone. A few machines a look: a job may have a hundred such metrics, each of which is a question.

use std::collections::{BTreeMap, HashMap};

use serde_json::Map;
use skywatch_algorithms::entities::spectral_residual_score;
use skywatch_settings::Entities;

use super::file::{JobFeature, MetricTrend};
use super::finding::{JobFinding, JobFound};
use crate::entities::watch::prometheus::{PrometheusEntities, SeriesNaming};
use crate::entities::watch::query::{EntityQuery, matchers_and};
use crate::entities::watch::source::{EntitySource as _, FetchedPart};
use crate::observer::Observer;
use crate::stop::Stop;

/// Seconds that are looked back upon, as the original has them.
const LOOKED_BACK: f64 = 600.0;
/// Machines whose causes are ranked in one look; of others what was found before goes on.
const A_LOOK: usize = 4;
/// Points of the moving average before a trend is told, and how far the halves must differ.
const SMOOTHED: usize = 7;
const RISEN: f64 = 0.9;
const FALLEN: f64 = 1.1;

/// A metric that may be the cause.
#[derive(Debug, Clone)]
pub(in crate::entities::watch) struct CauseCandidate {
    pub(in crate::entities::watch) metric: String,
    pub(in crate::entities::watch) entity_name: Option<String>,
    pub(in crate::entities::watch) description: Option<String>,
    pub(in crate::entities::watch) trend: MetricTrend,
    /// Among those that are named the smaller come first.
    pub(in crate::entities::watch) priority: i64,
}

impl CauseCandidate {
    pub(in crate::entities::watch) fn of_feature(feature: &JobFeature) -> Self {
        Self {
            metric: feature.metric.clone(),
            entity_name: None,
            description: feature.description.clone(),
            trend: feature.trend,
            priority: feature.priority,
        }
    }
}

/// Ranks what may be the cause of findings, a job after the other.
pub(in crate::entities::watch) struct SpectralRanking {
    settings: Entities,
    observer: Observer,
    step: f64,
    /// What is ranked for the job at hand.
    candidates: Vec<CauseCandidate>,
    most: usize,
    job: String,
    /// By job and subject: the step at which it was ranked, and what came of it.
    known: HashMap<(String, String), (i64, Vec<JobFound>)>,
}

impl SpectralRanking {
    pub(in crate::entities::watch) fn new(settings: &Entities, observer: &Observer) -> Self {
        Self {
            settings: settings.clone(),
            observer: observer.clone(),
            step: settings.jobs_step.as_secs_f64(),
            candidates: Vec::new(),
            most: 0,
            job: String::new(),
            known: HashMap::new(),
        }
    }

    /// Turns to a job, of whose causes the first `most` are named.
    pub(in crate::entities::watch) fn begin(
        &mut self,
        job: &str,
        candidates: Vec<CauseCandidate>,
        most: usize,
    ) {
        self.candidates = candidates;
        self.most = most;
        job.clone_into(&mut self.job);
    }

    /// Adds causes to the findings of the job that are anomalous: of those that are new first.
    pub(in crate::entities::watch) fn rank(&mut self, findings: &mut [JobFinding], newest: i64, stop: &Stop) {
        let is_anomalous = |subject: &str| {
            let mut all = findings.iter();
            all.any(|finding| finding.is_anomalous && finding.subject == subject)
        };
        self.known
            .retain(|(job, subject), _| *job != self.job || is_anomalous(subject));
        if self.candidates.is_empty() || self.most == 0 {
            return;
        }
        let mut anomalous: Vec<&mut JobFinding> = findings
            .iter_mut()
            .filter(|finding| finding.is_anomalous)
            .collect();
        let ranked_at = |finding: &JobFinding| {
            let key = (self.job.clone(), finding.subject.clone());
            self.known.get(&key).map_or(i64::MIN, |(step, _)| *step)
        };
        anomalous.sort_by_key(|finding| ranked_at(finding));
        for (place, finding) in anomalous.into_iter().enumerate() {
            let key = (self.job.clone(), finding.subject.clone());
            if place < A_LOOK && !stop.is_said() {
                let causes = self.of_one(finding, newest, stop);
                // A server that did not answer takes nothing away that was known.
                if !causes.is_empty() || !self.known.contains_key(&key) {
                    self.known.insert(key.clone(), (newest, causes));
                }
            }
            if let Some((_, causes)) = self.known.get(&key) {
                finding.causes.clone_from(causes);
            }
        }
    }

    /// The series that stand out on the machine of a finding.
    fn of_one(&self, finding: &JobFinding, newest: i64, stop: &Stop) -> Vec<JobFound> {
        let Some(labels) = finding.found.first().map(|found| &found.labels) else {
            return Vec::new();
        };
        let machine = labels.iter().find(|(_, value)| **value == finding.machine);
        let matchers = matchers_and(&self.settings, machine);
        let queries = self.candidates.iter().map(|candidate| EntityQuery {
            metric: candidate.metric.as_str().into(),
            promql: format!("{}{matchers}", candidate.metric),
        });
        let steps = (LOOKED_BACK / self.step).round() as i64;
        let source = PrometheusEntities::of(
            &self.settings,
            queries.collect(),
            SeriesNaming::All,
            (self.step, steps),
            &self.observer,
        );
        let Ok(Some(mut source)) = source else {
            return Vec::new();
        };
        let mut scored: Vec<(i64, JobFound)> = Vec::new();
        let mut take = |part: FetchedPart| {
            let FetchedPart::Values(mut values) = part else {
                return;
            };
            values.values.sort_by_key(|(step, _)| *step);
            let numbers: Vec<f64> = values.values.iter().map(|(_, value)| *value).collect();
            let candidate = self
                .candidates
                .iter()
                .find(|candidate| *candidate.metric == *values.metric);
            if let Some(candidate) = candidate
                && has_the_same(labels, &values.labels)
                && goes(&numbers, candidate.trend)
            {
                let found = JobFound {
                    score: spectral_residual_score(&numbers, steps as usize + 1),
                    metric: candidate.metric.clone(),
                    labels: values.labels,
                    entity_name: candidate.entity_name.clone(),
                    description: candidate.description.clone(),
                    details: Map::new(),
                };
                scored.push((candidate.priority, found));
            }
        };
        source.fetch(newest, &mut take, stop);
        first(scored, self.most)
    }
}

/// The first so many by score, those of smaller priority before the others.
fn first(mut scored: Vec<(i64, JobFound)>, most: usize) -> Vec<JobFound> {
    scored.retain(|(_, found)| found.score > 0.0);
    scored.sort_by(|(_, a), (_, b)| {
        (b.score.total_cmp(&a.score))
            .then_with(|| a.metric.cmp(&b.metric))
            .then_with(|| a.labels.cmp(&b.labels))
    });
    scored.truncate(most);
    scored.sort_by_key(|(priority, _)| *priority);
    scored.into_iter().map(|(_, found)| found).collect()
}

/// Whether labels that both have are alike.
fn has_the_same(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    one.iter()
        .all(|(label, value)| other.get(label).is_none_or(|other| other == value))
}

/// Whether a series goes the way it is to go when something is wrong: the mean of its first half against that of its second, smoothed.
pub(in crate::entities::watch) fn goes(values: &[f64], trend: MetricTrend) -> bool {
    let smooth: Vec<f64> = values
        .windows(SMOOTHED.min(values.len()).max(1))
        .map(|window| window.iter().sum::<f64>() / window.len() as f64)
        .collect();
    let (before, after) = smooth.split_at(smooth.len() / 2);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let ratio = mean(before) / mean(after);
    match trend {
        MetricTrend::Any => true,
        MetricTrend::Rise => ratio < RISEN,
        MetricTrend::Fall => ratio > FALLEN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_that_goes_the_wrong_way_is_no_cause() {
        let rising: Vec<f64> = (0..60).map(f64::from).collect();
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        assert!(goes(&rising, MetricTrend::Rise) && !goes(&falling, MetricTrend::Rise));
        assert!(goes(&falling, MetricTrend::Fall) && !goes(&rising, MetricTrend::Fall));
        assert!(!goes(&[5.0; 60], MetricTrend::Rise) && goes(&[5.0; 60], MetricTrend::Any));
        assert!(!goes(&[], MetricTrend::Rise));
    }

    #[test]
    fn causes_come_by_score_and_then_by_priority() {
        let found = |metric: &str, score: f64| JobFound {
            metric: metric.to_owned(),
            score,
            labels: BTreeMap::new(),
            entity_name: None,
            description: None,
            details: Map::new(),
        };
        let scored = vec![
            (0, found("calm", 0.0)),
            (2, found("a", 9.0)),
            (1, found("b", 3.0)),
            (0, found("c", 1.0)),
        ];
        let names: Vec<String> = first(scored, 2).into_iter().map(|found| found.metric).collect();
        assert_eq!(names, ["b", "a"]);
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            (pairs.iter())
                .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
                .collect()
        };
        let of = labels(&[("machine_id", "m-1"), ("disk", "sda")]);
        assert!(has_the_same(&of, &labels(&[("machine_id", "m-1"), ("dev", "x")])));
        assert!(!has_the_same(
            &of,
            &labels(&[("machine_id", "m-1"), ("disk", "sdb")])
        ));
    }
}
