//! What every worker, and everybody who judges as workers do, is told once.

use std::sync::Arc;

use skywatch_algorithms::{Ensemble, SameTime};

use super::adaptive::AdaptiveOptions;
use crate::live_value::LiveValue;

/// The classic tests in force, and with them when a metric is stale, for all who judge by them; passes take another when they begin.
/// Its detectors must be the same ones: what is counted by detector goes on.
pub type LiveEnsemble = LiveValue<Ensemble>;

/// What every worker is told once.
#[derive(Clone)]
pub struct WorkerOptions {
    /// The classic tests.
    pub ensemble: LiveEnsemble,
    /// Length of the window, seconds.
    pub full_duration: f64,
    /// Judge never-decreasing counters by their rate.
    pub counters_as_rates: bool,
    /// Keep windows in memory between passes.
    pub cache: bool,
    /// Most bytes of them in one worker.
    pub cache_bytes: usize,
    /// The metric whose window length is reported; empty for none in particular.
    pub canary: String,
    /// The adaptive profile; `None` in the classic one.
    pub adaptive: Option<Arc<AdaptiveOptions>>,
    /// Which worker it is, of how many.
    pub seat: (usize, usize),
}

impl WorkerOptions {
    /// Which of several points of one time stays in a window.
    pub(crate) fn same_time(&self) -> SameTime {
        same_time(self.adaptive.is_some())
    }

    /// The time later than which no point is the end of a window, as of `now` (Unix seconds).
    pub(super) fn clock(&self, now: f64) -> f64 {
        clock(self.adaptive.is_some(), now)
    }
}

/// Which of several points of one time stays in a window.
pub(super) fn same_time(is_adaptive: bool) -> SameTime {
    match is_adaptive {
        true => SameTime::Last,
        false => SameTime::Smallest,
    }
}

/// The time later than which no point is the end of a window, as of `now` (Unix seconds): the classic profile goes by
/// points alone.
pub(super) fn clock(is_adaptive: bool, now: f64) -> f64 {
    match is_adaptive {
        true => now,
        false => f64::INFINITY,
    }
}
