//! A point ahead of the clock blinds nobody: what comes meanwhile is judged, and the point itself when the clock has
//! reached it.

use std::path::Path;
use std::sync::Arc;

use super::super::rule::AlarmRule;
use super::super::testing::{Worker, options};
use crate::status::WorkerProgress;
use crate::stop::Stop;
use crate::store::embedded::{EmbeddedConnect, EmbeddedOptions, EmbeddedStore};
use crate::store::{Connect as _, Points as _, Sample};

const START: f64 = 1_700_000_100.0;
const STEP: f64 = 60.0;
/// Points before the one that is ahead: two days of minutes.
const BEFORE: u32 = 2 * 1_440;
const NAME: &str = "ahead";

fn ordinary(step: u32) -> f64 {
    100.0 + f64::from(step.wrapping_mul(2_654_435_761) >> 22) / 256.0
}

fn at(step: u32) -> f64 {
    START + STEP * f64::from(step)
}

/// A worker with two days of ordinary points behind it, whose clock is that of the last.
struct World {
    folder: tempfile::TempDir,
    connect: EmbeddedConnect,
    store: EmbeddedStore,
    worker: Worker<EmbeddedConnect>,
    passes: u64,
}

fn worker(folder: &Path, connect: &EmbeddedConnect, cache: bool) -> Worker<EmbeddedConnect> {
    let options = options(folder, 86_400.0, cache, (0, 1), AlarmRule::plain(0.0));
    let mut worker = Worker::new(
        connect.clone(),
        options,
        WorkerProgress::default(),
        Stop::default(),
    );
    worker.take_over(vec![Arc::from(NAME)]);
    worker
}

impl World {
    fn new(cache: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let connect =
            EmbeddedConnect::open(&EmbeddedOptions::new(folder.path().join("store"))).expect("a store");
        let store = connect.connect().expect("a store");
        let mut world = Self {
            worker: worker(folder.path(), &connect, cache),
            folder,
            connect,
            store,
            passes: 0,
        };
        let samples: Vec<_> = (0..BEFORE)
            .map(|step| Sample {
                metric: NAME,
                time: at(step),
                value: ordinary(step),
            })
            .collect();
        world.store.append(&samples).expect("room");
        assert_eq!(world.alarm(at(BEFORE - 1)), None);
        world
    }

    fn put(&mut self, time: f64, value: f64) {
        let sample = Sample {
            metric: NAME,
            time,
            value,
        };
        self.store.append(&[sample]).expect("room");
    }

    /// The time of the anomaly that a pass at `now` finds.
    fn alarm(&mut self, now: f64) -> Option<f64> {
        self.passes += 1;
        let report = self.worker.look(self.passes, now);
        assert_eq!(report.tally.analyzed(), 1, "it is judged at {now}");
        assert!(report.newest <= now + STEP, "nothing is known of the future");
        report.anomalies.first().map(|anomaly| anomaly.at)
    }
}

/// Times of the anomalies found while the clock goes on to a point that is `ahead` seconds ahead, of that value; the
/// point of the second minute has the value `second`.
fn found(cache: bool, ahead: f64, value: f64, second: f64) -> Vec<f64> {
    let mut world = World::new(cache);
    // Between two points of the metric.
    let early = at(BEFORE) + ahead + 30.0;
    world.put(early, value);
    let mut found = Vec::new();
    for step in BEFORE.. {
        let value = if step == BEFORE + 1 {
            second
        } else {
            ordinary(step)
        };
        if step > BEFORE {
            world.put(at(step), value);
        }
        found.extend(world.alarm(at(step)));
        if at(step) > early + STEP {
            break;
        }
    }
    found
}

#[test]
fn what_comes_meanwhile_is_judged_and_the_point_itself_in_its_time() {
    for cache in [true, false] {
        for ahead in [60.0, 600.0, 86_400.0] {
            let meanwhile = found(cache, ahead, ordinary(0), 5_000.0);
            assert!(
                meanwhile.contains(&at(BEFORE + 1)),
                "{ahead} s ahead: {meanwhile:?}"
            );
            let itself = found(cache, ahead, 5_000.0, ordinary(1));
            let early = at(BEFORE) + ahead + 30.0;
            assert_eq!(itself.first(), Some(&early), "{ahead} s ahead: {itself:?}");
        }
    }
}

/// What is read whole ends days ahead: what there is up to now is learnt all the same.
#[test]
fn points_ahead_push_nothing_out_of_the_first_window() {
    let mut world = World::new(true);
    for day in 1..4 {
        world.put(at(BEFORE) + 86_400.0 * f64::from(day), 10_000.0);
    }
    world.put(at(BEFORE), ordinary(BEFORE));
    world.put(at(BEFORE + 1), 5_000.0);
    let again = worker(&world.folder.path().join("again"), &world.connect, true);
    world.worker = again;
    assert_eq!(world.alarm(at(BEFORE + 1)), Some(at(BEFORE + 1)));
}
