//! Rules tried on the past, on a thread of their own that gives way to everything else.
//!
//! The decision a reader would question: a trial is asked for by its question, and the same question finds the trial under
//! way or its answer. So a page that is loaded again, a page without script that refreshes itself, and a program that asks
//! until the answer is there all cost one replay, and nobody has to be given a number that could be guessed or lost.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::Serialize;
use skywatch_settings::Adaptive;
use tokio::sync::watch;

use super::rule_query::RuleQuestion;
use crate::analyzer::rule::AlarmRule;
use crate::backtest::RuleReplay;
use crate::baseline::Baseline;
use crate::live_value::LiveValue;
use crate::store::{AnyConnect, Connect as _};
use crate::windows::Windows;

/// Metrics that one trial replays at most: some ten seconds of a core at a day a minute each.
const MOST_METRICS: usize = 5_000;
/// Metrics read at a time: 256 × 1,440 points are 6 MB.
const AT_ONCE: usize = 256;
/// A trial ends after this time with what it has.
const LONGEST: Duration = Duration::from_secs(60);
/// A trial that nobody has asked about for so long is given up.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// An answer serves whoever asks the same so soon after: points have come since.
const FRESH: Duration = Duration::from_secs(60);
/// Trials that wait or are remembered.
const KEPT: usize = 16;
/// Metrics that an answer names, those with the most incidents.
const NAMED: usize = 50;
/// Incidents it names of each.
const NAMED_INCIDENTS: usize = 50;
/// How much the thread gives way, as `nice` has it.
const NICE: i32 = 15;
/// How long the store may take for one reply.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

/// What a rule would have led to.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct TrialCounts {
    /// Alarms less than half an hour apart are one.
    pub(super) incidents: usize,
    /// Times somebody would have been told, after the rest.
    pub(super) told: usize,
    /// The same, a day.
    pub(super) told_a_day: Option<f64>,
}

/// One metric under both rules.
#[derive(Debug, Serialize)]
pub(super) struct MetricTrial {
    pub(super) metric: String,
    /// Under what is set.
    pub(super) now: RuleReplay,
    /// Under what is tried.
    pub(super) tried: Option<RuleReplay>,
}

impl MetricTrial {
    fn largest(&self) -> usize {
        let tried = self.tried.as_ref().map_or(0, |tried| tried.incidents.len());
        tried.max(self.now.incidents.len())
    }
}

/// The answer.
#[derive(Debug, Default, Serialize)]
pub(super) struct TrialOutcome {
    /// Metrics that the pattern picks.
    pub(super) picked: usize,
    /// Those that were replayed.
    pub(super) replayed: usize,
    /// Those of them without points.
    pub(super) empty: usize,
    /// Why not all were replayed, if so.
    pub(super) cut: Option<String>,
    /// Unix seconds of the first and the last point.
    pub(super) from: Option<f64>,
    /// See `from`.
    pub(super) until: Option<f64>,
    /// Under what is set.
    pub(super) now: TrialCounts,
    /// Under what is tried.
    pub(super) tried: Option<TrialCounts>,
    /// Lines for the settings file.
    pub(super) settings: Option<String>,
    /// Metrics with the most incidents under either, at most 50.
    pub(super) metrics: Vec<MetricTrial>,
}

/// When a trial was over, and what came of it or why nothing did.
type EndedTrial = (Instant, Result<Arc<TrialOutcome>, String>);

/// One trial, waiting, under way, or over.
pub(super) struct RuleTrial {
    question: RuleQuestion,
    done: AtomicU64,
    of: AtomicU64,
    asked: Mutex<Instant>,
    outcome: watch::Sender<Option<EndedTrial>>,
}

/// How far a trial is.
pub(super) enum TrialProgress {
    /// The answer, or why there is none.
    Over(Result<Arc<TrialOutcome>, String>),
    /// So many metrics are done, of so many; 0 of 0 before it begins.
    UnderWay(u64, u64),
}

impl RuleTrial {
    fn new(question: RuleQuestion) -> Arc<Self> {
        Arc::new(Self {
            question,
            done: AtomicU64::new(0),
            of: AtomicU64::new(0),
            asked: Mutex::new(Instant::now()),
            outcome: watch::Sender::new(None),
        })
    }

    /// Waits for the answer, no longer than `patience`.
    pub(super) async fn wait(&self, patience: Duration) -> TrialProgress {
        let mut outcome = self.outcome.subscribe();
        let over = tokio::time::timeout(patience, outcome.wait_for(Option::is_some)).await;
        if let Ok(Ok(found)) = over
            && let Some((_, outcome)) = &*found
        {
            return TrialProgress::Over(outcome.clone());
        }
        TrialProgress::UnderWay(self.done.load(Ordering::Relaxed), self.of.load(Ordering::Relaxed))
    }

    fn touch(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_forgotten(&self) -> bool {
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.elapsed() > FORGOTTEN
    }

    /// Whether it still serves who asks now.
    fn serves(&self) -> bool {
        let outcome = self.outcome.borrow();
        outcome.as_ref().is_none_or(|(at, _)| at.elapsed() < FRESH)
    }
}

/// The way to the thread that tries rules. It ends with it.
pub(super) struct RuleTrials {
    kept: Mutex<VecDeque<Arc<RuleTrial>>>,
    waiting: Sender<Arc<RuleTrial>>,
}

impl RuleTrials {
    /// Starts the thread; nothing is connected yet. `hours` is the folder of the baseline.
    ///
    /// # Errors
    /// The system refuses it.
    pub(super) fn start(
        connect: &AnyConnect,
        hours: PathBuf,
        adaptive: LiveValue<Adaptive>,
    ) -> std::io::Result<Self> {
        let (waiting, receive) = bounded(KEPT);
        let player = TrialPlayer {
            windows: Windows::new(connect.within(STORE_PATIENCE), f64::INFINITY),
            hours,
            adaptive,
        };
        std::thread::Builder::new()
            .name("trials".to_owned())
            .spawn(move || player.serve(&receive))?;
        Ok(Self {
            kept: Mutex::default(),
            waiting,
        })
    }

    /// The trial of a question: the one there is, or a new one.
    ///
    /// # Errors
    /// So many wait that it would not be answered soon; for people.
    pub(super) fn ask(&self, question: RuleQuestion) -> Result<Arc<RuleTrial>, String> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|trial| trial.serves());
        if let Some(trial) = kept.iter().find(|trial| trial.question == question) {
            trial.touch();
            return Ok(Arc::clone(trial));
        }
        let trial = RuleTrial::new(question);
        let refused = |_| "too many rules are being tried at once: try again in a minute".to_owned();
        self.waiting.try_send(Arc::clone(&trial)).map_err(refused)?;
        kept.push_back(Arc::clone(&trial));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(trial)
    }
}

/// The thread's means.
struct TrialPlayer {
    windows: Windows,
    /// Where the hours of all metrics lie.
    hours: PathBuf,
    adaptive: LiveValue<Adaptive>,
}

impl TrialPlayer {
    fn serve(self, waiting: &Receiver<Arc<RuleTrial>>) {
        // On Linux this is the thread's own.
        if let Err(error) = rustix::process::nice(NICE) {
            tracing::debug!("trials of rules cannot give way to others: {error}");
        }
        for trial in waiting {
            if trial.is_forgotten() {
                trial
                    .outcome
                    .send_replace(Some((Instant::now(), Err("nobody waited for it".to_owned()))));
                continue;
            }
            let outcome = self.play(&trial).map(Arc::new);
            trial.outcome.send_replace(Some((Instant::now(), outcome)));
        }
    }

    fn play(&self, trial: &RuleTrial) -> Result<TrialOutcome, String> {
        let begun = Instant::now();
        let question = &trial.question;
        let baseline = Baseline::open_read_only(&self.hours)
            .map_err(|error| format!("the hours of past days cannot be read: {error}"))?;
        let names = self.windows.names().map_err(|error| error.to_string())?;
        let mut picked: Vec<Box<str>> = names
            .into_iter()
            .filter(|name| question.metrics.matches(name))
            .collect();
        picked.sort_unstable();
        picked.dedup();
        let adaptive = self.adaptive.current();
        let rules = AlarmRule::of_settings(&adaptive);
        let tried = question.line.as_ref();
        let tried = tried.map(|line| AlarmRule::overriding(&adaptive, line));
        let mut outcome = TrialOutcome {
            picked: picked.len(),
            settings: question.settings(&adaptive),
            ..TrialOutcome::default()
        };
        if picked.len() > MOST_METRICS {
            outcome.cut = Some(format!(
                "the first {MOST_METRICS} of them by name: more would take too long"
            ));
            picked.truncate(MOST_METRICS);
        }
        trial.of.store(picked.len() as u64, Ordering::Relaxed);
        let mut totals = (TrialCounts::default(), TrialCounts::default());
        for names in picked.chunks(AT_ONCE) {
            if trial.is_forgotten() {
                return Err("nobody waited for it".to_owned());
            }
            let asks: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            let (windows, trouble) = self.windows.read(&asks);
            if let Some(why) = trouble {
                return Err(why);
            }
            for (name, window) in names.iter().zip(windows) {
                if begun.elapsed() > LONGEST {
                    outcome.cut = Some(format!("as many as {} s are enough for", LONGEST.as_secs()));
                    break;
                }
                let window = window.map(|window| question.last_days(window));
                let Some(window) = window.filter(|window| !window.is_empty()) else {
                    outcome.take_empty();
                    continue;
                };
                let hours = baseline.hours_of(name);
                let now = &rules[AlarmRule::of(&rules, name)];
                let metric = MetricTrial {
                    metric: name.to_string(),
                    now: RuleReplay::of(&window, &hours, now),
                    tried: tried.as_ref().map(|rule| RuleReplay::of(&window, &hours, rule)),
                };
                outcome.take(metric, &mut totals);
                trial.done.fetch_add(1, Ordering::Relaxed);
            }
        }
        outcome.finish(totals, question.line.is_some());
        Ok(outcome)
    }
}

impl TrialOutcome {
    fn take_empty(&mut self) {
        self.replayed += 1;
        self.empty += 1;
    }

    fn take(&mut self, metric: MetricTrial, (now, tried): &mut (TrialCounts, TrialCounts)) {
        self.replayed += 1;
        let (first, last) = (metric.now.first, metric.now.last);
        self.from = Some(self.from.map_or(first, |from| from.min(first)));
        self.until = Some(self.until.map_or(last, |until| until.max(last)));
        let add = |counts: &mut TrialCounts, replay: &RuleReplay| {
            counts.incidents += replay.incidents.len();
            counts.told += replay.told.len();
        };
        add(now, &metric.now);
        if let Some(replay) = &metric.tried {
            add(tried, replay);
        }
        self.metrics.push(metric);
        // Now and then, so that thousands of metrics do not lie here with all they had.
        if self.metrics.len() > 8 * NAMED {
            self.keep_worst();
        }
    }

    fn keep_worst(&mut self) {
        self.metrics
            .sort_by_key(|metric| std::cmp::Reverse(metric.largest()));
        self.metrics.truncate(NAMED);
    }

    fn finish(&mut self, (mut now, mut tried): (TrialCounts, TrialCounts), was_tried: bool) {
        let span = self
            .from
            .zip(self.until)
            .map(|(from, until)| (until - from) / 86_400.0);
        let a_day = |told: usize| Some(told as f64 / span.filter(|days| *days > 0.0)?);
        now.told_a_day = a_day(now.told);
        tried.told_a_day = a_day(tried.told);
        (self.now, self.tried) = (now, was_tried.then_some(tried));
        self.keep_worst();
        for metric in &mut self.metrics {
            for replay in std::iter::once(&mut metric.now).chain(&mut metric.tried) {
                let surplus = replay.incidents.len().saturating_sub(NAMED_INCIDENTS);
                replay.incidents.drain(..surplus);
            }
        }
    }
}
