//! One metric under replay: what a profile says of its points, one after the other.
//!
//! The adaptive profile is the same [`Adaptive`] the live analyzer shows its points to, with its long memory in RAM. The
//! classic profile has no state of its own: at each point all nine tests look at the canonical window that ends there, as
//! of the time of that point, and the score is the number of votes over the consensus. Left out: what depends on when a
//! pass looks (Stale, and a clock that is ahead of the last point).

use std::sync::Arc;

use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::{Adaptive, Hours, Rest};

use crate::analyzer::WorkerOptions;
use crate::analyzer::cache::{CachedWindow, Times};
use crate::analyzer::judge::{CounterClass, Judge};

/// A profile as the replay drives it: points come once each, in order of time, finite. On one thread.
pub(crate) trait Player {
    /// Shows the next point; its score, 1 at the limit.
    fn show(&mut self, time: f64, value: f64) -> f32;

    /// Turns to a metric: the next point is its first.
    fn begin(&mut self, metric: &str);
}

impl<P: Player + ?Sized> Player for Box<P> {
    fn begin(&mut self, metric: &str) {
        (**self).begin(metric);
    }

    fn show(&mut self, time: f64, value: f64) -> f32 {
        (**self).show(time, value)
    }
}

/// Keeps all points it is shown.
#[derive(Default)]
pub(crate) struct Gatherer {
    pub(crate) series: Series,
}

impl Player for Gatherer {
    fn begin(&mut self, _: &str) {
        self.series.clear();
    }

    fn show(&mut self, time: f64, value: f64) -> f32 {
        self.series.push(time, value);
        0.0
    }
}

/// The adaptive profile.
#[derive(Default)]
pub(crate) struct AdaptivePlayer {
    state: Adaptive,
    hours: Hours,
}

#[cfg(test)]
impl AdaptivePlayer {
    pub(crate) fn state(&self) -> &Adaptive {
        &self.state
    }
}

impl Player for AdaptivePlayer {
    fn show(&mut self, time: f64, value: f64) -> f32 {
        self.state.observe(time, value, &mut self.hours).score
    }

    fn begin(&mut self, _: &str) {
        self.state = Adaptive::default();
        self.hours = Hours::default();
    }
}

/// The nine classic tests.
pub(crate) struct SkylinePlayer {
    judge: Judge,
    consensus: f32,
    full_duration: f64,
    window: CachedWindow,
    class: CounterClass,
    times: Times,
    point: Series,
    spare: Series,
}

impl SkylinePlayer {
    pub(crate) fn new(options: &WorkerOptions) -> Self {
        let consensus = options.ensemble.rules().consensus;
        Self {
            judge: Judge::new(
                Arc::clone(&options.ensemble),
                options.full_duration,
                options.counters_as_rates,
            ),
            consensus: consensus.max(1) as f32,
            full_duration: options.full_duration,
            window: CachedWindow::default(),
            class: CounterClass::default(),
            times: Times::default(),
            point: Series::default(),
            spare: Series::default(),
        }
    }
}

impl Player for SkylinePlayer {
    fn show(&mut self, time: f64, value: f64) -> f32 {
        self.point.clear();
        self.point.push(time, value);
        self.window
            .append(&self.point, self.full_duration, &mut self.spare);
        let window = self.window.window(&mut self.times);
        match self.judge.votes(window, &mut self.class, time) {
            Ok(votes) => votes as f32 / self.consensus,
            Err(panic) => {
                tracing::warn!("no votes :: {panic}");
                0.0
            }
        }
    }

    fn begin(&mut self, _: &str) {
        self.window = CachedWindow::default();
        self.class = CounterClass::default();
    }
}

/// What a row was found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answer {
    /// The score after the rest.
    pub(crate) heard: f32,
    /// Whether the score before any rest is at or over the threshold.
    pub(crate) is_alarm: bool,
    /// Whether the row was a point that the state has taken.
    pub(crate) is_taken: bool,
}

/// A metric on its way through its rows, whatever they hold.
pub(crate) struct Track<P> {
    player: P,
    rest: Rest,
    rest_length: f64,
    threshold: f32,
    /// Time of the last point taken.
    last: f64,
    /// The score the metric has at the moment, before any rest.
    score: f32,
}

impl<P: Player> Track<P> {
    /// `rest_length`: seconds, 0 for none.
    pub(crate) fn new(player: P, rest_length: f64, threshold: f32) -> Self {
        Self {
            player,
            rest: Rest::new(rest_length),
            rest_length,
            threshold,
            last: f64::NEG_INFINITY,
            score: 0.0,
        }
    }

    /// Shows a row; NaN stands for what is no number. A row that is no later point changes nothing: the metric has the
    /// score it had, and the rest has heard that one already.
    pub(crate) fn row(&mut self, time: f64, value: f64) -> Answer {
        let is_taken = time > self.last && time.is_finite() && value.is_finite();
        if is_taken {
            self.last = time;
            self.score = finite(self.player.show(time, value));
        }
        Answer {
            heard: match is_taken {
                true => self.rest.hear(time, self.score),
                false if self.rest_length > 0.0 => 0.0,
                false => self.score,
            },
            is_alarm: self.score >= self.threshold,
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

    /// Turns to another metric.
    pub(crate) fn begin(&mut self, metric: &str) {
        self.player.begin(metric);
        self.rest = Rest::new(self.rest_length);
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
        fn show(&mut self, _: f64, value: f64) -> f32 {
            value as f32
        }

        fn begin(&mut self, _: &str) {}
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
            let mut track = Track::new(Echo, rest, 1.0);
            rows.map(|(time, value)| {
                let answer = track.row(time, value);
                (answer.heard, answer.is_alarm, answer.is_taken)
            })
        };
        assert_eq!(told(100.0)[0], (2.0, true, true));
        assert!(told(100.0)[1..5].iter().all(|&row| row == (0.0, true, false)));
        assert_eq!(told(100.0)[5], (0.0, false, true));
        assert!(told(0.0)[1..5].iter().all(|&row| row == (2.0, true, false)));
        assert_eq!(told(0.0)[5], (0.5, false, true));
    }

    #[test]
    fn a_score_is_a_number() {
        assert_eq!(
            [f32::NAN, f32::INFINITY, -1.0, 0.5].map(finite),
            [0.0, f32::MAX, 0.0, 0.5]
        );
    }
}
