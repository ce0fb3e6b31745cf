//! The adaptive profile with the learned vote, walking forward: families are fitted anew at each turn of so many days, on
//! what each metric had had by then and no more than a window of it, and vote until the next turn. That is what a node with
//! a nightly schedule does, each metric's days counted from its own first point; only that nothing is held back.
//!
//! All points lie in memory, 16 bytes each. Turns are fitted in parallel, a turn on one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;
use skywatch_algorithms::learned::{FamilyOptions, FamilyTrainer, FittedFamilies, LearnedError, Traits};
use skywatch_algorithms::streaming::Forecasts as _;
use skywatch_algorithms::{Series, Window};

use super::error::BacktestError;
use super::player::Player;
use super::successive::Successive;
use crate::analyzer::rule::{AlarmRule, ObservedPoint};
use crate::stop::Stop;

/// How a walk is fitted.
#[derive(Debug, Clone)]
pub struct WalkOptions {
    /// Seconds from turn to turn.
    pub each: f64,
    /// Seconds of history that are learnt from, and that a forecast looks back.
    pub history: f64,
    /// Families, at most.
    pub most: usize,
    /// How each is fitted.
    pub family: FamilyOptions,
}

/// All turns of a walk: what serves from each one to the next.
pub(super) struct LearnedWalk {
    options: WalkOptions,
    turns: BTreeMap<usize, FittedFamilies>,
}

/// The turn that serves a metric of that age, seconds; 0 before the first.
fn turn_of(age: f64, options: &WalkOptions) -> usize {
    (age / options.each) as usize
}

impl LearnedWalk {
    /// Fits what each turn needs of metrics and their points, canonical.
    pub(super) fn fit(
        metrics: &[(String, Series)],
        options: &WalkOptions,
        stop: &Stop,
    ) -> Result<Self, BacktestError> {
        // Only turns at which a metric goes on: a time that is wrong by years must not cost thousands of fits.
        let mut needed = BTreeSet::new();
        for (_, series) in metrics {
            let first = series.times.first().copied().unwrap_or_default();
            needed.extend(series.times.iter().map(|time| turn_of(time - first, options)));
        }
        needed.remove(&0);
        let needed: Vec<usize> = needed.into_iter().collect();
        let count = needed.len();
        let turns = needed.into_par_iter().with_max_len(1).map(|turn| {
            if stop.is_said() {
                return Err(BacktestError::Interrupted);
            }
            let fitted = fit(metrics, turn as f64 * options.each, options, stop)?;
            tracing::info!(
                "turn {turn}, one of {count} :: {} metrics in {} families",
                fitted.metrics(),
                fitted.families().len()
            );
            Ok((turn, fitted))
        });
        Ok(Self {
            turns: turns.collect::<Result<_, BacktestError>>()?,
            options: options.clone(),
        })
    }

    /// What serves a metric of that age, seconds.
    fn serving(&self, age: f64) -> Option<&FittedFamilies> {
        self.turns.get(&turn_of(age, &self.options))
    }
}

/// Fits what each metric had had when it was `age` seconds old.
fn fit(
    metrics: &[(String, Series)],
    age: f64,
    options: &WalkOptions,
    stop: &Stop,
) -> Result<FittedFamilies, BacktestError> {
    let history = |series: &'_ Series| -> std::ops::Range<usize> {
        let Some(first) = series.times.first() else {
            return 0..0;
        };
        let until = first + age;
        let end = series.times.partition_point(|time| *time < until);
        series
            .times
            .partition_point(|time| *time < until - options.history)..end
    };
    fn window(series: &Series, range: std::ops::Range<usize>) -> Window<'_> {
        Window::sorted(&series.times[range.clone()], &series.values[range])
    }
    let traits: Vec<Option<Traits>> = metrics
        .iter()
        .map(|(_, series)| Traits::of(window(series, history(series))))
        .collect();
    let mut trainer = FamilyTrainer::sort(&traits, options.most, &options.family);
    for (place, (name, series)) in metrics.iter().enumerate() {
        trainer.add(place, name, window(series, history(series)));
    }
    let mut going_on = |_, _: &_| match stop.is_said() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    match trainer.fit(&mut going_on) {
        Ok(fitted) => Ok(fitted
            .into_iter()
            .map(|(family, _)| family)
            .collect::<Vec<_>>()
            .into()),
        Err(LearnedError::TooFew { .. }) => Ok(FittedFamilies::default()),
        Err(LearnedError::Stopped { .. }) => Err(BacktestError::Interrupted),
        Err(error) => Err(BacktestError::Learned(error.to_string())),
    }
}

/// The adaptive profile beside a walk.
pub(super) struct LearnedPlayer {
    walk: Arc<LearnedWalk>,
    metric: String,
    first: f64,
    successive: Successive,
    rule: AlarmRule,
    /// The last points; those before `from` are out of reach.
    recent: Series,
    from: usize,
}

impl LearnedPlayer {
    pub(super) fn new(walk: Arc<LearnedWalk>) -> Self {
        Self {
            walk,
            metric: String::new(),
            first: f64::NEG_INFINITY,
            successive: Successive::default(),
            rule: AlarmRule::plain(0.0),
            recent: Series::default(),
            from: 0,
        }
    }

    fn keep(&mut self, time: f64, value: f64) {
        self.recent.push(time, value);
        let oldest = time - self.walk.options.history;
        while self.recent.times[self.from] <= oldest {
            self.from += 1;
        }
        if self.from > 4_096 && 2 * self.from > self.recent.times.len() {
            self.recent.times.drain(..self.from);
            self.recent.values.drain(..self.from);
            self.from = 0;
        }
    }
}

impl LearnedPlayer {
    /// The newest point with what serves at its time expected of it.
    fn with_forecast(&self, time: f64, value: f64) -> ObservedPoint {
        let (times, values) = (&self.recent.times[self.from..], &self.recent.values[self.from..]);
        let serving = self.walk.serving(time - self.first);
        let forecast = serving.and_then(|families| {
            let window = Window::sorted(times, values);
            families.forecast(&self.metric, window, self.successive.is_rate())
        });
        ObservedPoint {
            time,
            value,
            forecast,
        }
    }
}

impl Player for LearnedPlayer {
    fn begin(&mut self, metric: &str, rule: &AlarmRule) {
        metric.clone_into(&mut self.metric);
        self.first = f64::NEG_INFINITY;
        self.successive = Successive::default();
        self.rule = rule.clone();
        self.recent.clear();
        self.from = 0;
    }

    fn show(&mut self, time: f64, value: f64, is_final: bool) -> f32 {
        if self.first == f64::NEG_INFINITY {
            self.first = time;
        }
        self.keep(time, value);
        self.successive.settle(&self.rule);
        let point = self.with_forecast(time, value);
        self.successive.show(point, is_final, &self.rule)
    }

    /// Of points that are not later only another value of the newest counts: what lies before it was forecast without them.
    fn amend(&mut self, time: f64, value: f64) -> Option<f32> {
        if self.recent.times.last() != Some(&time) {
            return None;
        }
        *self.recent.values.last_mut()? = value;
        let point = self.with_forecast(time, value);
        self.successive.amend(point, &self.rule)
    }
}
