//! Observations, and the views they make.

use std::sync::Arc;

use super::Status;

/// Observations a view keeps; of more the oldest to arrive goes first. Panorama's number.
pub const VIEW_LENGTH: usize = 10;

/// One thing an observer looked at; the paper calls its name the *context*, such as `write`.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthMetric {
    /// Its name.
    pub name: Arc<str>,
    /// What was seen.
    pub status: Status,
    /// By convention 0 to 100, higher is healthier. It never changes a status.
    pub score: f32,
}

/// What one observer saw of one subject at one time. It is never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct HealthObservation {
    at: i64,
    metrics: Box<[HealthMetric]>,
}

impl HealthObservation {
    /// Of `metrics` in any order; of equal names the last counts.
    #[must_use]
    pub fn new(at: i64, mut metrics: Vec<HealthMetric>) -> Self {
        metrics.reverse();
        metrics.sort_by(|a, b| a.name.cmp(&b.name));
        metrics.dedup_by(|later, kept| later.name == kept.name);
        Self {
            at,
            metrics: metrics.into_boxed_slice(),
        }
    }

    /// When, by the observer's clock, in Unix nanoseconds.
    #[must_use]
    pub fn at(&self) -> i64 {
        self.at
    }

    /// What was seen, by name ascending. It may be nothing.
    #[must_use]
    pub fn metrics(&self) -> &[HealthMetric] {
        &self.metrics
    }

    /// What was seen of one metric.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&HealthMetric> {
        let found = self.metrics.binary_search_by(|metric| (*metric.name).cmp(name));
        found.ok().map(|index| &self.metrics[index])
    }
}

/// The last observations of one subject by one observer, in the order in which they arrived.
///
/// A copy of a view costs a pointer an observation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthView(Vec<Arc<HealthObservation>>);

impl HealthView {
    /// Adds the newest; the oldest goes if there are more than [`VIEW_LENGTH`].
    pub fn push(&mut self, observation: impl Into<Arc<HealthObservation>>) {
        if self.0.len() == VIEW_LENGTH {
            self.0.remove(0);
        }
        self.0.push(observation.into());
    }

    /// The observations, oldest arrival first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &HealthObservation> + ExactSizeIterator {
        self.0.iter().map(|observation| &**observation)
    }

    /// The one that arrived last.
    #[must_use]
    pub fn newest(&self) -> Option<&HealthObservation> {
        self.0.last().map(|observation| &**observation)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the observations for which `stays` says so; it is told their positions, oldest arrival first.
    pub fn retain(&mut self, mut stays: impl FnMut(usize, &HealthObservation) -> bool) {
        let mut position = 0;
        self.0.retain(|observation| {
            position += 1;
            stays(position - 1, observation)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: i64, score: f32) -> HealthObservation {
        let metric = HealthMetric {
            name: "cpu".into(),
            status: Status::Healthy,
            score,
        };
        HealthObservation::new(at, vec![metric])
    }

    fn scores(view: &HealthView) -> Vec<f32> {
        view.iter().map(|seen| seen.metrics()[0].score).collect()
    }

    #[test]
    fn of_twenty_observations_the_last_ten_are_kept() {
        let mut view = HealthView::default();
        for number in 0u8..20 {
            view.push(seen(i64::from(number), f32::from(number)));
        }
        assert_eq!(scores(&view), (10u8..20).map(f32::from).collect::<Vec<_>>());
    }

    #[test]
    fn of_equal_names_the_last_counts() {
        let metrics = [("b", 1.0), ("a", 2.0), ("b", 3.0)].map(|(name, score)| HealthMetric {
            name: name.into(),
            status: Status::Na,
            score,
        });
        let seen = HealthObservation::new(0, metrics.to_vec());
        let names: Vec<_> = seen
            .metrics()
            .iter()
            .map(|metric| (&*metric.name, metric.score))
            .collect();
        assert_eq!(names, [("a", 2.0), ("b", 3.0)]);
        assert_eq!(seen.get("b").map(|metric| metric.score), Some(3.0));
        assert_eq!(seen.get("c"), None);
    }
}
