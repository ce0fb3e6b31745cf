//! What the adaptive profile keeps of one metric, and what it makes of its window.
//!
//! The window's points go through the [`PendingState`]; the newest is judged on a copy of it ([`Trial`], one for all
//! metrics of a worker), so that no metric costs a second state. Points ahead of the clock are not shown before the clock
//! has reached them, give or take a step of the metric's own, and hide nothing meanwhile. Points older than what is learnt
//! stand in the window and change nothing else.
//!
//! The newest point is kept beside the state: of a metric that speaks once a day it has left the window when the next
//! one comes. The rest after an alert is kept here too, so that it is saved with the state.

use std::sync::Arc;

use skywatch_algorithms::streaming::{Adaptive, Forecasts, LongMemory, MetricStanding, Rest};
use skywatch_algorithms::{Ballot, Exception, Verdict, Window};

use super::evaluation::Evaluation;
use super::pending_state::PendingState;
use super::rule::{AlarmRule, ObservedPoint, exclusion, stale_after};
use super::scored::ScoredAnomaly;
use crate::baseline::{BaselineHandle, MetricSlot};

/// A state that a backfill has learnt must reach so much further back than what is known already, seconds: an hour, the
/// least that the long memory could gain by it.
const LONGER: f64 = 3_600.0;
/// Of many new points, as on a first look, a model is asked about so many of the last: enough to know how wrong it is.
const ASKED: usize = 512;
/// Marks what is saved in a form that says how many alerts there are.
const COUNTED: u8 = 2;

/// What was alerted of.
#[derive(Debug, Clone, Default, PartialEq)]
struct Alerts {
    rest: Rest,
    /// Whether the deviation that lasts passed the rest when it began.
    is_open: bool,
}

impl Alerts {
    /// Takes the score of the next point; whether it opens an incident. `rest`: seconds.
    fn take(&mut self, time: f64, score: f32, rest: f64) -> bool {
        // Asked whatever is open: the rest must know every alert.
        self.is_open = score >= 1.0 && (self.is_open | self.rest.passes(time, score, rest));
        self.is_open
    }
}

/// What is known of one metric.
pub(super) struct AdaptiveMetric {
    state: PendingState,
    alerts: Alerts,
    slot: Option<MetricSlot>,
    rule: u16,
    /// Whether this process has not looked at it yet: its points so far were there before us.
    is_new: bool,
}

/// Where newest points are judged; written over each time.
#[derive(Default)]
pub(super) struct Trial {
    adaptive: Adaptive,
    alerts: Alerts,
}

/// What a worker reuses from metric to metric.
pub(super) struct Workspace {
    pub(super) hours: BaselineHandle,
    pub(super) trial: Trial,
}

/// One look at a metric.
pub(super) struct AdaptiveLook<'l> {
    pub(super) name: &'l Arc<str>,
    /// Canonical.
    pub(super) window: Window<'l>,
    pub(super) rule: &'l AlarmRule,
    pub(super) model: Option<&'l dyn Forecasts>,
    /// Unix seconds.
    pub(super) now: f64,
    /// Seconds.
    pub(super) stale_period: f64,
    /// Whether only the newest point can be an anomaly: those before were there before us.
    pub(super) is_first: bool,
}

impl AdaptiveLook<'_> {
    /// A point of the window, with what the model expects of it.
    fn point(&self, index: usize, is_rate: bool) -> ObservedPoint {
        let (times, values) = (self.window.times(), self.window.values());
        let model = self.model.filter(|_| index >= times.len().saturating_sub(ASKED));
        let so_far = Window::sorted(&times[..=index], &values[..=index]);
        ObservedPoint {
            time: times[index],
            value: values[index],
            forecast: model.and_then(|model| model.forecast(self.name, so_far, is_rate)),
        }
    }

    /// Whether the clock has reached a point of the window, give or take a step of the metric's.
    fn is_due(&self, state: &Adaptive, index: usize) -> bool {
        let time = self.window.times().get(index);
        time.is_some_and(|&time| time <= self.now + state.step())
    }
}

impl AdaptiveMetric {
    pub(super) fn new(rule: usize) -> Self {
        Self {
            state: PendingState::default(),
            alerts: Alerts::default(),
            slot: None,
            rule: rule as u16,
            is_new: true,
        }
    }

    /// The state proper: all points but the newest.
    pub(super) fn adaptive(&self) -> &Adaptive {
        &self.state.adaptive
    }

    /// Which of the rules holds for it.
    pub(super) fn rule(&self) -> usize {
        usize::from(self.rule)
    }

    /// Whether no look of this process has shown it anything yet.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Follows another rule from here on.
    pub(super) fn follow_rule(&mut self, rule: usize) {
        self.rule = rule as u16;
    }

    /// Time of the last point learnt, Unix seconds: what comes with this time or an earlier one comes too late.
    pub(super) fn learnt(&self) -> f64 {
        self.state.learnt
    }

    /// Takes over what a backfill has learnt if that reaches further back than what is known; whether it did. What has come
    /// since its last point is in the window, and is shown to it again. If it is not in there, and was seen, what was seen is
    /// worth more.
    pub(super) fn take_over(&mut self, taught: Option<Adaptive>, window: Window<'_>) -> bool {
        let known = &self.state.adaptive;
        let since = |state: &Adaptive| state.since().unwrap_or(f64::INFINITY);
        let begin = window.times().first().copied().unwrap_or(f64::INFINITY);
        let is_worth_more = |taught: &Adaptive| {
            let reaches_window = taught.last_time().is_some_and(|last| last + LONGER >= begin);
            since(taught) + LONGER < since(known) && (reaches_window || known.since().is_none())
        };
        let Some(adaptive) = taught.filter(is_worth_more) else {
            return false;
        };
        self.state = PendingState {
            learnt: adaptive.last_time().unwrap_or(f64::NEG_INFINITY),
            newest: None,
            adaptive,
        };
        true
    }

    /// The state proper and what is saved beside it.
    pub(super) fn saved(&self) -> (Adaptive, Vec<u8>) {
        let mut beside = Vec::new();
        self.write(&mut beside);
        (self.adaptive().clone(), beside)
    }

    /// Appends what is saved beside the state proper: whether an alert is open (one byte, with [`COUNTED`]); time of the last
    /// point learnt, time and value of the newest (eight bytes each, NaN for none); the number of alerts within the rest (one),
    /// the latest ones, time and score of each (twelve).
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let newest = self.state.newest;
        let (time, value) = newest.map_or((f64::NAN, f64::NAN), |point| (point.time, point.value));
        bytes.push(COUNTED | u8::from(self.alerts.is_open));
        for number in [self.state.learnt, time, value] {
            bytes.extend(number.to_le_bytes());
        }
        let kept: Vec<_> = self.alerts.rest.kept().collect();
        let latest = &kept[kept.len().saturating_sub(usize::from(u8::MAX))..];
        bytes.push(latest.len() as u8);
        for &(time, score) in latest {
            bytes.extend(time.to_le_bytes());
            bytes.extend(score.to_le_bytes());
        }
    }

    /// The metric of a state proper and what [`AdaptiveMetric::write`] wrote, or the version before it, whose alerts are all
    /// that follows; what lies behind it is taken off to the second.
    pub(super) fn read(adaptive: Adaptive, beside: &[u8], rule: usize) -> (Self, &[u8]) {
        let mut metric = Self::new(rule);
        metric.state.adaptive = adaptive;
        let behind = metric.read_beside(beside);
        (metric, behind)
    }

    /// The same of a state proper with that behind it, read where it will stay: it is large, and a start reads very many.
    pub(super) fn unpack(mut bytes: &[u8], rule: usize) -> Option<(Box<Self>, &[u8])> {
        let mut metric = Box::new(Self::new(rule));
        metric.state.adaptive.read_in_place(&mut bytes)?;
        let behind = metric.read_beside(bytes);
        Some((metric, behind))
    }

    /// Reads what is saved beside the state proper; what lies behind it.
    fn read_beside<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (head, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let (numbers, rest) = rest.split_first_chunk::<24>().unwrap_or((&[0; 24], &[]));
        let (alerts, behind) = match rest.split_first() {
            Some((&alerts, rest)) if head & COUNTED != 0 => {
                rest.split_at(rest.len().min(12 * usize::from(alerts)))
            }
            _ => (rest, &[][..]),
        };
        let (numbers, _) = numbers.as_chunks::<8>();
        let number = |place: usize| {
            numbers
                .get(place)
                .map_or(f64::NAN, |bytes| f64::from_le_bytes(*bytes))
        };
        let (alerts, _) = alerts.as_chunks::<12>();
        let alerts = alerts.iter().filter_map(|entry| {
            let time = f64::from_le_bytes(*entry.first_chunk()?);
            Some((time, f32::from_le_bytes(*entry.last_chunk()?)))
        });
        let newest = ObservedPoint::plain(number(1), number(2));
        self.state.learnt = number(0);
        self.state.newest = Some(newest).filter(|newest| newest.time.is_finite());
        self.alerts = Alerts {
            rest: alerts.collect(),
            is_open: head & 1 != 0,
        };
        behind
    }

    /// Shows it what is new in the window.
    pub(super) fn look(&mut self, look: &AdaptiveLook<'_>, workspace: &mut Workspace) -> Evaluation {
        self.is_new = false;
        let times = look.window.times();
        let mut worst = None;
        let mut slot = self.slot;
        let mut hours = workspace.hours.of(look.name, &mut slot);
        let mut at = times.partition_point(|&time| time <= self.state.learnt);
        if let Some(newest) = self.state.newest
            && look.is_due(self.adaptive(), at)
            && newest.time < times[at]
        {
            // It has left the window, and what a model expected of it is not saved.
            let newest = ObservedPoint::plain(newest.time, newest.value);
            self.learn(newest, look, &mut hours, &mut worst);
        }
        while look.is_due(self.adaptive(), at + 1) {
            let point = look.point(at, self.adaptive().is_rate());
            self.learn(point, look, &mut hours, &mut worst);
            at += 1;
        }
        drop(hours);
        self.slot = slot;
        let newest = match self.state.newest {
            _ if look.is_due(self.adaptive(), at) => look.point(at, self.adaptive().is_rate()),
            // The clock went back, or what is stored now is older.
            Some(newest) if newest.time > self.state.learnt => {
                ObservedPoint::plain(newest.time, newest.value)
            }
            _ => return Evaluation::excluded(Exception::TooShort, self.state.learnt),
        };
        let found = self.judge(newest, look, workspace);
        let is_worse = |found: &ScoredAnomaly| {
            worst
                .as_ref()
                .is_none_or(|worst: &ScoredAnomaly| found.score() >= worst.score())
        };
        let found = match found {
            Some(found) if is_worse(&found) => Some(found),
            _ => worst,
        };
        let age = look.now - newest.time;
        if let Some(exception) = exclusion(self.adaptive(), age, look.stale_period) {
            return Evaluation::excluded(exception, newest.time);
        }
        Evaluation {
            verdict: Verdict::Judged {
                anomalous: found.is_some(),
                ballot: Ballot::default(),
            },
            at: newest.time,
            scored: found.map(Box::new),
        }
    }

    /// Learns a point that a later one has followed. Several may have come since the last look, and each may be the
    /// anomaly: a pass that came late must not hide a spike. But not what was judged before as the newest, what was there
    /// before us, nor what is stale.
    fn learn(
        &mut self,
        point: ObservedPoint,
        look: &AdaptiveLook<'_>,
        hours: &mut impl LongMemory,
        worst: &mut Option<ScoredAnomaly>,
    ) {
        let was_judged = self.state.newest.is_some_and(|newest| {
            newest.time == point.time && newest.value.to_bits() == point.value.to_bits()
        });
        let score = self.state.learn(point, look.rule, hours);
        let opens = self.alerts.take(point.time, score, look.rule.rest);
        let counts = !look.is_first
            && !was_judged
            && look.now - point.time <= stale_after(self.adaptive(), look.stale_period);
        if score >= 1.0 && counts && worst.as_ref().is_none_or(|worst| score >= worst.score()) {
            *worst = Some(ScoredAnomaly::new(
                self.adaptive(),
                look.rule,
                point.time,
                score,
                opens,
            ));
        }
    }

    /// Judges the newest point and keeps nothing of that.
    fn judge(
        &mut self,
        newest: ObservedPoint,
        look: &AdaptiveLook<'_>,
        workspace: &mut Workspace,
    ) -> Option<ScoredAnomaly> {
        let Workspace { hours, trial } = workspace;
        trial.alerts.clone_from(&self.alerts);
        let mut slot = self.slot;
        let mut hours = hours.of(look.name, &mut slot).without_saving();
        let score = self
            .state
            .judge(newest, look.rule, &mut hours, &mut trial.adaptive);
        let opens = trial.alerts.take(newest.time, score, look.rule.rest);
        (score >= 1.0).then(|| ScoredAnomaly::new(&trial.adaptive, look.rule, newest.time, score, opens))
    }
}

impl Trial {
    /// The newest point of the metric looked at last, as if it were an anomaly.
    pub(super) fn newest(&self, rule: &AlarmRule, at: f64) -> ScoredAnomaly {
        let score = self.adaptive.report_at(rule.sensitivity).score;
        ScoredAnomaly::new(&self.adaptive, rule, at, score, self.alerts.is_open)
    }

    /// Where the metric looked at last was before it settled on a new level, if it did.
    pub(super) fn settled(&self, rule: &AlarmRule) -> Option<f64> {
        match self.adaptive.standing(rule.sensitivity) {
            MetricStanding::Settled { before } => Some(before),
            MetricStanding::Usual | MetricStanding::Out => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_before_alerts_were_counted_is_read() {
        let mut bytes = vec![1];
        for number in [1.7e9, 1.7e9 + 60.0, -2.5, 1.6e9] {
            bytes.extend(f64::to_le_bytes(number));
        }
        bytes.extend(1.5_f32.to_le_bytes());
        let (read, behind) = AdaptiveMetric::read(Adaptive::default(), &bytes, 0);
        assert_eq!(behind, b"");
        assert_eq!(read.state.learnt, 1.7e9);
        assert!(read.alerts.is_open);
        assert_eq!(read.alerts.rest.kept().collect::<Vec<_>>(), [(1.6e9, 1.5)]);
    }

    #[test]
    fn what_is_saved_is_read() {
        let mut metric = AdaptiveMetric::new(3);
        metric.state.learnt = 1.7e9;
        for newest in [None, Some(ObservedPoint::plain(1.7e9 + 60.0, -2.5))] {
            metric.state.newest = newest;
            metric.alerts.take(1.0, 2.0, 600.0);
            metric.alerts.take(2.0, 1.5, 600.0);
            let mut bytes = Vec::new();
            metric.write(&mut bytes);
            bytes.extend(b"behind");
            let (read, behind) = AdaptiveMetric::read(Adaptive::default(), &bytes, 3);
            assert_eq!(behind, b"behind");
            assert_eq!(
                (read.state.learnt, read.state.newest, read.rule),
                (metric.state.learnt, newest, metric.rule)
            );
            assert_eq!(read.alerts, metric.alerts);
        }
    }
}
