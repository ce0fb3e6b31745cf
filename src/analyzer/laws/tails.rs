//! The law of tails: a metric whose state is shown only what is new, over restarts and trims, is found to be what a worker
//! finds that reads all that is stored on every pass and never stops.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use proptest::prelude::*;
use skywatch_algorithms::Series;
use skywatch_algorithms::streaming::Adaptive;

use super::super::rule::AlarmRule;
use super::super::testing::{PARTS, Worker, options_learning};
use crate::status::WorkerProgress;
use crate::stop::Stop;
use crate::store::{
    Connect, DecodeReport, EachFetched, EachTail, Fetched, Points, Sample, SavedCursor, StoreError, Tail,
};

const NAME: &str = "one";
const START: f64 = 1_700_000_000.0;
const STEP: f64 = 60.0;
/// Length of the window, seconds: short, so that points leave it.
const WINDOW: f64 = 100.0 * STEP;

/// Length of the window where learning is put off, seconds.
const DAY: f64 = 86_400.0;
/// Points in the beginning: with fewer a window is kept, and no state needed.
const ENOUGH: usize = 2 * Adaptive::ENOUGH as usize;

/// One series as it is stored.
#[derive(Clone, Default)]
struct OneSeries(Arc<Mutex<StoredSeries>>);

#[derive(Default)]
struct StoredSeries {
    points: Series,
    /// Points that were trimmed from the front.
    trimmed: u64,
}

/// How many points had been stored when it was read.
struct Read(u64);

impl SavedCursor for Read {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.0.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(u64::from_le_bytes(bytes)))
    }
}

impl OneSeries {
    fn stored(&self) -> MutexGuard<'_, StoredSeries> {
        self.0.lock().expect("no panic while it is held")
    }
}

impl StoredSeries {
    fn end(&self) -> u64 {
        self.trimmed + self.points.len() as u64
    }

    fn copy(&self, from: u64, into: &mut Series) {
        into.clear();
        let from = from.saturating_sub(self.trimmed) as usize;
        into.times.extend_from_slice(&self.points.times[from..]);
        into.values.extend_from_slice(&self.points.values[from..]);
    }
}

impl Connect for OneSeries {
    type Store = Self;

    fn connect(&self) -> Result<Self, StoreError> {
        Ok(self.clone())
    }

    fn describe(&self) -> String {
        "memory".to_owned()
    }
}

impl Points for OneSeries {
    type Cursor = Read;

    fn append(&mut self, batch: &[Sample<'_>]) -> Result<(), StoreError> {
        let mut stored = self.stored();
        for sample in batch {
            stored.points.push(sample.time, sample.value);
        }
        Ok(())
    }

    fn fetch(
        &mut self,
        metrics: &[&str],
        into: &mut Series,
        each: &mut EachFetched<'_, Read>,
    ) -> Result<(), StoreError> {
        for index in 0..metrics.len() {
            let stored = self.stored();
            stored.copy(0, into);
            let (cursor, report) = (Read(stored.end()), DecodeReport::default());
            each(index, into, Fetched::Found { cursor, report });
        }
        Ok(())
    }

    fn fetch_tails(
        &mut self,
        asks: &[(&str, &Read)],
        into: &mut Series,
        each: &mut EachTail<'_, Read>,
    ) -> Result<(), StoreError> {
        for (index, (_, read)) in asks.iter().enumerate() {
            let stored = self.stored();
            let tail = if read.0 < stored.trimmed {
                Tail::Lost
            } else if read.0 == stored.end() {
                Tail::Unchanged
            } else {
                stored.copy(read.0, into);
                let (cursor, report) = (Read(stored.end()), DecodeReport::default());
                Tail::New { cursor, report }
            };
            each(index, into, tail);
        }
        Ok(())
    }
}

only_points!(OneSeries);

/// What happens between two passes.
#[derive(Debug, Clone)]
enum Event {
    /// Points that follow the newest, so many steps apart, with the clock.
    Follow(Vec<(u8, f64)>),
    /// The newest point again, with another value.
    Correct(f64),
    /// A point of so many steps ago, between others.
    Late(u8, f64),
    /// A point so many steps ahead of the clock.
    Ahead(u8, f64),
    /// Nothing but the clock.
    Wait,
    /// What no window needs is trimmed.
    Trim,
    /// The worker stops, and another one goes on with what it saved.
    Restart,
    /// The same, without saving: what was saved before is behind.
    Crash,
    /// Another node goes on with the snapshot that this one leaves; its own disk has what it knew when it last had the metric.
    Move,
    /// The same when the node has died: the snapshot was left when states were last saved.
    Die,
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![20 => 90.0..110.0f64, 1 => prop::sample::select(vec![0.0, 1e3, -1e4, 1e6])]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => prop::collection::vec((1u8..4, value()), 1..4).prop_map(Event::Follow),
        2 => value().prop_map(Event::Correct),
        2 => (1u8..8, value()).prop_map(|(steps, value)| Event::Late(steps, value)),
        1 => (1u8..20, value()).prop_map(|(steps, value)| Event::Ahead(steps, value)),
        1 => Just(Event::Wait),
        2 => Just(Event::Trim),
        2 => Just(Event::Restart),
        1 => Just(Event::Crash),
        2 => Just(Event::Move),
        1 => Just(Event::Die),
    ]
}

fn worker(folder: &Path, store: &OneSeries, cache: bool) -> Worker<OneSeries> {
    worker_learning(folder, store, cache, WINDOW, Duration::MAX)
}

fn worker_learning(
    folder: &Path,
    store: &OneSeries,
    cache: bool,
    window: f64,
    learning: Duration,
) -> Worker<OneSeries> {
    let options = options_learning(folder, window, cache, (0, 1), AlarmRule::plain(600.0), learning);
    let mut worker = Worker::new(store.clone(), options, WorkerProgress::default(), Stop::default());
    worker.take_over(vec![Arc::from(NAME)]);
    worker
}

/// What a pass finds: verdicts, outcomes, and each anomaly's time, value and score.
fn found(worker: &mut Worker<OneSeries>, number: u64, now: f64) -> String {
    let report = worker.look_following(number, now, &[NAME]);
    let anomalies = report.anomalies.iter().map(|anomaly| {
        let last = anomaly.window().times.last().copied();
        (
            anomaly.at,
            anomaly.observed,
            anomaly.expected,
            anomaly.strength,
            last,
        )
    });
    format!(
        "{} analyzed, {:?}, {:?}, {:?}, newest {}",
        report.tally.analyzed(),
        report.tally.exceptions,
        anomalies.collect::<Vec<_>>(),
        report.outcomes,
        report.newest,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn tails_say_what_all_that_is_stored_says(
        start in prop::collection::vec(value(), ENOUGH..150),
        is_counter in any::<bool>(),
        events in prop::collection::vec(event(), 1..30),
    ) {
        let [mut kept, mut other, read] = [(); 3].map(|()| tempfile::tempdir().expect("room"));
        let store = OneSeries::default();
        let mut total = 0.0;
        let mut push = |time: f64, value: f64| {
            total += value.abs();
            let value = if is_counter { total } else { value };
            store.stored().points.push(time, value);
        };
        let mut now = START;
        for value in start {
            now += STEP;
            push(now, value);
        }
        let mut tails = worker(kept.path(), &store, true);
        let mut whole = worker(read.path(), &store, false);
        let mut newest = now;
        prop_assert_eq!(found(&mut tails, 1, now), found(&mut whole, 1, now));
        (0..PARTS as u64).for_each(|part| tails.save(part));
        let mut left = tails.snapshot(&[0], 0);
        // Since the states were saved, and the snapshot left.
        let mut has_disorder = false;
        for (number, event) in (2..).zip(events) {
            has_disorder |= matches!(event, Event::Correct(_) | Event::Late(..) | Event::Ahead(..));
            match event {
                Event::Follow(points) => {
                    for (steps, value) in points {
                        newest += STEP * f64::from(steps);
                        push(newest, value);
                    }
                    now = newest;
                }
                Event::Correct(value) => push(newest, value),
                Event::Late(steps, value) => push(newest - STEP * f64::from(steps) + 7.0, value),
                Event::Ahead(steps, value) => push(now + STEP * f64::from(steps) + 3.0, value),
                Event::Wait => now += STEP,
                Event::Trim => {
                    let mut stored = store.stored();
                    let old = stored.points.times.iter().take_while(|&&time| time <= now - WINDOW).count();
                    stored.points.times.drain(..old);
                    stored.points.values.drain(..old);
                    stored.trimmed += old as u64;
                }
                Event::Restart | Event::Crash => {
                    // What came too late is not too late for a state that was saved before.
                    if matches!(event, Event::Restart) || has_disorder {
                        (0..PARTS as u64).for_each(|part| tails.save(part));
                        left = tails.snapshot(&[0], 0);
                    }
                    has_disorder = false;
                    drop(tails);
                    tails = worker(kept.path(), &store, true);
                    // A start looks for what others have left.
                    tails.adopt(&left);
                }
                Event::Move | Event::Die => {
                    if matches!(event, Event::Move) || has_disorder {
                        left = tails.snapshot(&[0], 0);
                    }
                    has_disorder = false;
                    drop(tails);
                    std::mem::swap(&mut kept, &mut other);
                    tails = worker(kept.path(), &store, true);
                    tails.adopt(&left);
                    if matches!(event, Event::Move) {
                        // As it would with the first pass.
                        (0..PARTS as u64).for_each(|part| tails.save(part));
                    }
                }
            }
            prop_assert_eq!(found(&mut tails, number, now), found(&mut whole, number, now), "pass {}", number);
            prop_assert!(tails.states() == whole.states(), "another state after pass {}", number);
        }
    }
}

/// Ordinary points of a day of minutes, and the time of the last.
fn stored_day() -> (OneSeries, f64) {
    let store = OneSeries::default();
    let at = |minute: u32| START + STEP * f64::from(minute);
    for minute in 0..1_440_u32 {
        let value = 100.0 + f64::from(minute.wrapping_mul(2_654_435_761) >> 22) / 256.0;
        store.stored().points.push(at(minute), value);
    }
    (store, at(1_439))
}

/// Without time for learning a long window is judged by classic votes, and learnt after the pass to the state that a pass
/// would have made of it.
#[test]
fn what_there_was_no_time_to_learn_is_judged_by_votes_and_learnt_after_the_pass() {
    let (store, now) = stored_day();
    for cache_bytes in [usize::MAX, 0] {
        let (late, soon) = (
            tempfile::tempdir().expect("room"),
            tempfile::tempdir().expect("room"),
        );
        let mut late = worker_learning(late.path(), &store, true, DAY, Duration::ZERO);
        late.limit_cache(cache_bytes);
        let mut soon = worker_learning(soon.path(), &store, true, DAY, Duration::MAX);
        let report = late.look(1, now);
        assert_eq!(
            (
                report.tally.analyzed(),
                report.tally.unlearnt,
                report.tally.warming
            ),
            (1, 1, 0)
        );
        assert!(report.tally.times_run.iter().any(|times| *times > 0), "by votes");
        assert_eq!(late.states(), []);
        assert_eq!(soon.look(1, now).tally.unlearnt, 0);
        late.learn_the_rest(now);
        assert!(late.states() == soon.states(), "another state");
        let report = late.look(2, now + 20.0);
        assert_eq!((report.tally.analyzed(), report.tally.unlearnt), (1, 0));
        assert!(
            report.tally.times_run.iter().all(|times| *times == 0),
            "by its state"
        );
    }
}

/// A window as long as it may be loses a point with each that comes.
#[test]
fn a_window_that_moves_is_not_learnt_sooner_for_that() {
    let (store, now) = stored_day();
    let folder = tempfile::tempdir().expect("room");
    let mut worker = worker_learning(folder.path(), &store, true, DAY, Duration::ZERO);
    for minute in 0..5_u32 {
        let now = now + STEP * f64::from(minute);
        let report = worker.look(1 + u64::from(minute), now);
        assert_eq!(
            (report.tally.analyzed(), report.tally.unlearnt),
            (1, 1),
            "minute {minute}"
        );
        assert_eq!(worker.states(), []);
        store.stored().points.push(now + STEP, 101.0);
    }
}
