//! Jobs at work: series are fetched and held as entities' values are, and judged by the limits of their job.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};
use skywatch_alerters::Severity;
use skywatch_settings::Entities;

use super::causes::{CauseCandidate, SpectralRanking};
use super::details::JudgedSeries;
use super::file::{DetectorJob, JobDetector};
use super::finding::{JobFinding, JobFound, NodeVerdict};
use super::java::{self, JavaSeries};
use super::limits::{self, JobLimits};
use crate::entities::EntityWatchError;
use crate::entities::watch::counters::EntityCounters;
use crate::entities::watch::prometheus::{PrometheusEntities, SeriesNaming};
use crate::entities::watch::query::{EntityQuery, matchers};
use crate::entities::watch::ring::StepRing;
use crate::entities::watch::source::{EntitySource as _, FetchedPart, FetchedValues};
use crate::events::FlaggedPoints;
use crate::observer::Observer;
use crate::stop::Stop;

/// Part of the memory for entities that series of jobs may have.
const SHARE_OF_BYTES: usize = 4;
/// Labels that name a machine, where there is one of them.
const MACHINE: [&str; 2] = ["machine_id", "instance"];

/// All jobs that judge series.
pub(in crate::entities::watch) struct RunningJobs {
    jobs: Vec<RunningJob>,
    /// Seconds between two looks, and between two values.
    each: f64,
    step: f64,
    /// When they were looked at last, Unix seconds, and what was found then.
    looked: f64,
    findings: Vec<JobFinding>,
    ranking: SpectralRanking,
}

struct RunningJob {
    job: DetectorJob,
    source: PrometheusEntities,
    series: HashMap<(Arc<str>, String), JobSeries>,
    capacity: usize,
    most_series: usize,
}

struct JobSeries {
    labels: BTreeMap<String, String>,
    ring: StepRing,
}

/// Reads all job files that settings name, as an error in one is one of the start.
///
/// # Errors
/// The first file that is no job.
pub fn check_jobs(settings: &Entities) -> Result<(), EntityWatchError> {
    for path in &settings.jobs {
        DetectorJob::read(Path::new(path))?;
    }
    Ok(())
}

impl RunningJobs {
    /// The jobs of the files that settings name which judge series, and beside them those that judge machines.
    ///
    /// # Errors
    /// A file that is no job, or no source for it.
    pub(in crate::entities::watch) fn open(
        settings: &Entities,
        observer: &Observer,
    ) -> Result<(Self, Vec<DetectorJob>), EntityWatchError> {
        let mut running = Self {
            jobs: Vec::new(),
            each: settings.jobs_each.as_secs_f64(),
            step: settings.jobs_step.as_secs_f64(),
            looked: f64::NEG_INFINITY,
            findings: Vec::new(),
            ranking: SpectralRanking::new(settings, observer),
        };
        let mut of_machines = Vec::new();
        for path in &settings.jobs {
            let Some(job) = DetectorJob::read(Path::new(path))? else {
                tracing::info!("entities :: the job `{path}` is not enabled");
                continue;
            };
            let unused = match job.unused.as_slice() {
                [] => String::new(),
                unused => format!("; not used: {}", unused.join(", ")),
            };
            tracing::info!(
                "entities :: job `{}` of {} metrics{unused}",
                job.name,
                job.metrics.len()
            );
            if job.detector.is_network() {
                of_machines.push(job);
            } else if let Some(job) = RunningJob::new(job, settings, observer)? {
                running.jobs.push(job);
            }
        }
        Ok((running, of_machines))
    }

    /// Looks at all jobs, if that is due at `now`, Unix seconds; whether it was.
    pub(in crate::entities::watch) fn look(
        &mut self,
        now: f64,
        counters: &mut EntityCounters,
        stop: &Stop,
    ) -> bool {
        if now - self.looked < self.each || self.jobs.is_empty() {
            return false;
        }
        self.looked = now;
        let newest = (now / self.step).floor() as i64;
        self.findings.clear();
        for job in &mut self.jobs {
            let is_answered = job.fetch(newest, counters, stop);
            if is_answered {
                let first = self.findings.len();
                self.findings.extend(job.judge(newest, self.step));
                let features = job.job.features.iter().map(CauseCandidate::of_feature);
                self.ranking
                    .begin(&job.job.name, features.collect(), job.job.causes);
                self.ranking.rank(&mut self.findings[first..], newest, stop);
            }
        }
        true
    }

    /// What was found at the last look. Of a machine that is not among them nothing is known.
    pub(in crate::entities::watch) fn findings(&self) -> &[JobFinding] {
        &self.findings
    }
}

impl RunningJob {
    /// None if settings name no server.
    fn new(
        job: DetectorJob,
        settings: &Entities,
        observer: &Observer,
    ) -> Result<Option<Self>, EntityWatchError> {
        let step = settings.jobs_step.as_secs_f64();
        let longest = job
            .metrics
            .iter()
            .map(|metric| metric.look_back)
            .fold(0.0, f64::max);
        let capacity = (longest / step).ceil() as usize + 1;
        let matchers = matchers(settings);
        let question = |name: &str, limits: &JobLimits| match limits {
            JobLimits::Node(node) => {
                let by = if node.is_device {
                    "instance, id"
                } else {
                    "instance"
                };
                format!("{} by ({by}) ({name}{matchers})", node.method)
            }
            _ => format!("{name}{matchers}"),
        };
        let queries = job.metrics.iter().map(|metric| EntityQuery {
            metric: metric.metric.as_str().into(),
            promql: question(&metric.metric, &metric.limits),
        });
        let source = PrometheusEntities::of(
            settings,
            queries.collect(),
            SeriesNaming::All,
            (step, capacity as i64),
            observer,
        )?;
        Ok(source.map(|source| Self {
            job,
            source,
            series: HashMap::new(),
            capacity,
            most_series: settings.max_bytes / SHARE_OF_BYTES / (capacity * size_of::<f64>()),
        }))
    }

    /// Fetches what is new; whether any metric was answered.
    fn fetch(&mut self, newest: i64, counters: &mut EntityCounters, stop: &Stop) -> bool {
        let mut is_answered = false;
        let (series, capacity, most) = (&mut self.series, self.capacity, self.most_series);
        let mut take = |part: FetchedPart| match part {
            FetchedPart::Values(values) => put(series, values, capacity, most, counters),
            FetchedPart::Answered {
                metric,
                series,
                left_out,
            } => {
                is_answered = true;
                counters.answered(&metric, series, &left_out);
            }
            FetchedPart::NoAnswer { metric, why } => counters.unanswered(&metric, why),
        };
        self.source.fetch(newest, &mut take, stop);
        let oldest = newest - self.capacity as i64;
        self.series
            .retain(|_, series| series.ring.span().is_some_and(|(_, last)| last > oldest));
        is_answered
    }

    /// What is said of each machine.
    fn judge(&self, newest: i64, step: f64) -> Vec<JobFinding> {
        let said = match self.job.detector {
            JobDetector::Jvm => self.java(newest),
            _ => self.by_series(newest, step),
        };
        let mut machines: BTreeMap<String, JobFinding> = BTreeMap::new();
        for (labels, found) in said {
            let machine = machine(&labels);
            let finding = machines.entry(machine.clone()).or_insert_with(|| JobFinding {
                subject: format!("{machine}/{}", self.job.name),
                machine,
                job: self.job.name.clone(),
                keywords: self.job.keywords.clone(),
                category: self.job.category,
                at: newest as f64 * step,
                is_anomalous: false,
                metrics: 0,
                score: 0.0,
                severity: match self.job.detector {
                    // Its rules fire when little memory is left.
                    JobDetector::Jvm => Severity::Critical,
                    _ => Severity::Warning,
                },
                found: Vec::new(),
                causes: Vec::new(),
                flagged: FlaggedPoints::default(),
                tells_normal: false,
                nodes: Vec::new(),
            });
            finding.metrics += 1;
            for SaidOfMetric {
                metric,
                score,
                is_anomalous,
                details,
            } in found
            {
                finding.score = finding.score.max(score);
                if self.job.detector == JobDetector::SlowNode {
                    finding.nodes.push(NodeVerdict {
                        is_slow: is_anomalous,
                        detail: details.clone(),
                    });
                }
                if is_anomalous {
                    finding.is_anomalous = true;
                    let known = self.job.metrics.iter().find(|known| known.metric == metric);
                    finding.found.push(JobFound {
                        score,
                        labels: labels.clone(),
                        entity_name: known.and_then(|known| known.entity_name.clone()),
                        description: known.and_then(|known| known.description.clone()),
                        details,
                        metric,
                    });
                }
            }
        }
        let mut all: Vec<_> = machines.into_values().collect();
        for finding in &mut all {
            finding.found.sort_by(|a, b| b.score.total_cmp(&a.score));
        }
        all
    }

    /// Each metric's series by its limits: labels, and metric, score and whether it is anomalous.
    fn by_series(&self, newest: i64, step: f64) -> Vec<SaidOfSeries> {
        let mut said = Vec::new();
        for metric in &self.job.metrics {
            let steps = (metric.look_back / step).round() as i64;
            let mut of_metric: Vec<_> = self
                .series
                .iter()
                .filter(|((name, _), _)| **name == *metric.metric)
                .collect();
            of_metric.sort_by_key(|((_, labels), _)| labels);
            let windows: Vec<Vec<f64>> = of_metric
                .iter()
                .map(|(_, series)| series.window(newest, steps))
                .collect();
            let verdicts = limits::judged(&windows, &metric.limits, steps as usize + 1, step);
            let all: Vec<&BTreeMap<String, String>> =
                of_metric.iter().map(|(_, series)| &series.labels).collect();
            for (place, verdict) in verdicts.into_iter().enumerate() {
                let Some(verdict) = verdict else { continue };
                let judged = JudgedSeries {
                    metric: &metric.metric,
                    all: &all,
                    place,
                    values: &windows[place],
                    verdict,
                    newest: newest as f64 * step,
                    step,
                };
                let said_of = SaidOfMetric {
                    metric: metric.metric.clone(),
                    score: verdict.score,
                    is_anomalous: verdict.is_anomalous,
                    details: judged.details(&metric.limits),
                };
                said.push((all[place].clone(), vec![said_of]));
            }
        }
        said
    }

    /// Java processes by the rules.
    fn java(&self, newest: i64) -> Vec<SaidOfSeries> {
        let mut processes: BTreeMap<BTreeMap<String, String>, Vec<JavaSeries<'_>>> = BTreeMap::new();
        for ((metric, _), series) in &self.series {
            let of_process = |(name, _): &(&String, &String)| {
                ["machine_id", "instance", "tgid", "pid", "comm"].contains(&name.as_str())
            };
            let process = series
                .labels
                .iter()
                .filter(of_process)
                .map(|(name, value)| (name.clone(), value.clone()));
            processes.entry(process.collect()).or_default().push(JavaSeries {
                metric,
                labels: &series.labels,
                values: series.window(newest, self.capacity as i64),
            });
        }
        let said = processes.into_iter().map(|(process, series)| {
            let found = java::findings(&series).into_iter();
            let said_of = |(what, score): (String, f64)| SaidOfMetric {
                details: [(what.clone(), score.into())].into_iter().collect(),
                metric: what,
                score,
                is_anomalous: true,
            };
            (process, found.map(said_of).collect())
        });
        said.collect()
    }
}

/// Labels of a series, and what was found of it.
type SaidOfSeries = (BTreeMap<String, String>, Vec<SaidOfMetric>);

/// What was found of a metric, or by a rule.
struct SaidOfMetric {
    metric: String,
    score: f64,
    is_anomalous: bool,
    /// What else is to be said of it in events.
    details: Map<String, Value>,
}

fn put(
    all: &mut HashMap<(Arc<str>, String), JobSeries>,
    fetched: FetchedValues,
    capacity: usize,
    most: usize,
    counters: &mut EntityCounters,
) {
    let key = (fetched.metric, fetched.entity);
    if !all.contains_key(&key) {
        if all.len() >= most {
            counters.without_room += 1;
            return;
        }
        let mut ring = StepRing::new(capacity);
        ring.add(&key.0);
        let labels = fetched.labels;
        all.insert(key.clone(), JobSeries { labels, ring });
    }
    let Some(series) = all.get_mut(&key) else { return };
    for (step, value) in fetched.values {
        if series.ring.put(0, step, value) {
            counters.values += 1;
        } else {
            counters.too_old += 1;
        }
    }
}

impl JobSeries {
    /// The values of so many newest steps, without those missing.
    fn window(&self, newest: i64, steps: i64) -> Vec<f64> {
        let values = (newest - steps..=newest).map(|step| self.ring.value(0, step));
        values.filter(|value| !value.is_nan()).collect()
    }
}

/// The machine of a series.
fn machine(labels: &BTreeMap<String, String>) -> String {
    let named = MACHINE.iter().find_map(|label| labels.get(*label));
    named
        .or_else(|| labels.values().next())
        .cloned()
        .unwrap_or_else(|| "all".to_owned())
}
