//! The law of the adaptive profile: a watch with a stepped clock, killed and started again as it may be, knows and says
//! of every metric to the bit what a replay of the same points does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use skywatch_algorithms::{Ensemble, Rules};
use skywatch_settings::AlertDirection;

use super::super::mind::{AdaptiveOptions, Rule};
use super::super::worker::{Worker, WorkerOptions};
use crate::backtest::player::{AdaptivePlayer, Track};
use crate::memory::{Memory, States};
use crate::status::Progress;
use crate::stop::Stop;
use crate::store::embedded::{EmbeddedConnect, EmbeddedOptions};
use crate::store::{Connect as _, Points as _, Sample};

const START: f64 = 1_700_000_100.0;
const STEP: f64 = 120.0;
const REST: f64 = 6.0 * 3_600.0;
const PARTS: usize = 3;
/// Low, so that there is much to compare.
const THRESHOLD: f32 = 0.01;

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

fn options(folder: &Path, full_duration: f64, cache: bool, seat: (usize, usize)) -> WorkerOptions {
    let states = Arc::new(States::open(&folder.join("states")).expect("room"));
    let saver = states.saver(PARTS * seat.1).expect("a thread");
    let rules = vec![Rule {
        metrics: None,
        threshold: THRESHOLD,
        direction: AlertDirection::Both,
        min_relative_change: 0.0,
        min_absolute_change: 0.0,
        rest: REST,
    }];
    let adaptive = AdaptiveOptions {
        rules,
        memory: Memory::open(&folder.join("memory")).expect("room"),
        states,
        saver,
        parts: PARTS,
        learned: None,
    };
    WorkerOptions {
        ensemble: Arc::new(Ensemble::classic(Rules::earthgecko())),
        full_duration,
        stale_period: 1e9,
        counters_as_rates: true,
        cache,
        cache_bytes: usize::MAX,
        canary: String::new(),
        adaptive: Some(Arc::new(adaptive)),
        seat,
    }
}

#[test]
fn a_watch_is_a_replay() {
    let alarms = AtomicUsize::new(0);
    proptest!(ProptestConfig::with_cases(12), |(
        seed in any::<u32>(),
        cache in any::<bool>(),
        // Steps between two passes, and what comes after a pass.
        plan in prop::collection::vec((prop_oneof![3 => Just(1_usize), 1 => 1_usize..250], 0_u8..20), 60..120),
    )| {
        let folder = tempfile::tempdir().expect("a folder");
        let connect = EmbeddedConnect::open(&EmbeddedOptions::new(folder.path().join("store"))).expect("a store");
        let mut store = connect.connect().expect("a store");
        let start = |seat| {
            let options = options(folder.path(), 4.0 * 86_400.0, cache, seat);
            let mut worker = Worker::new(connect.clone(), options, Progress::default(), Stop::default());
            worker.take_over((0..5).map(name).collect());
            worker
        };
        let mut worker = start((0, 1));
        let mut replays: Vec<_> = (0..5).map(|_| Track::new(AdaptivePlayer::default(), REST, THRESHOLD)).collect();
        // Whether the alarm under way was heard when it began.
        let mut is_heard = [false; 5];
        let mut step = 0;
        for (number, (steps, then)) in plan.into_iter().enumerate() {
            let mut lasting = BTreeMap::new();
            for step in step..step + steps {
                for metric in 0..5 {
                    let Some(value) = value(metric, step, seed) else { continue };
                    let time = START + STEP * step as f64;
                    store.append(&[Sample { metric: &name(metric), time, value }]).expect("room");
                    let answer = replays[metric].row(time, value);
                    is_heard[metric] = answer.is_alarm && (is_heard[metric] || answer.heard >= THRESHOLD);
                    lasting.insert(metric, (answer.is_alarm, is_heard[metric]));
                }
            }
            step += steps;
            let now = START + STEP * step as f64;
            let report = worker.look(number as u64 + 1, now);
            prop_assert!(report.tally.reasons.is_empty(), "{:?}", report.tally.reasons);
            for (name, state) in worker.states() {
                let metric = usize::from(name.as_bytes()[7] - b'0');
                let mut expected = Vec::new();
                replays[metric].player().state().write(&mut expected);
                // Not printed: thousands of bytes.
                prop_assert!(state == expected, "{name} after step {step}");
            }
            for (metric, (is_alarm, is_heard)) in lasting {
                if replays[metric].player().state().warmth() < 1.0 || steps > 1 {
                    continue;
                }
                let found = report.anomalies.iter().find(|anomaly| anomaly.name() == &*name(metric));
                alarms.fetch_add(usize::from(is_alarm), Ordering::Relaxed);
                let opens = found.and_then(|anomaly| anomaly.strength).map(|strength| strength.opens);
                prop_assert_eq!(opens, is_alarm.then_some(is_heard), "metric {} at step {}", metric, step);
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
                _ => worker.save(number as u64),
            }
        }
    });
    let alarms = alarms.into_inner();
    assert!(alarms > 20, "only {alarms} alarms to compare");
}
