//! What the adaptive profile costs: warm passes beside the classic profile's, and with the learned vote; fitting in batch, an hour's turn of the long
//! memory, bytes of state.
//!
//! `scripts/bench adaptive`. `METRICS` (20,000) and `WARM_PASSES` (5) size the passes, over windows of two days, so that
//! every metric is learnt from its window. Prints lines of JSON.

mod harness;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use serde_json::{Value, json};
use skywatch::baseline::{Baseline, States};
use skywatch_algorithms::streaming::{Adaptive, Hour, InMemoryHours, LongMemory as _};

/// Minutes in a batch fit: sixteen days.
const FITTED: usize = 16 * 1_440;
/// Metrics fitted in batch.
const BATCH: usize = 200;
/// Metrics in the bench of the long memory.
const REMEMBERED: usize = 20_000;

fn main() {
    let number = |name: &str, default: usize| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    say(&state());
    say(&batch());
    say(&memory());
    for profile in ["skyline", "adaptive", "learned"] {
        let measured = harness::measure(harness::Shape {
            metrics: number("METRICS", 20_000),
            points: 2_880,
            anomalous: 0.0,
            warm_passes: number("WARM_PASSES", 5),
            cold_rounds: 1,
            cores: number("CORES", 0),
            days: 2,
            profile,
            places: None,
        });
        let mut line = serde_json::to_value(&measured).expect("figures are JSON");
        line["profile"] = profile.into();
        say(&line);
    }
}

fn say(line: &Value) {
    writeln!(std::io::stdout().lock(), "{line}").expect("standard output");
}

/// A daily wave with noise, a point each minute.
fn points(metric: usize) -> Vec<(f64, f64)> {
    let mut noise = metric as u64;
    let minutes = 0..FITTED;
    minutes
        .map(|minute| {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let wave = (minute as f64 / 1_440.0 * std::f64::consts::TAU).sin();
            (
                1.7e9 + 60.0 * minute as f64,
                100.0 + 10.0 * wave + (noise >> 40) as f64 / 1e7,
            )
        })
        .collect()
}

fn fitted(points: &[(f64, f64)]) -> (Adaptive, InMemoryHours) {
    let (mut state, mut hours) = (Adaptive::default(), InMemoryHours::default());
    for &(time, value) in points {
        std::hint::black_box(state.observe(time, value, &mut hours));
    }
    (state, hours)
}

/// Bytes of a metric's state, in memory and written.
fn state() -> Value {
    let (state, _) = fitted(&points(1));
    let mut bytes = Vec::new();
    state.write(&mut bytes);
    json!({ "bench": "state", "bytes_in_memory": size_of::<Adaptive>(), "bytes_written": bytes.len() })
}

/// Points a second through a batch fit, on one thread and on all.
fn batch() -> Value {
    let series: Vec<_> = (0..BATCH).map(points).collect();
    let begun = Instant::now();
    for points in &series[..BATCH / 4] {
        std::hint::black_box(fitted(points));
    }
    let one = (BATCH / 4 * FITTED) as f64 / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    series.par_iter().for_each(|points| {
        std::hint::black_box(fitted(points));
    });
    let all = (BATCH * FITTED) as f64 / begun.elapsed().as_secs_f64();
    json!({
        "bench": "batch fit",
        "threads": rayon::current_num_threads(),
        "points_s_one_thread": one.round(),
        "points_s": all.round(),
    })
}

/// An hour that turns for all metrics: appended and 35 days recalled, microseconds a metric; then states saved and taken.
fn memory() -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Baseline::open(folder.path()).expect("room");
    let mut desk = memory.handle();
    let names: Vec<Arc<str>> = (0..REMEMBERED)
        .map(|metric| Arc::from(harness::name(metric)))
        .collect();
    let mut slots = vec![None; REMEMBERED];
    let first = 472_200;
    let hour = |number: u32| Hour {
        number,
        min: 1.0,
        mean: 2.0,
        max: 3.0,
    };
    for (name, slot) in names.iter().zip(&mut slots) {
        let mut hours = desk.of(name, slot);
        (first..first + 840).for_each(|number| hours.append(hour(number)));
    }
    let mut recalled = Vec::new();
    let begun = Instant::now();
    for (name, slot) in names.iter().zip(&mut slots) {
        let mut hours = desk.of(name, slot);
        hours.append(hour(first + 840));
        hours.recall(&mut recalled);
        assert!(recalled.len() >= 840);
    }
    let turn = begun.elapsed().as_secs_f64() / REMEMBERED as f64 * 1e6;
    let bytes: u64 = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .and_then(|entry| entry.metadata())
                .map_or(0, |known| known.len())
        })
        .sum();
    let states = Arc::new(States::open(&folder.path().join("states")).expect("room"));
    let (state, _) = fitted(&points(1));
    let saver = states.saver(1).expect("a thread");
    let begun = Instant::now();
    let mut part = skywatch::baseline::StatePart::new("all");
    names
        .iter()
        .for_each(|name| part.add(name, &state, 1.7e9, |_| {}));
    let written = begun.elapsed().as_secs_f64() / REMEMBERED as f64 * 1e6;
    saver.save(part);
    drop(saver);
    let begun = Instant::now();
    let states = States::open(&folder.path().join("states")).expect("readable");
    assert!(names.iter().all(|name| states.take(name).is_some()));
    let taken = begun.elapsed().as_secs_f64() / REMEMBERED as f64 * 1e6;
    json!({
        "bench": "memory",
        "hour_turn_us_a_metric": turn,
        "bytes_a_metric": bytes as f64 / REMEMBERED as f64,
        "state_write_us_a_metric": written,
        "state_take_us_a_metric": taken,
    })
}
