//! Panorama's verdict: a summary of each view, then the majority of summaries.
//!
//! A view is summarised a metric at a time, newest arrival first: the newest value gives the status; the next one is averaged
//! in if its status is the same, and ends the look-back if not. Below a HEALTHY, PENDING values are skipped: they were its
//! requests. Then each observer has one vote a metric: the status with most votes wins, the worse of a tie, and the score is
//! the mean over **all** votes. A view that was silent for days still votes, and success seen from many places outvotes a
//! failure seen from one; [`assess`](super::assess) is the answer to both.
//!
//! Cost: O(n·m) for n observations of m metrics. A score of NaN gives a mean of NaN and leaves the status alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{HealthMetric, HealthView, Status};

/// How many values of equal status are averaged.
const LOOK_BACK: u32 = 2;

/// What one observer says of a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// When the observation was made that arrived last, in Unix nanoseconds.
    pub at: i64,
    /// A value each metric the view knows, by name ascending.
    pub metrics: Vec<HealthMetric>,
}

/// What all observers together say of a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference {
    /// Who was asked, by name ascending.
    pub observers: Vec<Arc<str>>,
    /// The newest time of all summaries, in Unix nanoseconds.
    pub at: i64,
    /// A verdict each metric, by name ascending.
    pub metrics: Vec<HealthMetric>,
}

/// The verdict on a subject from all views of it; `None` if no view has an observation.
pub fn infer<'v>(views: impl IntoIterator<Item = (&'v Arc<str>, &'v HealthView)>) -> Option<Inference> {
    let summaries = views
        .into_iter()
        .filter_map(|(observer, view)| Some((observer, summarise(view)?)));
    merge(
        summaries
            .collect::<Vec<_>>()
            .iter()
            .map(|(observer, summary)| (*observer, summary)),
    )
}

/// What `view` says; `None` if there is nothing in it.
#[must_use]
pub fn summarise(view: &HealthView) -> Option<Summary> {
    let at = view.newest()?.at();
    let mut walks: Vec<Walk> = Vec::new();
    for observation in view.iter().rev() {
        for metric in observation.metrics() {
            match walks.binary_search_by(|walk| walk.name.cmp(&metric.name)) {
                Ok(index) => walks[index].meet(metric),
                Err(index) => walks.insert(index, Walk::begin(metric)),
            }
        }
    }
    let metrics = walks.into_iter().map(Walk::end).collect();
    Some(Summary { at, metrics })
}

/// One metric of one view, newest arrival first.
struct Walk<'v> {
    name: &'v Arc<str>,
    status: Status,
    sum: f64,
    count: u32,
    /// Whether older values can still count.
    open: bool,
}

impl<'v> Walk<'v> {
    fn begin(newest: &'v HealthMetric) -> Self {
        Self {
            name: &newest.name,
            status: newest.status,
            sum: f64::from(newest.score),
            count: 1,
            open: true,
        }
    }

    fn meet(&mut self, older: &HealthMetric) {
        if !self.open || self.count == LOOK_BACK {
            return;
        }
        if older.status == self.status {
            self.sum += f64::from(older.score);
            self.count += 1;
        } else if (self.status, older.status) != (Status::Healthy, Status::Pending) {
            self.open = false;
        }
    }

    fn end(self) -> HealthMetric {
        HealthMetric {
            name: Arc::clone(self.name),
            status: self.status,
            score: (self.sum / f64::from(self.count)) as f32,
        }
    }
}

/// The votes on one metric.
#[derive(Default)]
struct Count {
    by_status: [u32; Status::ALL.len()],
    sum: f64,
}

impl Count {
    fn add(&mut self, vote: &HealthMetric) {
        self.by_status[vote.status as usize] += 1;
        self.sum += f64::from(vote.score);
    }

    fn verdict(&self, name: Arc<str>) -> HealthMetric {
        // Of equal counts `max_by_key` takes the last, which is the worst.
        let winner = Status::ALL
            .into_iter()
            .max_by_key(|status| self.by_status[*status as usize])
            .unwrap_or(Status::Invalid);
        let votes: u32 = self.by_status.iter().sum();
        HealthMetric {
            name,
            status: winner,
            score: (self.sum / f64::from(votes)) as f32,
        }
    }
}

/// The verdict on a subject from a summary each observer; `None` without any.
///
/// Scores are summed in the order given: with observers in one order the same votes give the same bits.
pub fn merge<'s>(summaries: impl IntoIterator<Item = (&'s Arc<str>, &'s Summary)>) -> Option<Inference> {
    let mut observers = Vec::new();
    let mut at = i64::MIN;
    let mut counts: BTreeMap<&Arc<str>, Count> = BTreeMap::new();
    for (observer, summary) in summaries {
        observers.push(Arc::clone(observer));
        at = at.max(summary.at);
        for vote in &summary.metrics {
            counts.entry(&vote.name).or_default().add(vote);
        }
    }
    if observers.is_empty() {
        return None;
    }
    observers.sort_unstable();
    let metrics = counts
        .into_iter()
        .map(|(name, count)| count.verdict(Arc::clone(name)));
    Some(Inference {
        observers,
        at,
        metrics: metrics.collect(),
    })
}

#[cfg(test)]
#[path = "majority_tests.rs"]
mod tests;
