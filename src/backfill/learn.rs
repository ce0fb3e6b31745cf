//! What a backfill leaves for the adaptive profile: hours for the long memory, and states that have learnt from all points.
//!
//! A store may keep one day; what a metric is like in a month is learnt here, from the same points, by the same code with
//! which the analyzer learns a window, and left in two inboxes. The decision a reader would question: points before the
//! window are not stored, and yet not lost. What is held in memory is bounded: a source that gives metrics whole lets
//! each go when its part ends; of files, where all metrics may be mixed to the last line, so many metrics are taught.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::{Adaptive, Hour, InMemoryHours as Recent, REACH};

use super::error::BackfillError;
use crate::baseline::{HourlyAggregator, InboxWriter, TaughtWriter};
use crate::clock::unix_now;

/// Metrics taught at a time: a state is 4 KiB, its hours 14 kB.
const AT_A_TIME: usize = 20_000;

/// Where the adaptive profile's knowledge lies.
#[derive(Debug, Clone)]
pub struct BaselineFolders {
    /// The folder of the long memory.
    pub memory: PathBuf,
    /// The folder of the states.
    pub states: PathBuf,
}

/// Hours and states on their way.
pub(super) struct BaselineLearner {
    folders: BaselineFolders,
    hourly: HourlyAggregator,
    hours: InboxWriter,
    whole: Vec<Hour>,
    states: TaughtWriter,
    metrics: HashMap<String, LearningMetric>,
    /// Metrics for which there was no room.
    without_room: u64,
    /// Points before this are beyond all reach, Unix seconds.
    from: f64,
}

/// What is learnt of one metric.
#[derive(Default)]
struct LearningMetric {
    state: Adaptive,
    hours: Recent,
    /// The newest point, which is left to the window: who watches judges it, and may find it corrected.
    newest: Option<(f64, f64)>,
}

impl LearningMetric {
    /// Learns the point before; one that is not later than that comes too late.
    fn show(&mut self, point: (f64, f64)) {
        if let Some((time, value)) = self.newest {
            if point.0 <= time {
                return;
            }
            self.state.observe(time, value, &mut self.hours);
        }
        self.newest = Some(point);
    }
}

/// What was left.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct LearnedCounts {
    pub(super) hours: u64,
    pub(super) states: u64,
    pub(super) without_room: u64,
}

impl BaselineLearner {
    pub(super) fn new(folders: &BaselineFolders) -> Result<Self, BackfillError> {
        let hours = InboxWriter::new(&folders.memory);
        let states = TaughtWriter::new(&folders.states);
        Ok(Self {
            hours: hours.map_err(|source| unwritable(&folders.memory, source))?,
            states: states.map_err(|source| unwritable(&folders.states, source))?,
            folders: folders.clone(),
            hourly: HourlyAggregator::default(),
            whole: Vec::new(),
            metrics: HashMap::new(),
            without_room: 0,
            from: unix_now() - f64::from(REACH) * 3_600.0,
        })
    }

    /// Takes points of a metric in canonical order; of one that came before, only later ones count.
    pub(super) fn take(&mut self, name: &str, points: &Series) -> Result<(), BackfillError> {
        let from = points.times.partition_point(|&time| time < self.from);
        let (times, values) = (&points.times[from..], &points.values[from..]);
        if times.is_empty() {
            return Ok(());
        }
        self.whole.clear();
        let pairs = times.iter().copied().zip(values.iter().copied());
        self.hourly.take(name, pairs.clone(), &mut self.whole);
        if !self.whole.is_empty() {
            let added = self.hours.add(name, &self.whole);
            added.map_err(|source| unwritable(&self.folders.memory, source))?;
        }
        if !self.metrics.contains_key(name) {
            if self.metrics.len() == AT_A_TIME {
                self.without_room += 1;
                return Ok(());
            }
            self.metrics.insert(name.to_owned(), LearningMetric::default());
        }
        if let Some(metric) = self.metrics.get_mut(name) {
            pairs.for_each(|point| metric.show(point));
        }
        Ok(())
    }

    /// Lets go of all metrics: a part of them has ended, and no other part has more of them.
    pub(super) fn release(&mut self) -> Result<(), BackfillError> {
        let mut metrics: Vec<(String, LearningMetric)> = self.metrics.drain().collect();
        metrics.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (name, metric) in metrics {
            let added = self.states.add(&name, &metric.state);
            added.map_err(|source| unwritable(&self.folders.states, source))?;
        }
        Ok(())
    }

    /// Leaves everything; hours that were over by `until`, Unix seconds.
    pub(super) fn finish(mut self, until: f64) -> Result<LearnedCounts, BackfillError> {
        self.release()?;
        let Self {
            folders,
            hourly,
            mut hours,
            states,
            without_room,
            ..
        } = self;
        let no_hours = |source| unwritable(&folders.memory, source);
        for (name, hour) in hourly.finish(until) {
            hours.add(&name, &[hour]).map_err(no_hours)?;
        }
        let states = states.finish();
        Ok(LearnedCounts {
            hours: hours.finish().map_err(no_hours)?,
            states: states.map_err(|source| unwritable(&folders.states, source))?,
            without_room,
        })
    }
}

fn unwritable(folder: &Path, source: std::io::Error) -> BackfillError {
    BackfillError::Memory {
        path: folder.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use skywatch_algorithms::streaming::InMemoryHours;

    use super::*;

    #[test]
    fn a_metric_in_pieces_is_learnt_as_in_one_but_for_its_newest_point() {
        let mut whole = Series::default();
        let begin = (unix_now() / 3_600.0).floor() * 3_600.0 - 20.0 * 86_400.0;
        for step in 0..4_000_u32 {
            whole.push(
                begin + 300.0 * f64::from(step),
                f64::from(step % 288) + f64::from(step * 7 % 5),
            );
        }
        let mut expected = Adaptive::default();
        let mut hours = InMemoryHours::default();
        for (&time, &value) in whole.times.iter().zip(&whole.values).take(3_999) {
            expected.observe(time, value, &mut hours);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut learner = BaselineLearner::new(&BaselineFolders {
            memory: folder.path().join("memory"),
            states: folder.path().join("states"),
        })
        .expect("a folder");
        // Pieces overlap, and one comes again.
        for range in [0..1_000, 900..2_500, 0..100, 2_500..4_000] {
            let piece = Series {
                times: whole.times[range.clone()].to_vec(),
                values: whole.values[range].to_vec(),
            };
            learner.take("a", &piece).expect("room");
        }
        learner.finish(unix_now()).expect("room");
        let states = crate::baseline::States::open(&folder.path().join("states")).expect("states");
        assert_eq!(states.taught("a"), Some(expected));
    }
}
