//! The newest values of an entity, metric by metric, on a grid of even steps.

use std::sync::Arc;

use skywatch_algorithms::entities::EntityRows;

/// A ring of as many steps as are looked back upon. A step is a number: Unix seconds over the length of a step. Values may come
/// in any order and more than once; the last that came for a step counts. What is missing is NaN.
#[derive(Debug)]
pub(super) struct StepRing {
    capacity: usize,
    /// The first step that was ever put, and the newest; none before there is a value.
    steps: Option<(i64, i64)>,
    columns: Vec<RingColumn>,
}

#[derive(Debug)]
struct RingColumn {
    metric: Arc<str>,
    /// By step modulo capacity.
    values: Vec<f64>,
}

impl StepRing {
    /// An empty ring of `capacity` steps.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            steps: None,
            columns: Vec::new(),
        }
    }

    /// Bytes that one metric takes.
    pub(super) fn bytes_a_metric(&self) -> usize {
        self.capacity * size_of::<f64>()
    }

    /// The place of a metric.
    pub(super) fn column(&self, metric: &str) -> Option<usize> {
        self.columns.iter().position(|column| *column.metric == *metric)
    }

    /// Makes room for a metric that has none, and says where.
    pub(super) fn add(&mut self, metric: &Arc<str>) -> usize {
        self.columns.push(RingColumn {
            metric: Arc::clone(metric),
            values: vec![f64::NAN; self.capacity],
        });
        self.columns.len() - 1
    }

    /// How many metrics there are.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// What a metric is called.
    pub(super) fn metric(&self, column: usize) -> &Arc<str> {
        &self.columns[column].metric
    }

    /// The oldest and the newest step that are held.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let (first, newest) = self.steps?;
        Some((first.max(newest - self.capacity as i64 + 1), newest))
    }

    /// Puts a value at a step; false if the step is too old to be held.
    pub(super) fn put(&mut self, column: usize, step: i64, value: f64) -> bool {
        let (first, newest) = self.steps.unwrap_or((step, step));
        if step <= newest - self.capacity as i64 {
            return false;
        }
        // Steps between hold what was there a ring ago.
        for passed in (newest + 1..=step).rev().take(self.capacity) {
            let slot = self.slot(passed);
            self.columns
                .iter_mut()
                .for_each(|column| column.values[slot] = f64::NAN);
        }
        self.steps = Some((first.min(step), newest.max(step)));
        let slot = self.slot(step);
        self.columns[column].values[slot] = value;
        true
    }

    /// The value of a metric at a step; NaN where there is none.
    pub(super) fn value(&self, column: usize, step: i64) -> f64 {
        match self.span() {
            Some((first, newest)) if (first..=newest).contains(&step) => {
                self.columns[column].values[self.slot(step)]
            }
            _ => f64::NAN,
        }
    }

    /// The values of some metrics at a step.
    pub(super) fn row(&self, columns: &[usize], step: i64) -> Vec<f64> {
        columns.iter().map(|column| self.value(*column, step)).collect()
    }

    /// The rows of some metrics from one step to another, both included.
    pub(super) fn rows(&self, columns: &[usize], (from, to): (i64, i64)) -> EntityRows {
        let mut rows = EntityRows::new(columns.len());
        for step in from..=to {
            // A row of as many values as there are columns.
            let _ = rows.push(&self.row(columns, step));
        }
        rows
    }

    fn slot(&self, step: i64) -> usize {
        step.rem_euclid(self.capacity as i64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_repetition_do_not_matter_and_gaps_stay_gaps() {
        let mut ring = StepRing::new(4);
        let (a, b) = (ring.add(&"a".into()), ring.add(&"b".into()));
        for (step, value) in [(10, 1.0), (12, 3.0), (11, 9.0), (11, 2.0)] {
            assert!(ring.put(a, step, value));
        }
        let shown =
            |ring: &StepRing, column| (8..=16).map(|step| ring.value(column, step)).collect::<Vec<_>>();
        let nan = f64::NAN;
        assert_eq!(
            format!("{:?}", shown(&ring, a)),
            format!("{:?}", [nan, nan, 1.0, 2.0, 3.0, nan, nan, nan, nan])
        );
        assert!(ring.put(b, 14, 5.0));
        assert_eq!(ring.span(), Some((11, 14)));
        assert_eq!(
            format!("{:?}", shown(&ring, a)),
            format!("{:?}", [nan, nan, nan, 2.0, 3.0, nan, nan, nan, nan])
        );
        assert!(!ring.put(a, 10, 7.0), "older than what is held");
        // Further than the ring is long: nothing of before is left.
        assert!(ring.put(a, 1_000, 4.0));
        assert_eq!(
            ring.rows(&[a, b], (997, 1_000))
                .column(0)
                .filter(|v| !v.is_nan())
                .count(),
            1
        );
        assert_eq!(
            ring.rows(&[a, b], (997, 1_000))
                .column(1)
                .filter(|v| !v.is_nan())
                .count(),
            0
        );
    }

    #[test]
    fn a_history_that_comes_after_the_newest_value_is_held_as_far_as_there_is_room() {
        let mut ring = StepRing::new(100);
        let a = ring.add(&"a".into());
        ring.put(a, 500, 1.0);
        assert!(ring.put(a, 401, 2.0));
        assert!(!ring.put(a, 400, 3.0));
        assert_eq!(ring.span(), Some((401, 500)));
    }
}
