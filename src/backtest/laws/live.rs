//! The law of the adaptive profile: a watch with a stepped clock, killed and started again as it may be, knows and says
//! of every metric to the bit what a replay of the same points does, those that are stored twice, and those whose newest
//! value is corrected, among them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::super::player::{AdaptivePlayer, RowScorer};
use crate::analyzer::rule::AlarmRule;
use crate::analyzer::testing::{PARTS, Worker, options};
use crate::status::WorkerProgress;
use crate::stop::Stop;
use crate::store::embedded::{EmbeddedConnect, EmbeddedOptions};
use crate::store::{Connect as _, Points as _, Sample};

const START: f64 = 1_700_000_100.0;
const STEP: f64 = 120.0;
const REST: f64 = 6.0 * 3_600.0;
/// High, so that there is much to compare.
const SENSITIVITY: f32 = 100.0;

fn rule() -> AlarmRule {
    AlarmRule {
        sensitivity: SENSITIVITY,
        ..AlarmRule::plain(REST)
    }
}

/// What one metric says at each step; nothing at some.
fn value(metric: usize, step: usize, seed: u32) -> Option<f64> {
    let noise = f64::from((step as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 22) / 1_024.0;
    let day = (step as f64 * STEP / 86_400.0 * std::f64::consts::TAU).sin();
    let spike = if (step + 37 * metric).is_multiple_of(211) {
        60.0
    } else {
        0.0
    };
    match metric {
        0 => Some(10.0 + 3.0 * day + noise + spike),
        1 => Some(step as f64 * 5.0 + noise + 20.0 * spike),
        2 if !step.is_multiple_of(5) => None,
        2 => Some(noise + spike),
        3 if (300..340).contains(&step) => None,
        3 => Some(if spike > 0.0 { 1.0 } else { 0.0 }),
        _ => Some(100.0 * noise * noise + spike * 30.0),
    }
}

fn name(metric: usize) -> Arc<str> {
    Arc::from(format!("metric.{metric}"))
}

/// One metric in a replay, and what the watch must say of it.
struct Expected {
    track: RowScorer<AdaptivePlayer>,
    newest: f64,
    is_alarm: bool,
    /// Whether the alarm under way was heard when it began, by the newest point and by the one before it.
    is_heard: bool,
    was_heard: bool,
}

impl Expected {
    fn new(metric: &str) -> Self {
        let mut track = RowScorer::new(AdaptivePlayer::default(), Arc::from([rule()]));
        track.begin(metric);
        Self {
            track,
            newest: 0.0,
            is_alarm: false,
            is_heard: false,
            was_heard: false,
        }
    }

    fn take(&mut self, time: f64, value: f64) {
        if time > self.newest {
            (self.newest, self.was_heard) = (time, self.is_heard);
        }
        // Nobody knows what comes next.
        let answer = self.track.row(time, value, f64::NAN);
        self.is_alarm = answer.is_alarm;
        self.is_heard = answer.is_alarm && (self.was_heard || answer.heard >= 1.0);
    }
}

#[test]
fn a_watch_is_a_replay() {
    let (alarms, corrected) = (AtomicUsize::new(0), AtomicUsize::new(0));
    proptest!(ProptestConfig::with_cases(12), |(
        seed in any::<u32>(),
        cache in any::<bool>(),
        // Steps between two passes, what comes after a pass, and what becomes of the newest points meanwhile.
        plan in prop::collection::vec((prop_oneof![3 => Just(1_usize), 1 => 1_usize..250], 0_u8..20, 0_u8..4), 60..120),
    )| {
        let folder = tempfile::tempdir().expect("a folder");
        let connect = EmbeddedConnect::open(&EmbeddedOptions::new(folder.path().join("store"))).expect("a store");
        let mut store = connect.connect().expect("a store");
        let start = |seat| {
            let options = options(folder.path(), 4.0 * 86_400.0, cache, seat, rule());
            let mut worker = Worker::new(connect.clone(), options, WorkerProgress::default(), Stop::default());
            worker.take_over((0..5).map(name).collect());
            worker
        };
        let mut worker = start((0, 1));
        let mut replays: Vec<_> = (0..5).map(|metric| Expected::new(&name(metric))).collect();
        let mut step = 0;
        let mut number = 0;
        for (steps, then, change) in plan {
            let mut shown = BTreeMap::new();
            let mut put = |replays: &mut Vec<Expected>, metric: usize, time: f64, value: f64| {
                store.append(&[Sample { metric: &name(metric), time, value }]).expect("room");
                replays[metric].take(time, value);
                shown.insert(metric, value);
            };
            for step in step..step + steps {
                for metric in 0..5 {
                    let Some(value) = value(metric, step, seed) else { continue };
                    let time = START + STEP * step as f64;
                    // An aggregator sends a part first.
                    if change == 1 {
                        put(&mut replays, metric, time, value / 2.0);
                    }
                    put(&mut replays, metric, time, value);
                    if change == 2 {
                        put(&mut replays, metric, time, value);
                    }
                }
            }
            step += steps;
            let now = START + STEP * step as f64;
            let mut compare = |worker: &mut Worker<_>, replays: &[Expected], shown: &BTreeMap<usize, f64>| {
                number += 1;
                let report = worker.look(number, now);
                prop_assert!(report.tally.reasons.is_empty(), "{:?}", report.tally.reasons);
                prop_assert_eq!(report.tally.late_points, 0);
                for (name, state) in worker.states() {
                    let metric = usize::from(name.as_bytes()[7] - b'0');
                    let mut expected = Vec::new();
                    replays[metric].track.player().state().write(&mut expected);
                    // Not printed: thousands of bytes.
                    prop_assert!(state == expected, "{name} after step {step}");
                }
                for &metric in shown.keys() {
                    let replay = &replays[metric];
                    if !replay.track.player().state().is_ready() || steps > 1 {
                        continue;
                    }
                    let found = report.anomalies.iter().find(|anomaly| anomaly.name() == &*name(metric));
                    alarms.fetch_add(usize::from(replay.is_alarm), Ordering::Relaxed);
                    let opens = found.and_then(|anomaly| anomaly.strength).map(|strength| strength.opens);
                    let expected = replay.is_alarm.then_some(replay.is_heard);
                    prop_assert_eq!(opens, expected, "metric {} at step {}", metric, step);
                }
                Ok(())
            };
            compare(&mut worker, &replays, &shown)?;
            if change == 3 {
                // Judged already, and corrected.
                for (metric, value) in shown.clone() {
                    let (time, value) = (replays[metric].newest, 3.0 * value + 7.0);
                    store.append(&[Sample { metric: &name(metric), time, value }]).expect("room");
                    replays[metric].take(time, value);
                }
                corrected.fetch_add(shown.len(), Ordering::Relaxed);
                compare(&mut worker, &replays, &shown)?;
            }
            match then {
                // Killed: what was not saved is lost.
                0 => { drop(worker); worker = start((0, 1)); }
                // Stopped and started again as one of several.
                1 => {
                    (0..PARTS).for_each(|part| worker.save(part as u64));
                    drop(worker);
                    worker = start((1, 2));
                }
                _ => worker.save(number),
            }
        }
    });
    let (alarms, corrected) = (alarms.into_inner(), corrected.into_inner());
    assert!(
        alarms > 20 && corrected > 100,
        "only {alarms} alarms and {corrected} corrections to compare"
    );
}
