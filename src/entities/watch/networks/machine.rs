//! One machine as a network sees it: the last day of its metrics, the version that serves, and when another one is due.

use std::sync::Arc;

use skywatch_algorithms::entities::EntityRows;
use skywatch_algorithms::learned::{FittedEntityNetwork, LearnedError, NetworkRow};

use crate::entities::watch::ring::StepRing;
use crate::models::LiveVersion;
use crate::models::kinds::EntityNetworkModel;

/// Rows without which a metric, or a machine, is not learnt: an hour of 5 s.
const FEWEST_ROWS: usize = 720;
/// Rows that a network is shown: the original's twenty minutes of 5 s.
const SHOWN: i64 = 240;
/// Seconds over which strangeness is averaged, and without an answer of the trainer before it is asked again.
const LONG: f64 = 3_600.0;
/// Mean error, as a multiple of that in training, from which on a network does not know the machine any more.
const STRANGE: f64 = 2.0;

/// What is known of one machine.
pub(super) struct NetworkMachine {
    /// What its model is called.
    pub(super) model: String,
    pub(super) ring: StepRing,
    /// The newest step with a value.
    pub(super) last_value: i64,
    /// What judges it, with the ring's columns of its metrics.
    serving: Option<(Arc<LiveVersion<EntityNetworkModel>>, Vec<usize>)>,
    /// The step at which it was last given to learn.
    ordered: Option<i64>,
    /// How strange its rows were over the last hour.
    strangeness: f64,
    pub(super) is_anomalous: bool,
    /// Whether somebody looks after its model.
    pub(super) is_followed: bool,
}

/// The newest rows as the network judges them.
pub(super) struct JudgedMachine {
    /// Its metrics, in order.
    pub(super) metrics: Vec<String>,
    pub(super) rows: Vec<NetworkRow>,
    /// What was shown.
    pub(super) shown: EntityRows,
    /// Each metric's mean error in training.
    pub(super) usual: Vec<f64>,
}

impl NetworkMachine {
    pub(super) fn new(model: String, capacity: usize) -> Self {
        Self {
            model,
            ring: StepRing::new(capacity),
            last_value: i64::MIN,
            serving: None,
            ordered: None,
            strangeness: 1.0,
            is_anomalous: false,
            is_followed: false,
        }
    }

    /// Takes a version into use.
    pub(super) fn install(&mut self, version: Arc<LiveVersion<EntityNetworkModel>>) {
        let metrics = version.model.of.metrics.iter();
        let columns = metrics.map(|metric| {
            let known = self.ring.column(metric);
            known.unwrap_or_else(|| self.ring.add(&Arc::from(metric.as_str())))
        });
        let columns = columns.collect();
        self.serving = Some((version, columns));
        self.strangeness = 1.0;
    }

    /// Judges the newest `count` rows up to a step; `None` without a network, while no value comes, or while fewer than half of the
    /// metrics have one.
    ///
    /// # Errors
    /// What the network says of rows it cannot judge.
    pub(super) fn judge(
        &mut self,
        newest: i64,
        count: usize,
        step: f64,
    ) -> Result<Option<JudgedMachine>, LearnedError> {
        let Some((version, columns)) = &self.serving else {
            return Ok(None);
        };
        let first = self.ring.span().map_or(newest, |(first, _)| first);
        let from = first.max(newest - SHOWN + 1);
        let shown = self.ring.rows(columns, (from, newest));
        let network = &version.model.network;
        let is_enough = shown.len() >= FittedEntityNetwork::rows_needed(network.kind()) + count;
        let newest_rows = shown.iter().skip(shown.len().saturating_sub(count));
        let (there, all) = newest_rows.flatten().fold((0, 0), |(there, all), value| {
            (there + usize::from(!value.is_nan()), all + 1)
        });
        if !is_enough || there * 2 < all {
            return Ok(None);
        }
        let rows = network.judge(&shown, count)?;
        // As an exponential mean, so that a look weighs what its rows weigh in an hour.
        let weight = (count as f64 * step / LONG).min(1.0);
        self.strangeness += weight * (network.strangeness(&shown)? - self.strangeness);
        Ok(Some(JudgedMachine {
            metrics: version.model.of.metrics.clone(),
            usual: network.usual().to_vec(),
            rows,
            shown,
        }))
    }

    /// What is to be learnt when the newest step is `newest`, if that is due: metrics in order, first and last step, rows.
    pub(super) fn due(
        &mut self,
        newest: i64,
        refit: i64,
        step: f64,
    ) -> Option<(Vec<String>, (i64, i64), EntityRows)> {
        let again = (LONG / step) as i64;
        let waits = self.ordered.is_some_and(|ordered| newest - ordered < again);
        if waits || self.is_anomalous || !self.is_wanted(newest, refit, again) {
            return None;
        }
        let (first, last) = self.ring.span()?;
        let last = last.min(newest);
        let ring = &self.ring;
        let is_known = |column: &usize| {
            let there = (first..=last).filter(|step| !ring.value(*column, *step).is_nan());
            there.take(FEWEST_ROWS).count() == FEWEST_ROWS
        };
        let mut columns: Vec<usize> = (0..ring.len()).filter(is_known).collect();
        columns.sort_by(|a, b| self.ring.metric(*a).cmp(self.ring.metric(*b)));
        if columns.is_empty() {
            return None;
        }
        let metrics = columns.iter().map(|column| self.ring.metric(*column).to_string());
        let rows = self.ring.rows(&columns, (first, last));
        Some((metrics.collect(), (first, last), rows))
    }

    /// It was given to learn.
    pub(super) fn ordered(&mut self, newest: i64) {
        self.ordered = Some(newest);
    }

    fn is_wanted(&self, newest: i64, refit: i64, again: i64) -> bool {
        let Some((version, _)) = &self.serving else {
            return true;
        };
        let of = &version.model.of;
        let held = self.ring.span().map_or(0, |(first, last)| last - first + 1);
        let since = newest - of.last;
        held >= 2 * of.rows as i64
            || since >= refit
            || (since >= again && (self.strangeness >= STRANGE || self.has_other_metrics(newest, again)))
    }

    /// Whether metrics that the network does not know have come, or some that it knows have had no value for an hour.
    fn has_other_metrics(&self, newest: i64, again: i64) -> bool {
        let Some((_, columns)) = &self.serving else {
            return false;
        };
        let speaks =
            |column: usize| (newest - again..=newest).any(|step| !self.ring.value(column, step).is_nan());
        (0..self.ring.len()).any(|column| columns.contains(&column) != speaks(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(steps: i64) -> NetworkMachine {
        let mut machine = NetworkMachine::new("m".to_owned(), 2_000);
        let metrics: [Arc<str>; 2] = ["b".into(), "a".into()];
        for metric in &metrics {
            machine.ring.add(metric);
        }
        for step in 0..steps {
            for column in 0..2 {
                machine.ring.put(column, step, (step * 7 % 13) as f64);
            }
        }
        machine
    }

    #[test]
    fn a_machine_is_learnt_once_there_is_an_hour_of_it_and_not_asked_for_twice() {
        assert!(machine(700).due(699, 17_280, 5.0).is_none());
        let mut machine = machine(800);
        let (metrics, steps, rows) = machine.due(799, 17_280, 5.0).expect("it is due");
        assert_eq!((metrics, steps), (vec!["a".to_owned(), "b".to_owned()], (0, 799)));
        assert_eq!((rows.len(), rows.columns()), (800, 2));
        machine.ordered(799);
        assert!(machine.due(900, 17_280, 5.0).is_none());
        // The trainer has said nothing for an hour.
        assert!(machine.due(799 + 720, 17_280, 5.0).is_some());
        machine.is_anomalous = true;
        assert!(machine.due(799 + 720, 17_280, 5.0).is_none());
    }
}
