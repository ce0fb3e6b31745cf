//! The law of answers: whatever a lost connection leaves open, each goes to its own metric.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use skywatch_alerters::Anomaly;
use skywatch_algorithms::{Ensemble, Rules, Series};

use super::super::cache::CachedWindow;
use super::super::options::{LiveEnsemble, WorkerOptions};
use super::super::shard_pass::WorkerOrder;
use super::super::worker::Worker;
use crate::status::WorkerProgress;
use crate::stop::Stop;
use crate::store::{
    Connect, DecodeReport, EachFetched, EachTail, Fetched, Points, Sample, SavedCursor, StoreError, Tail,
};

const NOW: f64 = 1_700_000_000.0;

/// How far it was read is the same each time.
#[derive(Clone, Copy)]
struct NoCursor;

impl SavedCursor for NoCursor {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(_: &[u8]) -> Option<Self> {
        None
    }
}

/// Quiet series, and one new point for each: far outside for `loud`. Asked for tails the first time, it answers that the
/// first one's cursor is lost, and then nothing more.
#[derive(Clone, Default)]
struct Unsteady {
    /// The names in each question for tails.
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Connect for Unsteady {
    type Store = Self;

    fn connect(&self) -> Result<Self, StoreError> {
        Ok(self.clone())
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

impl Points for Unsteady {
    type Cursor = NoCursor;

    fn append(&mut self, _: &[Sample<'_>]) -> Result<(), StoreError> {
        Ok(())
    }

    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, NoCursor>,
    ) -> Result<(), StoreError> {
        for index in 0..metrics.len() {
            into.clear();
            for minute in 0..200 {
                let value = 100.0 + f64::from(minute * 7_919 % 101) / 10.0;
                into.push(NOW - 60.0 * f64::from(200 - minute), value);
            }
            let report = DecodeReport::default();
            each(
                index,
                into,
                Fetched::Found {
                    cursor: NoCursor,
                    report,
                },
            );
        }
        Ok(())
    }

    fn fetch_tails(
        &mut self,
        asks: &[(&str, &NoCursor)],
        into: &mut Series,
        each: &mut EachTail<'_, NoCursor>,
    ) -> Result<(), StoreError> {
        let names: Vec<String> = asks.iter().map(|(name, NoCursor)| (*name).to_owned()).collect();
        let mut asked = self.asked.lock().expect("no panic while it is held");
        asked.push(names);
        if asked.len() == 1 {
            into.clear();
            each(0, into, Tail::Lost);
            return Err(StoreError::Unavailable {
                place: self.describe(),
                reason: "cut".to_owned(),
            });
        }
        for (index, (name, NoCursor)) in asks.iter().enumerate() {
            into.clear();
            into.push(NOW, if *name == "loud" { 5_000.0 } else { 105.0 });
            let report = DecodeReport::default();
            each(
                index,
                into,
                Tail::New {
                    cursor: NoCursor,
                    report,
                },
            );
        }
        Ok(())
    }
}

only_points!(Unsteady);

/// Who has lost its cursor meanwhile is not asked for again, and must not shift the answers of those behind it.
#[test]
fn a_tail_asked_for_again_after_a_lost_connection_goes_to_its_own_metric() {
    let options = WorkerOptions {
        ensemble: LiveEnsemble::new(Ensemble::classic(Rules::earthgecko())),
        full_duration: 86_400.0,
        counters_as_rates: false,
        cache: true,
        cache_bytes: usize::MAX,
        canary: String::new(),
        adaptive: None,
        seat: (0, 1),
    };
    let store = Unsteady::default();
    let worker = Worker::new(store.clone(), options, WorkerProgress::default(), Stop::default());
    let (orders, to_worker) = unbounded();
    let (reports, from_worker) = unbounded();
    let add = ["lost", "quiet", "loud", "last"].map(Arc::from).to_vec();
    let remove = Vec::new();
    orders
        .send(WorkerOrder::Assign { add, remove })
        .expect("a worker");
    let deadline = Instant::now() + Duration::from_secs(60);
    for number in 1..=2 {
        let now = NOW;
        let pass = WorkerOrder::Pass {
            number,
            now,
            deadline,
            followed: Arc::default(),
        };
        orders.send(pass).expect("a worker");
    }
    drop(orders);
    worker.run(&to_worker, &reports);
    let first = from_worker.try_recv().expect("a report");
    assert!(first.anomalies.is_empty() && first.unfinished.is_empty());
    let second = from_worker.try_recv().expect("a report");
    assert_eq!(
        *store.asked.lock().expect("no panic while it was held"),
        [&["lost", "quiet", "loud", "last"][..], &["quiet", "loud", "last"]]
    );
    let called: Vec<&str> = second.anomalies.iter().map(Anomaly::name).collect();
    assert_eq!(called, ["loud"]);
    assert!(second.unfinished.is_empty(), "{:?}", second.unfinished);
    assert_eq!((second.retried, second.tally.refetched), (1, 1));
}

/// A cache that is too small keeps the same windows from pass to pass, and the others are read whole and judged all the
/// same.
#[test]
fn who_was_kept_first_stays_and_the_others_are_read_whole() {
    let mut series = Series::default();
    let fetched = Unsteady::default().fetch(&["a"], &mut Series::default(), &mut |_, stored, _| {
        series.clone_from(stored)
    });
    fetched.expect("it is in memory");
    let mut window = CachedWindow::default();
    window.store(&series);
    let of_one = window.bytes();
    let limit = 2 * of_one + of_one / 2;
    let options = WorkerOptions {
        ensemble: LiveEnsemble::new(Ensemble::classic(Rules::earthgecko())),
        full_duration: 86_400.0,
        counters_as_rates: false,
        cache: true,
        cache_bytes: limit,
        adaptive: None,
        seat: (0, 1),
        canary: String::new(),
    };
    let store = Unsteady::default();
    // What it answers first is for another test.
    store.asked.lock().expect("nobody else").push(Vec::new());
    let worker = Worker::new(store.clone(), options, WorkerProgress::default(), Stop::default());
    let (orders, to_worker) = unbounded();
    let (reports, from_worker) = unbounded();
    let add = ["a", "b", "c", "loud"].map(Arc::from).to_vec();
    let remove = Vec::new();
    orders
        .send(WorkerOrder::Assign { add, remove })
        .expect("a worker");
    let deadline = Instant::now() + Duration::from_secs(60);
    for number in 1..=3 {
        let pass = WorkerOrder::Pass {
            number,
            now: NOW,
            deadline,
            followed: Arc::default(),
        };
        orders.send(pass).expect("a worker");
    }
    drop(orders);
    worker.run(&to_worker, &reports);
    for _ in 0..3 {
        let report = from_worker.try_recv().expect("a report");
        assert_eq!((report.tally.looked_at, report.without_room), (4, 2));
        assert!(report.cached_bytes <= limit && report.cached_bytes > of_one);
        assert!(report.unfinished.is_empty());
    }
    let asked = store.asked.lock().expect("no panic while it was held");
    assert_eq!(asked[1..], [["a", "b"], ["a", "b"]]);
}
