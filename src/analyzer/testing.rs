//! A worker as tests drive it, pass by pass and with a clock of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use skywatch_algorithms::{Ensemble, Rules};

use super::adaptive::{AdaptiveOptions, Saving};
use super::options::{LiveEnsemble, WorkerOptions};
use super::rule::{AlarmRule, AlarmRules};
pub(crate) use super::worker::Worker;
use crate::baseline::{Baseline, States};

/// Parts in which the worker saves its states.
pub(crate) const PARTS: usize = 3;

/// Options of a worker of the adaptive profile whose state lies in that folder; `seat`: which worker, of how many.
pub(crate) fn options(
    folder: &Path,
    full_duration: f64,
    cache: bool,
    seat: (usize, usize),
    rule: AlarmRule,
) -> WorkerOptions {
    options_learning(folder, full_duration, cache, seat, rule, Duration::MAX)
}

/// The same with so much time for learning in a pass.
pub(crate) fn options_learning(
    folder: &Path,
    full_duration: f64,
    cache: bool,
    seat: (usize, usize),
    rule: AlarmRule,
    learning: Duration,
) -> WorkerOptions {
    let states = Arc::new(States::open(&folder.join("states")).expect("room"));
    let saver = states.saver(PARTS * seat.1).expect("a thread");
    let adaptive = AdaptiveOptions {
        rules: AlarmRules::new(vec![rule]),
        memory: Baseline::open(&folder.join("memory")).expect("room"),
        states,
        learned: None,
        saving: Some(Saving { saver, parts: PARTS }),
        learning,
    };
    WorkerOptions {
        ensemble: LiveEnsemble::new(Ensemble::classic(Rules {
            stale_period: 1e9,
            ..Rules::earthgecko()
        })),
        full_duration,
        counters_as_rates: true,
        cache,
        cache_bytes: usize::MAX,
        canary: String::new(),
        adaptive: Some(Arc::new(adaptive)),
        seat,
    }
}
