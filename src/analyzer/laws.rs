//! The law of the cache: a window kept and moved gives, vote for vote, what a full read gives.
//!
//! Histories are random (gaps, duplicates, disorder, excursions, trims of the front, restarts), and a third of them
//! end on a value placed, by bisection, on the very limit of one of the tests that running sums serve.

/// Makes a store of something that has only points: no names, no keys.
macro_rules! only_points {
    ($store:ty) => {
        impl crate::store::Names for $store {
            fn count(&mut self) -> Result<u64, StoreError> {
                Ok(0)
            }

            fn additions(&mut self) -> Result<u64, StoreError> {
                Ok(0)
            }

            fn list(&mut self, _: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
                Ok(())
            }

            fn change(&mut self, _: &[&str], _: &[&str]) -> Result<(), StoreError> {
                Ok(())
            }
        }

        impl crate::store::Keys for $store {
            fn get(&mut self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
                Ok(vec![None; keys.len()])
            }

            fn set(&mut self, _: &[(&str, &[u8])], _: Option<std::time::Duration>) -> Result<(), StoreError> {
                Ok(())
            }

            fn remove(&mut self, _: &[&str]) -> Result<(), StoreError> {
                Ok(())
            }
        }

        impl crate::store::Store for $store {
            fn ping(&mut self) -> Result<(), StoreError> {
                Ok(())
            }
        }
    };
}

mod ahead;
mod answers;
mod outcomes;
mod tails;

use std::sync::Arc;

use proptest::prelude::*;
use skywatch_algorithms::{Ballot, BallotMark, Ensemble, Rules, SameTime, Scratch, Series};

use super::cache::{CachedWindow, WindowBuffer};
use super::classic::ClassicJudge;
use super::counter_class::CounterClass;

const DAY: f64 = 86_400.0;
const STEP: f64 = 600.0;

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// Points that follow the newest, this many steps apart.
    Follow(Vec<(u8, f64)>),
    /// A point with the time of an earlier one.
    Again(usize, f64),
    /// A point from before, between others.
    Late(usize, f64),
    /// The stored front is trimmed as far as no window needs it.
    Trim,
    /// The process starts again: the cache is empty.
    Restart,
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => -50.0..50.0f64,
        5 => (0u8..4).prop_map(f64::from),
        1 => prop::sample::select(vec![1e12, -1e12, 1e6, 1e-9]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec((1u8..4, value()), 1..6).prop_map(Step::Follow),
        1 => (any::<usize>(), value()).prop_map(|(at, v)| Step::Again(at, v)),
        1 => (any::<usize>(), value()).prop_map(|(at, v)| Step::Late(at, v)),
        2 => Just(Step::Trim),
        1 => Just(Step::Restart),
    ]
}

/// A metric as it is stored, and the cache that follows it.
struct Metric {
    stored: Series,
    /// Points of `stored` the cache has seen.
    seen: usize,
    cache: CachedWindow,
    spare: Series,
    buffer: WindowBuffer,
}

impl Metric {
    fn new(points: &[f64]) -> Self {
        let mut stored = Series::default();
        for (index, &value) in points.iter().enumerate() {
            stored.push(1.7e9 + STEP * index as f64, value);
        }
        let (cache, spare, buffer) = (
            CachedWindow::default(),
            Series::default(),
            WindowBuffer::default(),
        );
        Self {
            stored,
            seen: 0,
            cache,
            spare,
            buffer,
        }
    }

    fn newest(&self) -> f64 {
        self.stored
            .times
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max)
    }

    fn apply(&mut self, step: &Step) {
        let newest = self.newest();
        let earlier = |at: usize| self.stored.times[at % self.stored.len()];
        match step {
            Step::Follow(points) => {
                let mut time = newest;
                for &(steps, value) in points {
                    time += STEP * f64::from(steps);
                    self.stored.push(time, value);
                }
            }
            Step::Again(at, value) => self.stored.push(earlier(*at), *value),
            Step::Late(at, value) => self.stored.push(earlier(*at) + STEP / 4.0, *value),
            Step::Trim => {
                let old = self
                    .stored
                    .times
                    .iter()
                    .take_while(|&&time| time <= newest - DAY)
                    .count();
                let cut = old.min(self.seen);
                self.stored.times.drain(..cut);
                self.stored.values.drain(..cut);
                self.seen -= cut;
            }
            Step::Restart => {
                self.cache = CachedWindow::default();
                self.seen = 0;
            }
        }
    }

    /// The warm way: only what is new reaches the cache.
    fn warm(&mut self, ensemble: &Ensemble, scratch: &mut Scratch) -> Ballot {
        let mut new = Series::default();
        new.times.extend_from_slice(&self.stored.times[self.seen..]);
        new.values.extend_from_slice(&self.stored.values[self.seen..]);
        if self.seen == 0 {
            new.canonicalise_by(DAY, SameTime::Smallest);
            self.cache.store(&new);
        } else {
            self.cache
                .append(&new, f64::INFINITY, DAY, SameTime::Smallest, &mut self.spare);
        }
        self.seen = self.stored.len();
        let now = self.newest();
        ensemble.ballot(self.cache.window(&mut self.buffer), now, scratch)
    }

    /// The cold way: everything stored is read.
    fn cold(&self, ensemble: &Ensemble, scratch: &mut Scratch) -> Ballot {
        let mut all = self.stored.clone();
        all.canonicalise_by(DAY, SameTime::Smallest);
        ensemble.ballot(all.sorted_window(), self.newest(), scratch)
    }

    /// Appends the value at which detector `index` changes its mind, or the neighbour `ulps` beyond.
    fn place_on_limit(&mut self, index: usize, ulps: i64, ensemble: &Ensemble, scratch: &mut Scratch) {
        let time = self.newest() + STEP;
        let mut vote = |value: f64| {
            let mut all = self.stored.clone();
            all.push(time, value);
            all.canonicalise_by(DAY, SameTime::Smallest);
            ensemble.ballot(all.sorted_window(), time, scratch).mark(index) == BallotMark::Anomalous
        };
        let (mut normal, mut anomalous) = (0.0, 1e9);
        if vote(normal) || !vote(anomalous) {
            return;
        }
        while anomalous > f64::next_up(normal) {
            let middle = normal + (anomalous - normal) / 2.0;
            if middle <= normal || middle >= anomalous {
                break;
            }
            if vote(middle) {
                anomalous = middle
            } else {
                normal = middle
            }
        }
        let placed = f64::from_bits(anomalous.to_bits().wrapping_add_signed(ulps));
        self.stored.push(time, placed);
    }
}

/// Detectors that running sums serve.
const SERVED: [&str; 3] = ["stddev_from_average", "grubbs", "mean_subtraction_cumulation"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_kept_window_votes_as_a_full_read(
        start in prop::collection::vec(value(), 3..180),
        steps in prop::collection::vec(step(), 1..25),
        limit in prop::option::weighted(0.33, (0usize..3, -3i64..=3)),
    ) {
        let ensemble = Ensemble::classic(Rules::earthgecko());
        let (mut warm_scratch, mut cold_scratch) = (Scratch::default(), Scratch::default());
        let mut metric = Metric::new(&start);
        for step in &steps {
            let _ = metric.warm(&ensemble, &mut warm_scratch);
            metric.apply(step);
            let cold = metric.cold(&ensemble, &mut cold_scratch);
            prop_assert_eq!(metric.warm(&ensemble, &mut warm_scratch), cold);
        }
        if let Some((served, ulps)) = limit {
            let index = ensemble.names().position(|name| name == SERVED[served]).expect("it is one of the nine");
            metric.place_on_limit(index, ulps, &ensemble, &mut cold_scratch);
            let cold = metric.cold(&ensemble, &mut cold_scratch);
            prop_assert_eq!(metric.warm(&ensemble, &mut warm_scratch), cold, "on the limit of {}", SERVED[served]);
        }
    }
}

/// Counters keep their class whoever looks, as long as both read the same stored class.
#[test]
fn rates_are_the_same_warm_and_cold() {
    let ensemble = Arc::new(Ensemble::classic(Rules {
        min_length: 20,
        ..Rules::earthgecko()
    }));
    let (mut warm, mut cold) = (
        ClassicJudge::new(Arc::clone(&ensemble), DAY, true),
        ClassicJudge::new(Arc::clone(&ensemble), DAY, true),
    );
    let mut metric = Metric::new(&(0..140).map(|i| f64::from(i * i)).collect::<Vec<_>>());
    let mut class = CounterClass::default();
    let mut total: f64 = 140.0 * 140.0;
    for round in 0..200 {
        total = if round == 70 {
            0.0
        } else {
            total + f64::from(round % 7) * 300.0
        };
        metric.apply(&Step::Follow(vec![(1, total)]));
        let _ = metric.warm(&ensemble, &mut Scratch::default());
        let now = metric.newest();
        let mut cold_class = class;
        let warm_verdict = warm
            .evaluate(metric.cache.window(&mut metric.buffer), &mut class, now)
            .map(|found| found.verdict);
        let mut all = metric.stored.clone();
        all.canonicalise_by(DAY, SameTime::Smallest);
        let cold_verdict = cold
            .evaluate(all.sorted_window(), &mut cold_class, now)
            .map(|found| found.verdict);
        assert_eq!(
            format!("{warm_verdict:?}"),
            format!("{cold_verdict:?}"),
            "round {round}"
        );
        assert_eq!(class, cold_class);
        assert!(class.is_counter(now), "a reset does not end the class");
    }
}
