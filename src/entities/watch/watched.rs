//! One entity that is watched: its newest values, what is learnt of it, and how it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use skywatch_algorithms::entities::{EntityDetector, EntityRows};

use super::ring::StepRing;
use super::rules::EntityRules;
use crate::entities::archive::{EntityRecord, EntityScore, EntitySummary, LearntEntity};

/// Rows with a value without which a metric, or an entity, is not learnt. The ensemble compares a row with none that are less
/// than 300 rows away, so that of fewer rows it learns nothing of distances, and everything later is far away.
const FEWEST_ROWS: usize = 400;
/// Judged rows that are kept to be shown with an anomaly.
const VERDICTS_KEPT: usize = 240;
/// Steps after a fit that failed before the next.
const AFTER_FAILURE: i64 = 30;

/// How an entity is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum EntityState {
    /// Too little is known of it to judge it.
    Learning,
    /// It was judged, and is as usual.
    Normal,
    /// Its rows are not as usual, often enough.
    Anomalous,
    /// It cannot be judged now, and why.
    Unknown(&'static str),
}

impl EntityState {
    /// In one word.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Learning => "learning",
            Self::Normal => "normal",
            Self::Anomalous => "anomalous",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// What was said of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RowVerdict {
    pub(super) step: i64,
    /// 1 is the limit.
    pub(super) score: f64,
    pub(super) is_anomalous: bool,
}

/// What a fit is made of: the rows of some metrics.
#[derive(Debug, Clone)]
pub(super) struct TrainingRows {
    pub(super) metrics: Vec<Arc<str>>,
    pub(super) rows: EntityRows,
    /// First and last step.
    pub(super) steps: (i64, i64),
}

/// What a detector was fitted on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FittedOn {
    /// Its metrics, in order.
    pub(super) metrics: Vec<Arc<str>>,
    /// Rows that were learnt.
    pub(super) rows: usize,
    /// First and last step.
    pub(super) steps: (i64, i64),
    /// When that was, Unix seconds.
    pub(super) at: f64,
}

/// A detector with what it was fitted on.
#[derive(Debug)]
pub(super) struct FittedEntity {
    pub(super) detector: EntityDetector,
    pub(super) on: FittedOn,
    /// Whether it comes from the model store and has seen no row since.
    pub(super) is_restored: bool,
}

/// One entity.
#[derive(Debug)]
pub(super) struct WatchedEntity {
    pub(super) name: Arc<str>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) ring: StepRing,
    pub(super) state: EntityState,
    fitted: Option<FittedEntity>,
    /// Columns of the ring that the detector asks for.
    columns: Vec<usize>,
    pub(super) is_fitting: bool,
    /// The model store was asked for it while there was too little to learn.
    has_asked_store: bool,
    /// The next step at which a fit is tried, after one that failed.
    fit_again_at: i64,
    judged_to: Option<i64>,
    verdicts: VecDeque<RowVerdict>,
    /// The newest of these that has been written down.
    recorded_to: i64,
    /// The newest step of which something could be said.
    pub(super) last_value: i64,
    /// A new level has been learnt as usual since that was last told.
    pub(super) has_settled: bool,
    /// Whether the fit under way is made for that reason.
    settles: bool,
}

impl WatchedEntity {
    pub(super) fn new(name: Arc<str>, labels: BTreeMap<String, String>, rules: &EntityRules) -> Self {
        Self {
            name,
            labels,
            ring: StepRing::new(rules.history as usize),
            state: EntityState::Learning,
            fitted: None,
            columns: Vec::new(),
            is_fitting: false,
            has_asked_store: false,
            fit_again_at: i64::MIN,
            judged_to: None,
            verdicts: VecDeque::new(),
            recorded_to: i64::MIN,
            last_value: i64::MIN,
            has_settled: false,
            settles: false,
        }
    }

    /// What it is judged by.
    pub(super) fn fitted_on(&self) -> Option<&FittedOn> {
        self.fitted.as_ref().map(|fitted| &fitted.on)
    }

    /// Bytes of what is learnt of it.
    pub(super) fn detector_bytes(&self) -> usize {
        self.fitted.as_ref().map_or(0, |fitted| fitted.detector.bytes())
    }

    /// What was said of its newest rows, oldest first.
    pub(super) fn verdicts(&self) -> impl DoubleEndedIterator<Item = &RowVerdict> {
        self.verdicts.iter()
    }

    /// What each metric has to do with how the newest judged row deviates, the largest share first.
    pub(super) fn drivers(&self) -> Vec<(Arc<str>, f64)> {
        let Some(fitted) = &self.fitted else {
            return Vec::new();
        };
        let shares = fitted.detector.contributions();
        let mut drivers: Vec<_> = fitted.on.metrics.iter().cloned().zip(shares).collect();
        drivers.retain(|(_, share)| *share > 0.0);
        drivers.sort_by(|a, b| b.1.total_cmp(&a.1));
        drivers
    }

    /// What it would be fitted on when the newest step is `newest`; none if that is too little. The rows of the alarm window are
    /// left out, so that they are judged by what does not know them.
    pub(super) fn training(&self, newest: i64, rules: &EntityRules) -> Option<TrainingRows> {
        let (first, _) = self.ring.span()?;
        let last = self.judged_to.unwrap_or(newest) - rules.window;
        let has_come_lately = |column: usize| {
            let lately = (last - rules.changed).max(first)..=last;
            lately.rev().any(|step| !self.ring.value(column, step).is_nan())
        };
        let is_enough = |column: &usize| {
            let there = (first..=last).filter(|step| !self.ring.value(*column, *step).is_nan());
            has_come_lately(*column) && there.take(FEWEST_ROWS).count() == FEWEST_ROWS
        };
        let mut columns: Vec<usize> = (0..self.ring.len()).filter(is_enough).collect();
        columns.sort_by(|a, b| self.ring.metric(*a).cmp(self.ring.metric(*b)));
        (!columns.is_empty()).then(|| TrainingRows {
            metrics: columns
                .iter()
                .map(|column| Arc::clone(self.ring.metric(*column)))
                .collect(),
            rows: self.ring.rows(&columns, (first, last)),
            steps: (first, last),
        })
    }

    /// Whether another fit is worth the while when the newest step is `newest`. Not of an entity that is anomalous, as that would
    /// make it usual; but of one of which twice as much is known: what was learnt from two hours knows nothing of a day.
    pub(super) fn is_fit_due(&self, newest: i64, rules: &EntityRules) -> bool {
        if self.is_fitting || newest < self.fit_again_at {
            return false;
        }
        let Some(fitted) = &self.fitted else { return true };
        let since = newest - fitted.on.steps.1;
        let held = self.ring.span().map_or(0, |(first, last)| last - first + 1);
        if held >= 2 * fitted.on.rows as i64 {
            return true;
        }
        self.state != EntityState::Anomalous
            && (since >= rules.refit
                || (fitted.detector.drift() >= 1.0 && since >= rules.window)
                || (since >= rules.changed && self.has_other_metrics(newest, rules)))
    }

    /// Whether metrics have come or gone since it was fitted.
    fn has_other_metrics(&self, newest: i64, rules: &EntityRules) -> bool {
        // Looked at once each such time: it reads all that is held.
        if newest % rules.changed != 0 {
            return false;
        }
        let now = self.training(newest, rules).map(|training| training.metrics);
        now.is_some_and(|now| self.fitted_on().is_some_and(|on| on.metrics != now))
    }

    /// Whether the model store is to be asked for it, as there is too little to learn; once.
    pub(super) fn asks_store(&mut self) -> bool {
        self.fitted.is_none() && !std::mem::replace(&mut self.has_asked_store, true)
    }

    /// A fit begins.
    pub(super) fn begin_fit(&mut self) {
        self.is_fitting = true;
        self.settles = self
            .fitted
            .as_ref()
            .is_some_and(|fitted| fitted.detector.drift() >= 1.0);
    }

    /// A fit has failed.
    pub(super) fn fit_failed(&mut self, newest: i64) {
        self.is_fitting = false;
        self.fit_again_at = newest + AFTER_FAILURE;
    }

    /// Lets what is about to be taken into use hear what was said before, oldest first.
    pub(super) fn recall(fitted: &mut FittedEntity, scores: Vec<f64>) {
        fitted.detector.recall(scores.into_iter());
    }

    /// Takes a detector into use: rows that were judged before are shown to it, so that it stands where the one before it stood.
    pub(super) fn install(&mut self, mut fitted: FittedEntity, newest: i64, rules: &EntityRules) {
        self.is_fitting = false;
        self.columns.clear();
        for metric in &fitted.on.metrics {
            let column = self.ring.column(metric);
            self.columns.push(column.unwrap_or_else(|| self.ring.add(metric)));
        }
        let judged_to = *self.judged_to.get_or_insert(newest - rules.window);
        let held = self.ring.span().map_or(judged_to, |(first, _)| first);
        let from = if fitted.is_restored {
            held
        } else {
            fitted.on.steps.1 + 1
        };
        for step in from..=judged_to {
            // As many values as there are columns.
            let _ = fitted.detector.pass(&self.ring.row(&self.columns, step));
        }
        fitted.is_restored = false;
        self.has_settled |= std::mem::take(&mut self.settles);
        self.fitted = Some(fitted);
    }

    /// Judges all rows up to a step that were not judged, each once; the number of rows, and of those without a judgement.
    pub(super) fn judge(&mut self, newest: i64, rules: &EntityRules) -> (u64, u64) {
        let (Some(fitted), Some(judged_to)) = (&mut self.fitted, self.judged_to) else {
            self.state = EntityState::Learning;
            return (0, 0);
        };
        let (mut judged, mut unjudged) = (0, 0);
        for step in judged_to + 1..=newest {
            let row = self.ring.row(&self.columns, step);
            let there = row.iter().filter(|value| !value.is_nan()).count();
            let judgement = fitted.detector.judge(&row).ok().flatten();
            // Of fewer than half of its metrics nobody can say how the entity is.
            match judgement.filter(|_| there * 2 >= row.len()) {
                Some(judgement) => {
                    judged += 1;
                    while self.verdicts.len() >= VERDICTS_KEPT.max(rules.window as usize)
                        && self
                            .verdicts
                            .front()
                            .is_some_and(|oldest| oldest.step <= self.recorded_to)
                    {
                        self.verdicts.pop_front();
                    }
                    self.verdicts.push_back(RowVerdict {
                        step,
                        score: judgement.score,
                        is_anomalous: judgement.is_anomalous,
                    });
                }
                None => unjudged += 1,
            }
        }
        self.judged_to = Some(newest.max(judged_to));
        self.state = self.state_at(newest, rules);
        (judged, unjudged)
    }

    /// How it is at `now`, Unix seconds, and what was said of rows since this was last asked.
    pub(super) fn record(&mut self, now: f64, rules: &EntityRules) -> EntityRecord {
        let recorded_to = self.recorded_to;
        let unrecorded = self.verdicts.iter().filter(|verdict| verdict.step > recorded_to);
        let score = |verdict: &RowVerdict| EntityScore {
            at: rules.time(verdict.step),
            score: verdict.score,
            is_anomalous: verdict.is_anomalous,
        };
        let scores = unrecorded.map(score).collect();
        let last = self.verdicts.back().copied();
        self.recorded_to = last.map_or(recorded_to, |last| last.step);
        let summary = EntitySummary {
            name: self.name.to_string(),
            labels: self.labels.clone().into_iter().collect(),
            state: self.state.word().to_owned(),
            why: match self.state {
                EntityState::Unknown(why) => Some(why.to_owned()),
                _ => None,
            },
            seen: now,
            score: last.map(|last| last.score),
            judged: last.map(|last| rules.time(last.step)),
            metrics: self.ring.len(),
            drivers: self
                .drivers()
                .into_iter()
                .map(|(metric, share)| (metric.to_string(), share))
                .collect(),
            learnt: self.fitted_on().map(|on| LearntEntity {
                at: on.at,
                rows: on.rows,
                metrics: on.metrics.len(),
                from: rules.time(on.steps.0),
                until: rules.time(on.steps.1),
            }),
        };
        EntityRecord { summary, scores }
    }

    fn state_at(&self, newest: i64, rules: &EntityRules) -> EntityState {
        if self.verdicts.back().is_none_or(|last| last.step < newest) {
            return if self.last_value < newest {
                EntityState::Unknown("no value has come")
            } else {
                EntityState::Unknown("more than half of its metrics have no value")
            };
        }
        let window = self
            .verdicts
            .iter()
            .rev()
            .take_while(|verdict| verdict.step > newest - rules.window);
        let (judged, anomalous) = window.fold((0.0, 0.0), |(judged, anomalous), verdict| {
            (
                judged + 1.0,
                anomalous + f64::from(u8::from(verdict.is_anomalous)),
            )
        });
        // What stands in the window of one that is anomalous must be over before it is well.
        let is_bad = match self.state {
            EntityState::Anomalous => anomalous > 0.0,
            _ => anomalous >= (rules.share * judged).max(1.0) && judged * 2.0 >= rules.window as f64,
        };
        if is_bad {
            EntityState::Anomalous
        } else {
            EntityState::Normal
        }
    }
}
