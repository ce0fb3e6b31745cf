//! The adaptive profile beside each window: what it knows of a metric, and what it makes of new points.
//!
//! Every point is shown to a [`Mind`] once, in order of time; points that come late are ignored by it, though they
//! stand in the window. The first look shows it the whole window, or what has come since the state that an earlier run
//! saved. The decision a reader would question: if several points have come since the last look, each of them may be the
//! anomaly, because a pass that came late must not hide a spike; but not those of a first look, nor stale ones.
//! The rest after an alert is kept here too, so that it is saved with the state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use skywatch_alerters::{Anomaly, DetectorVote, Evidence, Expected, Strength, Subject};
use skywatch_algorithms::streaming::{Adaptive, Forecasts, Report};
use skywatch_algorithms::{Series, Window, counter};
use skywatch_settings::{AlertDirection, Pattern};

use crate::memory::{Memory, MemoryDesk, Part, Saver, Slot, States};
use crate::status::Warming;

/// Of many new points, as on a first look, a model is asked about so many of the last: enough to know how wrong it is.
const ASKED: usize = 512;

/// What the adaptive profile calls anomalous, for the metrics a pattern picks.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Which metrics; `None` for all.
    pub metrics: Option<Pattern>,
    /// The score from which a point is anomalous.
    pub threshold: f32,
    /// Which way it must have gone.
    pub direction: AlertDirection,
    /// The least distance from what was expected, as a share of it.
    pub min_relative_change: f64,
    /// The same in the metric's own unit.
    pub min_absolute_change: f64,
    /// Seconds after an alert in which only a higher score opens another incident; 0 for no rest.
    pub rest: f64,
}

impl Rule {
    /// Whether the deviation is one to speak of.
    fn matters(&self, report: &Report) -> bool {
        let change = report.observed - report.expected;
        let is_wanted = match self.direction {
            AlertDirection::Both => true,
            AlertDirection::Up => change > 0.0,
            AlertDirection::Down => change < 0.0,
        };
        is_wanted
            && change.abs() >= self.min_absolute_change
            && change.abs() >= self.min_relative_change * report.expected.abs()
    }
}

/// What all workers share.
pub struct AdaptiveOptions {
    /// The first that picks a metric counts; the last picks all.
    pub rules: Vec<Rule>,
    /// Hours of all metrics.
    pub memory: Memory,
    /// What an earlier run saved.
    pub states: Arc<States>,
    /// Where states go.
    pub saver: Saver,
    /// Parts in which a worker saves its states, one a pass.
    pub parts: usize,
    /// Whose vote joins those of the detectors, if anybody's.
    pub learned: Option<Learned>,
}

/// A state that a backfill has learnt must reach so much further back than what is known already, seconds.
const LONGER: f64 = 3_600.0;

/// Answers the learned model that serves at the moment, if one does.
pub type Learned = Arc<dyn Fn() -> Option<Arc<dyn Forecasts>> + Send + Sync>;

/// The first rule that picks the metric; the last picks all.
fn rule_of(rules: &[Rule], metric: &str) -> u16 {
    let picks = |rule: &Rule| {
        rule.metrics
            .as_ref()
            .is_none_or(|pattern| pattern.matches(metric))
    };
    rules.iter().position(picks).unwrap_or(0) as u16
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// The rest after alerts, as [`skywatch_algorithms::streaming::Rest`] has it, for scores that are alerts only: lower ones
/// never keep a higher one quiet.
#[derive(Debug, Clone, Default, PartialEq)]
struct Alerted {
    /// Scores within the rest, falling, with their times.
    falling: Vec<(f64, f32)>,
}

impl Alerted {
    /// Whether an alert of that score is heard.
    fn hear(&mut self, time: f64, score: f32, rest: f64) -> bool {
        self.falling
            .retain(|&(at, earlier)| at > time - rest && earlier >= score);
        let is_heard = self.falling.is_empty();
        self.falling.retain(|&(_, earlier)| earlier > score);
        if rest > 0.0 {
            self.falling.push((time, score));
        }
        is_heard
    }
}

/// What is known of one metric.
pub struct Mind {
    adaptive: Adaptive,
    alerted: Alerted,
    slot: Option<Slot>,
    rule: u16,
    /// Time of the last point shown, Unix seconds. Kept apart from the state, which may begin anew with a point.
    last: f64,
    /// Whether the deviation that lasts was heard when it began.
    is_heard: bool,
    is_warm: bool,
}

impl Mind {
    /// Whether its scores count yet.
    pub(super) fn is_warm(&self) -> bool {
        self.is_warm
    }

    /// When they will, Unix seconds, if that is known.
    pub(super) fn ready_at(&self) -> Option<f64> {
        self.adaptive.ready_at()
    }

    /// How far it has learnt the metric.
    pub(super) fn warming(&self, metric: &str) -> Warming {
        Warming {
            metric: metric.to_owned(),
            warmth: self.adaptive.warmth(),
            ready_at: self.ready_at(),
        }
    }

    fn new(rule: u16) -> Self {
        Self {
            adaptive: Adaptive::default(),
            alerted: Alerted::default(),
            slot: None,
            rule,
            last: f64::NEG_INFINITY,
            is_heard: false,
            is_warm: false,
        }
    }

    /// What is saved beside the state.
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self.is_heard));
        bytes.extend(self.last.to_le_bytes());
        for (time, score) in &self.alerted.falling {
            bytes.extend(time.to_le_bytes());
            bytes.extend(score.to_le_bytes());
        }
    }

    /// The state and what is saved beside it.
    pub(super) fn saved(&self) -> (Adaptive, Vec<u8>) {
        let mut beside = Vec::new();
        self.write(&mut beside);
        (self.adaptive.clone(), beside)
    }

    fn read(adaptive: Adaptive, bytes: &[u8], rule: u16) -> Self {
        let (head, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let (last, falling) = rest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let (falling, _) = falling.as_chunks::<12>();
        let falling = falling.iter().filter_map(|entry| {
            let time = f64::from_le_bytes(*entry.first_chunk()?);
            Some((time, f32::from_le_bytes(*entry.last_chunk()?)))
        });
        Self {
            is_warm: adaptive.warmth() >= 1.0,
            adaptive,
            alerted: Alerted {
                falling: falling.collect(),
            },
            slot: None,
            rule,
            last: f64::from_le_bytes(*last),
            is_heard: *head == 1,
        }
    }

    /// Takes over what a backfill has learnt if that reaches further back than what is known; what has come since its last
    /// point is in the window, and is shown to it again. If it is not in there, and was seen, what was seen is worth more.
    fn take_over(&mut self, taught: Option<Adaptive>, window: Window<'_>) -> bool {
        let since = |state: &Adaptive| state.since().unwrap_or(f64::INFINITY);
        let begin = window.times().first().copied().unwrap_or(f64::INFINITY);
        let is_worth_more = |taught: &Adaptive| {
            let reaches_window = taught.last_time().is_some_and(|last| last + LONGER >= begin);
            since(taught) + LONGER < since(&self.adaptive)
                && (reaches_window || self.adaptive.since().is_none())
        };
        let Some(adaptive) = taught.filter(is_worth_more) else {
            return false;
        };
        self.last = adaptive.last_time().unwrap_or(f64::NEG_INFINITY);
        self.is_warm = adaptive.warmth() >= 1.0;
        self.adaptive = adaptive;
        true
    }

    /// What it knows, for tests.
    #[cfg(test)]
    pub(super) fn state(&self) -> &Adaptive {
        &self.adaptive
    }
}

/// What a look came to.
pub(super) enum Sight {
    /// It is still learning: the classic votes serve.
    Warming,
    /// Nothing to speak of.
    Normal,
    /// Something is wrong.
    Anomalous(Box<Found>),
}

/// An anomaly by score.
pub(super) struct Found {
    pub(super) report: Report,
    /// Time of the point, Unix seconds.
    at: f64,
    opens: bool,
}

/// What a look for people shows.
pub(super) struct Examined {
    pub(super) is_anomalous: bool,
    pub(super) warmth: f64,
    pub(super) ready_at: Option<f64>,
    pub(super) since: Option<f64>,
    pub(super) judged: Anomaly,
}

/// A worker's means of looking with the adaptive profile.
pub(super) struct MindDesk {
    options: Arc<AdaptiveOptions>,
    memory: MemoryDesk,
    /// What serves during this pass.
    model: Option<Arc<dyn Forecasts>>,
}

impl MindDesk {
    pub(super) fn new(options: Arc<AdaptiveOptions>) -> Self {
        Self {
            memory: options.memory.desk(),
            options,
            model: None,
        }
    }

    /// Takes the model that serves now for the pass that begins.
    pub(super) fn begin(&mut self) {
        self.model = self.options.learned.as_ref().and_then(|learned| learned());
    }

    /// Shows a metric's mind what is new in the canonical window. `oldest`: points before it are no anomalies any more.
    ///
    /// # Errors
    /// The message of a panic; the mind is then empty.
    pub(super) fn look(
        &mut self,
        name: &Arc<str>,
        mind: &mut Option<Box<Mind>>,
        window: Window<'_>,
        oldest: f64,
    ) -> Result<Sight, String> {
        let Self {
            options,
            memory,
            model,
        } = self;
        let is_first = mind.is_none();
        let kept = mind.get_or_insert_with(|| {
            let rule = rule_of(&options.rules, name);
            Box::new(match options.states.take(name) {
                Some((adaptive, rest)) => Mind::read(adaptive, &rest, rule),
                None => Mind::new(rule),
            })
        });
        let is_first = kept.take_over(options.states.taught(name), window) || is_first;
        let rule = &options.rules[usize::from(kept.rule)];
        let shown = catch_unwind(AssertUnwindSafe(|| {
            kept.show(name, window, rule, model.as_deref(), is_first, oldest, memory)
        }));
        shown.map_err(|panic| {
            *mind = None;
            format!("the adaptive profile panicked: {}", message(&*panic))
        })
    }

    /// Saves some metrics' states under a name that is theirs each time.
    pub(super) fn save<'m>(
        &self,
        part: &str,
        metrics: impl Iterator<Item = (&'m Arc<str>, Option<&'m Mind>)>,
    ) {
        let mut saved = Part::new(part);
        for (name, mind) in metrics {
            match mind {
                Some(mind) => saved.add(name, &mind.adaptive, mind.last, |bytes| mind.write(bytes)),
                // Not looked at since the start: what was saved before is still all there is.
                None => {
                    if let Some((adaptive, rest)) = self.options.states.look_at(name) {
                        let last = Mind::read(adaptive.clone(), &rest, 0).last;
                        saved.add(name, &adaptive, last, |bytes| bytes.extend(rest));
                    }
                }
            }
        }
        self.options.saver.save(saved);
    }

    /// Keeps what is known of metrics that are not watched any more, for when they come back.
    pub(super) fn leave<'m>(&self, metrics: impl Iterator<Item = (&'m Arc<str>, &'m Mind)>) {
        let mut has_left = false;
        for (name, mind) in metrics {
            has_left = true;
            let states = &self.options.states;
            states.leave(name, &mind.adaptive, mind.last, |bytes| mind.write(bytes));
        }
        if has_left {
            self.options.saver.save_unclaimed();
        }
    }

    /// Gives to the disk what the pass left.
    pub(super) fn rest(&mut self) {
        self.memory.rest();
    }
}

impl Mind {
    #[expect(clippy::too_many_arguments, reason = "all that a look depends on, once")]
    fn show(
        &mut self,
        name: &Arc<str>,
        window: Window<'_>,
        rule: &Rule,
        model: Option<&dyn Forecasts>,
        is_first: bool,
        oldest: f64,
        memory: &mut MemoryDesk,
    ) -> Sight {
        let mut slot = self.slot;
        let mut hours = memory.of(name, &mut slot);
        let (times, values) = (window.times(), window.values());
        let seen = self.last;
        let from = times.partition_point(|&time| time <= seen);
        let asked_from = times.len().saturating_sub(ASKED);
        let mut worst: Option<Found> = None;
        for (index, (&time, &value)) in (from..).zip(times[from..].iter().zip(&values[from..])) {
            let forecast = model.filter(|_| index >= asked_from).and_then(|model| {
                let so_far = Window::sorted(&times[..=index], &values[..=index]);
                model.forecast(name, so_far, self.adaptive.is_rate())
            });
            let reading = self.adaptive.observe_with(time, value, forecast, &mut hours);
            let score = reading.score;
            let is_last = index + 1 == times.len();
            let found = (score >= rule.threshold)
                .then(|| self.found(rule, time))
                .flatten();
            let Some(mut found) = found else {
                self.is_heard = false;
                continue;
            };
            self.is_heard |= self.alerted.hear(time, score, rule.rest);
            found.opens = self.is_heard;
            let counts = is_last || (!is_first && time >= oldest);
            if counts && worst.as_ref().is_none_or(|worst| score >= worst.report.score) {
                worst = Some(found);
            }
        }
        drop(hours);
        self.slot = slot;
        self.last = times.last().map_or(seen, |last| last.max(seen));
        self.is_warm = self.adaptive.warmth() >= 1.0;
        if from == times.len() && !times.is_empty() {
            // Nothing new: what is wrong stays wrong.
            let found = self.found(rule, seen);
            worst = found.filter(|found| found.report.score >= rule.threshold);
        }
        match worst {
            _ if !self.is_warm => Sight::Warming,
            Some(found) => Sight::Anomalous(Box::new(found)),
            None => Sight::Normal,
        }
    }

    /// Looks at one metric for people: a state as it was saved, or as a backfill has `taught` it, or none, is shown the
    /// window, and nothing is kept.
    /// Answers the newest point as if it were an anomaly, whether it is one, and how far the metric is learnt: 0 to 1, and
    /// when it will be, Unix seconds.
    ///
    /// # Errors
    /// The message of a panic.
    pub(super) fn examine(
        name: &Arc<str>,
        rules: &[Rule],
        saved: Option<(Adaptive, Vec<u8>)>,
        taught: Option<Adaptive>,
        memory: &Memory,
        model: Option<&dyn Forecasts>,
        window: Window<'_>,
    ) -> Result<Examined, String> {
        let rule = rule_of(rules, name);
        let mut mind = match saved {
            Some((adaptive, rest)) => Self::read(adaptive, &rest, rule),
            None => Self::new(rule),
        };
        mind.take_over(taught, window);
        let rule = &rules[usize::from(rule)];
        let mut memory = memory.desk();
        let shown = catch_unwind(AssertUnwindSafe(|| {
            let sight = mind.show(name, window, rule, model, true, f64::INFINITY, &mut memory);
            let found = Found {
                report: mind.adaptive.report(),
                at: mind.last,
                opens: mind.is_heard,
            };
            Examined {
                is_anomalous: matches!(sight, Sight::Anomalous(_)),
                warmth: mind.adaptive.warmth(),
                ready_at: mind.ready_at(),
                since: mind.adaptive.since(),
                judged: found.describe(name, window, false),
            }
        }));
        shown.map_err(|panic| format!("the adaptive profile panicked: {}", message(&*panic)))
    }

    /// The newest point as an anomaly, if it matters.
    fn found(&self, rule: &Rule, at: f64) -> Option<Found> {
        let report = self.adaptive.report();
        rule.matters(&report).then_some(Found {
            report,
            at,
            opens: self.is_heard,
        })
    }
}

impl Found {
    /// The anomaly in everybody's words; `in_full` adds the window.
    pub(super) fn describe(self, metric: &str, window: Window<'_>, in_full: bool) -> Anomaly {
        let Self {
            mut report,
            at,
            opens,
        } = self;
        if report.is_rate {
            per_step(&mut report, window, at);
        }
        let parts = report.parts.iter().map(|part| DetectorVote {
            detector: part.detector.to_owned(),
            answer: Some(part.score >= 1.0),
            measured: f64::from(part.score),
            limit: 1.0,
        });
        let mut evidence = Evidence {
            rate: report.is_rate,
            ..Evidence::default()
        };
        if in_full {
            let mut rates = Series::default();
            let judged = if report.is_rate {
                counter::rates(window, &mut rates);
                rates.window()
            } else {
                window
            };
            evidence.times = judged.times().to_vec();
            evidence.values = judged.values().to_vec();
        }
        Anomaly {
            subject: Subject::Metric(metric.to_owned()),
            at,
            observed: report.observed,
            expected: Some(Expected {
                low: report.low,
                high: report.high,
                centre: report.expected,
            }),
            votes: parts.collect(),
            evidence,
            sentence: report.sentence,
            strength: Some(Strength {
                score: f64::from(report.score),
                opens,
            }),
        }
    }
}

/// A counter's report speaks of the rate a second, messages and charts of what is added from point to point.
fn per_step(report: &mut Report, window: Window<'_>, at: f64) {
    let times = window.times();
    let place = times.partition_point(|&time| time < at);
    let before = place.checked_sub(1).and_then(|before| times.get(before));
    let Some(step) = before.map(|before| at - before) else {
        return;
    };
    for value in [
        &mut report.observed,
        &mut report.expected,
        &mut report.low,
        &mut report.high,
    ] {
        *value *= step;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skywatch_algorithms::streaming::Rest;

    use super::*;

    fn rule() -> Rule {
        Rule {
            metrics: None,
            threshold: 1.0,
            direction: AlertDirection::Both,
            min_relative_change: 0.0,
            min_absolute_change: 0.0,
            rest: 600.0,
        }
    }

    fn report(observed: f64, expected: f64) -> Report {
        let mut report = Adaptive::default().report();
        (report.observed, report.expected) = (observed, expected);
        report
    }

    #[test]
    fn only_what_matters_is_spoken_of() {
        let up = Rule {
            direction: AlertDirection::Up,
            ..rule()
        };
        assert!(up.matters(&report(2.0, 1.0)) && !up.matters(&report(0.0, 1.0)));
        let down = Rule {
            direction: AlertDirection::Down,
            ..rule()
        };
        assert!(!down.matters(&report(2.0, 1.0)) && down.matters(&report(0.0, 1.0)));
        let large = Rule {
            min_relative_change: 0.5,
            min_absolute_change: 10.0,
            ..rule()
        };
        assert!(
            !large.matters(&report(14.0, 10.0)),
            "too small a share and too few"
        );
        assert!(!large.matters(&report(119.0, 100.0)) && !large.matters(&report(8.0, 1.0)));
        assert!(large.matters(&report(-160.0, -100.0)));
    }

    proptest! {
        /// Alerts are heard as the rest of the replay hears them.
        #[test]
        fn the_rest_is_the_one_of_the_replay(
            points in prop::collection::vec((1_u32..400, 0_u32..40), 0..200),
            rest in 0_u32..3_000,
        ) {
            let rest = f64::from(rest);
            let (mut ours, mut theirs) = (Alerted::default(), Rest::new(rest));
            let mut time = 0.0;
            for (step, score) in points {
                time += f64::from(step);
                let score = score as f32 / 10.0;
                let heard = theirs.hear(time, score) >= 1.0;
                prop_assert_eq!(score >= 1.0 && ours.hear(time, score, rest), heard);
                let known = Mind { alerted: ours.clone(), ..Mind::new(0) };
                let mut bytes = Vec::new();
                known.write(&mut bytes);
                prop_assert_eq!(&Mind::read(Adaptive::default(), &bytes, 0).alerted, &ours);
            }
        }
    }
}
