//! What one rule says of one metric's points, and within which band each would have been no alarm: for pages that draw it,
//! and for trying another rule before it is set.
//!
//! The state, the rest and the incidents are those of any replay. What it knows of the time before the first point is the
//! hours that were kept of it: levels and noise are learnt from the points themselves, as after a restart without states.
//! Left out: learned models, and whatever routes, silences and grouping make of an alarm.

use std::sync::Arc;

use serde::Serialize;
use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::{Hour, InMemoryHours, LongMemory as _};

use super::player::{Player, RowScorer};
use super::record::{INCIDENT_GAP, MetricRecord};
use crate::analyzer::pending_state::PendingState;
use crate::analyzer::rule::{AlarmRule, ObservedPoint};

/// What a rule would have said of a metric.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RuleReplay {
    /// Points shown.
    pub points: u64,
    /// Unix seconds of the first and the last of them.
    pub first: f64,
    /// See `first`.
    pub last: f64,
    /// Alarms less than half an hour apart are one incident.
    pub incidents: Vec<ReplayedIncident>,
    /// Times at which somebody would have been told, after the rest, Unix seconds.
    pub told: Vec<f64>,
}

/// Alarms that would have been one incident.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplayedIncident {
    /// Unix seconds of its first and last alarm.
    pub from: f64,
    /// See `from`.
    pub until: f64,
    /// The highest score; 1 is the limit.
    pub score: f32,
    /// The value judged then, of a counter what was added since the point before.
    pub observed: f64,
    /// The value expected then.
    pub expected: f64,
    /// Why, in a sentence without a full stop.
    pub sentence: String,
}

/// A metric as it was judged, point by point. All lists are as long as `times`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BandSeries {
    /// Unix seconds.
    pub times: Vec<f64>,
    /// The values, of a counter what was added since the point before; NaN where that cannot be said.
    pub values: Vec<f64>,
    /// Scores at the rule's sensitivity, 1 at the limit; 0 as long as too little was known.
    pub scores: Vec<f32>,
    /// The least value that would have been no alarm; NaN as long as too little was known.
    pub low: Vec<f64>,
    /// The largest.
    pub high: Vec<f64>,
    /// Whether what is added from point to point was judged.
    pub is_rate: bool,
}

impl RuleReplay {
    /// Replays `series`, in canonical order, under `rule`; `hours` are all that are kept of the metric, oldest first.
    #[must_use]
    pub fn of(series: &Series, hours: &[Hour], rule: &AlarmRule) -> Self {
        play(series, hours, rule, false).0
    }

    /// The same, and the score and the band at each point.
    #[must_use]
    pub fn scored(series: &Series, hours: &[Hour], rule: &AlarmRule) -> (Self, BandSeries) {
        play(series, hours, rule, true)
    }

    /// Days from the first to the last point.
    #[must_use]
    pub fn days(&self) -> f64 {
        (self.last - self.first) / 86_400.0
    }
}

fn play(series: &Series, hours: &[Hour], rule: &AlarmRule, with_band: bool) -> (RuleReplay, BandSeries) {
    let Some(&first) = series.times.first() else {
        return Default::default();
    };
    let player = RulePlayer::new(hours, first, with_band);
    let mut scorer = RowScorer::new(player, Arc::from([rule.clone()]));
    let mut record = MetricRecord::new(String::new(), false);
    scorer.begin("");
    for (&time, &value) in series.times.iter().zip(&series.values) {
        // In canonical order the next one is later.
        record.row(time, scorer.row(time, value, f64::INFINITY));
    }
    let player = scorer.into_player();
    let replay = RuleReplay {
        points: record.points,
        first: record.first,
        last: record.last,
        incidents: player.incidents,
        told: record.alerts,
    };
    let is_rate = player.state.adaptive.is_rate();
    let mut scored = player.scored;
    if with_band {
        scored.is_rate = is_rate;
        leave_one_unit(&mut scored, &player.were_rates, series);
    }
    (replay, scored)
}

/// A state finds out after some points that a metric is a counter: what it said before was of another unit and is left out.
fn leave_one_unit(scored: &mut BandSeries, were_rates: &[bool], series: &Series) {
    for (place, &was_rate) in were_rates.iter().enumerate() {
        if was_rate != scored.is_rate {
            (scored.low[place], scored.high[place], scored.scores[place]) = (f64::NAN, f64::NAN, 0.0);
        }
        let before = place.checked_sub(1).and_then(|before| series.values.get(before));
        scored.values[place] = match (scored.is_rate, before) {
            (false, _) => series.values[place],
            // A counter that began anew has added nobody knows what.
            (true, Some(&before)) if series.values[place] >= before => series.values[place] - before,
            (true, _) => f64::NAN,
        };
    }
}

/// The adaptive profile under one rule, with what it said on the way.
struct RulePlayer {
    state: PendingState,
    hours: InMemoryHours,
    rule: AlarmRule,
    /// Time of the point before.
    before: f64,
    incidents: Vec<ReplayedIncident>,
    with_band: bool,
    scored: BandSeries,
    were_rates: Vec<bool>,
}

impl RulePlayer {
    /// Before the point at `first`, Unix seconds; what was kept of later hours was not known then.
    fn new(hours: &[Hour], first: f64, with_band: bool) -> Self {
        let mut past = InMemoryHours::default();
        for hour in hours {
            if f64::from(hour.number + 1) * 3_600.0 <= first {
                past.append(*hour);
            }
        }
        Self {
            state: PendingState::default(),
            hours: past,
            rule: AlarmRule::plain(0.0),
            before: f64::NAN,
            incidents: Vec::new(),
            with_band,
            scored: BandSeries::default(),
            were_rates: Vec::new(),
        }
    }

    /// Takes down what was said of a point.
    fn keep(&mut self, time: f64, score: f32) {
        let is_alarm = score >= 1.0;
        if !is_alarm && !self.with_band {
            return;
        }
        let state = &self.state.adaptive;
        let report = state.report_at(self.rule.sensitivity);
        let step = match report.is_rate && self.before.is_finite() {
            true => time - self.before,
            false => 1.0,
        };
        if self.with_band {
            let is_known = state.is_ready();
            let bound = |bound: f64| if is_known { bound * step } else { f64::NAN };
            self.scored.times.push(time);
            self.scored.values.push(report.observed * step);
            self.scored.scores.push(score);
            self.scored.low.push(bound(report.low));
            self.scored.high.push(bound(report.high));
            self.were_rates.push(report.is_rate);
        }
        if !is_alarm {
            return;
        }
        let found = ReplayedIncident {
            from: time,
            until: time,
            score,
            observed: report.observed * step,
            expected: report.expected * step,
            sentence: report.sentence,
        };
        match self.incidents.last_mut() {
            Some(last) if time - last.until < INCIDENT_GAP => {
                let from = last.from;
                if score > last.score {
                    *last = ReplayedIncident { from, ..found };
                }
                last.until = time;
            }
            _ => self.incidents.push(found),
        }
    }
}

impl Player for RulePlayer {
    fn begin(&mut self, _: &str, rule: &AlarmRule) {
        self.rule = rule.clone();
    }

    fn show(&mut self, time: f64, value: f64, _: bool) -> f32 {
        let point = ObservedPoint::plain(time, value);
        let score = self.state.learn(point, &self.rule, &mut self.hours);
        self.keep(time, score);
        self.before = time;
        score
    }
}

#[cfg(test)]
mod tests {
    use skywatch_settings::AlertDirection;

    use super::*;

    /// Two days of minutes with noise around 10, one spike up and one down.
    fn two_spikes() -> Series {
        let mut series = Series::default();
        for minute in 0..2_880_u32 {
            let noise = f64::from(minute.wrapping_mul(2_654_435_761) >> 22) / 1_024.0;
            let value = match minute {
                2_000 => 500.0,
                2_400 => -500.0,
                _ => 10.0 + noise,
            };
            series.push(1.7e9 + 60.0 * f64::from(minute), value);
        }
        series
    }

    #[test]
    fn another_direction_leaves_out_what_went_the_other_way() {
        let series = two_spikes();
        let both = RuleReplay::of(&series, &[], &AlarmRule::plain(0.0));
        let up = AlarmRule {
            direction: AlertDirection::Up,
            ..AlarmRule::plain(0.0)
        };
        let up = RuleReplay::of(&series, &[], &up);
        let peaks = |replay: &RuleReplay| -> Vec<f64> {
            let incidents = replay.incidents.iter();
            incidents.map(|incident| incident.observed).collect()
        };
        assert_eq!(peaks(&both), [500.0, -500.0]);
        assert_eq!(peaks(&up), [500.0]);
        assert!(both.told.len() > up.told.len());
        assert_eq!((both.points, up.points), (2_880, 2_880));
    }

    #[test]
    fn the_band_holds_what_is_no_alarm_and_is_unknown_at_first() {
        let series = two_spikes();
        let (replay, scored) = RuleReplay::scored(&series, &[], &AlarmRule::plain(0.0));
        assert_eq!(replay, RuleReplay::of(&series, &[], &AlarmRule::plain(0.0)));
        assert_eq!(scored.times, series.times);
        assert_eq!(scored.values, series.values);
        assert!(scored.low[0].is_nan() && scored.scores[0] == 0.0);
        assert!(!(scored.low[2_000]..=scored.high[2_000]).contains(&500.0));
        let held = (100..2_000).filter(|&at| (scored.low[at]..=scored.high[at]).contains(&series.values[at]));
        assert!(held.count() > 1_890);
    }

    #[test]
    fn a_counter_is_drawn_by_what_it_adds() {
        let mut series = Series::default();
        let mut count = 0.0;
        for minute in 0..600_u32 {
            count += 60.0 + f64::from(minute % 7);
            series.push(1.7e9 + 60.0 * f64::from(minute), count);
        }
        let (_, scored) = RuleReplay::scored(&series, &[], &AlarmRule::plain(0.0));
        assert!(scored.is_rate && scored.values[0].is_nan());
        assert_eq!(scored.values[500], 60.0 + f64::from(500_u32 % 7));
        assert!((scored.low[500]..=scored.high[500]).contains(&scored.values[500]));
    }

    #[test]
    fn hours_that_had_not_been_yet_are_not_known() {
        let series = two_spikes();
        let hour = |number| Hour {
            number,
            min: 0.0,
            mean: 1e6,
            max: 2e6,
        };
        let later = [hour((1.7e9 / 3_600.0) as u32), hour((1.7e9 / 3_600.0) as u32 + 5)];
        let rule = AlarmRule::plain(0.0);
        assert_eq!(
            RuleReplay::of(&series, &later, &rule),
            RuleReplay::of(&series, &[], &rule)
        );
    }
}
