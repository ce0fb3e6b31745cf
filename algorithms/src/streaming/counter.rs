//! Whether a metric only ever grows, and then its rate.
//!
//! The verdict needs evidence (an hour of growth by the minute, or many points in which it grows now and then and never
//! falls), and is taken back when it fails: a restart and an overflow are none of that. Rates come at the metric's usual
//! step: points that come much faster are taken together until the step is learnt, so that their coarser noise does not
//! pass for news.

use super::pack::{Pack, packed};

/// Points without a fall before a metric that grows most of the time is called a counter …
const ENOUGH: u32 = 60;
/// … growing in at least this share of them.
const GROWS: f64 = 0.7;
/// The same for one that grows now and then: points, and so many of them with growth. Five hours by the minute without a
/// fall, and twenty steps upward, are no gauge.
const SELDOM: u32 = 300;
const SELDOM_GROWN: u32 = 20;
/// Points without a fall that are asked of what has fallen before: a disk that fills is no counter.
const AFTER_FALL: u32 = 20_000;
/// A restart goes to this share of the last value or less, or to no more than so many usual steps (a process that restarts
/// counts from zero, and has counted since).
const RESTART: f64 = 0.1;
const STEPS: f64 = 10.0;
/// Points without any fall before a fall may be a restart of what is not known as a counter: noise seldom grows ten times
/// in a row.
const CLIMB: u32 = 10;
/// Falls that are no restart and take the verdict back (one may be a point out of order), and points after which earlier
/// ones are forgotten: three and a half days by the minute.
const DOUBTS: u8 = 2;
const FORGIVEN: u32 = 5_000;
/// Points that come within this share of the usual step are taken together.
const TOGETHER: f64 = 0.75;
/// Where counters of 32 and 64 bits begin anew.
const OVERFLOWS: [f64; 2] = [4_294_967_296.0, 18_446_744_073_709_551_616.0];

/// What a value says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum CounterReading {
    /// This value is to be judged.
    Value(f64),
    /// A counter began again, or has no rate yet.
    Nothing,
    /// It is taken together with the next one.
    Waits,
    /// From now on it is judged the other way; what was learnt does not hold.
    Changed,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Counter {
    last: f64,
    time: f64,
    /// Points since the last fall that was no restart, and those of them with growth.
    points: u32,
    grown: u32,
    /// Points since the last fall of any kind.
    run: u32,
    /// Mean growth a second.
    growth: f64,
    has_fallen: u8,
    /// Falls in a counter that were no restart.
    doubts: u8,
    is_counter: u8,
}

packed!(Counter {
    last,
    time,
    points,
    grown,
    run,
    growth,
    has_fallen,
    doubts,
    is_counter
});

impl Counter {
    pub(super) fn is_counter(&self) -> bool {
        self.is_counter > 0
    }

    /// Takes a point. `step`: seconds that usually lie between two.
    pub(super) fn observe(&mut self, time: f64, value: f64, step: f64) -> CounterReading {
        let was = self.is_counter();
        if self.time == 0.0 {
            (self.last, self.time) = (value, time);
            return if was {
                CounterReading::Nothing
            } else {
                CounterReading::Value(value)
            };
        }
        let passed = time - self.time;
        let mut growth = value - self.last;
        if was && growth >= 0.0 && passed < TOGETHER * step {
            return CounterReading::Waits;
        }
        let last = self.last;
        (self.last, self.time) = (value, time);
        if growth < 0.0 {
            let may_restart = was || self.run >= CLIMB;
            self.run = 0;
            let most = STEPS * self.growth * passed;
            let overflow = OVERFLOWS
                .into_iter()
                .map(|size| size - last + value)
                .find(|&beyond| self.points > 20 && (0.0..=most).contains(&beyond));
            if let Some(beyond) = overflow {
                growth = beyond;
            } else if may_restart && value >= 0.0 && (value <= RESTART * last || value <= most) {
                return if was {
                    CounterReading::Nothing
                } else {
                    CounterReading::Value(value)
                };
            } else {
                return self.fall(value);
            }
        }
        self.points = self.points.saturating_add(1);
        self.run = self.run.saturating_add(1);
        self.grown = self.grown.saturating_add(u32::from(growth > 0.0));
        if self.points > FORGIVEN {
            self.doubts = 0;
        }
        self.growth += (growth / passed - self.growth) / f64::from(self.points.min(1000));
        if !was && last >= 0.0 && self.has_evidence() {
            (self.is_counter, self.doubts) = (1, 0);
            return CounterReading::Changed;
        }
        CounterReading::Value(if was { growth / passed } else { value })
    }

    fn has_evidence(&self) -> bool {
        let enough = if self.has_fallen > 0 { AFTER_FALL } else { ENOUGH };
        let mostly = f64::from(self.grown) > GROWS * f64::from(self.points);
        let seldom = self.points >= SELDOM && self.grown >= SELDOM_GROWN;
        self.points >= enough && (mostly || seldom)
    }

    /// A fall that is no restart.
    fn fall(&mut self, value: f64) -> CounterReading {
        (self.points, self.grown, self.has_fallen) = (0, 0, 1);
        if !self.is_counter() {
            return CounterReading::Value(value);
        }
        self.doubts += 1;
        if self.doubts < DOUBTS {
            return CounterReading::Nothing;
        }
        self.is_counter = 0;
        CounterReading::Changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(values: impl IntoIterator<Item = f64>) -> (Counter, Vec<CounterReading>) {
        let mut counter = Counter::default();
        let mut said = Vec::new();
        for (point, value) in (1..).zip(values) {
            said.push(counter.observe(60.0 * f64::from(point), value, 60.0));
        }
        (counter, said)
    }

    #[test]
    fn a_restart_in_the_first_hour_does_not_keep_it_from_being_known() {
        let values = (0..100).map(|point| {
            if point < 30 {
                1e5 + 300.0 * f64::from(point)
            } else {
                300.0 * f64::from(point - 30)
            }
        });
        let (counter, _) = verdicts(values);
        assert!(counter.is_counter());
    }

    #[test]
    fn an_overflow_is_growth() {
        let start = 4_294_967_296.0 - 300.0 * 100.5;
        let values = (0..200).map(|point| (start + 300.0 * f64::from(point)) % 4_294_967_296.0);
        let (_, said) = verdicts(values);
        assert!(
            said[70..].iter().all(|said| *said == CounterReading::Value(5.0)),
            "{said:?}"
        );
    }

    #[test]
    fn the_verdict_is_taken_back_when_it_fails_twice() {
        let ramp = |points: i32| (0..points).map(|point| 50.0 + f64::from(point));
        let (counter, said) = verdicts(ramp(100).chain([150.0, 160.0]));
        assert!(counter.is_counter() && said.last() == Some(&CounterReading::Value(10.0 / 60.0)));
        let (counter, _) = verdicts(ramp(100).chain([140.0, 150.0, 160.0]));
        assert!(counter.is_counter(), "one fall may be a point out of order");
        let (counter, said) = verdicts(ramp(100).chain([120.0, 100.0]));
        assert!(!counter.is_counter() && said.last() == Some(&CounterReading::Changed));
        // And what fell does not grow into a counter within the hour.
        let (counter, _) = verdicts(
            ramp(100)
                .chain([80.0])
                .chain(ramp(500))
                .chain([300.0])
                .chain(ramp(500)),
        );
        assert!(!counter.is_counter());
    }

    #[test]
    fn noise_is_no_counter() {
        let mut seed = 1u32;
        let noise = (0..5_000).map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(seed >> 16)
        });
        assert!(!verdicts(noise).0.is_counter());
    }

    #[test]
    fn what_is_held_is_no_counter() {
        let (counter, _) = verdicts((0..500).map(|point| if point < 100 { 0.0 } else { 10_000.0 }));
        assert!(!counter.is_counter());
    }

    #[test]
    fn points_that_come_faster_are_taken_together() {
        let mut counter = Counter::default();
        let mut judged = 0;
        for point in 0..400 {
            let time = if point < 100 {
                60.0 * f64::from(point)
            } else {
                6000.0 + 10.0 * f64::from(point - 100)
            };
            match counter.observe(1.0 + time, 3.0 * time, 60.0) {
                CounterReading::Value(rate) if counter.is_counter() => {
                    judged += 1;
                    assert!((rate - 3.0).abs() < 1e-9);
                }
                _ => {}
            }
        }
        assert!((90..120).contains(&judged), "{judged}");
    }
}
