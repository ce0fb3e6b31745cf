//! What the adaptive profile keeps of one metric, and what it makes of its window.
//!
//! A state learns a point only when a later one has come. The newest point is judged on a copy of the state
//! ([`Trial`], one for all metrics of a worker) and learnt when its successor comes; so a corrected newest value is
//! judged again, and costs no second state. Points ahead of the clock are not shown before the clock has reached them,
//! give or take a step of the metric's own, and blind nobody meanwhile. Points older than what is learnt stand in the
//! window and change nothing else.
//!
//! The newest point is kept beside the state: of a metric that speaks once a day it has left the window when the next
//! one comes. The rest after an alert is kept here too, so that it is saved with the state.

use std::sync::Arc;

use skywatch_algorithms::streaming::{Adaptive, Forecasts, Standing};
use skywatch_algorithms::{Exception, Window};

use super::found::Found;
use super::rule::{Alerted, Point, Rule, exclusion, stale_after};
use crate::baseline::{BaselineHandle, MetricSlot};

/// A state that a backfill has learnt must reach so much further back than what is known already, seconds.
const LONGER: f64 = 3_600.0;
/// Of many new points, as on a first look, a model is asked about so many of the last: enough to know how wrong it is.
const ASKED: usize = 512;

/// What was alerted of.
#[derive(Debug, Clone, Default, PartialEq)]
struct Alerts {
    alerted: Alerted,
    /// Whether the deviation that lasts was heard when it began.
    is_heard: bool,
}

impl Alerts {
    /// Takes the score of the next point; whether it opens an incident.
    fn take(&mut self, time: f64, score: f32, rest: f64) -> bool {
        self.is_heard = score >= 1.0 && (self.is_heard | self.alerted.hear(time, score, rest));
        self.is_heard
    }
}

/// What is known of one metric.
pub(super) struct MetricState {
    /// All points but the newest.
    adaptive: Adaptive,
    alerts: Alerts,
    /// Time of the last point learnt, Unix seconds. Kept apart from the state, which may begin anew with a point.
    learnt: f64,
    /// Time and value of the point judged last, which is not learnt yet.
    newest: Option<(f64, f64)>,
    slot: Option<MetricSlot>,
    rule: u16,
}

/// Where newest points are judged; written over each time.
#[derive(Default)]
pub(super) struct Trial {
    adaptive: Adaptive,
    alerts: Alerts,
}

/// What a look depends on besides the metric.
pub(super) struct Circumstances<'c> {
    pub(super) rule: &'c Rule,
    pub(super) model: Option<&'c dyn Forecasts>,
    /// Unix seconds.
    pub(super) now: f64,
    pub(super) stale_period: f64,
    /// Whether only the newest point can be an anomaly: those before were there before us.
    pub(super) is_first: bool,
}

/// What a look came to.
pub(super) struct Sight {
    pub(super) verdict: Judged,
    /// Time of the newest point that counts, Unix seconds; that of the last one learnt if there is no newer.
    pub(super) at: f64,
}

/// The verdict on a metric.
pub(super) enum Judged {
    /// It is not judged.
    Excluded(Exception),
    /// Nothing to speak of.
    Normal,
    /// Something is wrong.
    Anomalous(Box<Found>),
}

impl MetricState {
    pub(super) fn new(rule: usize) -> Self {
        Self {
            adaptive: Adaptive::default(),
            alerts: Alerts::default(),
            learnt: f64::NEG_INFINITY,
            newest: None,
            slot: None,
            rule: rule as u16,
        }
    }

    /// The state proper: all points but the newest.
    pub(super) fn adaptive(&self) -> &Adaptive {
        &self.adaptive
    }

    /// Which of the rules holds for it.
    pub(super) fn rule(&self) -> usize {
        usize::from(self.rule)
    }

    /// Time of the last point learnt, Unix seconds: what comes with this time or an earlier one comes too late.
    pub(super) fn learnt(&self) -> f64 {
        self.learnt
    }

    /// Takes over what a backfill has learnt if that reaches further back than what is known; whether it did. What has come
    /// since its last point is in the window, and is shown to it again. If it is not in there, and was seen, what was seen is
    /// worth more.
    pub(super) fn take_over(&mut self, taught: Option<Adaptive>, window: Window<'_>) -> bool {
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
        self.learnt = adaptive.last_time().unwrap_or(f64::NEG_INFINITY);
        self.newest = None;
        self.adaptive = adaptive;
        true
    }

    /// The state proper and what is saved beside it.
    pub(super) fn saved(&self) -> (Adaptive, Vec<u8>) {
        let mut beside = Vec::new();
        self.write(&mut beside);
        (self.adaptive.clone(), beside)
    }

    /// Appends what is saved beside the state proper.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let (time, value) = self.newest.unwrap_or((f64::NAN, f64::NAN));
        bytes.push(u8::from(self.alerts.is_heard));
        for number in [self.learnt, time, value] {
            bytes.extend(number.to_le_bytes());
        }
        for (time, score) in &self.alerts.alerted.falling {
            bytes.extend(time.to_le_bytes());
            bytes.extend(score.to_le_bytes());
        }
    }

    /// Reads what [`MetricState::write`] wrote.
    pub(super) fn read(adaptive: Adaptive, bytes: &[u8], rule: usize) -> Self {
        let (head, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let (numbers, falling) = rest.split_first_chunk::<24>().unwrap_or((&[0; 24], &[]));
        let (numbers, _) = numbers.as_chunks::<8>();
        let number = |place: usize| {
            numbers
                .get(place)
                .map_or(f64::NAN, |bytes| f64::from_le_bytes(*bytes))
        };
        let (falling, _) = falling.as_chunks::<12>();
        let falling = falling.iter().filter_map(|entry| {
            let time = f64::from_le_bytes(*entry.first_chunk()?);
            Some((time, f32::from_le_bytes(*entry.last_chunk()?)))
        });
        Self {
            adaptive,
            alerts: Alerts {
                alerted: Alerted {
                    falling: falling.collect(),
                },
                is_heard: *head == 1,
            },
            learnt: number(0),
            newest: Some((number(1), number(2))).filter(|(time, _)| time.is_finite()),
            ..Self::new(rule)
        }
    }

    /// Shows it what is new in the canonical window.
    pub(super) fn show(
        &mut self,
        name: &Arc<str>,
        window: Window<'_>,
        with: &Circumstances<'_>,
        memory: &mut BaselineHandle,
        trial: &mut Trial,
    ) -> Sight {
        let (times, values) = (window.times(), window.values());
        let asked_from = times.len().saturating_sub(ASKED);
        let point = |index: usize, is_rate: bool| {
            let model = with.model.filter(|_| index >= asked_from);
            let so_far = Window::sorted(&times[..=index], &values[..=index]);
            Point {
                time: times[index],
                value: values[index],
                forecast: model.and_then(|model| model.forecast(name, so_far, is_rate)),
            }
        };
        let is_due = |state: &Adaptive, index: usize| {
            let time = times.get(index);
            time.is_some_and(|&time| time <= with.now + state.step())
        };
        let mut worst = None;
        let mut slot = self.slot;
        let mut hours = memory.of(name, &mut slot);
        let mut at = times.partition_point(|&time| time <= self.learnt);
        if let Some((time, value)) = self.newest
            && is_due(&self.adaptive, at)
            && time < times[at]
        {
            // It has left the window.
            let forecast = None;
            self.learn(
                Point {
                    time,
                    value,
                    forecast,
                },
                with,
                &mut hours,
                &mut worst,
            );
        }
        while is_due(&self.adaptive, at + 1) {
            let point = point(at, self.adaptive.is_rate());
            self.learn(point, with, &mut hours, &mut worst);
            at += 1;
        }
        drop(hours);
        self.slot = slot;
        let newest = match self.newest {
            _ if is_due(&self.adaptive, at) => point(at, self.adaptive.is_rate()),
            // The clock went back, or what is stored now is older.
            Some((time, value)) if time > self.learnt => Point {
                time,
                value,
                forecast: None,
            },
            _ => {
                return Sight {
                    verdict: Judged::Excluded(Exception::TooShort),
                    at: self.learnt,
                };
            }
        };
        self.newest = Some((newest.time, newest.value));
        let found = self.try_newest(name, newest, with, memory, trial);
        let is_worse = |found: &Found| {
            worst
                .as_ref()
                .is_none_or(|worst: &Found| found.score() >= worst.score())
        };
        let found = match found {
            Some(found) if is_worse(&found) => Some(found),
            _ => worst,
        };
        let verdict = match (
            exclusion(&self.adaptive, with.now - newest.time, with.stale_period),
            found,
        ) {
            (Some(exception), _) => Judged::Excluded(exception),
            (None, Some(found)) => Judged::Anomalous(Box::new(found)),
            (None, None) => Judged::Normal,
        };
        Sight {
            verdict,
            at: newest.time,
        }
    }

    /// Learns a point that a later one has followed. Several may have come since the last look, and each may be the
    /// anomaly: a pass that came late must not hide a spike. But not what was judged before as the newest, what was there
    /// before us, nor what is stale.
    fn learn(
        &mut self,
        point: Point,
        with: &Circumstances<'_>,
        hours: &mut impl skywatch_algorithms::streaming::LongMemory,
        worst: &mut Option<Found>,
    ) {
        let was_judged = self
            .newest
            .is_some_and(|(time, value)| time == point.time && value.to_bits() == point.value.to_bits());
        let score = with.rule.observe(&mut self.adaptive, point, hours);
        let opens = self.alerts.take(point.time, score, with.rule.rest);
        self.learnt = point.time;
        let counts = !with.is_first
            && !was_judged
            && with.now - point.time <= stale_after(&self.adaptive, with.stale_period);
        if score >= 1.0 && counts && worst.as_ref().is_none_or(|worst| score >= worst.score()) {
            *worst = Some(Found::new(&self.adaptive, with.rule, point.time, score, opens));
        }
    }

    /// Judges the newest point and keeps nothing of that.
    fn try_newest(
        &self,
        name: &Arc<str>,
        newest: Point,
        with: &Circumstances<'_>,
        memory: &mut BaselineHandle,
        trial: &mut Trial,
    ) -> Option<Found> {
        trial.adaptive.clone_from(&self.adaptive);
        trial.alerts.clone_from(&self.alerts);
        let mut slot = self.slot;
        let mut hours = memory.of(name, &mut slot).without_saving();
        let score = with.rule.observe(&mut trial.adaptive, newest, &mut hours);
        let opens = trial.alerts.take(newest.time, score, with.rule.rest);
        (score >= 1.0).then(|| Found::new(&trial.adaptive, with.rule, newest.time, score, opens))
    }
}

impl Trial {
    /// The newest point of the metric looked at last, as if it were an anomaly.
    pub(super) fn found(&self, rule: &Rule, at: f64) -> Found {
        let score = self.adaptive.report_at(rule.sensitivity).score;
        Found::new(&self.adaptive, rule, at, score, self.alerts.is_heard)
    }

    /// Where the metric looked at last was before it settled on a new level, if it did.
    pub(super) fn settled(&self, rule: &Rule) -> Option<f64> {
        match self.adaptive.standing(rule.sensitivity) {
            Standing::Settled { before } => Some(before),
            Standing::Usual | Standing::Out => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read() {
        let mut state = MetricState::new(3);
        state.learnt = 1.7e9;
        for newest in [None, Some((1.7e9 + 60.0, -2.5))] {
            state.newest = newest;
            state.alerts.take(1.0, 2.0, 600.0);
            state.alerts.take(2.0, 1.5, 600.0);
            let mut bytes = Vec::new();
            state.write(&mut bytes);
            let read = MetricState::read(Adaptive::default(), &bytes, 3);
            assert_eq!(
                (read.learnt, read.newest, read.rule),
                (state.learnt, newest, state.rule)
            );
            assert_eq!(read.alerts, state.alerts);
        }
    }
}
