//! The adaptive profile in a worker: the state of each metric, taken up where an earlier run saved it, shown what is new
//! in the metric's window, and saved.

use std::sync::Arc;
use std::time::{Duration, Instant};

use skywatch_alerters::Anomaly;
use skywatch_algorithms::streaming::{Adaptive, Forecasts};
use skywatch_algorithms::{Exception, Window};

use super::adaptive_metric::{AdaptiveLook, AdaptiveMetric, Trial, Workspace};
use super::evaluation::Evaluation;
use super::rule::{AlarmRule, AlarmRules};
use super::shard_snapshot::{ShardSnapshot, ShardSnapshotWriter};
use crate::baseline::{Baseline, StatePart, StateReader, StateSaver, States};
use crate::panics;
use crate::status::FollowedOutcome;

/// Points of a window from which learning it takes so long that it may have to wait: some 60 µs.
const LONG: usize = 200;

/// What all workers share.
pub struct AdaptiveOptions {
    /// The first that picks a metric counts; the last picks all.
    pub rules: AlarmRules,
    /// Hours of all metrics.
    pub memory: Baseline,
    /// What an earlier run saved.
    pub states: Arc<States>,
    /// Whose vote joins those of the detectors, if anybody's.
    pub learned: Option<ModelSource>,
    /// How states are saved; `None` for who only looks.
    pub saving: Option<Saving>,
    /// How long a worker may learn long windows in one pass. Metrics left over are judged by classic votes, and learnt between
    /// the passes.
    pub learning: Duration,
}

impl AdaptiveOptions {
    /// Puts metrics in the order in which what was saved of them is read fastest: their states, and where there are none their hours.
    /// States that are read one after the other then also lie side by side in memory, for all passes to come.
    pub(super) fn sort(&self, metrics: &mut [impl AsRef<str>]) {
        self.memory.sort(metrics);
        self.states.sort(metrics);
    }
}

/// How a worker saves its states.
pub struct Saving {
    /// Where states go.
    pub saver: StateSaver,
    /// Parts in which a worker saves its states, one a pass.
    pub parts: usize,
}

/// Answers the learned model that serves at the moment, if one does.
pub type ModelSource = Arc<dyn Fn() -> Option<Arc<dyn Forecasts>> + Send + Sync>;

/// One thread's means of judging with the adaptive profile.
pub(super) struct AdaptiveJudge {
    options: Arc<AdaptiveOptions>,
    /// Age of the newest point from which a metric is stale, seconds, unless its own step is long.
    stale_period: f64,
    workspace: Workspace,
    /// The rules of this pass.
    rules: Arc<[AlarmRule]>,
    /// What serves during this pass.
    model: Option<Arc<dyn Forecasts>>,
    /// What is left of the time for learning in this pass.
    learning: Duration,
    /// What reads saved states.
    reader: StateReader,
}

impl AdaptiveJudge {
    pub(super) fn new(options: Arc<AdaptiveOptions>, stale_period: f64) -> Self {
        Self {
            workspace: Workspace {
                hours: options.memory.handle(),
                trial: Trial::default(),
            },
            learning: options.learning,
            rules: options.rules.current(),
            options,
            stale_period,
            model: None,
            reader: StateReader::default(),
        }
    }

    /// Takes the rules and the model that serve now for the pass that begins, and the age from which a metric is stale, seconds.
    /// Answers whether the rules are others than before: then each metric is to be [ruled](Self::rule_anew) anew.
    #[must_use]
    pub(super) fn begin(&mut self, stale_period: f64) -> bool {
        self.stale_period = stale_period;
        self.model = self.options.learned.as_ref().and_then(|learned| learned());
        self.learning = self.options.learning;
        let rules = self.options.rules.current();
        let are_others = !Arc::ptr_eq(&rules, &self.rules);
        self.rules = rules;
        are_others
    }

    /// Finds the rule that holds for a metric now.
    pub(super) fn rule_anew(&self, name: &str, state: &mut AdaptiveMetric) {
        state.follow_rule(AlarmRule::of(&self.rules, name));
    }

    /// The evaluation of a metric that needs no state yet, if it needs none: too few points to judge it by, and nothing was
    /// saved or taught. All its points must be in a window that is kept. `now`: Unix seconds.
    pub(super) fn waits(&self, name: &str, window: Window<'_>, now: f64) -> Option<Evaluation> {
        let times = window.times();
        if times.len() >= Adaptive::ENOUGH as usize || self.options.states.knows(name) {
            return None;
        }
        let due = times.partition_point(|&time| time <= now).max(1);
        Some(Evaluation::excluded(Exception::TooShort, *times.get(due - 1)?))
    }

    /// Whether a metric without a state is to wait until there is time to learn its window, for there is none left in this
    /// pass. What an earlier run knows of it makes that short.
    pub(super) fn postpones(&self, name: &str, window: Window<'_>) -> bool {
        self.learning.is_zero() && window.times().len() >= LONG && !self.options.states.knows(name)
    }

    /// Shows a metric's state what is new in the canonical window at `now`, Unix seconds; one that has none gets what was
    /// saved of it, or a new one. Of a first look, or one that somebody asked for, only the newest point can be an anomaly.
    /// A window that is not whole holds all points since the last one learnt.
    ///
    /// # Errors
    /// The message of a panic; the state is then gone.
    pub(super) fn evaluate(
        &mut self,
        name: &Arc<str>,
        state: &mut Option<Box<AdaptiveMetric>>,
        window: Window<'_>,
        is_whole: bool,
        now: f64,
    ) -> Result<Evaluation, String> {
        let Self {
            options,
            stale_period,
            workspace,
            rules,
            model,
            learning,
            ..
        } = self;
        let begun = state.is_none().then(Instant::now);
        let kept = state.get_or_insert_with(|| {
            let rule = AlarmRule::of(rules, name);
            Box::new(match options.states.take(name) {
                Some((adaptive, beside)) => AdaptiveMetric::read(adaptive, &beside, rule).0,
                None => AdaptiveMetric::new(rule),
            })
        });
        let is_first = kept.is_new() || options.saving.is_none();
        let taught = is_whole.then(|| options.states.taught(name)).flatten();
        let is_first = kept.take_over(taught, window) || is_first;
        let look = AdaptiveLook {
            name,
            window,
            rule: &rules[kept.rule()],
            model: model.as_deref(),
            now,
            stale_period: *stale_period,
            is_first,
        };
        let evaluated = guarded(|| kept.look(&look, workspace)).inspect_err(|_| *state = None);
        if let Some(begun) = begun {
            *learning = learning.saturating_sub(begun.elapsed());
        }
        evaluated
    }

    /// The state of a metric as it was [saved](AdaptiveMetric::saved).
    pub(super) fn read(&self, name: &str, (adaptive, beside): (Adaptive, Vec<u8>)) -> AdaptiveMetric {
        AdaptiveMetric::read(adaptive, &beside, AlarmRule::of(&self.rules, name)).0
    }

    /// Whether a metric that has a state is judged by what is new alone. A learned model asks for the window.
    pub(super) fn lives_on_tails(&self) -> bool {
        self.options.learned.is_none()
    }

    /// Whether a backfill has left something of a metric for whoever has its whole window.
    pub(super) fn was_taught(&self, name: &str) -> bool {
        self.options.states.was_taught(name)
    }

    /// Takes up the state of a metric that an earlier run saved, and what was saved behind it as `take` makes of it.
    pub(super) fn resume<T>(
        &mut self,
        name: &str,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Option<(Box<AdaptiveMetric>, T)> {
        let Self {
            options,
            rules,
            reader,
            ..
        } = self;
        options.states.take_with(name, reader, |bytes| {
            let (metric, behind) = AdaptiveMetric::unpack(bytes, AlarmRule::of(rules, name))?;
            Some((metric, take(behind)))
        })
    }

    /// The newest point of the metric looked at last, at that time (Unix seconds), as if it were an anomaly.
    ///
    /// # Errors
    /// The message of a panic.
    pub(super) fn newest(
        &self,
        name: &str,
        state: &AdaptiveMetric,
        window: Window<'_>,
        at: f64,
    ) -> Result<Anomaly, String> {
        let rule = &self.rules[state.rule()];
        let describe = || {
            let newest = self.workspace.trial.newest(rule, at);
            newest.describe(name, window, false)
        };
        guarded(describe)
    }

    /// What became of the metric looked at last, which was found normal.
    pub(super) fn outcome(&self, state: &AdaptiveMetric, window: Window<'_>, at: f64) -> FollowedOutcome {
        let rule = &self.rules[state.rule()];
        let trial = &self.workspace.trial;
        let (value, step) = trial.newest(rule, at).value(window);
        match trial.settled(rule) {
            Some(before) => FollowedOutcome::Settled {
                at,
                value,
                before: before * step,
            },
            None => FollowedOutcome::Normal { at, value },
        }
    }

    /// Saves some metrics' states under a name that is theirs each time; `position` appends how far the metric of that number
    /// was read.
    pub(super) fn save<'m>(
        &self,
        part: &str,
        metrics: impl Iterator<Item = (&'m Arc<str>, Option<&'m AdaptiveMetric>)>,
        position: impl Fn(usize, &mut Vec<u8>),
    ) {
        let Some(saving) = &self.options.saving else {
            return;
        };
        let mut saved = StatePart::new(part);
        for (index, (name, state)) in metrics.enumerate() {
            self.add_to(&mut saved, name, state, |bytes| position(index, bytes));
        }
        saving.saver.save(saved);
    }

    /// Adds what is known of a metric to a part; `position` appends how far it was read.
    fn add_to(
        &self,
        part: &mut StatePart,
        name: &str,
        state: Option<&AdaptiveMetric>,
        position: impl FnOnce(&mut Vec<u8>),
    ) {
        match state {
            Some(state) => part.add(name, state.adaptive(), state.learnt(), |bytes| {
                state.write(bytes);
                position(bytes);
            }),
            // Not looked at since the start: what was saved before is still all there is.
            None => {
                if let Some((adaptive, beside)) = self.options.states.peek(name) {
                    let learnt = AdaptiveMetric::read(adaptive.clone(), &beside, 0).0.learnt();
                    part.add(name, &adaptive, learnt, |bytes| bytes.extend(beside));
                }
            }
        }
    }

    /// What is known of some metrics, with their hours from a day (UTC, since 1970) on; `position` appends how far the metric of that
    /// number was read.
    pub(super) fn snapshot<'m>(
        &mut self,
        metrics: impl Iterator<Item = (&'m Arc<str>, Option<&'m AdaptiveMetric>)>,
        position: impl Fn(usize, &mut Vec<u8>),
        from_day: u32,
    ) -> ShardSnapshot {
        let mut writer = ShardSnapshotWriter::new();
        for (index, (name, state)) in metrics.enumerate() {
            self.add_to(writer.states(), name, state, |bytes| position(index, bytes));
            writer.add_hours(name, &self.workspace.hours.hours_from(name, from_day));
        }
        writer.finish()
    }

    /// Keeps what is known of metrics that are not watched any more, for when they come back.
    pub(super) fn release<'m>(&self, metrics: impl Iterator<Item = (&'m Arc<str>, &'m AdaptiveMetric)>) {
        let mut has_left = false;
        for (name, state) in metrics {
            has_left = true;
            let states = &self.options.states;
            states.release(name, state.adaptive(), state.learnt(), |bytes| state.write(bytes));
        }
        if let Some(saving) = self.options.saving.as_ref().filter(|_| has_left) {
            saving.saver.save_unclaimed();
        }
    }

    /// Gives to the disk what the pass left.
    pub(super) fn flush(&mut self) {
        self.workspace.hours.flush();
    }
}

/// Runs what looks at a metric, and answers the message of a panic.
fn guarded<T>(look: impl FnOnce() -> T) -> Result<T, String> {
    panics::caught(look).map_err(|message| format!("the adaptive profile panicked: {message}"))
}
