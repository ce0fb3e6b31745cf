//! One metric under replay: what a profile says of its points, one after the other.
//!
//! The adaptive profile is the same state the live analyzer shows its points to, under the same rules, with its long
//! memory in RAM (`successive.rs`). The classic profile has no state of its own: at each point all nine tests look at the
//! canonical window that ends there, as of the time of that point, and the score is the number of votes over the
//! consensus. Left out: what depends on when a pass looks (Stale, and a clock that is ahead of the last point).

use std::sync::Arc;

use skywatch_algorithms::streaming::Rest;
use skywatch_algorithms::{SameTime, Series};

use super::successive::Successive;
use crate::analyzer::WorkerOptions;
use crate::analyzer::cache::{CachedWindow, WindowBuffer};
use crate::analyzer::classic::ClassicJudge;
use crate::analyzer::counter_class::CounterClass;
use crate::analyzer::rule::{AlarmRule, ObservedPoint};

/// A profile as the replay drives it. Points are finite; on one thread.
pub(crate) trait Player {
    /// Turns to a metric: the next point is its first.
    fn begin(&mut self, metric: &str, rule: &AlarmRule);

    /// Shows the next point, later than all before; its score, 1 at the limit. `is_final`: the row that follows is later
    /// still, so that [`Player::amend`] will not be asked about this one. Without it, it may be.
    fn show(&mut self, time: f64, value: f64, is_final: bool) -> f32;

    /// Shows a point that is not later than the newest one: of its time, in its stead, or before it. The score of the
    /// newest point as it is then; `None` if nothing changes.
    fn amend(&mut self, _time: f64, _value: f64) -> Option<f32> {
        None
    }
}

impl<P: Player + ?Sized> Player for Box<P> {
    fn begin(&mut self, metric: &str, rule: &AlarmRule) {
        (**self).begin(metric, rule);
    }

    fn show(&mut self, time: f64, value: f64, is_final: bool) -> f32 {
        (**self).show(time, value, is_final)
    }

    fn amend(&mut self, time: f64, value: f64) -> Option<f32> {
        (**self).amend(time, value)
    }
}

/// Keeps all points it is shown, of those of one time the last.
#[derive(Default)]
pub(crate) struct PointCollector {
    pub(crate) series: Series,
}

impl Player for PointCollector {
    fn begin(&mut self, _: &str, _: &AlarmRule) {
        self.series.clear();
    }

    fn show(&mut self, time: f64, value: f64, _: bool) -> f32 {
        self.series.push(time, value);
        0.0
    }

    fn amend(&mut self, time: f64, value: f64) -> Option<f32> {
        if self.series.times.last() == Some(&time) {
            *self.series.values.last_mut()? = value;
        }
        None
    }
}

/// The adaptive profile.
pub(crate) struct AdaptivePlayer {
    successive: Successive,
    rule: AlarmRule,
}

impl Default for AdaptivePlayer {
    fn default() -> Self {
        Self {
            successive: Successive::default(),
            rule: AlarmRule::plain(0.0),
        }
    }
}

#[cfg(test)]
impl AdaptivePlayer {
    /// All points but the newest.
    pub(crate) fn state(&self) -> &skywatch_algorithms::streaming::Adaptive {
        self.successive.state()
    }
}

impl Player for AdaptivePlayer {
    fn begin(&mut self, _: &str, rule: &AlarmRule) {
        self.successive = Successive::default();
        self.rule = rule.clone();
    }

    fn show(&mut self, time: f64, value: f64, is_final: bool) -> f32 {
        self.successive
            .show(ObservedPoint::plain(time, value), is_final, &self.rule)
    }

    fn amend(&mut self, time: f64, value: f64) -> Option<f32> {
        self.successive
            .amend(ObservedPoint::plain(time, value), &self.rule)
    }
}

/// The nine classic tests.
pub(crate) struct SkylinePlayer {
    judge: ClassicJudge,
    consensus: f32,
    full_duration: f64,
    window: CachedWindow,
    class: CounterClass,
    buffer: WindowBuffer,
    point: Series,
    spare: Series,
}

impl SkylinePlayer {
    pub(crate) fn new(options: &WorkerOptions) -> Self {
        let ensemble = options.ensemble.current();
        let consensus = ensemble.rules().consensus;
        Self {
            judge: ClassicJudge::new(ensemble, options.full_duration, options.counters_as_rates),
            consensus: consensus.max(1) as f32,
            full_duration: options.full_duration,
            window: CachedWindow::default(),
            class: CounterClass::default(),
            buffer: WindowBuffer::default(),
            point: Series::default(),
            spare: Series::default(),
        }
    }
}

impl Player for SkylinePlayer {
    fn show(&mut self, time: f64, value: f64, _: bool) -> f32 {
        self.point.clear();
        self.point.push(time, value);
        self.window.append(
            &self.point,
            f64::INFINITY,
            self.full_duration,
            SameTime::Smallest,
            &mut self.spare,
        );
        let window = self.window.window(&mut self.buffer);
        match self.judge.votes(window, &mut self.class, time) {
            Ok(votes) => votes as f32 / self.consensus,
            Err(panic) => {
                tracing::warn!("no votes :: {panic}");
                0.0
            }
        }
    }

    fn begin(&mut self, _: &str, _: &AlarmRule) {
        self.window = CachedWindow::default();
        self.class = CounterClass::default();
    }
}

/// What a row was found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowScore {
    /// The score after the rest.
    pub(crate) heard: f32,
    /// Whether the score before any rest is at the limit.
    pub(crate) is_alarm: bool,
    /// Whether the row was judged: as a later point than all before, or as another value of the newest.
    pub(crate) is_taken: bool,
}

/// A metric on its way through its rows, whatever they hold.
pub(crate) struct RowScorer<P> {
    player: P,
    /// Of the metrics; the last picks all.
    rules: Arc<[AlarmRule]>,
    /// Seconds of the metric's rest.
    rest_length: f64,
    rest: Rest,
    /// The rest as it was before the newest point, unless that one was final.
    before: Rest,
    /// Time of the newest point.
    last: f64,
    /// The score the metric has at the moment, before any rest.
    score: f32,
}

impl<P: Player> RowScorer<P> {
    /// At the beginning of a metric that the last rule picks.
    pub(crate) fn new(player: P, rules: Arc<[AlarmRule]>) -> Self {
        let rest_length = rules.last().map_or(0.0, |rule| rule.rest);
        Self {
            player,
            rules,
            rest_length,
            rest: Rest::default(),
            before: Rest::default(),
            last: f64::NEG_INFINITY,
            score: 0.0,
        }
    }

    /// Shows a row; NaN stands for what is no number, `next` is the time of the row behind it, infinity at the end. A row
    /// of the newest point's time stands in its stead and is judged again. One that is older, or no number, says nothing
    /// anew: the metric has the score it had, and the rest has heard that one already.
    pub(crate) fn row(&mut self, time: f64, value: f64, next: f64) -> RowScore {
        let is_number = time.is_finite() && value.is_finite();
        let mut is_taken = is_number && time > self.last;
        if is_taken {
            let is_final = next > time;
            if !is_final {
                self.before.clone_from(&self.rest);
            }
            self.last = time;
            self.score = finite(self.player.show(time, value, is_final));
        } else if is_number && let Some(score) = self.player.amend(time, value) {
            is_taken = time == self.last;
            self.score = finite(score);
            self.rest.clone_from(&self.before);
            if !is_taken {
                self.rest.passes(self.last, self.score, self.rest_length);
            }
        }
        RowScore {
            heard: match is_taken {
                true if self.rest.passes(time, self.score, self.rest_length) => self.score,
                false if self.rest_length <= 0.0 => self.score,
                _ => 0.0,
            },
            is_alarm: self.score >= 1.0,
            is_taken,
        }
    }

    /// The player, for tests.
    #[cfg(test)]
    pub(crate) fn player(&self) -> &P {
        &self.player
    }

    /// The player, with what it has kept.
    pub(crate) fn into_player(self) -> P {
        self.player
    }

    /// Turns to another metric, which a file is by its name.
    pub(crate) fn begin(&mut self, metric: &str) {
        let plain = AlarmRule::plain(0.0);
        let place = AlarmRule::of(&self.rules, metric.strip_suffix(".csv").unwrap_or(metric));
        let rule = self.rules.get(place).unwrap_or(&plain);
        self.player.begin(metric, rule);
        self.rest_length = rule.rest;
        self.rest = Rest::default();
        self.last = f64::NEG_INFINITY;
        self.score = 0.0;
    }
}

/// A score as a column of numbers can hold it.
fn finite(score: f32) -> f32 {
    if score.is_nan() {
        0.0
    } else {
        score.clamp(0.0, f32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores a point by its value.
    struct Echo;

    impl Player for Echo {
        fn show(&mut self, _: f64, value: f64, _: bool) -> f32 {
            value as f32
        }

        fn begin(&mut self, _: &str, _: &AlarmRule) {}
    }

    #[test]
    fn what_is_no_later_point_keeps_the_score_and_says_nothing_anew() {
        let rows = [
            (10.0, 2.0),
            (10.0, 9.0),
            (5.0, 9.0),
            (20.0, f64::NAN),
            (f64::NAN, 1.0),
            (30.0, 0.5),
        ];
        let told = |rest| {
            let mut track = RowScorer::new(Echo, Arc::from([AlarmRule::plain(rest)]));
            rows.map(|(time, value)| {
                let answer = track.row(time, value, f64::NAN);
                (answer.heard, answer.is_alarm, answer.is_taken)
            })
        };
        assert_eq!(told(100.0)[0], (2.0, true, true));
        assert!(told(100.0)[1..5].iter().all(|&row| row == (0.0, true, false)));
        assert_eq!(told(100.0)[5], (0.0, false, true));
        assert!(told(0.0)[1..5].iter().all(|&row| row == (2.0, true, false)));
        assert_eq!(told(0.0)[5], (0.5, false, true));
    }

    /// Scores a point by its value, and can change its mind.
    struct Corrigible;

    impl Player for Corrigible {
        fn show(&mut self, _: f64, value: f64, _: bool) -> f32 {
            value as f32
        }

        fn begin(&mut self, _: &str, _: &AlarmRule) {}

        fn amend(&mut self, _: f64, value: f64) -> Option<f32> {
            Some(value as f32)
        }
    }

    #[test]
    fn a_corrected_value_is_heard_as_if_it_were_the_first() {
        let mut track = RowScorer::new(Corrigible, Arc::from([AlarmRule::plain(100.0)]));
        let mut row = |time, value| {
            let answer = track.row(time, value, f64::NAN);
            (answer.heard, answer.is_alarm, answer.is_taken)
        };
        assert_eq!(row(10.0, 3.0), (3.0, true, true));
        assert_eq!(row(10.0, 2.0), (2.0, true, true), "the 3 was never there");
        assert_eq!(row(10.0, 0.5), (0.5, false, true));
        assert_eq!(row(20.0, 2.0), (2.0, true, true));
        assert_eq!(row(20.0, 2.5), (2.5, true, true));
        assert_eq!(row(30.0, 2.4), (0.0, true, true));
    }

    #[test]
    fn a_score_is_a_number() {
        assert_eq!(
            [f32::NAN, f32::INFINITY, -1.0, 0.5].map(finite),
            [0.0, f32::MAX, 0.0, 0.5]
        );
    }
}
