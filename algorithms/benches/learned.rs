//! Training and asking the learned detectors. `cargo bench -p skywatch-algorithms --bench learned`.
//!
//! Training: the original's day, eight granularities of 24 hours, as one table of 2,631 rows (its 163 windows and the
//! one at the end) and as eight. The vote: 50,000 metrics with a day of minutes each in memory, one new point each, on
//! one thread, beside what the adaptive profile takes for the same points.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench talks and may fail"
)]

use std::ops::ControlFlow;
use std::time::Instant;

use skywatch_algorithms::Window;
use skywatch_algorithms::learned::{
    FamilyAutoencoder, FamilyOptions, SequenceAutoencoder, SequenceOptions, Table,
};
use skywatch_algorithms::random::Random;
use skywatch_algorithms::streaming::{Adaptive, InMemoryHours};

const COLUMNS: [&str; 11] = [
    "bits_per_sec_per_client",
    "bps",
    "bytes",
    "bytes_per_client",
    "clients",
    "flows",
    "flows_per_client",
    "flows_per_sec_per_client",
    "fps",
    "pkts",
    "pps",
];
const GRANULARITIES: [f64; 8] = [60.0, 120.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 28_800.0];

fn main() {
    training();
    vote();
}

fn traffic(step: f64, random: &mut Random) -> Table {
    let mut table = Table {
        columns: COLUMNS.map(str::to_owned).to_vec(),
        ..Table::default()
    };
    for row in 0..(86_400.0 / step).ceil() as usize {
        let time = 1.7e9 + step * row as f64;
        let level = 1.0 + 0.6 * (std::f64::consts::TAU * time / 86_400.0).sin() + 0.1 * random.normal();
        table.times.push(time);
        let value = |column: usize| (1e3f64.powf(1.0 + column as f64 / 8.0) * step * level).max(0.0);
        table.values.extend((0..COLUMNS.len()).map(value));
    }
    table
}

fn training() {
    let mut random = Random::new(1);
    let tables: Vec<Table> = GRANULARITIES
        .iter()
        .map(|&step| traffic(step, &mut random))
        .collect();
    let joined = Table {
        columns: tables[0].columns.clone(),
        times: tables.iter().flat_map(|table| table.times.clone()).collect(),
        values: tables.iter().flat_map(|table| table.values.clone()).collect(),
    };
    for (name, tables) in [("one table", &[joined][..]), ("eight tables", &tables)] {
        let rows: usize = tables.iter().map(|table| table.times.len()).sum();
        let mut seconds: Vec<f64> = (0..5)
            .map(|_| {
                let options = SequenceOptions {
                    patience: 20,
                    ..SequenceOptions::default()
                };
                let network = SequenceAutoencoder::new(tables[0].columns.clone(), options);
                let start = Instant::now();
                let (_, report) = network.fit(tables, &mut |_| ControlFlow::Continue(())).unwrap();
                assert_eq!(report.epochs.len(), 20);
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        println!(
            "training, {name}, {rows} rows, 20 epochs: {:.2} s (median of 5; {:.2} to {:.2}), one thread",
            seconds[2], seconds[0], seconds[4]
        );
    }
}

fn vote() {
    const METRICS: usize = 50_000;
    const POINTS: usize = 1440;
    const TAUGHT: usize = 500;
    let times: Vec<f64> = (0..=3 * POINTS).map(|n| 1.7e9 + 60.0 * n as f64).collect();
    let series = |seed: usize, count: usize| -> Vec<f64> {
        let mut random = Random::new(seed as u64);
        let unit = 10f64.powi((seed % 9) as i32 - 4);
        let wave = |time: &f64| (std::f64::consts::TAU * time / 86_400.0).sin();
        let all = times[times.len() - count..].iter();
        all.map(|time| unit * (10.0 + 3.0 * wave(time) + random.normal()))
            .collect()
    };
    let mut family = FamilyAutoencoder::of(
        TAUGHT,
        FamilyOptions {
            epochs: 3,
            ..FamilyOptions::default()
        },
    );
    for metric in 0..TAUGHT {
        assert!(family.add(
            &format!("m{metric}"),
            Window::new(&times, &series(metric, times.len()))
        ));
    }
    let start = Instant::now();
    let (family, report) = family.fit(&mut |_| ControlFlow::Continue(())).unwrap();
    println!(
        "family of {TAUGHT} metrics: {} epochs in {:.2} s, one thread",
        report.epochs.len(),
        start.elapsed().as_secs_f64()
    );
    let windows: Vec<Vec<f64>> = (0..METRICS).map(|metric| series(metric, POINTS)).collect();
    let last = &times[times.len() - POINTS..];
    // Memory like that of a live pass: every window at a place of its own.
    let clocks: Vec<Vec<f64>> = (0..METRICS).map(|_| last.to_vec()).collect();
    let mut states: Vec<Adaptive> = windows
        .iter()
        .map(|values| {
            let mut state = Adaptive::default();
            let window = Window::new(&last[..POINTS - 1], &values[..POINTS - 1]);
            state.fit(window, &mut InMemoryHours::default());
            state
        })
        .collect();
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let scales: Vec<_> = (0..METRICS)
        .map(|metric| family.scale(&format!("m{}", metric % TAUGHT)).unwrap())
        .collect();
    for round in 0..5 {
        let start = Instant::now();
        let mut memory = InMemoryHours::default();
        let mut alarms = 0;
        for (state, values) in states.iter_mut().zip(&windows) {
            let time = last[POINTS - 1] + 60.0 * f64::from(round);
            alarms += usize::from(state.observe(time, values[POINTS - 1], &mut memory).is_alarm());
        }
        without.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let mut sum = 0.0;
        for ((values, times), scale) in windows.iter().zip(&clocks).zip(&scales) {
            sum += family
                .forecast(scale, Window::sorted(times, values))
                .unwrap_or(0.0);
        }
        with.push(start.elapsed().as_secs_f64());
        std::hint::black_box((alarms, sum));
    }
    let (without, with) = (median(&mut without), median(&mut with));
    println!(
        "the forecasts for {METRICS} metrics with one new point each: {:.0} ms, {:.2} µs a metric; the adaptive state's step \
         on the same: {:.0} ms",
        with * 1e3,
        with * 1e6 / METRICS as f64,
        without * 1e3
    );
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
