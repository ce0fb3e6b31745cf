//! What a backfill leaves for the adaptive profile: hours for the long memory, and states that have learnt from all points.
//!
//! A store may keep one day; what a metric is like in a month is learnt here, from the same points, by the same code with
//! which the analyzer learns a window, and left in two inboxes. The decision a reader would question: points before the
//! window are not stored, and yet not lost. What is held in memory is bounded: a source that gives metrics whole lets
//! each go when its part ends; of files, where all metrics may be mixed to the last line, so many metrics are taught.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::{Adaptive, Hour, Hours as Recent, REACH};

use super::BackfillError;
use crate::clock::unix_now;
use crate::memory::{Hourly, InboxWriter, TaughtWriter};

/// Metrics taught at a time: a state is 4 KiB, its hours 14 kB.
const AT_A_TIME: usize = 20_000;

/// Where the adaptive profile's knowledge lies.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// The folder of the long memory.
    pub memory: PathBuf,
    /// The folder of the states.
    pub states: PathBuf,
}

/// Hours and states on their way.
pub(super) struct Teacher {
    folders: Knowledge,
    hourly: Hourly,
    hours: InboxWriter,
    whole: Vec<Hour>,
    states: TaughtWriter,
    pupils: HashMap<String, Pupil>,
    /// Metrics for which there was no room.
    without_room: u64,
    /// Points before this are beyond all reach, Unix seconds.
    from: f64,
}

/// What is learnt of one metric.
#[derive(Default)]
struct Pupil {
    state: Adaptive,
    hours: Recent,
}

/// What was left.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) hours: u64,
    pub(super) states: u64,
    pub(super) without_room: u64,
}

impl Teacher {
    pub(super) fn new(folders: &Knowledge) -> Result<Self, BackfillError> {
        let hours = InboxWriter::new(&folders.memory);
        let states = TaughtWriter::new(&folders.states);
        Ok(Self {
            hours: hours.map_err(|source| unremembered(&folders.memory, source))?,
            states: states.map_err(|source| unremembered(&folders.states, source))?,
            folders: folders.clone(),
            hourly: Hourly::default(),
            whole: Vec::new(),
            pupils: HashMap::new(),
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
            added.map_err(|source| unremembered(&self.folders.memory, source))?;
        }
        if !self.pupils.contains_key(name) {
            if self.pupils.len() == AT_A_TIME {
                self.without_room += 1;
                return Ok(());
            }
            self.pupils.insert(name.to_owned(), Pupil::default());
        }
        if let Some(Pupil { state, hours }) = self.pupils.get_mut(name) {
            for (time, value) in pairs {
                state.observe(time, value, hours);
            }
        }
        Ok(())
    }

    /// Lets go of all metrics: a part of them has ended, and no other part has more of them.
    pub(super) fn let_go(&mut self) -> Result<(), BackfillError> {
        let mut pupils: Vec<(String, Pupil)> = self.pupils.drain().collect();
        pupils.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (name, pupil) in pupils {
            let added = self.states.add(&name, &pupil.state);
            added.map_err(|source| unremembered(&self.folders.states, source))?;
        }
        Ok(())
    }

    /// Leaves everything; hours that were over by `until`, Unix seconds.
    pub(super) fn finish(mut self, until: f64) -> Result<Left, BackfillError> {
        self.let_go()?;
        let Self {
            folders,
            hourly,
            mut hours,
            states,
            without_room,
            ..
        } = self;
        let unremembered_hours = |source| unremembered(&folders.memory, source);
        for (name, hour) in hourly.finish(until) {
            hours.add(&name, &[hour]).map_err(unremembered_hours)?;
        }
        let states = states.finish();
        Ok(Left {
            hours: hours.finish().map_err(unremembered_hours)?,
            states: states.map_err(|source| unremembered(&folders.states, source))?,
            without_room,
        })
    }
}

fn unremembered(folder: &Path, source: std::io::Error) -> BackfillError {
    BackfillError::Memory {
        path: folder.display().to_string(),
        source,
    }
}
