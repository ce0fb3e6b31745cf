//! One job of a network: its machines are fetched, judged, and given to learn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Map;
use skywatch_alerters::Severity;
use skywatch_algorithms::entities::{reconstruction_shares, shares_moving_with, spectral_residual_score};
use skywatch_algorithms::learned::EntityNetworkKind;
use skywatch_settings::Entities;

use super::learning::{CameNetwork, NetworkLearning};
use super::machine::{JudgedMachine, NetworkMachine};
use crate::entities::EntityWatchError;
use crate::entities::watch::counters::EntityCounters;
use crate::entities::watch::detector_jobs::{
    CauseCandidate, DetectorJob, JobDetector, JobFinding, JobFound, JobMetric, goes,
};
use crate::entities::watch::prometheus::PrometheusEntities;
use crate::entities::watch::query::MACHINE_ID;
use crate::entities::watch::rules::EntityRules;
use crate::entities::watch::source::{EntitySource as _, FetchedPart, FetchedValues};
use crate::events::FlaggedPoints;
use crate::hash::hash;
use crate::jobs::{EntityExamples, EntityNetworkJob};
use crate::models::kinds::EntityNetworkSubject;
use crate::observer::Observer;
use crate::stop::Stop;

/// Seconds of rows that decide, and the share of them that must be flagged: the original's.
const DECIDING: f64 = 60.0;
const FLAGGED: f64 = 0.5;
/// Seconds over which an indicator's spectral residual is taken.
const LOOKED_BACK: f64 = 600.0;
/// Multiple of the limit from which on a machine is critical, as with metrics.
const CRITICAL: f64 = 2.0;
/// Part of the memory for entities that machines of one job may have.
const SHARE_OF_BYTES: usize = 4;
/// Letters of names that a model is called by, before a number that tells it from others.
const LETTERS: usize = 40;

/// One job.
pub(super) struct NetworkJob {
    job: DetectorJob,
    kind: EntityNetworkKind,
    source: PrometheusEntities,
    machines: BTreeMap<String, NetworkMachine>,
    capacity: usize,
    most_columns: usize,
    step: f64,
    refit: i64,
    /// Rows that decide.
    deciding: usize,
    has_fetched: bool,
}

impl NetworkJob {
    /// None if settings name no server.
    pub(super) fn open(
        job: DetectorJob,
        settings: &Entities,
        observer: &Observer,
    ) -> Result<Option<Self>, EntityWatchError> {
        let step = settings.jobs_step.as_secs_f64();
        let rules = EntityRules::of(&Entities {
            step: settings.jobs_step,
            ..settings.clone()
        });
        let (metrics, span) = (job.machine_metrics(), (step, rules.history));
        let source = PrometheusEntities::of_machines(settings, metrics, span, observer)?;
        let capacity = rules.history as usize + 1;
        Ok(source.map(|source| Self {
            kind: match job.detector {
                JobDetector::Usad => EntityNetworkKind::Usad,
                _ => EntityNetworkKind::Vae,
            },
            job,
            source,
            machines: BTreeMap::new(),
            capacity,
            most_columns: settings.max_bytes / SHARE_OF_BYTES / (capacity * size_of::<f64>()),
            step,
            refit: rules.refit,
            deciding: ((DECIDING / step).round() as usize).max(1),
            has_fetched: false,
        }))
    }

    pub(super) fn name(&self) -> &str {
        &self.job.name
    }

    /// What a machine's model is called: models have names of letters, digits, `-` and `_`.
    fn model(&self, machine: &str) -> String {
        let plain = |letter: char| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        };
        let plain: String = machine.chars().take(LETTERS).map(plain).collect();
        let number = hash(&format!("{}/{machine}", self.job.name));
        format!("network-{}-{plain}-{number:016x}", self.kind.name())
    }

    /// Fetches what is new; whether any metric was answered.
    pub(super) fn fetch(&mut self, newest: i64, counters: &mut EntityCounters, stop: &Stop) -> bool {
        let begun = Instant::now();
        let mut parts = Vec::new();
        self.source.fetch(newest, &mut |part| parts.push(part), stop);
        let mut is_answered = false;
        for part in parts {
            match part {
                FetchedPart::Values(values) => self.put(values, counters),
                FetchedPart::Answered {
                    metric,
                    series,
                    left_out,
                } => {
                    is_answered = true;
                    counters.answered(&metric, series, &left_out);
                }
                FetchedPart::NoAnswer { metric, why } => counters.unanswered(&metric, why),
            }
        }
        if is_answered && !std::mem::replace(&mut self.has_fetched, true) {
            tracing::info!(
                "entities :: job `{}` :: {} machines, fetched in {:.1} s",
                self.job.name,
                self.machines.len(),
                begun.elapsed().as_secs_f64()
            );
        }
        is_answered
    }

    fn put(&mut self, fetched: FetchedValues, counters: &mut EntityCounters) {
        let columns: usize = self.machines.values().map(|machine| machine.ring.len()).sum();
        if !self.machines.contains_key(&fetched.entity) {
            let machine = NetworkMachine::new(self.model(&fetched.entity), self.capacity);
            self.machines.insert(fetched.entity.clone(), machine);
        }
        let Some(machine) = self.machines.get_mut(&fetched.entity) else {
            return;
        };
        let column = match machine.ring.column(&fetched.metric) {
            Some(column) => column,
            None if columns >= self.most_columns => {
                counters.without_room += 1;
                return;
            }
            None => machine.ring.add(&fetched.metric),
        };
        for (step, value) in fetched.values {
            if machine.ring.put(column, step, value) {
                counters.values += 1;
                machine.last_value = machine.last_value.max(step);
            } else {
                counters.too_old += 1;
            }
        }
    }

    /// Takes a version into use, if it is of a machine of this job.
    pub(super) fn install(&mut self, came: &CameNetwork, counters: &mut EntityCounters) {
        let of = &came.version.model.of;
        let name = &self.job.name;
        let machine = self.machines.get_mut(&of.entity);
        let Some(machine) = machine.filter(|machine| machine.model == came.model && of.step == self.step)
        else {
            return;
        };
        counters.fits += 1;
        let fits = &came.version.card.provenance.fits;
        let last = fits.first().and_then(|fit| fit.epochs.last());
        let losses = last.map_or(String::new(), |last| {
            let validation = last
                .validation
                .map_or(String::new(), |loss| format!(", validation {loss:.5}"));
            format!("; epoch {} :: loss {:.5}{validation}", last.number, last.loss)
        });
        tracing::info!(
            "entities :: job `{name}` :: `{}` is judged by {} rows × {} metrics{losses}",
            of.entity,
            of.rows,
            of.metrics.len()
        );
        machine.install(Arc::clone(&came.version));
    }

    /// What is said of each machine that can be judged.
    pub(super) fn judge(&mut self, newest: i64) -> Vec<JobFinding> {
        let mut findings = Vec::new();
        for (name, machine) in &mut self.machines {
            let judged = match machine.judge(newest, self.deciding, self.step) {
                Ok(Some(judged)) => judged,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(
                        "entities :: job `{}` :: `{name}` is not judged :: {error}",
                        self.job.name
                    );
                    continue;
                }
            };
            let flagged = judged.rows.iter().filter(|row| row.is_anomalous).count();
            machine.is_anomalous = flagged as f64 >= FLAGGED * judged.rows.len() as f64;
            let score = judged.rows.iter().map(|row| row.score).fold(0.0, f64::max);
            findings.push(JobFinding {
                subject: format!("{name}/{}", self.job.name),
                machine: name.clone(),
                job: self.job.name.clone(),
                keywords: self.job.keywords.clone(),
                category: self.job.category,
                at: newest as f64 * self.step,
                is_anomalous: machine.is_anomalous,
                metrics: judged.metrics.len(),
                score,
                severity: if score >= CRITICAL {
                    Severity::Critical
                } else {
                    Severity::Warning
                },
                found: vec![self.job.worst_indicator(name, &judged, self.step)],
                causes: if self.kind == EntityNetworkKind::Usad && machine.is_anomalous {
                    self.job.by_reconstruction(name, &judged)
                } else {
                    Vec::new()
                },
                flagged: FlaggedPoints {
                    anomalous: flagged as u32,
                    total: judged.rows.len() as u32,
                    seconds: (judged.rows.len() as f64 * self.step) as u32,
                },
                tells_normal: true,
                nodes: Vec::new(),
            });
        }
        findings
    }

    /// What may be the cause by spectral residual, and how many are named: none where reconstruction says it.
    pub(super) fn candidates(&self) -> (Vec<CauseCandidate>, usize) {
        match self.kind {
            EntityNetworkKind::Usad => (Vec::new(), 0),
            EntityNetworkKind::Vae => {
                let features = self.job.features.iter().map(CauseCandidate::of_feature);
                (features.collect(), self.job.causes)
            }
        }
    }

    /// Gives machines that are due to learn; those are let go that have had no value for as long as values are held.
    pub(super) fn learn(&mut self, newest: i64, learning: &mut NetworkLearning) {
        let oldest = newest - self.capacity as i64;
        self.machines.retain(|_, machine| {
            let stays = machine.last_value >= oldest;
            if !stays {
                learning.forget(&machine.model);
            }
            stays
        });
        for (name, machine) in &mut self.machines {
            if !std::mem::replace(&mut machine.is_followed, true) {
                learning.follow(&machine.model);
                // What was learnt before this process began may be there already.
                continue;
            }
            if !learning.has_place() {
                return;
            }
            let Some((metrics, (_, last), rows)) = machine.due(newest, self.refit, self.step) else {
                continue;
            };
            let job = EntityNetworkJob {
                model: machine.model.clone(),
                network: self.kind,
                indicators: self
                    .job
                    .metrics
                    .iter()
                    .map(|metric| metric.metric.clone())
                    .collect(),
            };
            let of = EntityNetworkSubject {
                entity: name.clone(),
                job: self.job.name.clone(),
                metrics,
                step: self.step,
                rows: rows.len(),
                last,
            };
            if learning.learn(job, EntityExamples { of, rows }) {
                machine.ordered(newest);
            }
        }
    }
}

impl DetectorJob {
    /// The indicator that stands out most, by its spectral residual; of one that goes the wrong way the score is 0.
    fn worst_indicator(&self, machine: &str, judged: &JudgedMachine, step: f64) -> JobFound {
        let looked = ((LOOKED_BACK / step).round() as usize).min(judged.shown.len());
        let score = |metric: &JobMetric| {
            let column = judged.metrics.iter().position(|known| *known == metric.metric)?;
            let skipped = judged.shown.len() - looked;
            let values = judged.shown.column(column).skip(skipped);
            let values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
            let is_right = goes(&values, metric.trend);
            Some(if is_right {
                spectral_residual_score(&values, looked)
            } else {
                0.0
            })
        };
        let scored = self
            .metrics
            .iter()
            .filter_map(|metric| Some((metric, score(metric)?)));
        let worst = scored.max_by(|a, b| a.1.total_cmp(&b.1));
        let (metric, score) = worst.map_or((&self.metrics[0], 0.0), |worst| worst);
        JobFound {
            metric: metric.metric.clone(),
            score,
            labels: labels_of(machine),
            entity_name: metric.entity_name.clone(),
            description: metric.description.clone(),
            details: Map::new(),
        }
    }

    /// Causes by their share in the error of reconstruction, times how closely they move with the worst indicator.
    fn by_reconstruction(&self, machine: &str, judged: &JudgedMachine) -> Vec<JobFound> {
        let first = judged.rows.iter().position(|row| row.is_anomalous).unwrap_or(0);
        let errors: Vec<&[f64]> = judged.rows[first..].iter().map(|row| &*row.errors).collect();
        let shares = reconstruction_shares(&errors, &judged.usual);
        let columns: Vec<Vec<f64>> = (0..judged.metrics.len())
            .map(|column| judged.shown.column(column).collect())
            .collect();
        let place = |metric: &str| judged.metrics.iter().position(|known| known == metric);
        let indicators = self.metrics.iter().filter_map(|metric| place(&metric.metric));
        let worst = indicators.max_by(|a, b| shares[*a].total_cmp(&shares[*b]));
        let Some(worst) = worst else {
            return Vec::new();
        };
        let series: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let moving = shares_moving_with(&shares, &series, &columns[worst]);
        let mut ranked: Vec<(usize, f64)> = moving.into_iter().enumerate().collect();
        ranked.retain(|(_, share)| *share > 0.0);
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked.truncate(self.causes);
        let found = ranked.into_iter().map(|(column, score)| {
            let metric = &judged.metrics[column];
            let feature = self.features.iter().find(|feature| feature.metric == *metric);
            JobFound {
                metric: metric.clone(),
                score,
                labels: labels_of(machine),
                entity_name: None,
                description: feature.and_then(|feature| feature.description.clone()),
                details: Map::new(),
            }
        });
        found.collect()
    }
}

fn labels_of(machine: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(MACHINE_ID.to_owned(), machine.to_owned())])
}
