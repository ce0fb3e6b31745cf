//! The adaptive profile in a worker: the state of each metric, taken up where an earlier run saved it, shown what is new
//! in the metric's window, and saved.

use std::sync::Arc;

use skywatch_alerters::Anomaly;
use skywatch_algorithms::streaming::{Adaptive, Forecasts};
use skywatch_algorithms::{Exception, Window};

use super::metric_state::{Circumstances, Judged, MetricState, Sight, Trial};
use super::rule::Rule;
use crate::baseline::{Baseline, BaselineHandle, StatePart, StateSaver, States};
use crate::panics;
use crate::status::Fate;

/// What all workers share.
pub struct AdaptiveOptions {
    /// The first that picks a metric counts; the last picks all.
    pub rules: Vec<Rule>,
    /// Hours of all metrics.
    pub memory: Baseline,
    /// What an earlier run saved.
    pub states: Arc<States>,
    /// Where states go.
    pub saver: StateSaver,
    /// Parts in which a worker saves its states, one a pass.
    pub parts: usize,
    /// Whose vote joins those of the detectors, if anybody's.
    pub learned: Option<Learned>,
}

/// Answers the learned model that serves at the moment, if one does.
pub type Learned = Arc<dyn Fn() -> Option<Arc<dyn Forecasts>> + Send + Sync>;

/// A worker's means of looking with the adaptive profile.
pub(super) struct AdaptiveDesk {
    options: Arc<AdaptiveOptions>,
    memory: BaselineHandle,
    trial: Trial,
    /// What serves during this pass.
    model: Option<Arc<dyn Forecasts>>,
}

/// The moment of a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Unix seconds.
    pub(super) now: f64,
    /// Age of the newest point from which a metric is stale, seconds, unless its own step is long.
    pub(super) stale_period: f64,
}

impl AdaptiveDesk {
    pub(super) fn new(options: Arc<AdaptiveOptions>) -> Self {
        Self {
            memory: options.memory.handle(),
            options,
            trial: Trial::default(),
            model: None,
        }
    }

    /// Takes the model that serves now for the pass that begins.
    pub(super) fn begin(&mut self) {
        self.model = self.options.learned.as_ref().and_then(|learned| learned());
    }

    /// The verdict on a metric that needs no state yet, if it needs none: too few points to judge it by, and nothing was
    /// saved or taught. All its points must be in a window that is kept.
    pub(super) fn waits(&self, name: &str, window: Window<'_>, now: f64) -> Option<Sight> {
        let times = window.times();
        if times.len() >= Adaptive::ENOUGH as usize || self.options.states.knows(name) {
            return None;
        }
        let due = times.partition_point(|&time| time <= now).max(1);
        Some(Sight {
            verdict: Judged::Excluded(Exception::TooShort),
            at: *times.get(due - 1)?,
        })
    }

    /// Shows a metric's state what is new in the canonical window.
    ///
    /// # Errors
    /// The message of a panic; the state is then gone.
    pub(super) fn look(
        &mut self,
        name: &Arc<str>,
        state: &mut Option<Box<MetricState>>,
        window: Window<'_>,
        moment: Moment,
    ) -> Result<Sight, String> {
        let Self {
            options,
            memory,
            trial,
            model,
        } = self;
        let is_first = state.is_none();
        let kept =
            state.get_or_insert_with(|| Box::new(take_up(name, &options.rules, options.states.take(name))));
        let is_first = kept.take_over(options.states.taught(name), window) || is_first;
        let with = Circumstances {
            rule: &options.rules[kept.rule()],
            model: model.as_deref(),
            now: moment.now,
            stale_period: moment.stale_period,
            is_first,
        };
        guarded(|| kept.show(name, window, &with, memory, trial)).inspect_err(|_| *state = None)
    }

    /// The fate of the metric looked at last, which was found normal.
    pub(super) fn fate(&self, state: &MetricState, window: Window<'_>, at: f64) -> Fate {
        let rule = &self.options.rules[state.rule()];
        let (value, step) = self.trial.found(rule, at).value(window);
        match self.trial.settled(rule) {
            Some(before) => Fate::Settled {
                at,
                value,
                before: before * step,
            },
            None => Fate::Normal { at, value },
        }
    }

    /// Saves some metrics' states under a name that is theirs each time.
    pub(super) fn save<'m>(
        &self,
        part: &str,
        metrics: impl Iterator<Item = (&'m Arc<str>, Option<&'m MetricState>)>,
    ) {
        let mut saved = StatePart::new(part);
        for (name, state) in metrics {
            match state {
                Some(state) => saved.add(name, state.adaptive(), state.learnt(), |bytes| state.write(bytes)),
                // Not looked at since the start: what was saved before is still all there is.
                None => {
                    if let Some((adaptive, rest)) = self.options.states.peek(name) {
                        let learnt = MetricState::read(adaptive.clone(), &rest, 0).learnt();
                        saved.add(name, &adaptive, learnt, |bytes| bytes.extend(rest));
                    }
                }
            }
        }
        self.options.saver.save(saved);
    }

    /// Keeps what is known of metrics that are not watched any more, for when they come back.
    pub(super) fn leave<'m>(&self, metrics: impl Iterator<Item = (&'m Arc<str>, &'m MetricState)>) {
        let mut has_left = false;
        for (name, state) in metrics {
            has_left = true;
            let states = &self.options.states;
            states.release(name, state.adaptive(), state.learnt(), |bytes| state.write(bytes));
        }
        if has_left {
            self.options.saver.save_unclaimed();
        }
    }

    /// Gives to the disk what the pass left.
    pub(super) fn rest(&mut self) {
        self.memory.flush();
    }
}

/// The state of a metric as it was saved, or a new one.
fn take_up(name: &str, rules: &[Rule], saved: Option<(Adaptive, Vec<u8>)>) -> MetricState {
    let rule = Rule::of(rules, name);
    match saved {
        Some((adaptive, rest)) => MetricState::read(adaptive, &rest, rule),
        None => MetricState::new(rule),
    }
}

/// Runs what looks at a metric, and answers the message of a panic.
fn guarded<T>(look: impl FnOnce() -> T) -> Result<T, String> {
    panics::caught(look).map_err(|message| format!("the adaptive profile panicked: {message}"))
}

/// What a look for people begins with.
#[derive(Default)]
pub(super) struct Known {
    /// The state as it was saved, and what is saved beside it.
    pub(super) saved: Option<(Adaptive, Vec<u8>)>,
    /// What a backfill has left for the metric.
    pub(super) taught: Option<Adaptive>,
}

/// What a look for people shows.
pub(super) struct Examined {
    /// Why the metric is not judged, if so.
    pub(super) exception: Option<Exception>,
    pub(super) is_anomalous: bool,
    /// The state proper, before the newest point.
    pub(super) adaptive: Adaptive,
    /// The newest point as if it were an anomaly.
    pub(super) judged: Anomaly,
}

/// Looks at one metric for people: what is known of it, or a new state, is shown the window, and nothing is kept.
///
/// # Errors
/// The message of a panic.
pub(super) fn examine(
    name: &Arc<str>,
    rules: &[Rule],
    known: Known,
    memory: &Baseline,
    model: Option<&dyn Forecasts>,
    window: Window<'_>,
    moment: Moment,
) -> Result<Examined, String> {
    let mut state = take_up(name, rules, known.saved);
    state.take_over(known.taught, window);
    let mut memory = memory.handle();
    let mut trial = Trial::default();
    guarded(|| {
        let rule = &rules[state.rule()];
        let with = Circumstances {
            rule,
            model,
            now: moment.now,
            stale_period: moment.stale_period,
            is_first: true,
        };
        let sight = state.show(name, window, &with, &mut memory, &mut trial);
        Examined {
            exception: match sight.verdict {
                Judged::Excluded(exception) => Some(exception),
                Judged::Normal | Judged::Anomalous(_) => None,
            },
            is_anomalous: matches!(sight.verdict, Judged::Anomalous(_)),
            judged: trial.found(rule, sight.at).describe(name, window, false),
            adaptive: state.adaptive().clone(),
        }
    })
}
